"""Telling the log once when something begins to stop us, and once when it is over."""

from collections.abc import Callable
from typing import Final

import structlog

from mamd.ports import Clock, Fault

log = structlog.get_logger()

EVERY_S: Final = 1.0


class FaultLog:
    """Compares the faults of now with those of a second ago."""

    def __init__(self, clock: Clock, faults: Callable[[], tuple[Fault, ...]]) -> None:
        self._clock = clock
        self._faults = faults
        self._before: dict[str, Fault] = {}

    async def run(self) -> None:
        """For ever."""
        while True:
            self.compare()
            await self._clock.sleep_until(self._clock.now().up + EVERY_S)

    def compare(self) -> None:
        """One line for each fault that came, and for each that went."""
        now = {f"{one.name}: {one.what}": one for one in self._faults()}
        for key in now.keys() - self._before.keys():
            log.error("fault.began", fault=now[key].name, what=now[key].what, cure=now[key].cure)
        for key in self._before.keys() - now.keys():
            log.info("fault.ended", fault=self._before[key].name, what=self._before[key].what)
        self._before = now
