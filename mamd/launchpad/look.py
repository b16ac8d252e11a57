"""
Who is looked at when, and how thoroughly; `visit` knows the steps of one look.

    asked ─▶ one at a time a device ─▶ one of 64 places ─▶ one of 4 doors of usbmuxd ─▶ visit
"""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Final

from mamd.core.facts import Answer, Look
from mamd.launchpad.doors import OPEN, OPENING, Doors, Rank
from mamd.launchpad.findings import Findings, Means, Mux, Target
from mamd.launchpad.pairing import Pairing
from mamd.launchpad.records import Records
from mamd.launchpad.visit import Visit
from mamd.launchpad.wire import Address

TLS_EVERY: Final = 6
SILENT_PLACES: Final = 16
"""Of the 64: more devices than these that let their last look time out cannot stand in the way."""


@dataclass(slots=True)
class Memory:
    """What is remembered of one attachment between looks."""

    udid: str | None = None
    answer: Answer | None = None
    locked: bool | None = None
    looks_since_tls: int = 0
    is_named: bool = False
    is_silent: bool = False
    one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    def wants_tls(self) -> bool:
        """
        Whether the session is to be opened to its end.

        Only a device that was unlocked when last asked may go without for a while: that it is
        locked is what waits are counted on, so it is seen afresh each time.
        """
        is_calm = self.answer is Answer.SESSION and self.locked is False
        return not is_calm or self.looks_since_tls + 1 >= TLS_EVERY

    def remember(self, found: Findings) -> None:
        """Take over what the next look needs to know."""
        self.answer, self.locked = found.answer, found.locked
        self.looks_since_tls = 0 if found.had_tls else self.looks_since_tls + 1
        self.is_named = self.is_named or found.is_named
        self.is_silent = found.answer is Answer.NO_ANSWER


class Looker:
    """Looks at devices: at most 64 at once, of which four are being let in by usbmuxd."""

    def __init__(self, address: Address, records: Records, pairing: Pairing, usbmuxd: Mux) -> None:
        self._means = Means(address, records, pairing, usbmuxd, Doors(OPENING))
        self._open = Doors(OPEN - SILENT_PLACES)
        self._open_to_silent = Doors(SILENT_PLACES)

    @property
    def faults(self) -> tuple[str, ...]:
        """Why pair records or keys could not be read or kept, when they were last needed."""
        return tuple(sorted(set(self._means.faults.values())))

    def forget(self, memory: Memory) -> None:
        """A device has gone: what was wrong with its record is nobody's concern until it is back."""
        if memory.udid is not None:
            self._means.faults.pop(memory.udid, None)
            self._means.records.forget(memory.udid)

    async def look(self, target: Target, memory: Memory, deadline_s: float) -> Look:
        """
        One look; raises nothing of what devices do.

        The deadline counts from when it is the device's turn: waiting for others to be looked at
        says nothing about this one.
        """
        rank = Rank.SILENT if memory.is_silent else Rank.DECIDES if target.identify else Rank.ANSWERS
        places = self._open_to_silent if memory.is_silent else self._open
        memory.udid = target.udid
        async with memory.one_at_a_time, places.place(rank):
            to_do = replace(
                target,
                name=target.identify or not memory.is_named,
                tls=target.identify or memory.wants_tls(),
                is_let_in=memory.answer is Answer.SESSION,
            )
            found = await Visit(self._means, to_do, rank).made(deadline_s)
            if found.answer is Answer.SESSION and not found.had_tls:
                found.locked = memory.locked  # False, and at most a minute old: see wants_tls
            memory.remember(found)
        return found.look()
