"""Whatever is done to them, the store on a file and the one without say the same."""

import asyncio
import shutil
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mamd.core.enrollment import Enrolled
from mamd.core.facts import LinkState, Record
from mamd.ports import CallRow, Changes, HoldRow, MdmCommand
from mamd.store import MemoryStore
from tests.store.samples import DAWN, link, rules, run, token, turn
from tests.store.shops import SqlShop
from tests.values import any_of

FEW = st.integers(1, 3)
DEVICES = FEW.map(lambda number: f"d-000{number}")
SCOPES = st.sampled_from(["everything", "storm", "device:d-0001"])
OWNERS = st.sampled_from(["m/1", "m/2"])
HASHES = st.sampled_from(["h-1", "h-2", "h-3"])
SECONDS = st.integers(0, 400_000).map(float)
STATES = st.sampled_from([LinkState.UNPAIRED, LinkState.PAIRED, LinkState.GONE])


def some(*of: Any) -> st.SearchStrategy[Any]:
    """None to two of something."""
    return st.lists(st.one_of(*of), max_size=2)


CHANGES = st.builds(
    Changes,
    turns=some(st.builds(turn, FEW, subject=DEVICES, seconds=SECONDS, rule_set=HASHES)),
    records=some(any_of(Record)),
    links=some(st.tuples(DEVICES, st.builds(link, FEW, state=STATES))),
    runs=some(st.builds(run, FEW, device=DEVICES, closed=st.none() | SECONDS, rule_set=HASHES)),
    commands=some(
        st.builds(replace, any_of(MdmCommand), state=st.sampled_from(["queued", "error", "orphan"]))
    ),
    holds=some(st.builds(HoldRow, SCOPES, st.text(max_size=5), st.just("ines"), st.just(DAWN))),
    lifted=some(SCOPES),
    calls=some(any_of(CallRow)),
    enrolled=some(any_of(Enrolled)),
    tokens=some(st.builds(token, OWNERS, st.binary(max_size=5))),
    tokens_destroyed=some(OWNERS),
    rule_sets=some(HASHES.map(rules)),
    meta=some(st.tuples(st.sampled_from(["storm", "clock"]), st.text(max_size=5))),
)


class BothAlike(RuleBasedStateMachine):
    """Does the same to both stores, and compares all that they say."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.runner = asyncio.Runner()
        self.sql, self.memory = SqlShop(self.folder), MemoryStore()
        self.runner.run(self.sql.open())

    @rule(changes=st.lists(CHANGES, min_size=1, max_size=4))
    def commit(self, changes: list[Changes]) -> None:
        """Commit some changes that wait together."""
        self.runner.run(self._commit(changes))

    async def _commit(self, changes: list[Changes]) -> None:
        for store in (self.sql.store, self.memory):
            await asyncio.gather(*map(store.commit, changes))

    @rule()
    def start_again(self) -> None:
        """What both go on from is the same."""
        ours, model = self.runner.run(self.sql.reopen()), self.runner.run(self.memory.open())
        in_order = {"records": "device", "enrolled": "enrollment_id"}
        for name, key in in_order.items():
            assert _sorted(getattr(ours, name), key) == _sorted(getattr(model, name), key)
        assert sorted(ours.links, key=str) == sorted(model.links, key=str)
        assert sorted(ours.holds, key=str) == sorted(model.holds, key=str)
        assert sorted(ours.calls, key=lambda row: row.call.key) == sorted(
            model.calls, key=lambda row: row.call.key
        )
        assert (ours.runs, ours.commands, ours.meta) == (model.runs, model.commands, model.meta)

    @rule(seconds=SECONDS)
    def prune(self, seconds: float) -> None:
        """Both drop the same rows."""
        moment = DAWN + timedelta(seconds=seconds)
        ours, model = (self.runner.run(one.prune(older_than=moment)) for one in (self.sql.store, self.memory))
        assert ours == model

    @invariant()
    def both_say_the_same(self) -> None:
        """The journal, its hashes included, the runs, the rule sets and the tokens."""
        ours, model = (self.runner.run(_told(store)) for store in (self.sql.store, self.memory))
        assert ours == model

    def teardown(self) -> None:
        self.runner.run(self.sql.store.close())
        self.runner.close()
        shutil.rmtree(self.folder)


def _sorted(values: Any, key: str) -> Any:
    return sorted(values, key=lambda value: (getattr(value, key), repr(value)))


async def _told(store: Any) -> Any:
    assert await store.verify() == ()
    return (
        await store.journal(),
        await store.runs(limit=2),
        await store.runs(device="d-0001"),
        [await store.rule_set(hash_) for hash_ in ("h-1", "h-2", "h-3")],
        [await store.token(owner) for owner in ("m/1", "m/2")],
    )


BothAlike.TestCase.settings = settings(max_examples=25, stateful_step_count=12)
test_both_stores_are_alike = BothAlike.TestCase
