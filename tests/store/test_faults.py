"""What the database does when its disk, its file or its past is not what it should be."""

import asyncio
import resource
import shutil
import sqlite3
import stat
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from mamd.core.errors import Misconfigured, Unreachable
from mamd.ports import Changes
from mamd.store import SqlStore
from mamd.store.database import is_wal_safe
from tests.store.samples import everything, token, turns
from tests.store.shops import SqlShop


@pytest.fixture
def sql(tmp_path: Path) -> SqlShop:
    """A database that has not been opened."""
    return SqlShop(tmp_path)


@contextmanager
def files_end_at(most: int) -> Iterator[None]:
    """A disk with no room: no file of this process grows beyond that many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def _numbers(store: SqlStore) -> list[int]:
    return [row.body["number"] for row in await store.journal(limit=100_000)]


# ------------------------------------------------------------------------------ the disk


async def test_a_full_disk_delays_and_loses_nothing(sql: SqlShop) -> None:
    """Nothing is half written, reading goes on, and when there is room again so does writing, by itself."""
    await sql.open()
    await sql.store.commit(turns(2000))
    with files_end_at(sql.path.stat().st_size):
        for _ in range(3):
            waiting = [sql.store.commit(turns(500, first=9000 + 500 * n)) for n in range(3)]
            results = await asyncio.gather(*waiting, return_exceptions=True)
            assert [type(result) for result in results] == [Unreachable] * 3
            assert len(await _numbers(sql.store)) == 2000
    await sql.store.commit(turns(10, first=2001))
    assert await _numbers(sql.store) == list(range(1, 2011))
    assert await sql.store.verify() == ()
    await sql.reopen()
    assert len(await _numbers(sql.store)) == 2010
    await sql.store.close()


async def test_a_database_that_may_not_grow_says_that_the_disk_is_full(sql: SqlShop) -> None:
    """The line names the file and the cure."""
    await sql.open()
    await sql.store.commit(turns(1))
    await _say(sql, "PRAGMA max_page_count = 1")
    with pytest.raises(Unreachable, match=r"mamd\.db: the disk is full; make room"):
        await sql.store.commit(turns(2000))
    await sql.store.commit(turns(1, first=2))
    assert await _numbers(sql.store) == [1, 2]
    await sql.store.close()


async def _say(sql: SqlShop, pragma: str) -> None:
    """Reach through to the one connection: SQLite's own limits hold for a connection only."""
    writer, books = sql.store._writer, sql.store._books
    assert writer is not None
    assert books is not None

    def say() -> None:
        with books._database.reading() as connection:
            connection.exec_driver_sql(pragma)

    await writer.ask(say)


async def test_a_database_that_was_taken_away_is_not_written_into_nothing(sql: SqlShop) -> None:
    """Whoever moves the file while mamd runs hears of it at the next turn, and can put it back."""
    await sql.open()
    await sql.store.commit(turns(1))
    aside = sql.path.with_name("aside.db")
    sql.path.rename(aside)
    with pytest.raises(Unreachable, match="was taken away while in use"):
        await sql.store.commit(turns(1, first=2))
    assert not sql.path.exists()
    aside.rename(sql.path)
    await sql.store.commit(turns(1, first=2))
    assert await _numbers(sql.store) == [1, 2]
    await sql.store.close()


# ------------------------------------------------------------------------------ the file


async def test_nobody_else_may_read_it(sql: SqlShop) -> None:
    """The folder is 0700 and every file in it 0600, also while something is being written."""
    await sql.open()
    await sql.store.commit(everything())
    await sql.store.close()
    assert stat.S_IMODE(sql.path.parent.stat().st_mode) == 0o700
    modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in sql.path.parent.iterdir()}
    assert modes == {"mamd.db": 0o600, "journal.head": 0o600}


async def test_a_database_that_others_could_read_is_closed_to_them(sql: SqlShop) -> None:
    """A backup that was put back with wide rights is tightened at the start."""
    await sql.open()
    await sql.reopen(lambda: sql.path.chmod(0o644))
    assert stat.S_IMODE(sql.path.stat().st_mode) == 0o600
    await sql.store.close()


async def test_a_destroyed_token_is_overwritten(sql: SqlShop) -> None:
    """Not even its ciphertext is left in the file."""
    await sql.open()
    marker = b"marker-of-a-sealed-token" * 200
    await sql.store.commit(Changes(tokens=(token("m/1", marker), token("m/2"))))
    assert marker[:24] in sql.path.read_bytes()
    await sql.store.commit(Changes(tokens_destroyed=("m/1",)))
    await sql.store.close()
    assert marker[:24] not in b"".join(one.read_bytes() for one in sql.path.parent.iterdir())


