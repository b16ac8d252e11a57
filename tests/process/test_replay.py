"""The journal of a real daemon: taken again without a difference; a changed row is found."""

import asyncio
import json
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.process.conftest import Life, Lives
from tests.process.house import RULES, House, house
from tests.process.programs import until

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]


async def mamd(here: House, *words: str) -> tuple[int, str]:
    """One command, as an operator types it; its exit status and what it says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mamd", *words),
        env=here.daemon.environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


async def taken_again(folder: Path) -> None:
    """
    Two phones are cleared, one before the rules change and one after. A replay comes to the same
    turns, from the daemon and from a file; a row that says otherwise in the file, and one that
    was changed in the database, are both found and named.
    """
    async with house(folder, {"ward-1": "locked", "ward-2": "locked"}) as here:
        await here.open()
        at = ("--socket", str(here.daemon.socket))
        await here.bring("ward-1")
        await until(lambda: here.is_paired("ward-1"), within_s=30, what="the first is cleared")
        await _change_rules(here)
        await here.bring("ward-2")
        await until(lambda: here.is_paired("ward-2"), within_s=30, what="the second is cleared")

        status, said = await mamd(here, "replay", *at)
        assert (status, said.partition("again, ")[2]) == (0, "0 differences\n"), said
        assert (await mamd(here, "journal", "--verify", *at))[0] == 0
        named = here.rows("select distinct rule_set from journal where rule_set != ''")
        assert len(named) == 2

        await _a_file_that_says_otherwise(here, at)
        await _a_row_that_was_changed(here, at)


async def _change_rules(here: House) -> None:
    (here.folder / "rules" / "not-pairing.yaml").write_text(RULES.replace("helps nobody", "is of no use"))
    here.daemon.signal(signal.SIGHUP)

    async def read() -> bool:
        return bool(here.daemon.lines("files.read_again"))

    await until(read, within_s=10, what="the rules are read again")


async def _a_file_that_says_otherwise(here: House, at: tuple[str, ...]) -> None:
    _, exported = await mamd(here, "journal", "--export", *at)
    lines = [json.loads(line) for line in exported.splitlines()]
    run = next(line for line in lines if (line.get("body", {}).get("became") or {}).get("run"))
    run["body"]["became"]["run"]["waited_s"] = 300.0
    file = here.folder / "journal.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)))
    status, said = await mamd(here, "replay", str(file))
    assert status == 1
    assert f"row {run['number']} " in said
    assert "1 differences" in said


async def _a_row_that_was_changed(here: House, at: tuple[str, ...]) -> None:
    with closing(sqlite3.connect(here.state / "mamd.db", timeout=5)) as database, database:
        query = "select number, body from journal where body like '%\"locked\"%' order by number limit 1"
        number, body = database.execute(query).fetchone()
        changed = body.replace('"locked"', '"paired"', 1)
        database.execute("update journal set body = ? where number = ?", (changed, number))
    status, said = await mamd(here, "journal", "--verify", *at)
    assert status == 1
    assert str(number) in said


@pytest.mark.parametrize("life", [taken_again])
async def test_all_turns_are_taken_again_also_those_under_rules_since_replaced(
    lives: Lives, life: Life
) -> None:
    """The journal of a real daemon decides itself anew, and nobody can change it unseen."""
    await lives.end_of(life)
