"""
The one thread that touches the database, so that nothing else ever waits for a disk.

    commit, commit, commit ──▶ one transaction ──▶ an answer to each
    read ──▶ by itself, in its turn

What waits while one transaction is written makes up the next one: under load commits get
fewer and larger by themselves, and alone none waits for another.
"""

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, ParamSpec, Protocol, TypeVar

from mamd.ports import Changes

P = ParamSpec("P")
T = TypeVar("T")
Outcome = Exception | None

MOST: Final = 500
"""So many commits at most make one transaction; the next ones begin another."""


class Work(Protocol):
    """What is done in the thread."""

    def write(self, batch: Sequence[Changes]) -> Sequence[Outcome]:
        """Write all of these in one transaction; for each, None or why it is not written."""
        ...

    def rest(self) -> float | None:
        """Something small between jobs; in how many seconds it wants to be asked again."""
        ...


@dataclass(slots=True)
class _Job:
    answer: asyncio.Future[Any]
    do: Callable[[], Any] | None = None
    changes: Changes | None = None

    def settle(self, value: Any, error: BaseException | None) -> None:
        """Answer, in the loop that asked, unless nobody waits there any more."""
        try:
            self.answer.get_loop().call_soon_threadsafe(self._settle, value, error)
        except RuntimeError:
            return  # that loop is closed

    def _settle(self, value: Any, error: BaseException | None) -> None:
        if self.answer.done():
            return
        if error is None:
            self.answer.set_result(value)
        else:
            self.answer.set_exception(error)


class Writer:
    """A thread with a queue. Answers come in the order of the questions."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        # It does not keep a process alive that ends by a fault: what is not acknowledged may be lost.
        self._thread = threading.Thread(target=self._run, name="mamd-store", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    async def commit(self, changes: Changes) -> None:
        """
        Have changes written with those that wait beside them; returns when they are durable.

        Cancelling it takes nothing back: they may be written all the same.
        """
        await self._ask(_Job(_answer(), changes=changes))

    async def ask(self, do: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Have something done in the thread, after all that was asked before it."""
        result: T = await self._ask(_Job(_answer(), do=partial(do, *args, **kwargs)))
        return result

    async def _ask(self, job: _Job) -> Any:
        self._jobs.put(job)
        return await job.answer

    async def stop(self) -> None:
        """Have everything finished that was asked for, and end the thread."""
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        ends = False
        while not ends:
            jobs = self._waiting()
            ends = None in jobs
            for group in _groups([job for job in jobs if job is not None]):
                self._do(group)

    def _waiting(self) -> list[_Job | None]:
        """What waits, at least one; a rest is taken while there is none."""
        try:
            jobs = [self._jobs.get(timeout=self._work.rest())]
        except queue.Empty:
            return []
        while jobs[-1] is not None and not self._jobs.empty():
            jobs.append(self._jobs.get())
        return jobs

    def _do(self, group: Sequence[_Job]) -> None:
        batch = [job.changes for job in group if job.changes is not None]
        if batch:
            for job, error in zip(group, self._work.write(batch), strict=True):
                job.settle(None, error)
            return
        for job in group:
            assert job.do is not None, "a job writes or does something"
            try:
                value = job.do()
            except Exception as error:
                job.settle(None, error)
            else:
                job.settle(value, None)


def _answer() -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_future()


def _groups(jobs: Sequence[_Job]) -> Iterator[list[_Job]]:
    """Commits that stand side by side together, up to a limit; anything else by itself."""
    group: list[_Job] = []
    for job in jobs:
        if group and (job.changes is None or len(group) == MOST):
            yield group
            group = []
        if job.changes is None:
            yield [job]
        else:
            group.append(job)
    if group:
        yield group
