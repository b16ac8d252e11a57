"""
Reads property lists of strangers within bounds, because plistlib believes what a list says of itself.

A binary plist of a few hundred kB can name the same bytes a million times and ask for terabytes, so
what it would come to is added up before it is read.
"""

import plistlib
import struct
from typing import Any
from xml.parsers.expat import ExpatError

MAX_BYTES = 8 * 1024 * 1024
MAX_NODES = 200_000  # a list of all profiles of a phone, which is long, has some ten thousand


class NoPlist(Exception):
    """These bytes are no property list that we read. Says nothing of them."""


def read(data: bytes) -> dict[str, Any]:
    """The dictionary in a property list, XML or binary. Raises NoPlist for anything else."""
    if len(data) > MAX_BYTES or _nodes(data) > MAX_NODES:
        raise NoPlist
    try:
        value = plistlib.loads(data)
    except (plistlib.InvalidFileException, ExpatError, ValueError, LookupError, TypeError, AttributeError,
            OverflowError, RecursionError, struct.error):  # fmt: skip
        raise NoPlist from None
    if not isinstance(value, dict):
        raise NoPlist
    return value


def _nodes(data: bytes) -> int:
    if not data.startswith(b"bplist00"):
        return data.count(b"<")
    try:
        return _weight(data)
    except (IndexError, struct.error, ValueError):
        raise NoPlist from None


def _weight(data: bytes) -> int:
    """How many members all objects of a binary plist claim, each byte of a text counting as a 16th."""
    offset_size, count, table = _trailer(data)
    total = count
    for number in range(count):
        start = table + number * offset_size
        total += _claimed(data, int.from_bytes(data[start : start + offset_size], "big"))
        if total > MAX_NODES:
            break
    return total


def _trailer(data: bytes) -> tuple[int, int, int]:
    # 6 unused bytes, sizes of an offset and of a reference, then count, top object, place of the table.
    offset_size, _, count, _, table = struct.unpack(">6xBBQQQ", data[-32:])
    if not 1 <= offset_size <= 8 or table + count * offset_size > len(data):
        raise ValueError("the table of objects lies outside")
    return offset_size, count, table


_BYTES_A_NODE = 16
_INTEGER = 1


def _claimed(data: bytes, offset: int) -> int:
    kind, length = data[offset] >> 4, data[offset] & 0x0F
    if kind == _INTEGER:
        return (1 << length) // _BYTES_A_NODE
    if length == 0x0F:
        width = 1 << (data[offset + 1] & 0x03)
        length = int.from_bytes(data[offset + 2 : offset + 2 + width], "big")
    is_collection = kind >= 0x0A
    return length * 2 if is_collection else length // _BYTES_A_NODE