async def test_only_one_mamd_has_it(sql: SqlShop) -> None:
    """A second daemon on the same state is turned away with one line, and the first goes on."""
    await sql.open()
    second = SqlStore(sql.path)
    with pytest.raises(Misconfigured, match="in use by another mamd"):
        await second.open()
    await sql.store.commit(turns(1))
    await sql.store.close()
    await second.open()
    await second.close()


def _emptied(path: Path) -> None:
    path.write_bytes(b"")


def _cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:50])


def _overwritten(path: Path) -> None:
    path.write_bytes(b"# mamd.yaml\nmode: observe\n" * 100)


def _scribbled_on(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:] = b"\x5a" * (len(data) - 4096)
    path.write_bytes(data)


def _foreign(path: Path) -> None:
    path.unlink()
    _sql(path, "CREATE TABLE songs (name TEXT)")


def _newer(path: Path) -> None:
    _sql(path, "UPDATE alembic_version SET version_num = '9999'")


def _with_a_damaged_row(path: Path) -> None:
    _sql(path, "UPDATE runs SET body = '{}'")


def _sql(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (_emptied, "is empty"),
        (_cut_off, "is damaged"),
        (_cut_short, "is cut off"),
        (_overwritten, "is not a database"),
        (_scribbled_on, "is damaged"),
        (_foreign, "not one of mamd's"),
        (_newer, "was written by a newer mamd"),
        (_with_a_damaged_row, "has a damaged row"),
    ],
)
async def test_a_database_that_cannot_be_trusted_is_told_and_left_as_it_is(
    sql: SqlShop, damage: Callable[[Path], None], line: str
) -> None:
    """One line says what is wrong and what to do; not a byte of the file changes."""
    await sql.open()
    await sql.store.commit(everything())
    await sql.store.close()
    damage(sql.path)
    before = sql.path.read_bytes()
    with pytest.raises(Misconfigured, match=line) as told:
        await sql.open()
    assert "\n" not in str(told.value)
    assert "backup" in str(told.value)
    assert sql.path.read_bytes() == before


