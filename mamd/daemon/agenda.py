"""When the keeper is due for whom: looks and waking times, soonest first."""

import asyncio
import heapq
from dataclasses import dataclass, field

from mamd.core.facts import Attachment
from mamd.ports import Clock

Key = Attachment | str
"""An attachment is due for a look; a device's name, for its run's waking time."""


@dataclass(slots=True)
class Agenda:
    """
    A heap of times with one entry a key: writing a new time for a key replaces the old one.

    These times are derived from stored rows and are made again at every start.
    """

    clock: Clock
    _due: dict[Key, float] = field(default_factory=dict)
    _heap: list[tuple[float, int, Key]] = field(default_factory=list)
    _count: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, key: Key, at: float | None) -> None:
        """Be due for `key` at `up` seconds since boot; None: not at all."""
        if at is None:
            self._due.pop(key, None)
            return
        if self._due.get(key) == at:
            return
        self._due[key] = at
        self._count += 1
        heapq.heappush(self._heap, (at, self._count, key))
        if self._heap[0][2] == key:
            self._changed.set()

    def at(self, key: Key) -> float | None:
        """When it is due for `key`."""
        return self._due.get(key)

    async def due(self) -> list[Key]:
        """Wait until something is due; everything that is, soonest first, taken off the agenda."""
        while True:
            self._changed.clear()
            taken = self._take(self.clock.now().up)
            if taken:
                return taken
            await self._wait()

    def _take(self, up: float) -> list[Key]:
        taken: list[Key] = []
        while self._heap and self._heap[0][0] <= up:
            at, _, key = heapq.heappop(self._heap)
            if self._due.get(key) == at:
                del self._due[key]
                taken.append(key)
        return taken

    async def _wait(self) -> None:
        change = asyncio.ensure_future(self._changed.wait())
        waiting = {change}
        if self._heap:
            waiting.add(asyncio.ensure_future(self.clock.sleep_until(self._heap[0][0])))  # type: ignore[arg-type]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()
