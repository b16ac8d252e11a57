"""kill -9 again and again in one life of forty phones: nothing is lost, and nothing sent twice in vain."""

import asyncio
import os
import random
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import pytest

from mamd.cli.again import retake
from mamd.core.facts import Attachment
from mamd.core.run import Run
from mamd.sim.record import Record, Seen
from mamd.store import SqlStore
from mamd.web import answers
from tests.process.conftest import Life, Lives
from tests.process.house import House, house
from tests.process.programs import until
from tests.process.promises import clears, too_early, too_many

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

CAST: Final = {
    "locked": 12,
    "locked_stale": 6,
    "never_clears": 6,
    "rebooted": 3,
    "healthy": 3,
    "locked_on_the_dock": 2,
    "personal": 2,
    "stolen": 2,
    "waiting_for_trust": 2,
    "trust_denied": 1,
    "hidden": 1,
}
PHONES: Final = {
    f"{character.replace('_', '-')}-{number}": character
    for character, many in CAST.items()
    for number in range(1, many + 1)
}
LEFT_ALONE: Final = ("personal", "stolen", "waiting_for_trust", "trust_denied", "hidden")
# All of them are online, but the first ones have an MDM client with bad manners.
HELPABLE: Final = tuple(
    name
    for name, character in PHONES.items()
    if character in ("locked", "locked_stale") and name not in ("locked-1", "locked-3", "locked-4")
)
WHILE_S: Final = 15.0
"""A daemon that lives for a second at a time needs a few lives to see that a phone pairs."""
FAULTS: Final = ("RESET_AFTER", "RESET_BEFORE", "HTML_502", "TRUNCATED", "UNAVAILABLE")


class Ward:
    """What goes on at the Launchpad while the daemon is killed: seeded dice, and what they did."""

    def __init__(self, here: House, dice: random.Random) -> None:
        self.here, self.dice = here, dice
        self.waiting = list(PHONES)
        self.dice.shuffle(self.waiting)

    async def begin(self) -> None:
        """Some phones have manners of their own; the first are on their ports."""
        orders: list[dict[str, Any]] = [
            {"phone": "locked-1", "not_now": {"ClearPasscode": 2}},
            {"phone": "locked-2", "works_for_s": 3.0},
            {"phone": "locked-3", "ignores_pushes": True},
            {"phone": "locked-stale-1", "lose_results": 1},
            {"phone": "locked-stale-2", "repeat_results": 1},
        ]
        for one in orders:
            await self.here.sim.order(do="manners", **one)
        await self.here.sim.order(do="fail_pushes", how="UNREGISTERED", phone="locked-4")
        await self._attach(10)

    async def happen(self) -> None:
        """One thing, or two, of what happens on a ward."""
        await self._attach(2)
        what: Callable[[], Any] = self.dice.choice(
            [self._replug, self._lock_again, self._disturb, self._rest]
        )
        await what()

    async def _attach(self, many: int) -> None:
        for _ in range(min(many, len(self.waiting))):
            await self.here.sim.act({"act": "attach", "phone": self.waiting.pop()})

    async def _replug(self) -> None:
        await self._to_one(lambda one: True, "replug")

    async def _lock_again(self) -> None:
        """Somebody sets a passcode on one that has been paired for a while, and has it forget this host."""
        recent = {one.device for one in self.here.sim.seen("phone", after=time.monotonic() - WHILE_S)}
        acts = ("forget_hosts", "set_passcode", "lock")
        await self._to_one(lambda one: one["hosts_trusted"] and one["udid"] not in recent, *acts)

    async def _to_one(self, which: Callable[[dict[str, Any]], Any], *acts: str) -> None:
        phones = [name for name, one in (await self.here.sim.phones()).items() if one["port"] and which(one)]
        if phones:
            name = self.dice.choice(sorted(phones))
            await self.here.sim.act(*({"act": act, "phone": name} for act in acts))

    async def _disturb(self) -> None:
        await self.here.sim.order(do="fail", how=self.dice.choice(FAULTS), times=1, calls=["enqueue"])

    async def _rest(self) -> None:
        """Nothing happens."""


