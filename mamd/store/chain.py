"""
Chains the rows of the journal, each to the one before it, and finds where a chain was broken.

    hash = BLAKE2b(canonical JSON of number, subject, kind, wall, rule_set, body, previous)

A checkpoint is a row like others. It carries the chain on over the rows that were dropped: it
names the last of them and its hash.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final

from mamd import codec
from mamd.ports import JournalRow, TurnRow
from mamd.store.plan import Row, stamp

CHECKPOINT: Final = "checkpoint"
JOURNAL: Final = "journal"


@dataclass(frozen=True, slots=True)
class Head:
    """The last row of the journal: its number and its hash. Before the first row, 0 and nothing."""

    number: int = 0
    hash: str = ""

    def __str__(self) -> str:
        return f"{self.number} {self.hash}"

    @classmethod
    def of(cls, text: str | None) -> "Head | None":
        """From its text; None for what is none."""
        number, _, hash_ = (text or "").strip().partition(" ")
        return cls(int(number), hash_) if number.isdecimal() else None


def chained(head: Head, turns: Sequence[TurnRow]) -> Iterator[Row]:
    """The rows that turns make behind a head. Raises Unreadable for a body that is no plain data."""
    for turn in turns:
        row = _chained(head, turn)
        head = Head(row["number"], row["hash"])
        yield row


def _chained(head: Head, turn: TurnRow) -> Row:
    row = {
        "number": head.number + 1,
        "subject": codec.clean(turn.subject),
        "kind": codec.clean(turn.kind),
        "wall": stamp(turn.wall),
        "rule_set": codec.clean(turn.rule_set),
        "body": codec.canonical(turn.body),
        "previous": head.hash,
    }
    return {**row, "hash": hash_of(row)}


def hash_of(row: Row) -> str:
    """What a row's hash must be. The body is stored as it was hashed, so that its bytes count."""
    others = codec.canonical({name: row[name] for name in _OTHERS})
    return blake2b(f'{{"body":{row["body"]},{others[1:]}'.encode(), digest_size=32).hexdigest()


_OTHERS: Final = ("kind", "number", "previous", "rule_set", "subject", "wall")


def head_of(row: Row) -> Head:
    """A row as the head of those before it."""
    return Head(row["number"], row["hash"])


def journal_row(row: Row) -> JournalRow:
    """A row as the daemon reads it."""
    try:
        body: Mapping[str, Any] = json.loads(row["body"])
        wall = datetime.fromisoformat(row["wall"])
    except ValueError:
        raise codec.Unreadable(f"row {row['number']} of the journal is not what was written") from None
    return JournalRow(**{**row, "body": body, "wall": wall})


def checkpoint(head: Head, last: Head, wall: datetime) -> TurnRow:
    """
    The turn that says that all rows up to `last` may go.

    Args:
        head: The head that it follows.
        wall: The time of the row before it: the store reads no clock.
    """
    body = {"through": last.number, "hash": last.hash, "after": head.number}
    return TurnRow(JOURNAL, CHECKPOINT, wall, "", body)


def head_of_checkpoint(row: Row | None) -> Head:
    """The last row that may be missing at the journal's beginning."""
    if row is None:
        return Head()
    try:
        body = json.loads(row["body"])
        return Head(int(body["through"]), str(body["hash"]))
    except (ValueError, KeyError, TypeError):
        return Head()  # damaged; the walk over its own row says so


@dataclass(slots=True)
class Walk:
    """
    Walks the chain in order and gathers a line for each place where it does not hold.

    Attributes:
        dropped: The last row that may be missing at the beginning.
    """

    dropped: Head = Head()
    at: Head = Head()
    lines: list[str] = field(default_factory=list)

    def take(self, row: Row) -> None:
        """Look at the next row."""
        number = row["number"]
        if hash_of(row) != row["hash"]:
            self._say(f"row {number}: changed after it was written")
        if number > self.at.number + 1:
            self._missing(max(self.at.number, self.dropped.number) + 1, number - 1)
        before = next((one for one in (self.at, self.dropped) if one.number == number - 1), None)
        if before is not None and row["previous"] != before.hash:
            self._say(f"row {number}: does not follow row {number - 1}; one of them was put in or replaced")
        self.at = head_of(row)

    def end(self, head: Head, outside: Head | None) -> tuple[str, ...]:
        """
        All lines, after the last row.

        Args:
            head: The last row that was written, as the store keeps it.
            outside: The last row that is known outside the database.
        """
        last = self.at if self.at.number else self.dropped
        if last.number > head.number:
            self._say(f"row {last.number}: was put in after the last row that was written")
        elif last.number == head.number and last.hash != head.hash:
            self._say(f"row {last.number}: is not the last row that was written")
        self._missing(last.number + 1, max(head.number, outside.number if outside is not None else 0))
        return tuple(self.lines)

    def _missing(self, first: int, last: int) -> None:
        if first <= last:
            self._say(f"row {first}: is missing" if first == last else f"rows {first} to {last}: are missing")

    def _say(self, line: str) -> None:
        self.lines.append(line)
