"""
Property lists from strangers, read within bounds: everything a device or usbmuxd says passes here.

A 160-byte binary plist can stand for 10^9 nodes (its objects may be shared), and a long XML
one can be nested 100,000 deep. So the size is checked before parsing, and what comes out is
walked once, without recursion, before anybody else sees it.
"""

import plistlib
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

Message = dict[str, Any]


class Garbled(Exception):
    """What came in is no message of the protocol. The text is ours, never the other side's."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """
    How much one peer may say in one message.

    Attributes:
        size: Bytes of the encoded plist.
        nodes: Values in it, counted as often as they are referred to.
        depth: Containers within containers.
    """

    size: int
    nodes: int = 10_000
    depth: int = 32


USBMUXD: Final = Bounds(size=1 << 20)
DEVICE: Final = Bounds(size=256 << 10)

_INTEGERS: Final = range(-(1 << 63), 1 << 64)
_LEAVES: Final = (str, bytes, bool, float, datetime)


def message(data: bytes, bounds: Bounds) -> Message:
    """
    The dictionary that these bytes hold. Do not change it: equal short messages share one.

    Raises:
        Garbled: It is no dictionary, or more than the bounds allow.
    """
    value = _parsed(data, bounds)
    if not isinstance(value, dict):
        raise Garbled("not a dictionary")
    _measure(value, bounds)
    return value


@lru_cache(maxsize=64)
def repeated_message(data: bytes, bounds: Bounds) -> Message:
    """`message` for answers that are the same byte for byte every time (a Result). Never for secrets."""
    return message(data, bounds)


def encoded(value: Message) -> bytes:
    """
    XML, which usbmuxd and lockdownd both read.

    Raises:
        Garbled: A value in it cannot be written; it came from somebody else then.
    """
    try:
        return plistlib.dumps(value)
    except (ValueError, OverflowError) as error:
        raise Garbled("control characters, or a number that is too long") from error


def _parsed(data: bytes, bounds: Bounds) -> object:
    if len(data) > bounds.size:
        raise Garbled("too long")
    # A node has at most four tags (its key and itself): too many need not be parsed to be refused.
    if not data.startswith(b"bplist") and data.count(b"<") > 4 * bounds.nodes + 8:
        raise Garbled("too many nodes")
    try:
        return plistlib.loads(data)
    except Exception as error:  # beside InvalidFileException whatever expat, struct and int() raise
        raise Garbled("not a property list") from error


def _measure(root: object, bounds: Bounds) -> None:
    """Walk the whole, level by level; shared nodes count each time, so that a loop ends too."""
    left, depth, level = bounds.nodes, 0, [root]
    while level:
        left -= len(level)
        if left < 0:
            raise Garbled("too many nodes")
        if depth > bounds.depth:
            raise Garbled("nested too deep")
        level, depth = _below(level, left), depth + 1


def _below(level: list[object], most: int) -> list[object]:
    """What the containers of one level hold. Stops as soon as it is more than may come."""
    found: list[object] = []
    for node in level:
        if isinstance(node, dict):
            _check_keys(node)
            found.extend(node.values())
        elif isinstance(node, list):
            found.extend(node)
        else:
            _check_leaf(node)
        if len(found) > most:
            raise Garbled("too many nodes")
    return found


def _check_keys(node: dict[object, object]) -> None:
    if not all(isinstance(key, str) for key in node):
        raise Garbled("a key that is no text")


def _check_leaf(node: object) -> None:
    if isinstance(node, _LEAVES):
        return
    # Python refuses to write out integers of 5,000 digits, wherever they are logged much later.
    if isinstance(node, int) and node in _INTEGERS:
        return
    raise Garbled("a value that is no property list's")
