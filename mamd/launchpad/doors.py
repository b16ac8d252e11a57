"""
Who may open a connection to usbmuxd now: its backlog is short, and some devices never answer.

Debian 12's usbmuxd listens with a backlog of 5 (`listen(fd, 5)`, src/main.c); one connection
more, and connecting fails with EAGAIN.
"""

import asyncio
import heapq
from contextlib import AbstractAsyncContextManager
from enum import IntEnum
from itertools import count
from types import TracebackType
from typing import Final

OPENING: Final = 4
OPEN: Final = 64


class Rank(IntEnum):
    """Who goes first."""

    DECIDES = 0  # a wait is due on this look
    ANSWERS = 1
    SILENT = 2  # it let its last look time out


class Doors:
    """So many places; whoever waits goes in by rank, then in order of arrival."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._numbers = count()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []

    def place(self, rank: Rank) -> "Place":
        """A place, to be entered with `async with`."""
        return Place(self, rank)

    async def enter(self, rank: Rank) -> None:
        """Return once a place has been taken."""
        if self._free > 0 and not self._waiting:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (rank, next(self._numbers), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()  # our turn came in the same moment
            raise

    def leave(self) -> None:
        """Give a place back."""
        self._free += 1
        while self._free > 0 and self._waiting:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                self._free -= 1
                turn.set_result(None)


class Place(AbstractAsyncContextManager["Place"]):
    """A place that may be left before the end of its block."""

    def __init__(self, doors: Doors, rank: Rank) -> None:
        self._doors, self._rank = doors, rank
        self._is_held = False

    async def __aenter__(self) -> "Place":
        await self._doors.enter(self._rank)
        self._is_held = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    def leave(self) -> None:
        """Let the next one in. Leaving twice does nothing."""
        if self._is_held:
            self._is_held = False
            self._doors.leave()
