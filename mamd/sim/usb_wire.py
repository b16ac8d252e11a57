"""How a process that uses the simulated USB bus talks with the one that holds it: over a socket, in turns.

    client ── 8 bytes of lengths, JSON, bytes ──▶ bus ── the same ──▶ client

The JSON of a question names what is done to which address; that of an answer has `errno` where it failed.
"""

from __future__ import annotations

import errno
import json
import struct
from typing import Any

LENGTHS = struct.Struct("<II")  # of the JSON, of the bytes after it
LONGEST_HEADER, LONGEST_DATA = 1 << 20, 1 << 24
SOCKET_VARIABLE = "MAMD_SIM_USB"  # the socket's path, in the environment

Message = dict[str, Any]


class UsbFailure(Exception):
    """A transfer failed as libusb would say it: `errno`."""

    number = errno.EIO


class Stall(UsbFailure):
    """The device does not know, or refuses, this request."""

    number = errno.EPIPE


class Gone(UsbFailure):
    """The device is at this address no more."""

    number = errno.ENODEV


class NoPermission(UsbFailure):
    """The device may not be opened."""

    number = errno.EACCES


class TimedOut(UsbFailure):
    """The device did not answer in time."""

    number = errno.ETIMEDOUT


def packed(message: Message, data: bytes = b"") -> bytes:
    """One message with its bytes."""
    header = json.dumps(message).encode()
    return LENGTHS.pack(len(header), len(data)) + header + data


def parsed(header: bytes) -> Message:
    """The JSON of a message. Raises ValueError."""
    message = json.loads(header)
    if not isinstance(message, dict):
        raise ValueError("a message is a JSON object")
    return message
