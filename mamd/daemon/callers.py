"""Calling people: several matters in one message, again and again until somebody acknowledges."""

from collections.abc import Callable, Sequence
from typing import Final

import structlog

from mamd.core.errors import Trouble
from mamd.core.time import Now
from mamd.daemon.happening import Called, Happening
from mamd.daemon.keeper import Keeper
from mamd.ports import CallRow, Fault, People

log = structlog.get_logger()

GATHER_S: Final = 3.0
"""Matters that come up within that time go out in one message: sixteen devices, one call."""


class Callers:
    """
    Looks every few seconds whether people have to be told of something.

    The page, `mamd status`, the metrics and the log show every call without any of this.
    """

    def __init__(
        self, keeper: Keeper, people: Sequence[People], *, text: Callable[[Sequence[CallRow], Now], str]
    ) -> None:
        self.keeper = keeper
        self.people = tuple(people)
        self.faults: tuple[Fault, ...] = ()
        self._text = text

    async def run(self) -> None:
        """For ever."""
        clock = self.keeper.clock
        while True:
            await clock.sleep_until(clock.now().up + GATHER_S)
            rows = self._due(clock.now())
            if rows:
                await self._call(rows, clock.now())

    def _due(self, now: Now) -> tuple[CallRow, ...]:
        again_s = self.keeper.turns.house.again_after_s
        return tuple(
            row
            for row in self.keeper.ledger.calls
            if not row.is_settled
            and row.acknowledged_by is None
            and (row.times == 0 or not now.is_within(again_s, of=row.last))
        )

    async def _call(self, rows: tuple[CallRow, ...], now: Now) -> None:
        for row in rows:
            log.warning(
                "person.called", reason=row.call.reason.value, device=row.call.device, times=row.times + 1
            )
        text = self._text(rows, now)
        faults = [fault for one in self.people if (fault := await self._tell(one, text, rows)) is not None]
        self.faults = tuple(faults)
        if len(faults) < len(self.people) or not self.people:
            self.keeper.put(Happening(now, word=Called(rows)))

    async def _tell(self, one: People, text: str, rows: tuple[CallRow, ...]) -> Fault | None:
        """One way out. If it fails, the others are still tried, and this one again in a while."""
        try:
            await one.call(text, rows)
        except Trouble as error:
            log.error("person.not_reached", way=one.name, why=error.what)
            return Fault("people_out_of_reach", f"{one.name}: {error.what}", "mend this way to reach people")
        return None
