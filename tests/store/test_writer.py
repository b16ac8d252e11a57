"""One thread writes, and what waits is written together."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence

import pytest

from mamd.ports import Changes
from mamd.store.writer import MOST, Outcome, Writer


class Ledger:
    """Work that only notes what it was asked for, in which thread."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.threads: set[int] = set()

    def write(self, batch: Sequence[Changes]) -> Sequence[Outcome]:
        self.batches.append(len(batch))
        self.threads.add(threading.get_ident())
        return [None] * len(batch)

    def rest(self) -> float | None:
        return None

    def look(self) -> list[int]:
        return list(self.batches)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
async def writer(ledger: Ledger) -> AsyncIterator[Writer]:
    one = Writer(ledger)
    one.start()
    yield one
    await one.stop()


async def _commit(writer: Writer, count: int) -> list["asyncio.Task[None]"]:
    """Hand in commits, each by a task of its own."""
    tasks = [asyncio.ensure_future(writer.commit(Changes())) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_what_waits_for_the_disk_is_one_transaction(writer: Writer, ledger: Ledger) -> None:
    """Under load commits become fewer and larger; none waits for more than the one before it."""
    disk = threading.Event()
    slow = asyncio.ensure_future(writer.ask(disk.wait))
    await asyncio.sleep(0)
    tasks = await _commit(writer, 50)
    disk.set()
    await asyncio.gather(slow, *tasks)
    assert ledger.batches == [50]


async def test_a_transaction_has_an_upper_limit(writer: Writer, ledger: Ledger) -> None:
    """A flood is taken in portions, so that the first of it is answered soon."""
    disk = threading.Event()
    slow = asyncio.ensure_future(writer.ask(disk.wait))
    await asyncio.sleep(0)
    tasks = await _commit(writer, MOST + 1)
    disk.set()
    await asyncio.gather(slow, *tasks)
    assert ledger.batches == [MOST, 1]


async def test_a_question_sees_all_that_was_handed_in_before_it(writer: Writer, ledger: Ledger) -> None:
    """Whoever asks after a commit was asked for sees it."""
    await _commit(writer, 3)
    assert sum(await writer.ask(ledger.look)) == 3


async def test_one_thread_does_it_all(writer: Writer, ledger: Ledger) -> None:
    """It is never the loop's own."""
    for _ in range(3):
        await asyncio.gather(*await _commit(writer, 2))
    assert len(ledger.threads) == 1
    assert ledger.threads != {threading.get_ident()}


async def test_a_question_that_fails_fails_alone(writer: Writer) -> None:
    """Whoever asked hears why; the thread goes on."""
    with pytest.raises(ZeroDivisionError):
        await writer.ask(divmod, 1, 0)
    assert await writer.ask(divmod, 7, 2) == (3, 1)


async def test_the_end_waits_for_what_was_handed_in(ledger: Ledger) -> None:
    """Nothing that was asked for before the end is left out."""
    writer = Writer(ledger)
    writer.start()
    tasks = await _commit(writer, 20)
    await writer.stop()
    await asyncio.gather(*tasks)
    assert sum(ledger.batches) == 20
