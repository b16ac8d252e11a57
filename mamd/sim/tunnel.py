"""The phone's end of a connection that a host made to one of its ports through usbmuxd."""

from __future__ import annotations

import asyncio
import plistlib
import struct
from collections.abc import Callable, Mapping
from typing import Any, Protocol

READ_AHEAD = 1 << 18  # bytes that wait to be read before the host is made to wait
LONGEST_PLIST = 1 << 28

Plist = dict[str, Any]


class Tunnel(Protocol):
    """Whoever answers on a port."""

    def receive(self, data: bytes) -> None:
        """Take bytes from the host."""
        ...

    def lost(self) -> None:
        """The host, or the cable, is gone."""
        ...


Accept = Callable[[asyncio.Transport], Tunnel]


class HostGone(Exception):
    """The connection ended in the middle of a conversation, or what came over it makes no sense."""


class Stream:
    """A tunnel that can be awaited; a host that sends faster than it is read has to wait.

    `order` is the byte order of the lengths before plists: restored's are big-endian, FDR's little.
    """

    def __init__(self, transport: asyncio.Transport, order: str = ">") -> None:
        self._transport, self._length = transport, struct.Struct(f"{order}I")
        self._reader = asyncio.StreamReader(READ_AHEAD)
        self._reader.set_transport(transport)

    def receive(self, data: bytes) -> None:
        """Take bytes from the host."""
        self._reader.feed_data(data)

    def lost(self) -> None:
        """The host is gone; what it sent can still be read."""
        self._reader.feed_eof()

    async def read(self, length: int) -> bytes:
        """Exactly so many bytes. Raises `HostGone`."""
        try:
            return await self._reader.readexactly(length)
        except asyncio.IncompleteReadError as error:
            raise HostGone from error

    async def read_some(self) -> bytes:
        """What there is; nothing at the end."""
        return await self._reader.read(READ_AHEAD)

    async def read_until(self, end: bytes) -> bytes:
        """All up to and including these bytes. Raises `HostGone`."""
        try:
            return await self._reader.readuntil(end)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise HostGone from error

    async def read_plist(self) -> Plist:
        """A dictionary with its length before it. Raises `HostGone`."""
        (length,) = self._length.unpack(await self.read(self._length.size))
        if length > LONGEST_PLIST:
            raise HostGone
        return parsed(await self.read(length))

    def send(self, data: bytes) -> None:
        """Write, unless the connection is going away."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def send_plist(self, message: Mapping[str, Any], fmt: plistlib.PlistFormat = plistlib.FMT_XML) -> None:
        """A dictionary with its length before it."""
        payload = plistlib.dumps(dict(message), fmt=fmt)
        self.send(self._length.pack(len(payload)) + payload)

    def close(self) -> None:
        """Close after what was written has gone out."""
        self._transport.close()


def parsed(payload: bytes) -> Plist:
    """The dictionary in a plist. Raises `HostGone` for anything else."""
    try:
        message = plistlib.loads(payload)
    except Exception as error:  # plistlib raises whatever the parser below it raises
        raise HostGone from error
    if not isinstance(message, dict):
        raise HostGone
    return message
