"""
Keeps the books: what the writer's thread does with the database, from opening to closing.

The head of the journal is written down beside the database too, at most once a second, so
that a start can tell a state that is older than what has already been.
"""

import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from mamd.core.enrollment import Enrolled
from mamd.core.errors import Trouble
from mamd.core.facts import Record
from mamd.core.rules import RuleSet
from mamd.core.run import Run
from mamd.ports import CallRow, Changes, HoldRow, MdmCommand, Sealed, Snapshot
from mamd.store import chain, plan
from mamd.store import statements as say
from mamd.store.chain import Head, Walk
from mamd.store.database import Database
from mamd.store.plan import Row
from mamd.store.writer import Outcome

CHUNK: Final = 2000
"""So many rows of the journal are walked or dropped at once; commits go in between."""
HEAD_EVERY_S: Final = 1.0


class Books:
    """One database, as the writer's thread works on it. Nothing here is called from anywhere else."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path)
        self._head = Head()
        self._outside = Head()
        self._kept_at = 0.0

    # ------------------------------------------------------------------------ open, close

    def open(self) -> Snapshot:
        """Open the database, and read what to go on from."""
        self._database.open()
        try:
            return self._read_all()
        except BaseException:
            self._database.close()
            raise

    def _read_all(self) -> Snapshot:
        outside = self._database.folder.head() or Head()
        with self._database.reading() as connection:
            meta = {row["name"]: row["value"] for row in say.all_of(connection, "meta")}
            last = say.last_row(connection)
            head = Head.of(meta.get(plan.HEAD)) or (chain.head_of(last) if last else Head())
            is_past = not self._has_been(connection, outside)
            # What is known outside is not overwritten by an older state, until that goes on.
            self._head, self._outside = head, head if is_past else outside
            return Snapshot(
                installation=meta[plan.INSTALLATION],
                records=plan.values_of(Record, say.all_of(connection, "devices")),
                links=plan.links_of(say.all_of(connection, "attachments")),
                runs=plan.values_of(Run, say.recent(connection, "runs")),
                commands=plan.values_of(MdmCommand, say.recent(connection, "mdm_commands")),
                holds=plan.values_of(HoldRow, say.all_of(connection, "holds")),
                calls=plan.values_of(CallRow, say.open_of(connection, "outbox")),
                enrolled=plan.values_of(Enrolled, say.all_of(connection, "enrolled")),
                meta={name: value for name, value in meta.items() if not name.startswith(plan.OWN)},
                is_from_the_past=is_past,
            )

    def _has_been(self, connection: Connection, outside: Head) -> bool:
        """Whether this journal has, or had, the row that is known outside."""
        if outside.number <= chain.head_of_checkpoint(say.last_checkpoint(connection)).number:
            return True
        row = say.row_at(connection, outside.number)
        return row is not None and row["hash"] == outside.hash

    def close(self) -> None:
        """Write down what is known, and let go."""
        self._keep_head()
        self._database.close()

    # ------------------------------------------------------------------------------ write

    def write(self, batch: Sequence[Changes]) -> Sequence[Outcome]:
        """Write all of these in one transaction; for each, None or why it is not written."""
        try:
            self._write(batch)
        except Trouble as trouble:
            return [trouble] * len(batch)
        except Exception as error:
            # One of them cannot be written: each by itself, so that no other goes down with it.
            return [_slip(error)] if len(batch) == 1 else [self.write([changes])[0] for changes in batch]
        return [None] * len(batch)

    def _write(self, batch: Sequence[Changes]) -> None:
        steps = [step for changes in batch for step in plan.steps(changes)]
        turns = [turn for changes in batch for turn in changes.turns]
        rows = list(chain.chained(self._head, turns))
        with self._database.writing() as connection:
            say.append(connection, rows)
            say.carry_out(connection, steps)
        if rows:
            self._head = chain.head_of(rows[-1])

    def rest(self) -> float | None:
        """Write the journal's head down outside the database, at most once a second."""
        if self._head == self._outside:
            return None
        left = self._kept_at + HEAD_EVERY_S - time.monotonic()
        if left > 0:
            return left
        self._keep_head()
        return None if self._head == self._outside else HEAD_EVERY_S

    def _keep_head(self) -> None:
        if self._head != self._outside:
            self._kept_at = time.monotonic()
            if self._database.folder.keep_head(self._head):
                self._outside = self._head

    # ------------------------------------------------------------------------------- read

    def token(self, owner: str) -> Sealed | None:
        """The sealed token of one enrollment."""
        with self._database.reading() as connection:
            return plan.sealed_of(say.one_of(connection, "vault", owner))

    def journal(self, *, subject: str | None, after: int, limit: int, newest_first: bool) -> list[Row]:
        """Rows of the journal, as they are stored."""
        with self._database.reading() as connection:
            return say.journal_rows(
                connection, subject=subject, after=after, limit=limit, newest_first=newest_first
            )

    def rule_set(self, hash_: str) -> RuleSet | None:
        """A rule set by its hash."""
        with self._database.reading() as connection:
            row = say.one_of(connection, "rule_sets", hash_)
            return None if row is None else plan.values_of(RuleSet, [row])[0]

    def runs(self, device: str | None, limit: int) -> tuple[Run, ...]:
        """The newest runs first."""
        with self._database.reading() as connection:
            return plan.values_of(Run, say.newest_runs(connection, device, limit))

    # ------------------------------------------------------------------------ walk, prune

    def begin_walk(self) -> Walk:
        """A walk along the journal that has not begun."""
        with self._database.reading() as connection:
            return Walk(dropped=chain.head_of_checkpoint(say.last_checkpoint(connection)))

    def walk_on(self, walk: Walk) -> bool:
        """Walk a stretch; False at the end."""
        rows = self.journal(subject=None, after=walk.at.number, limit=CHUNK, newest_first=False)
        for row in rows:
            walk.take(row)
        return bool(rows)

    def end_walk(self, walk: Walk) -> tuple[str, ...] | None:
        """What the walk found; None if rows were dropped under it, so that it must be walked again."""
        with self._database.reading() as connection:
            if chain.head_of_checkpoint(say.last_checkpoint(connection)) != walk.dropped:
                return None
        while self.walk_on(walk):
            continue  # what was written meanwhile
        return walk.end(self._head, self._database.folder.head())

    def mark(self, moment: str) -> int:
        """Append a checkpoint for the rows older than a moment; up to which number they may go."""
        with self._database.reading() as connection:
            last, newest = say.last_before(connection, moment), say.last_row(connection)
            before = chain.head_of_checkpoint(say.last_checkpoint(connection)).number
        if last is None or newest is None:
            return before
        wall = datetime.fromisoformat(newest["wall"])
        self._write([Changes(turns=(chain.checkpoint(self._head, chain.head_of(last), wall),))])
        return int(last["number"])

    def drop_journal(self, through: int) -> int:
        """Drop a stretch of the rows up to a number; how many."""
        with self._database.writing() as connection:
            return say.drop_journal(connection, through, CHUNK)

    def drop_old(self, moment: str) -> None:
        """Drop what closed before a moment, and rule sets that nothing names any more."""
        with self._database.writing() as connection:
            say.drop_old(connection, moment)


def _slip(error: Exception) -> Exception:
    """What the caller hears of changes that cannot be written: no exception of a library's, and no data."""
    if not isinstance(error, DBAPIError):
        return error
    slip = ValueError(f"these changes do not fit the tables: {error.orig}")
    slip.__cause__ = error
    return slip