async def killed_again_and_again(folder: Path, times: int, seed: int) -> None:
    """One life; its seed makes the same ward, though never the same moments."""
    print(f"seed {seed}, {times} kills")
    async with house(folder, PHONES, wait="20s", storm="none") as here:
        ward = Ward(here, random.Random(seed))
        await here.open()
        await ward.begin()
        for _ in range(times):
            await _live_a_little(here, ward.dice)
            here.daemon.kill()
            await ward.happen()
            here.daemon.start()
        await ward._attach(len(PHONES))
        await here.daemon.answers()
        await here.sim.order(do="fail")
        await until(here_is_at_rest(here), within_s=60, every_s=0.5, what="whoever can be cleared is cleared")
        assert await here.daemon.end() == 0
        await _judge(here)


async def _live_a_little(here: House, dice: random.Random) -> None:
    """About a second; now and then not even a start is finished."""
    if dice.random() < 0.15:
        await asyncio.sleep(dice.uniform(0.0, 1.0))
        return
    await here.daemon.answers()
    await asyncio.sleep(dice.uniform(0.1, 1.0))


def here_is_at_rest(here: House) -> Callable[[], Any]:
    """Whoever can be cleared is without a passcode, or has had the two clears that an hour allows."""

    async def is_at_rest() -> bool:
        phones = await here.sim.phones()
        asked = clears(here.sim.seen("mdm.enqueue"))
        waiting = [name for name in HELPABLE if phones[name]["passcode_set"]]
        return all(len(asked.get(phones[name]["udid"], ())) >= 2 for name in waiting)

    return is_at_rest


async def _judge(here: House) -> None:
    seen = Record.read(here.sim.folder / "record.jsonl")
    assert too_many(seen) == []
    assert too_early(seen) == []
    await _left_alone(here, seen)
    await _journal_is_whole(here)


async def _left_alone(here: House, seen: Iterable[Seen]) -> None:
    """Whoever is not locked, or not ours, was never asked to be cleared."""
    asked = {one.device for one in seen if one.kind == "mdm.enqueue"}
    assert asked, "somebody was cleared in this life"
    names = {name: PHONES[name] for name in PHONES if PHONES[name] in LEFT_ALONE}
    assert not {await here.udid(name) for name in names} & asked
    personal = {await here.udid(name) for name, character in names.items() if character == "personal"}
    assert not [one for one in seen if one.device in personal and one["request"] == "Pair"]


async def _journal_is_whole(here: House) -> None:
    """Every run is open, or closed with its reason; and no row of the journal is another than it was."""
    store = SqlStore(here.state / "mamd.db")
    await store.open()
    try:
        runs = await store.runs(limit=10_000)
        assert runs
        assert [run.run for run in runs if not _is_told(run)] == []
        assert len({run.run for run in runs}) == len(runs)
        assert await store.verify() == ()
        assert await _differences(store) == []
    finally:
        await store.close()


async def _differences(store: SqlStore) -> list[str]:
    """Turns that come out otherwise when they are taken again from their rows."""
    rows = await store.journal(limit=1_000_000)
    names = {row.rule_set for row in rows if row.rule_set}
    rule_sets = {name: await store.rule_set(name) for name in names}
    retaken = list(retake((answers.row(row) for row in rows), rule_sets))
    assert any(is_turn for is_turn, _ in retaken)
    return [str(difference) for _, difference in retaken if difference is not None]


def _is_told(run: Run) -> bool:
    """An open one waits for something that it names; a closed one says how it ended."""
    if run.is_open:
        return isinstance(run.attachment, Attachment) and bool(run.blocks or run.reason or run.act)
    return run.end is not None and bool(run.outcome) and run.closed is not None


async def killed_25_times(folder: Path) -> None:
    """In `make test`: the same dice every time."""
    await killed_again_and_again(folder, 25, 20_261_125)


async def killed_200_times(folder: Path) -> None:
    """In `make soak`: new dice, printed, and thrown again with MAMD_SEED."""
    await killed_again_and_again(folder, 200, int(os.environ.get("MAMD_SEED", random.getrandbits(32))))


SOAK: Final = pytest.param(killed_200_times, marks=[pytest.mark.soak, pytest.mark.timeout(3000)])


@pytest.mark.parametrize("life", [killed_25_times, SOAK])
async def test_a_daemon_killed_again_and_again_clears_nobody_twice(lives: Lives, life: Life) -> None:
    """Forty phones, kills about a second apart, one life: no clear too many, no run lost."""
    await lives.end_of(life)
