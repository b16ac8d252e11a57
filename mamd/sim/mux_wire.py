"""usbmuxd's packets, as bytes (usbmuxd src/client.c and include/usbmuxd-proto.h)."""

from __future__ import annotations

import plistlib
import struct
from enum import IntEnum
from typing import Any

from mamd.sim.attachment import Attachment

HEADER = struct.Struct("<4I")  # length with this header, version, message, tag
PLIST_VERSION, PLIST_MESSAGE, RESULT_MESSAGE = 1, 8, 1
LONGEST_REQUEST = 0x10000

_BEGIN = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" '
    b'"http://www.apple.com/DTDs/PropertyList-1.0.dtd">\n<plist version="1.0">\n'
)
_END = b"</plist>\n"


class Result(IntEnum):
    """The numbers of a Result. Commands about pair records answer errno values instead: ENOENT, EINVAL."""

    OK = 0
    BAD_COMMAND = 1
    BAD_DEVICE = 2
    REFUSED = 3
    BAD_VERSION = 6


def plist(message: dict[str, Any], tag: int) -> bytes:
    """A packet with a plist."""
    return packet(plistlib.dumps(message), tag)


def packet(payload: bytes, tag: int) -> bytes:
    """A packet with an encoded plist."""
    return HEADER.pack(HEADER.size + len(payload), PLIST_VERSION, PLIST_MESSAGE, tag) + payload


def result(number: int, tag: int) -> bytes:
    """A Result; a fixed text, since each Connect has one."""
    return packet(
        _BEGIN + b"<dict>\n\t<key>MessageType</key>\n\t<string>Result</string>\n\t<key>Number</key>\n"
        b"\t<integer>%d</integer>\n</dict>\n" % number + _END,
        tag,
    )


def binary_result(number: int, tag: int) -> bytes:
    """A Result for a client that spoke the old binary protocol."""
    return HEADER.pack(HEADER.size + 4, 0, RESULT_MESSAGE, tag) + struct.pack("<I", number)


def attached(device_id: int, attachment: Attachment) -> bytes:
    """One device as a dictionary in XML, encoded once and then put in lists or sent alone."""
    phone = attachment.phone
    properties = {
        "ConnectionSpeed": 480_000_000,
        "ConnectionType": "USB",
        "DeviceID": device_id,
        "LocationID": attachment.location,
        "ProductID": phone.identity.model.product_id,
        "SerialNumber": phone.udid,
    }
    text = plistlib.dumps({"MessageType": "Attached", "DeviceID": device_id, "Properties": properties})
    return text.removeprefix(_BEGIN).removesuffix(_END)


def whole(fragment: bytes) -> bytes:
    """An encoded dictionary as a plist of its own."""
    return _BEGIN + fragment + _END


def device_list(fragments: list[bytes]) -> bytes:
    """The answer to ListDevices."""
    return whole(b"<dict>\n<key>DeviceList</key>\n<array>\n" + b"".join(fragments) + b"</array>\n</dict>\n")