@pytest.mark.parametrize("damage", [_cut_off, _scribbled_on])
async def test_a_large_database_is_checked_too(
    sql: SqlShop, damage: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the journal is too large to be walked at a start, all that is gone on from is checked."""
    monkeypatch.setattr("mamd.store.database.CHECKED_WHOLE_BYTES", 0)
    await sql.open()
    await sql.store.commit(everything())
    await sql.reopen()
    await sql.store.close()
    damage(sql.path)
    with pytest.raises(Misconfigured, match="is damaged"):
        await sql.open()


async def test_a_damaged_row_of_the_journal_is_told_when_it_is_read(sql: SqlShop) -> None:
    """A start does not need it, and the walk over the chain names it."""
    await sql.open()
    await sql.store.commit(turns(3))
    await sql.reopen(lambda: sql.change(2, "body", "{"))
    with pytest.raises(Misconfigured, match="row 2 of the journal"):
        await sql.store.journal()
    assert await sql.store.verify() == ("row 2: changed after it was written",)
    await sql.store.close()


async def test_a_checkpoint_that_was_tampered_with_is_told(sql: SqlShop) -> None:
    """Rows cannot be made to vanish by saying that they were dropped."""
    await sql.open()
    await sql.store.commit(turns(5))
    await sql.store.prune(older_than=turns(1, first=3).turns[0].wall)
    await sql.reopen(lambda: sql.change(6, "body", "[]"))
    assert await sql.store.verify() == ("rows 1 to 2: are missing", "row 6: changed after it was written")
    await sql.store.close()


async def test_a_journal_without_its_last_row_in_the_books_is_gone_on_from(sql: SqlShop) -> None:
    """Cut off at its end by hand, the journal goes on behind what is known, and tells the gap."""
    await sql.open()
    await sql.store.commit(turns(5))
    reopened = await sql.reopen(lambda: (sql.remove(5), sql.remove(4)))
    assert reopened.is_from_the_past
    await sql.store.commit(turns(1, first=6))
    assert (await sql.store.journal(newest_first=True))[0].number == 6
    assert await sql.store.verify() == ("rows 4 to 5: are missing",)
    await sql.store.close()


async def test_an_error_shows_nothing_of_what_was_to_be_written(sql: SqlShop) -> None:
    """A traceback in a log holds no row of the vault."""
    await sql.open()
    await _say(sql, "PRAGMA max_page_count = 1")
    secret = Changes(tokens=(token("m/1", bytes(range(97, 123)) * 9000),))
    with pytest.raises(Unreachable) as told:
        await sql.store.commit(secret)
    assert "abcdef" not in "".join(traceback.format_exception(told.value))
    await sql.store.close()


async def test_changes_that_no_table_takes_fail_alone(sql: SqlShop) -> None:
    """A slip that only the database finds is the caller's to hear, and takes no other commit down."""
    await sql.open()
    slip = Changes(turns=turns(1).turns, tokens=(replace(token("m/1"), nonce=cast(bytes, None)),))
    waiting = [turns(1, first=2), slip, turns(1, first=3)]
    results = await asyncio.gather(*map(sql.store.commit, waiting), return_exceptions=True)
    assert [type(result) for result in results] == [type(None), ValueError, type(None)]
    assert sorted(await _numbers(sql.store)) == [2, 3]
    await sql.store.close()


# ------------------------------------------------------------------------------ the past


async def test_a_backup_that_was_put_back_is_noticed(sql: SqlShop, tmp_path: Path) -> None:
    """A state that is older than what has been says so at each start, until it goes on."""
    backup = tmp_path / "backup.db"
    await sql.open()
    await sql.store.commit(turns(3))
    assert not (await sql.reopen(lambda: shutil.copy(sql.path, backup))).is_from_the_past
    await sql.store.commit(turns(3, first=4))
    assert (await sql.reopen(lambda: shutil.copy(backup, sql.path))).is_from_the_past
    assert await sql.store.verify() == ("rows 4 to 6: are missing",)
    assert (await sql.reopen()).is_from_the_past
    await sql.store.commit(turns(1, first=7))
    assert not (await sql.reopen()).is_from_the_past
    await sql.store.close()


async def test_another_history_of_the_same_length_is_noticed(sql: SqlShop, tmp_path: Path) -> None:
    """A copy that went on elsewhere is not taken for this one."""
    backup = tmp_path / "backup.db"
    await sql.open()
    await sql.store.commit(turns(1))
    await sql.reopen(lambda: shutil.copy(sql.path, backup))
    head = (sql.path.parent / "journal.head").read_text()
    await sql.store.commit(turns(1, first=2))
    await sql.store.close()
    ours = (sql.path.parent / "journal.head").read_text()
    assert ours != head
    shutil.copy(backup, sql.path)
    (sql.path.parent / "journal.head").write_text(head)
    await sql.open()
    await sql.store.commit(turns(1, first=99))
    assert (await sql.reopen(lambda: (sql.path.parent / "journal.head").write_text(ours))).is_from_the_past
    await sql.store.close()


async def test_a_database_that_was_lost_is_noticed(sql: SqlShop) -> None:
    """A new database beside the trace of an old one begins as one that knows less than has been."""
    first = await sql.open()
    await sql.store.commit(turns(3))
    again = await sql.reopen(sql.path.unlink)
    assert again.is_from_the_past
    assert again.installation != first.installation
    await sql.store.close()


async def test_old_rows_that_were_dropped_are_no_sign_of_the_past(sql: SqlShop) -> None:
    """Pruning is not mistaken for a loss."""
    await sql.open()
    await sql.store.commit(turns(5))
    await sql.reopen()
    head = (sql.path.parent / "journal.head").read_bytes()
    await sql.store.prune(older_than=turns(1, first=9).turns[0].wall)
    reopened = await sql.reopen(lambda: (sql.path.parent / "journal.head").write_bytes(head))
    assert not reopened.is_from_the_past
    await sql.store.close()


async def test_a_trace_that_cannot_be_read_says_nothing(sql: SqlShop) -> None:
    """What is not known outside cannot be held against the database."""
    await sql.open()
    await sql.store.commit(turns(5))
    for left in (b"", b"\xff\xfe", b"some words\n"):
        trace = sql.path.parent / "journal.head"
        assert not (await sql.reopen(lambda left=left, trace=trace: trace.write_bytes(left))).is_from_the_past
    await sql.store.close()


async def test_what_a_lost_database_left_beside_it_is_not_rolled_into_the_new_one(sql: SqlShop) -> None:
    """A rollback journal without its database is laid aside."""
    sql.path.parent.mkdir()
    beside = sql.path.with_name("mamd.db-journal")
    beside.write_bytes(b"pages of a database that is no more")
    await sql.open()
    await sql.store.close()
    assert not beside.exists()
    assert sql.path.with_name("mamd.db-journal.old").exists()


@pytest.mark.parametrize(
    ("version", "is_safe"),
    [
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 46, 1), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 0), False),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 54, 1), True),
    ],
)
def test_the_write_ahead_log_is_used_only_where_it_is_safe(version: tuple[int, ...], is_safe: bool) -> None:
    """An SQLite whose log can corrupt the file gets none."""
    assert is_wal_safe(version) is is_safe
