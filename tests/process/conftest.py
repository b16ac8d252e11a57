"""
Lets the lives of several houses go on side by side, so that their waits cost the time of few.

A life is a function of a folder: a whole site from its start to its end, with what has to come true.
A test names one by its parameter `life`, and waits for what came of it.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

Life = Callable[[Path], Awaitable[None]]
AT_ONCE: Final = int(os.environ.get("MAMD_LIVES_AT_ONCE", "4"))
"""Their processes mostly wait; on two cores, more of them would only wait for each other."""


class Lives:
    """The lives that the selected tests ask for; each begins when one before it has ended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places = asyncio.Semaphore(AT_ONCE)
        self._tasks: dict[Life, asyncio.Task[None]] = {}

    def begin(self, life: Life) -> None:
        """Have it begin as soon as there is a place. Twice is once."""
        if life not in self._tasks:
            self._tasks[life] = asyncio.create_task(self._in_turn(life, f"{len(self._tasks)}"))

    async def _in_turn(self, life: Life, name: str) -> None:
        async with self._places:
            # A short name: the path of a unix socket has 107 bytes.
            folder = self._folder / name
            folder.mkdir()
            await life(folder)

    async def end_of(self, life: Life) -> None:
        """Wait for its end, and raise what it raised."""
        await asyncio.shield(self._tasks[life])

    async def stop(self) -> None:
        """End those that still go on, with all their processes."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def lives(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Lives]:
    """All lives of the tests that were selected, in the order of the tests."""
    found = Lives(tmp_path_factory.mktemp("l"))
    for item in request.session.items:
        life = getattr(item, "callspec", None) and item.callspec.params.get("life")
        if life is not None:
            found.begin(life)
    yield found
    await found.stop()
