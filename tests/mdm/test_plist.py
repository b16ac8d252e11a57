"""Property lists of strangers are read within bounds."""

import plistlib
import struct

import pytest

from mamd.mdm.plist import MAX_BYTES, MAX_NODES, NoPlist, read


def _binary(
    objects: list[bytes], *, count: int | None = None, at: int | None = None, ref_size: int = 1
) -> bytes:
    """A binary plist of these objects; `at` makes all `count` of them begin at one place."""
    body = b"bplist00" + b"".join(objects)
    places, place = [], 8
    for it in objects:
        places.append(place)
        place += len(it)
    places = places if at is None else [at] * count
    table = b"".join(struct.pack(">I", it) for it in places)
    return body + table + struct.pack(">6xBBQQQ", 4, ref_size, len(places), 0, len(body))


@pytest.mark.parametrize("form", [plistlib.FMT_XML, plistlib.FMT_BINARY])
def test_an_ordinary_list_is_read(form: plistlib.PlistFormat) -> None:
    """Both forms, with all that phones send."""
    value = {"A": [1, 2.5, True, b"data" * 9, "text" * 9], "B": {"C": {}}, "ü" * 20: 2**40}
    assert read(plistlib.dumps(value, fmt=form)) == value


def test_a_long_list_of_profiles_is_read() -> None:
    """What a phone with many profiles says is long, and no attack."""
    profiles = [
        {"PayloadIdentifier": f"com.example.{n}", "PayloadContent": [{"A": n}] * 3} for n in range(2000)
    ]
    for form in plistlib.FMT_XML, plistlib.FMT_BINARY:
        assert len(read(plistlib.dumps({"ProfileList": profiles}, fmt=form))["ProfileList"]) == 2000


ARRAY_OF_MANY = b"\xaf\x11" + struct.pack(">H", 60_000) + bytes(60_000)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"bplist00", id="no trailer"),
        pytest.param(b"x" * (MAX_BYTES + 1), id="too long"),
        pytest.param(b"<plist>" + b"<array>" * (MAX_NODES + 1), id="too many elements"),
        pytest.param(b"<plist><dict><key>A</key>", id="cut"),
        pytest.param(b"<plist><array/></plist>", id="no dictionary"),
        pytest.param(b"<plist><dict><integer>x</integer></dict></plist>", id="no key"),
        pytest.param(b'<!DOCTYPE p [<!ENTITY a "x">]><plist><dict><key>&a;</key></dict>', id="entity"),
        pytest.param(_binary([ARRAY_OF_MANY], count=10_000, at=8), id="one array many times"),
        pytest.param(_binary([b"\x4f\x12" + struct.pack(">I", 10**6) + bytes(10**6)], count=10_000, at=8),
                     id="one text many times"),
        pytest.param(_binary([b"\x1e" + bytes(1 << 14)], count=150_000, at=8), id="one number many times"),
        pytest.param(_binary([b"\xd1\x01\x00", b"\x51A"], count=2, at=10**6), id="outside"),
        pytest.param(b"bplist00" + struct.pack(">6xBBQQQ", 8, 8, 2**60, 0, 8), id="too many objects"),
        pytest.param(b"bplist00" + struct.pack(">6xBBQQQ", 0, 1, 1, 0, 8), id="no offsets"),
        pytest.param(_binary([b"\xa1" + struct.pack(">H", n) for n in range(1, 999)], ref_size=2), id="deep"),
    ],
)  # fmt: skip
def test_what_would_cost_too_much_is_not_read(data: bytes) -> None:
    """A list that is broken, or asks for more than a phone has to say, is refused at once."""
    with pytest.raises(NoPlist):
        read(data)
