"""
A store without a file, for tests and rehearsals: the same rows, the same chain, the same promises.

It keeps text, as the database does, so that what could not be read again shows here too.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from mamd.core.enrollment import Enrolled
from mamd.core.errors import Trouble
from mamd.core.facts import Record
from mamd.core.rules import RuleSet
from mamd.core.run import Run
from mamd.ports import CallRow, Changes, HoldRow, JournalRow, MdmCommand, Sealed, Snapshot
from mamd.store import chain, plan
from mamd.store.chain import Head
from mamd.store.plan import Drop, Put, Row

Shelf = dict[tuple[Any, ...], Row]


class MemoryStore:
    """
    Implements `ports.Store`. Closing it keeps what is in it, so that it can be opened again.

    Attributes:
        trouble: While it is set, every commit raises it and writes nothing: a full disk, for example.
        is_from_the_past: What the next snapshot says of the state's age.
    """

    def __init__(self, installation: str = "memory") -> None:
        self.trouble: Trouble | None = None
        self.is_from_the_past = False
        self._installation = installation
        self._shelves: dict[str, Shelf] = {name: {} for name in plan.KEYS}
        self._journal: list[Row] = []
        self._head = Head()

    async def open(self) -> Snapshot:
        """What there is to go on from."""
        return Snapshot(
            installation=self._installation,
            records=plan.values_of(Record, self._rows("devices")),
            links=plan.links_of(self._rows("attachments")),
            runs=plan.values_of(Run, self._recent("runs")),
            commands=plan.values_of(MdmCommand, self._recent("mdm_commands")),
            holds=plan.values_of(HoldRow, self._rows("holds")),
            calls=plan.values_of(CallRow, [row for row in self._rows("outbox") if row["is_open"]]),
            enrolled=plan.values_of(Enrolled, self._rows("enrolled")),
            meta={row["name"]: row["value"] for row in self._rows("meta")},
            is_from_the_past=self.is_from_the_past,
        )

    async def commit(self, changes: Changes) -> None:
        """Write all of it or nothing. Raises `trouble` while that is set."""
        if self.trouble is not None:
            raise self.trouble
        steps = list(plan.steps(changes))
        rows = list(chain.chained(self._head, changes.turns))
        for step in steps:
            self._do(step)
        self._append(rows)
        self.is_from_the_past = False

    async def token(self, owner: str) -> Sealed | None:
        """The sealed token of one enrollment."""
        return plan.sealed_of(self._shelves["vault"].get((owner,)))

    async def journal(
        self, *, subject: str | None = None, after: int = 0, limit: int = 500, newest_first: bool = False
    ) -> tuple[JournalRow, ...]:
        """Rows of the journal in order, from after a number on."""
        rows = [row for row in self._journal if row["number"] > after and subject in (None, row["subject"])]
        in_order = rows[::-1] if newest_first else rows
        return tuple(chain.journal_row(row) for row in in_order[:limit])

    async def rule_set(self, hash_: str) -> RuleSet | None:
        """A rule set by its hash."""
        row = self._shelves["rule_sets"].get((hash_,))
        return None if row is None else plan.values_of(RuleSet, [row])[0]

    async def runs(self, *, device: str | None = None, limit: int = 100) -> tuple[Run, ...]:
        """The newest runs, open and closed, the newest first."""
        rows = [row for row in self._rows("runs") if device in (None, row["device"])]
        return plan.values_of(Run, rows[::-1][:limit])

    async def verify(self) -> tuple[str, ...]:
        """One line for each row of the journal that is not what it was."""
        mark = {"subject": chain.JOURNAL, "kind": chain.CHECKPOINT}
        marks = [row for row in self._journal if _is_equal(row, mark)]
        walk = chain.Walk(dropped=chain.head_of_checkpoint(marks[-1] if marks else None))
        for row in self._journal:
            walk.take(row)
        return walk.end(self._head, None)

    async def prune(self, *, older_than: datetime) -> int:
        """Drop the journal's old rows behind a checkpoint, and closed things as old; how many rows."""
        moment = plan.stamp(older_than)
        kept = next((at for at, row in enumerate(self._journal) if row["wall"] >= moment), len(self._journal))
        if kept:
            wall = datetime.fromisoformat(self._journal[-1]["wall"])
            mark = chain.checkpoint(self._head, chain.head_of(self._journal[kept - 1]), wall)
            self._append(list(chain.chained(self._head, [mark])))
            del self._journal[:kept]
        self._drop_old(moment)
        return kept

    async def close(self) -> None:
        """Nothing is being written."""

    def _rows(self, shelf: str) -> list[Row]:
        return list(self._shelves[shelf].values())

    def _recent(self, shelf: str) -> list[Row]:
        rows = self._rows(shelf)
        since = plan.day_before(max((row["moment"] for row in rows), default=None))
        first = len(rows) - plan.NEWEST
        return [row for at, row in enumerate(rows) if row["is_open"] or row["moment"] >= since or at >= first]

    def _do(self, step: Put | Drop) -> None:
        shelf = self._shelves[step.shelf]
        if isinstance(step, Put):
            shelf[tuple(step.row[name] for name in plan.KEYS[step.shelf])] = step.row
        else:
            self._take_away(shelf, lambda row: _is_equal(row, step.match))

    def _append(self, rows: list[Row]) -> None:
        self._journal += rows
        self._head = chain.head_of(rows[-1]) if rows else self._head

    def _drop_old(self, moment: str) -> None:
        for name in plan.AGEING:
            self._take_away(self._shelves[name], lambda row: not row["is_open"] and row["moment"] < moment)
        named = {row["rule_set"] for row in (*self._journal, *self._rows("runs"))}
        newest = {row["hash"] for row in self._rows("rule_sets")[-1:]}
        self._take_away(self._shelves["rule_sets"], lambda row: row["hash"] not in named | newest)

    @staticmethod
    def _take_away(shelf: Shelf, is_so: Callable[[Row], bool]) -> None:
        for key in [key for key, row in shelf.items() if is_so(row)]:
            del shelf[key]


def _is_equal(row: Row, match: Mapping[str, Any]) -> bool:
    return all(row[name] == value for name, value in match.items())
