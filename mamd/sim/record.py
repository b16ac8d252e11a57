"""What was seen on the wire, written down by the side that has no reason to flatter the daemon.

Tests and the demo judge by this file alone. One line is one thing seen:

    {"at": 8123.4, "wall": "2026-…", "kind": "lockdown", "device": "0000…", "request": "Pair", "answer": "ok"}

`at` is CLOCK_MONOTONIC in seconds, which all processes of one host share, so lines of several writers can be
put in order.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Seen:
    """One line of a record. `at` in seconds of CLOCK_MONOTONIC, `wall` in UTC, the fields as noted."""

    at: float
    wall: datetime
    kind: str
    device: str | None
    fields: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        """The field of that name; None if it was not noted."""
        return self.fields.get(name)


class Record:
    """An append-only file of what was seen. Several writers, also of other processes, may share one file.

    `skip` names kinds that are not written: a bench with a thousand looks a second need not keep them all.
    """

    def __init__(self, path: Path, *, skip: frozenset[str] = frozenset()) -> None:
        self.path = path
        self.skip = skip
        # One write of one line to a file opened for appending is not torn by another writer.
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def note(self, kind: str, *, device: str | None = None, **fields: Any) -> None:
        """Write one line. Only plain JSON values; never a token, a key or a certificate."""
        if kind in self.skip or self._file < 0:
            return
        line = {"at": time.monotonic(), "wall": datetime.now(UTC).isoformat(), "kind": kind}
        if device is not None:
            line["device"] = device
        os.write(self._file, json.dumps(line | fields, separators=(",", ":")).encode() + b"\n")

    def close(self) -> None:
        """Close the file; closing twice, or noting after it, does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    @staticmethod
    def read(path: Path, kind: str | None = None, *, device: str | None = None, **fields: Any) -> list[Seen]:
        """All lines, in the order of their time, that are of this kind, this device and have these fields."""
        lines = (line for line in _lines(path) if kind in (None, line.kind) and device in (None, line.device))
        found = (line for line in lines if all(line[name] == value for name, value in fields.items()))
        return sorted(found, key=lambda line: line.at)


def _lines(path: Path) -> Iterator[Seen]:
    for text in path.read_text().splitlines(keepends=True):
        if text.endswith("\n"):  # the last one may be half written while we read
            yield _seen(json.loads(text))


def _seen(line: dict[str, Any]) -> Seen:
    at, wall, kind = line.pop("at"), line.pop("wall"), line.pop("kind")
    return Seen(at, datetime.fromisoformat(wall), kind, line.pop("device", None), line)
