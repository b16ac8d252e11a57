"""
usbmuxd's protocol as bytes and values, without a socket (usbmuxd src/client.c, include/usbmuxd-proto.h).

    <length, version, message, tag>  4 × uint32, little endian; the length counts the header
    <plist>                          version 1, message 8
"""

import socket
import struct
from dataclasses import dataclass, field
from typing import Final

from mamd.launchpad import plist
from mamd.launchpad.plist import Garbled, Message

LOCKDOWN_PORT: Final = 62078
OK: Final = 0
BAD_DEVICE: Final = 2
REFUSED: Final = 3
NO_ENTRY: Final = 2
"""Commands about pair records answer errno values: 2 is ENOENT there."""

HEADER: Final = struct.Struct("<4I")
_PLIST_VERSION: Final = 1
_PLIST_MESSAGE: Final = 8
_OURSELVES: Final = {"ClientVersionString": "mamd", "ProgName": "mamd", "kLibUSBMuxVersion": 3}


@dataclass(frozen=True, slots=True)
class MuxDevice:
    """
    One device as usbmuxd lists it over USB.

    Attributes:
        device_id: Valid on this usbmuxd, for this plugging, only.
        serial: The UDID in usbmuxd's own spelling, which its pair records are named by.
        location: On Linux bus << 16 | address (usbmuxd src/usb.c).
    """

    device_id: int
    serial: str
    location: int

    @property
    def bus_address(self) -> tuple[int, int]:
        """The bus and the address on it."""
        return self.location >> 16, self.location & 0xFFFF


@dataclass(frozen=True, slots=True)
class Listed:
    """usbmuxd lists a device."""

    device: MuxDevice


@dataclass(frozen=True, slots=True)
class Unlisted:
    """A DeviceID is dead."""

    device_id: int


@dataclass(frozen=True, slots=True)
class Result:
    """How a request ended."""

    number: int


@dataclass(frozen=True, slots=True)
class PairRecordData:
    """A pair record as usbmuxd keeps it; it holds private keys."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Other:
    """A well-formed message that needs nothing done: a Wi-Fi device, Paired, a BUID."""


Heard = Listed | Unlisted | Result | PairRecordData | Other

_OTHER: Final = Other()


class Frames:
    """Cuts a stream of bytes into payloads. Holds no more than one message that is still coming in."""

    def __init__(self, bounds: plist.Bounds = plist.USBMUXD) -> None:
        self._bounds = bounds
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """
        The payloads that are whole now.

        Raises:
            Garbled: A header that is none, or a message longer than the bounds allow.
        """
        self._buffer += data
        payloads = []
        while (payload := self._next()) is not None:
            payloads.append(payload)
        return payloads

    def _next(self) -> bytes | None:
        if len(self._buffer) < HEADER.size:
            return None
        length, version, kind, _ = HEADER.unpack_from(self._buffer)
        check_header(length, version, kind, self._bounds)
        if len(self._buffer) < length:
            return None
        payload = bytes(self._buffer[HEADER.size : length])
        del self._buffer[:length]
        return payload


def check_header(length: int, version: int, kind: int, bounds: plist.Bounds) -> None:
    """Raise `Garbled` unless a plist of a length that may be follows."""
    if not HEADER.size <= length <= HEADER.size + bounds.size:
        raise Garbled("a usbmux header with an impossible length")
    if version != _PLIST_VERSION or kind != _PLIST_MESSAGE:
        raise Garbled("a usbmux header of another protocol")


def payload_length(header: bytes, bounds: plist.Bounds = plist.USBMUXD) -> int:
    """How many bytes follow this header. Raises `Garbled`."""
    length, version, kind, _ = HEADER.unpack(header)
    check_header(length, version, kind, bounds)
    return int(length) - HEADER.size


def heard(payload: bytes) -> Heard:
    """
    What a payload says.

    Raises:
        Garbled: No plist, or fields that are not of the kind that the protocol gives them.
    """
    # A Result is the same few bytes each time; a listing or a record is not worth remembering.
    read = plist.repeated_message if len(payload) < 400 and b"<string>Result<" in payload else plist.message
    message = read(payload, plist.USBMUXD)
    kind = message.get("MessageType")
    if kind == "Result":
        return Result(_integer(message, "Number"))
    if kind == "Attached":
        return _listed(message)
    if kind == "Detached":
        return Unlisted(_integer(message, "DeviceID"))
    return _untyped(message)


def _untyped(message: Message) -> Heard:
    kind = message.get("MessageType")
    if kind is not None and not isinstance(kind, str):
        raise Garbled("a usbmux message without a type")
    if "PairRecordData" in message:
        return PairRecordData(_data(message, "PairRecordData"))
    if kind is None and not isinstance(message.get("BUID"), str):
        raise Garbled("a usbmux message that says nothing")
    return _OTHER


def _listed(message: Message) -> Heard:
    properties = message.get("Properties")
    if not isinstance(properties, dict):
        raise Garbled("a listed device without properties")
    if properties.get("ConnectionType") != "USB":
        return _OTHER  # a device on Wi-Fi is on no port of ours
    serial = properties.get("SerialNumber")
    if not isinstance(serial, str):
        raise Garbled("a listed device without a serial number")
    return Listed(MuxDevice(_integer(message, "DeviceID"), serial, _integer(properties, "LocationID")))


def _integer(message: Message, key: str) -> int:
    value = message.get(key)
    if not isinstance(value, int) or not 0 <= value < 1 << 32:
        raise Garbled(f"no number for {key}")
    return int(value)


def _data(message: Message, key: str) -> bytes:
    value = message.get(key)
    if not isinstance(value, bytes):
        raise Garbled(f"no data for {key}")
    return value


# ------------------------------------------------------------------------- what we ask


def request(kind: str, **more: object) -> bytes:
    """A request, ready to be sent."""
    return packet(plist.encoded({"MessageType": kind, **_OURSELVES, **more}))


def packet(payload: bytes, tag: int = 1) -> bytes:
    """A payload behind its header."""
    return HEADER.pack(HEADER.size + len(payload), _PLIST_VERSION, _PLIST_MESSAGE, tag) + payload


LISTEN: Final = request("Listen")
READ_BUID: Final = request("ReadBUID")


def read_pair_record(serial: str) -> bytes:
    """Ask for usbmuxd's own record of a device."""
    return request("ReadPairRecord", PairRecordID=serial)


_CONNECT: Final = plist.encoded(
    {
        "MessageType": "Connect",
        **_OURSELVES,
        "DeviceID": 0x5EED5EED,
        # The port travels as its bytes lie on the network, read by a little-endian host.
        "PortNumber": socket.htons(LOCKDOWN_PORT),
    }
).replace(b"%d" % 0x5EED5EED, b"%d")


def connect(device_id: int) -> bytes:
    """Turn this connection into a tunnel to a device's lockdownd. One text, since each look sends it."""
    return packet(_CONNECT % device_id)
