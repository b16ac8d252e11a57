"""
Finds a secret in whatever a run left behind: as it is, in hexadecimal, in Base64, and in Base64 in Base64.

    assert scan(tmp_path / "state", tmp_path / "daemon.log") == []

Secrets of the tests hold `tests.canary.MARKER`, so nobody has to know the secrets themselves.
"""

import base64
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from tests.canary import MARKER

SHORTEST: Final = 32
"""Base64 of 24 bytes is 32 characters long, so nothing shorter can hold the marker."""
DEEP: Final = 2
_BLANKS: Final = re.compile(rb"\s+|\\[nrt]")  # JSON writes the line ends of a property list as two characters
_RUN: Final = re.compile(rb"[A-Za-z0-9+/]{%d,}" % SHORTEST)
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")


def found_in(data: bytes, markers: Sequence[bytes] = (MARKER,)) -> list[str]:
    """How a marker is to be read out of these bytes, one entry a way; empty: it is not in there."""
    return sorted({way for marker in markers for way in _ways(data, marker, DEEP)})


def scan(*places: Path, markers: Sequence[bytes] = (MARKER,)) -> list[str]:
    """The same for files, and for folders with all that is in them: `PATH: way`."""
    leaks = []
    for path in _files(places):
        ways = found_in(path.read_bytes(), markers)
        if path.suffix == ".db":
            ways += [way for cell in _cells(path) for way in found_in(cell, markers)]
        leaks += [f"{path}: {way}" for way in sorted(set(ways))]
    return leaks


def _ways(data: bytes, marker: bytes, deep: int) -> Iterator[str]:
    if marker in data:
        yield "raw"
    if marker.hex().encode() in data.lower():
        yield "hex"
    if deep:
        for inner in _decoded(data):
            yield from (f"base64, {way}" for way in _ways(inner, marker, deep - 1))


def _decoded(data: bytes) -> Iterator[bytes]:
    """Every run of Base64, read from each of its first four characters: a word may stand right before it."""
    for run in _RUN.findall(_BLANKS.sub(b"", data).translate(_URL_SAFE)):
        for begin in range(4):
            cut = run[begin:]
            # The last group may be short; one character alone says nothing.
            cut = cut[:-1] if len(cut) % 4 == 1 else cut
            yield base64.b64decode(cut + b"=" * (-len(cut) % 4))


def _files(places: Sequence[Path]) -> Iterator[Path]:
    for place in places:
        yield from sorted(path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]


def _cells(path: Path) -> Iterator[bytes]:
    """Every value of a database, put together again where it lies on several pages."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        names = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
        for name in names:
            for row in database.execute(f'select * from "{name}"'):
                yield from (cell if isinstance(cell, bytes) else str(cell).encode() for cell in row)
