"""The little of DER that Image4 needs (ITU-T X.690), since a simulated phone must read its tickets quickly.

A tag is the integer of its bytes: 0x30 for a SEQUENCE; Image4's own tags are private ones, whose number is
four letters.
"""

from __future__ import annotations

from collections.abc import Iterator

SEQUENCE, SET, OCTETS, INTEGER, IA5 = 0x30, 0x31, 0x04, 0x02, 0x16
CONTEXT_0 = 0xA0
_PRIVATE = 0xFF  # private, constructed, and the number follows


class NotDer(Exception):
    """Bytes that are no DER, or end in its middle."""


def element(tag: int, *parts: bytes) -> bytes:
    """One element, its content put together from the parts."""
    content = b"".join(parts)
    return tag.to_bytes((tag.bit_length() + 7) // 8) + _length(len(content)) + content


def text(value: str) -> bytes:
    """An IA5String."""
    return element(IA5, value.encode("ascii"))


def integer(value: int) -> bytes:
    """An INTEGER that is not negative."""
    return element(INTEGER, value.to_bytes(value.bit_length() // 8 + 1))


def private(letters: str) -> int:
    """The tag whose number is these four letters."""
    left = int.from_bytes(letters.encode("ascii"))
    septets = bytearray()  # the last one first; all but the last have the top bit
    while left:
        septets.append(left & 0x7F | (0x80 if septets else 0))
        left >>= 7
    return int.from_bytes(bytes([_PRIVATE, *reversed(septets)]))


def elements(data: bytes | memoryview) -> Iterator[tuple[int, memoryview, memoryview]]:
    """The elements side by side in there: tag, content, and the whole with its tag. Raises `NotDer`."""
    view, at = memoryview(data), 0
    while at < len(view):
        try:
            tag, begin = _read_tag(view, at)
            length, begin = _read_length(view, begin)
        except IndexError as error:
            raise NotDer("an element ends before its length is known") from error
        if begin + length > len(view):
            raise NotDer("an element is longer than what holds it")
        yield tag, view[begin : begin + length], view[at : begin + length]
        at = begin + length


def number(content: memoryview) -> int:
    """The value of an INTEGER."""
    return int.from_bytes(content, signed=True)


def _length(length: int) -> bytes:
    if length < 0x80:
        return bytes([length])
    digits = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes([0x80 | len(digits)]) + digits


def _read_tag(view: memoryview, at: int) -> tuple[int, int]:
    end = at + 1
    if view[at] & 0x1F == 0x1F:
        while view[end] & 0x80:
            end += 1
        end += 1
    return int.from_bytes(view[at:end]), end


def _read_length(view: memoryview, at: int) -> tuple[int, int]:
    first = view[at]
    if first < 0x80:
        return first, at + 1
    end = at + 1 + (first & 0x7F)
    if end > len(view):
        raise NotDer("an element ends before its length is known")
    return int.from_bytes(view[at + 1 : end]), end
