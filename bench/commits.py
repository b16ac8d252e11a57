"""Turns that the store makes durable in a second: each in a transaction of its own, and grouped."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.inside import HandClock, ids_of, rules, turns_for
from bench.table import Row
from mamd.core import events as ev
from mamd.core.facts import Answer, Attachment, Look, PairAnswer, UsbMode
from mamd.core.storm import Watch
from mamd.daemon.ledger import Ledger
from mamd.daemon.turns import Taken
from mamd.ports import Changes
from mamd.store import MemoryStore, SqlStore

GROUP = 200
"""As many as the keeper takes at once."""


async def measure(count: int) -> list[Row]:
    """Both ways, with the turns of devices that arrive, are seen locked twice, and leave."""
    singly, grouped = await _changes(count, 1), await _changes(count * 4, GROUP)
    alone, together = await _per_second(singly), await _per_second(grouped)
    size = sum(len(one.turns) for one in singly) / len(singly)
    return [
        Row(
            f"turns committed, one in each transaction ({size:.1f} journal rows each)",
            f"{alone:,.0f} a second",
        ),
        Row(
            f"turns committed, up to {GROUP} in a transaction, as under load",
            f"{together:,.0f} a second",
            "",
            f"× {together / alone:.1f} of one by one",
        ),
    ]


async def _per_second(all_changes: Sequence[Changes]) -> float:
    with tempfile.TemporaryDirectory(prefix="mamd-bench-") as folder:
        store = SqlStore(Path(folder) / "mamd.db")
        await store.open()
        begun = time.monotonic()
        for changes in all_changes:
            await store.commit(changes)
        passed = time.monotonic() - begun
        await store.close()
    return sum(len(changes.turns) for changes in all_changes) / passed


async def _changes(count: int, group: int) -> list[Changes]:
    """What real turns would have written."""
    ledger, clock = Ledger(await MemoryStore().open(), Watch()), HandClock()
    turns = turns_for(count // 4 + 1, rules(), ledger)
    ledger.keep()
    made: list[Changes] = []
    for number in range(1, count // 4 + 1):
        for event in _life(number):
            clock.move(1.0)
            turns.taken = Taken()
            if isinstance(event, ev.Attached):
                turns.attached(event, clock.now())
            elif isinstance(event, ev.Detached):
                turns.detached(event, clock.now())
            else:
                link = ledger.links.get(event.attachment)
                assert link is not None, "it was attached"
                turns.on_link(link, event, clock.now())
            if len(ledger.draft.turns) >= group:
                changes = ledger.changes(str)
                assert changes is not None, "there are turns in the draft"
                made.append(changes)
                ledger.keep()
    return made


def _life(number: int) -> Sequence[ev.Attached | ev.Looked | ev.Detached]:
    attachment = Attachment("boot", f"1-{number}", 1)
    locked = Look(Answer.PASSWORD_PROTECTED, PairAnswer.NOT_SENT, ids_of(number), spoke=True)
    return (
        ev.Attached(attachment, UsbMode.NORMAL, ids_of(number)),
        ev.Looked(attachment, locked),
        ev.Looked(attachment, locked),
        ev.Detached(attachment),
    )
