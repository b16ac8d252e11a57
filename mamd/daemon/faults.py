"""Telling the log once when something begins to stop us, and once when it is over."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Final

import structlog

from mamd.ports import Clock, Fault

log = structlog.get_logger()

EVERY_S: Final = 1.0


class FaultLog:
    """
    Compares the faults of now with those of a second ago.

    A fault that goes on in other words ("ended the connection", then "is not there") is the same
    fault and tells nothing new; two of one name (two MDMs) are two.
    """

    def __init__(self, clock: Clock, faults: Callable[[], tuple[Fault, ...]]) -> None:
        self._clock = clock
        self._faults = faults
        self._before: dict[str, list[Fault]] = {}

    async def run(self) -> None:
        """For ever."""
        while True:
            self.compare()
            await self._clock.sleep_until(self._clock.now().up + EVERY_S)

    def compare(self) -> None:
        """One line for each fault that came, and for each that went."""
        now = _by_name(self._faults())
        for name in now.keys() | self._before.keys():
            before, after = self._before.get(name, []), now.get(name, [])
            for came in _more(after, before):
                log.error("fault.began", fault=name, what=came.what, cure=came.cure)
            for went in _more(before, after):
                log.info("fault.ended", fault=name, what=went.what)
        self._before = now


def _by_name(faults: Iterable[Fault]) -> dict[str, list[Fault]]:
    found: defaultdict[str, list[Fault]] = defaultdict(list)
    for one in faults:
        found[one.name].append(one)
    return dict(found)


def _more(these: list[Fault], those: list[Fault]) -> list[Fault]:
    """By how many these are more than those; the ones that are not among those."""
    whats = {one.what for one in those}
    others = [one for one in these if one.what not in whats]
    return others[: max(0, len(these) - len(those))]
