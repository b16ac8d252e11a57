"""kill -9 at any moment: what was acknowledged is there, whole, and the next start goes on from it."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from mamd.store import SqlStore

REPOSITORY = Path(__file__).resolve().parents[2]


def _life(database: Path, first: int, commits: int) -> list[int]:
    """Let a process commit, and kill it amid that; the numbers that it acknowledged."""
    words = [sys.executable, "-m", "tests.store.committer", str(database), str(first)]
    with subprocess.Popen(words, cwd=REPOSITORY, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(commits)]
        process.kill()
        told += process.stdout.readlines()
    assert b"" not in told, "it ended by itself"
    return [int(line) for line in told if line.endswith(b"\n")]


async def _found(database: Path) -> tuple[list[int], set[str]]:
    store = SqlStore(database)
    snapshot = await store.open()
    assert await store.verify() == ()
    assert not snapshot.is_from_the_past
    rows = await store.journal(limit=1_000_000)
    await store.close()
    return [row.body["number"] for row in rows], {one.run for one in snapshot.runs}


async def _kill(database: Path, times: int, seed: int) -> None:
    dice, acknowledged, first = random.Random(seed), set[int](), 0
    for _ in range(times):
        acknowledged |= set(_life(database, first, dice.randint(1, 40)))
        found, runs = await _found(database)
        assert acknowledged <= set(found), f"seed {seed}: an acknowledged turn is lost"
        assert len(found) == len(set(found)), f"seed {seed}: a turn is there twice"
        assert runs == {f"r-{number:04}" for number in found}, f"seed {seed}: a turn was half written"
        first = max(found, default=-1) + 1


async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path, seed: int) -> None:
    """A power cut at any moment loses no turn that anything was done on, and leaves none half written."""
    await _kill(tmp_path / "state" / "mamd.db", times=6, seed=seed)


async def test_a_kill_amid_the_first_start_is_no_fault(tmp_path: Path) -> None:
    """A database that was being made when the power went is made anew, and not called broken."""
    folder = tmp_path / "state"
    folder.mkdir()
    for name in ("mamd.db.new", "mamd.db.new-journal"):
        (folder / name).write_bytes(b"SQLite format 3\0 and then the power went")
    found, _ = await _found(folder / "mamd.db")
    assert found == []
    assert sorted(one.name for one in folder.iterdir()) == ["mamd.db"]


@pytest.mark.soak
async def test_what_was_acknowledged_survives_many_kills(tmp_path: Path, seed: int) -> None:
    """The same, two hundred times in one life."""
    await _kill(tmp_path / "state" / "mamd.db", times=200, seed=seed)
