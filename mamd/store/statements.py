"""
What is said to the database, built once: SQLAlchemy compiles each statement a single time.

Everything here runs inside a transaction that its caller has begun.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Executable, LargeBinary, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from mamd.store import plan
from mamd.store.chain import CHECKPOINT, JOURNAL, Head
from mamd.store.plan import Drop, Put, Row
from mamd.store.tables import journal, metadata, rule_sets, runs, vault

_MATCH = "match_"


def carry_out(connection: Connection, steps: Iterable[Put | Drop]) -> None:
    """
    Put and drop rows, those of one kind side by side as one.

    Only the order on each shelf counts, so shelf after shelf is taken.
    """
    for (kind, shelf, _), group in groupby(sorted(steps, key=lambda step: step.shelf), key=_likeness):
        if kind is Put:
            connection.execute(_put(shelf), [step.row for step in group if isinstance(step, Put)])
        else:
            _drop(connection, shelf, [step.match for step in group if isinstance(step, Drop)])


def _likeness(step: Put | Drop) -> tuple[type, str, tuple[str, ...]]:
    return type(step), step.shelf, tuple(step.match) if isinstance(step, Drop) else ()


def _drop(connection: Connection, shelf: str, matches: Sequence[Row]) -> None:
    names = tuple(matches[0])
    wanted = [{f"{_MATCH}{name}": value for name, value in match.items()} for match in matches]
    if shelf == vault.name:
        connection.execute(_overwriting(), wanted)
    connection.execute(_dropping(shelf, names), wanted)


@cache
def _put(shelf: str) -> Executable:
    table, keys = metadata.tables[shelf], plan.KEYS[shelf]
    statement = upsert(table)
    others = {
        column.name: statement.excluded[column.name]
        for column in table.columns
        if column.name not in (*keys, "place")
    }
    return statement.on_conflict_do_update(index_elements=keys, set_=others)


@cache
def _dropping(shelf: str, names: tuple[str, ...]) -> Executable:
    table = metadata.tables[shelf]
    return delete(table).where(*(table.c[name] == bindparam(f"{_MATCH}{name}") for name in names))


@cache
def _overwriting() -> Executable:
    """A destroyed token is zeros before its row goes."""
    zeros = {
        name: func.zeroblob(func.length(vault.c[name]), type_=LargeBinary) for name in ("nonce", "ciphertext")
    }
    return update(vault).where(vault.c.owner == bindparam(f"{_MATCH}owner")).values(zeros)


def append(connection: Connection, rows: Sequence[Row]) -> None:
    """Write rows of the journal, and remember the last one."""
    if rows:
        connection.execute(insert(journal), list(rows))
        head = Head(rows[-1]["number"], rows[-1]["hash"])
        connection.execute(_put("meta"), [{"name": plan.HEAD, "value": str(head)}])


def rows_of(connection: Connection, statement: Any) -> list[Row]:
    """What a question gives, as plain rows."""
    return [dict(row) for row in connection.execute(statement).mappings()]


def all_of(connection: Connection, shelf: str) -> list[Row]:
    """Everything on a shelf, in the order of its key."""
    table = metadata.tables[shelf]
    return rows_of(connection, select(table).order_by(*table.primary_key))


def recent(connection: Connection, shelf: str) -> list[Row]:
    """What is open, of the last day before the newest, or among the newest."""
    table = metadata.tables[shelf]
    since = plan.day_before(connection.execute(select(func.max(table.c.moment))).scalar())
    newest = select(table.c.place).order_by(table.c.place.desc()).limit(plan.NEWEST)
    wanted = table.c.is_open | (table.c.moment >= since) | table.c.place.in_(newest)
    return rows_of(connection, select(table).where(wanted).order_by(table.c.place))


def open_of(connection: Connection, shelf: str) -> list[Row]:
    """What is open on a shelf."""
    table = metadata.tables[shelf]
    return rows_of(connection, select(table).where(table.c.is_open).order_by(*table.primary_key))


def one_of(connection: Connection, shelf: str, key: str) -> Row | None:
    """The row of that key, if there is one."""
    table = metadata.tables[shelf]
    return _first(connection, select(table).where(table.c[plan.KEYS[shelf][0]] == key))


def newest_runs(connection: Connection, device: str | None, limit: int) -> list[Row]:
    """The newest runs first."""
    statement = select(runs).order_by(runs.c.place.desc()).limit(limit)
    return rows_of(connection, statement if device is None else statement.where(runs.c.device == device))


def journal_rows(
    connection: Connection, *, subject: str | None, after: int, limit: int, newest_first: bool
) -> list[Row]:
    """Rows of the journal from after a number on."""
    number = journal.c.number
    statement = select(journal).where(number > after).limit(limit)
    statement = statement.order_by(number.desc() if newest_first else number)
    return rows_of(
        connection, statement if subject is None else statement.where(journal.c.subject == subject)
    )


def row_at(connection: Connection, number: int) -> Row | None:
    """The journal's row of that number, if it is still there."""
    return _first(connection, select(journal).where(journal.c.number == number))


def last_row(connection: Connection) -> Row | None:
    """The journal's last row."""
    return _first(connection, select(journal).order_by(journal.c.number.desc()))


def last_checkpoint(connection: Connection) -> Row | None:
    """The row that carries the chain on over what was dropped. Found by subject, which has an index."""
    marks = select(journal).where(journal.c.subject == JOURNAL, journal.c.kind == CHECKPOINT)
    return _first(connection, marks.order_by(journal.c.number.desc()))


def last_before(connection: Connection, moment: str) -> Row | None:
    """
    The last row of the journal's old beginning: all up to it are older than `moment`.

    Where the clock was stepped, rows behind one that is not old are kept.
    """
    kept = select(journal.c.number).where(journal.c.wall >= moment).order_by(journal.c.number).limit(1)
    first_kept = connection.execute(kept).scalar()
    if first_kept is None:
        return last_row(connection)
    old = select(journal).where(journal.c.number < first_kept)
    return _first(connection, old.order_by(journal.c.number.desc()))


def _first(connection: Connection, statement: Any) -> Row | None:
    return next(iter(rows_of(connection, statement.limit(1))), None)


def drop_journal(connection: Connection, through: int, most: int) -> int:
    """Drop the first rows up to a number, so many at most; how many."""
    first = select(journal.c.number).where(journal.c.number <= through).order_by(journal.c.number).limit(most)
    return connection.execute(delete(journal).where(journal.c.number.in_(first))).rowcount


def drop_old(connection: Connection, moment: str) -> None:
    """Drop what closed before a moment, and rule sets that nothing names; the newest one stays."""
    for shelf in plan.AGEING:
        table = metadata.tables[shelf]
        connection.execute(delete(table).where(~table.c.is_open, table.c.moment < moment))
    newest = select(func.max(rule_sets.c.place)).scalar_subquery()
    in_journal = select(journal.c.number).where(journal.c.rule_set == rule_sets.c.hash).exists()
    in_runs = select(runs.c.place).where(runs.c.rule_set == rule_sets.c.hash).exists()
    connection.execute(delete(rule_sets).where(rule_sets.c.place < newest, ~in_journal, ~in_runs))
