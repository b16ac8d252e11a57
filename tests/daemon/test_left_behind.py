"""Starts after which something that was there is not there any more."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC

from mamd.core.facts import Attachment, Look
from mamd.core.run import End
from mamd.core.storm import Watch
from mamd.daemon.clock import SystemClock
from mamd.daemon.house import House
from mamd.daemon.keeper import Keeper
from mamd.daemon.ledger import Ledger
from mamd.daemon.turns import Turns
from mamd.ports import CableEvent, Changes, Fault
from mamd.store import MemoryStore
from tests.lives import LOCKED, RULES, Life, record


class EmptyHub:
    """A Launchpad on which nothing is attached, and nothing comes."""

    async def events(self) -> AsyncIterator[CableEvent]:
        await asyncio.Event().wait()
        yield  # type: ignore[misc]

    async def look(
        self, attachment: Attachment, *, pair: bool, identify: bool, deadline_s: float = 5.0
    ) -> Look:
        raise AssertionError("there is nobody to look at")

    async def forget(self, attachment: Attachment) -> None:
        raise AssertionError("there is nobody to forget")

    def faults(self) -> tuple[Fault, ...]:
        return ()


async def test_a_run_ends_with_a_cable_that_nothing_is_known_of_any_more() -> None:
    """
    A device was moved to another port while the daemon was down, and the daemon went down again
    before it missed the first one: a device has one row for its cable, so only the run still names
    the first. The run ends as that of a device that left, and another one can begin.
    """
    life = Life("2-1.1", "1", record(1, "Ward phone 1")).plugged_in().looked(LOCKED, until=8.0, every=1.0)
    run, link = life.situation.run, life.situation.link
    assert run is not None
    assert link is not None
    clock, store = SystemClock(), MemoryStore()
    elsewhere = replace(link, attachment=Attachment(clock.now().boot, "2-1.2", 9))
    await store.open()
    assert life.record is not None
    links = ((run.device, elsewhere),)
    changes = Changes(records=(life.record,), links=links, runs=(run,), rule_sets=(RULES,))
    await store.commit(changes)
    turns = Turns(Ledger(await store.open(), Watch()), House("ward-3", UTC, RULES), {})
    keeper = Keeper(clock=clock, store=store, launchpad=EmptyHub(), turns=turns, carry_out=lambda asked: None)
    running = asyncio.create_task(keeper.run())
    try:
        async with asyncio.timeout(5):
            while (now := keeper.ledger.runs.get(run.device)) is None or now.is_open:
                await keeper.changed(keeper.turns_taken)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert now.end is End.LEFT
    assert keeper.ledger.links.get(elsewhere.attachment) is not None
