"""Whatever a device says is a message within bounds, or refused; nothing else comes of it."""

import plistlib
import struct
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mamd.launchpad import plist
from mamd.launchpad.plist import Bounds, Garbled

ALL_BOUNDS = (plist.USBMUXD, plist.DEVICE)

leaves = st.one_of(
    st.booleans(),
    st.integers(-(1 << 63), (1 << 64) - 1),
    st.text("abc<&é", max_size=8),
    st.binary(max_size=8),
)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab", max_size=3), inner)
)
messages = st.dictionaries(st.text("abc", max_size=3), values, max_size=4)


def bomb() -> bytes:
    """160 bytes of binary plist that stand for 10^9 nodes: each array holds the next one ten times."""
    objects = [b"\xd1\x01\x02", b"\x51a", *(b"\xaa" + bytes([n + 3]) * 10 for n in range(9)), b"\x09"]
    offsets, body = [], b"bplist00"
    for entry in objects:
        offsets.append(len(body))
        body += entry
    table = bytes(offsets)
    return body + table + struct.pack(">6xBBQQQ", 1, 1, len(objects), 0, len(body))


def loop() -> bytes:
    """An array that holds itself."""
    body = b"bplist00" + b"\xd1\x01\x02" + b"\x51a" + b"\xa1\x02"
    return body + bytes([8, 11, 13]) + struct.pack(">6xBBQQQ", 1, 1, 3, 0, len(body))


@given(messages, st.sampled_from((plistlib.FMT_XML, plistlib.FMT_BINARY)))
def test_what_is_well_formed_is_understood(message: dict, form: plistlib.PlistFormat) -> None:
    """A message of the protocol arrives as it was sent, in either spelling."""
    assert plist.message(plistlib.dumps(message, fmt=form), plist.DEVICE) == message


@given(st.binary(max_size=400) | st.binary(max_size=300).map(lambda tail: b"bplist00" + tail))
@example(bomb())
@example(loop())
@example(b"<plist><integer>" + b"9" * 5000 + b"</integer></plist>")
@example(b"<plist><date>9999-99-99T99:99:99Z</date></plist>")
@example(b"<plist><data>===</data></plist>")
@example(b"<plist>" + b"<array>" * 3000)
def test_garbage_is_refused_and_nothing_else(data: bytes) -> None:
    """No bytes make the reader fail in any other way than by saying that they are garbled."""
    for bounds in ALL_BOUNDS:
        with suppress(Garbled):
            assert isinstance(plist.message(data, bounds), dict)


@given(messages, st.data())
def test_a_message_that_was_damaged_on_the_way_is_refused_or_read(message: dict, data: st.DataObject) -> None:
    """One byte changed anywhere does no harm, in either spelling."""
    for form in (plistlib.FMT_XML, plistlib.FMT_BINARY):
        whole = bytearray(plistlib.dumps(message, fmt=form))
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
        with suppress(Garbled):
            assert isinstance(plist.message(bytes(whole), plist.DEVICE), dict)


@pytest.mark.parametrize("data", [bomb(), loop()], ids=["bomb", "loop"])
def test_a_short_plist_that_stands_for_endless_nodes_is_refused(data: bytes) -> None:
    """Shared and circular references are counted as often as whoever walks the value would meet them."""
    assert plistlib.loads(data), "plistlib takes it"
    with pytest.raises(Garbled):
        plist.message(data, plist.DEVICE)


@pytest.mark.parametrize(
    ("value", "bounds"),
    [
        ({"a": "x" * 1000}, Bounds(size=500)),
        ({"a": [0] * 101}, Bounds(size=10_000, nodes=100)),
        ({"a": [[[[0]]]]}, Bounds(size=10_000, depth=4)),
        ({"a": 1 << 64}, plist.DEVICE),
    ],
    ids=["size", "nodes", "depth", "integer"],
)
def test_each_bound_is_kept(value: dict, bounds: Bounds) -> None:
    """A device may say so much in one message, and no more."""
    encoded = (
        plistlib.dumps(value)
        if value != {"a": 1 << 64}
        else b"<plist><dict><key>a</key><integer>18446744073709551616</integer></dict></plist>"
    )
    with pytest.raises(Garbled):
        plist.message(encoded, bounds)


@pytest.mark.parametrize("data", [b"<plist><array/></plist>", b"<plist><string>a</string></plist>", b""])
def test_a_message_is_a_dictionary(data: bytes) -> None:
    """Anything else is none, however well formed."""
    with pytest.raises(Garbled):
        plist.message(data, plist.DEVICE)


def test_a_refusal_repeats_nothing_of_what_was_said() -> None:
    """An error may end in a log; a device's words may not."""
    with pytest.raises(Garbled) as refusal:
        plist.message(b"<plist><dict><key>SECRET</key>", plist.DEVICE)
    assert "SECRET" not in str(refusal.value)
