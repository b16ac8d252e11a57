"""usbmuxd's packets are cut and read the same however they arrive, and garbage is called garbage."""

import plistlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mamd.launchpad import mux, plist
from mamd.launchpad.mux import Frames, Listed, MuxDevice, PairRecordData, Result, Unlisted
from mamd.launchpad.plist import Garbled

UDID = "00008110-0011223300010001"
PROPERTIES = {
    "ConnectionType": "USB",
    "DeviceID": 7,
    "LocationID": 2 << 16 | 5,
    "ProductID": 0x12A8,
    "SerialNumber": UDID,
}


def heard(**message: object) -> mux.Heard:
    """What a message of usbmuxd means."""
    return mux.heard(plistlib.dumps(message))


@given(st.lists(st.binary(max_size=40), max_size=5), st.lists(st.integers(1, 30), max_size=20))
def test_packets_are_cut_the_same_wherever_the_stream_breaks(payloads: list[bytes], cuts: list[int]) -> None:
    """A packet may arrive in pieces, and several at once."""
    stream, frames, cut = b"".join(map(mux.packet, payloads)), Frames(), []
    for size in [*cuts, len(stream)]:
        cut += frames.feed(stream[:size])
        stream = stream[size:]
    assert cut == payloads


@given(st.binary(min_size=16, max_size=64))
def test_a_stream_of_garbage_ends_at_its_first_header(stream: bytes) -> None:
    """A header that is none is refused before anything is kept for it."""
    try:
        Frames().feed(stream)
    except Garbled:
        return
    length = int.from_bytes(stream[:4], "little")
    assert length <= plist.USBMUXD.size + 16
    assert stream[4:12] == bytes([1, 0, 0, 0, 8, 0, 0, 0])


def test_a_packet_that_claims_two_gigabytes_is_refused_at_once() -> None:
    """Nothing is waited for, and no memory is taken."""
    with pytest.raises(Garbled):
        mux.payload_length((2 << 30).to_bytes(4, "little") + bytes([1, 0, 0, 0, 8, 0, 0, 0]) + bytes(4))


def test_a_device_on_usb_is_listed_and_one_on_wifi_is_not() -> None:
    """A device on Wi-Fi is on no port of ours."""
    listed = heard(MessageType="Attached", DeviceID=7, Properties=PROPERTIES)
    assert listed == Listed(MuxDevice(7, UDID, 2 << 16 | 5))
    assert isinstance(listed, Listed)
    assert listed.device.bus_address == (2, 5)
    network = PROPERTIES | {"ConnectionType": "Network"}
    assert heard(MessageType="Attached", DeviceID=8, Properties=network) == mux.Other()


def test_the_other_messages_are_what_they_say() -> None:
    """Results, detached devices, records; Paired is a hint that nothing is done about."""
    assert heard(MessageType="Result", Number=3) == Result(3)
    assert heard(MessageType="Detached", DeviceID=7) == Unlisted(7)
    assert heard(MessageType="Paired", DeviceID=7) == mux.Other()
    assert heard(BUID="X") == mux.Other()
    record = heard(PairRecordData=b"private")
    assert isinstance(record, PairRecordData)
    assert record.data == b"private"
    assert "private" not in repr(record)


odd = (
    st.none() | st.booleans() | st.integers(-5, 1 << 40) | st.text("ab1-", max_size=4) | st.binary(max_size=4)
)
keys = st.sampled_from(
    ["MessageType", "DeviceID", "Number", "Properties", "PairRecordData", "BUID", "ConnectionType"]
)
kinds = st.sampled_from(["Attached", "Detached", "Result", "Paired"])
strange = st.dictionaries(keys, odd | kinds | st.fixed_dictionaries({"ConnectionType": st.just("USB")})).map(
    lambda message: {key: value for key, value in message.items() if value is not None}
)


@given(strange)
def test_plists_in_which_nothing_has_the_right_type_are_garbled(message: dict[str, object]) -> None:
    """No message makes the reader fail in any other way."""
    with suppress(Garbled):
        heard(**message)


def test_a_connect_names_the_device_and_lockdowns_port() -> None:
    """62078, as its bytes lie on the network."""
    request = plistlib.loads(mux.connect(12)[16:])
    assert request["DeviceID"] == 12
    assert request["PortNumber"] == 0x7EF2  # 62078 = 0xF27E
