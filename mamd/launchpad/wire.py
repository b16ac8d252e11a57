"""
One connection to usbmuxd, and the tunnel to a device that it may become, plain or in TLS.

Written on bare sockets: a look has some ten small reads and writes, and asyncio's transports
would cost more than the messages do. Deadlines are the caller's (`asyncio.timeout`).
"""

import asyncio
import errno
import os
import random
import socket
import ssl
import struct
from dataclasses import dataclass
from typing import Final

from mamd.launchpad import mux, plist
from mamd.launchpad.plist import Garbled, Message

_CHUNK: Final = 64 << 10
_READS_A_TURN: Final = 16
_LENGTH: Final = struct.Struct(">I")


class Absent(Exception):
    """usbmuxd is not there: no socket, nobody behind it, or we may not use it."""


class Closed(Exception):
    """The other side ended the connection."""


class TlsFailed(Exception):
    """The handshake failed: the record's certificates are not the ones that the device knows."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where usbmuxd is: the path of a unix socket, or a host and a port."""

    path: str | None
    host: str = ""
    port: int = 0

    @classmethod
    def of(cls, text: str) -> "Address":
        """
        Read a path, `UNIX:/path` (libusbmuxd's spelling) or `HOST:PORT`.

        Raises:
            ValueError: It is none of these; the text says what would be right.
        """
        if text.upper().startswith("UNIX:"):
            return cls(text[5:])
        host, colon, port = text.rpartition(":")
        if "/" in text or not colon:
            return cls(text)
        if not port.isdecimal() or not 0 < int(port) < 1 << 16:
            raise ValueError(f"{text!r} is no address of usbmuxd; write a path, UNIX:/path or HOST:PORT")
        return cls(None, host.strip("[]"), int(port))

    def __str__(self) -> str:
        return self.path if self.path is not None else f"{self.host}:{self.port}"


async def opened(address: Address) -> "Wire":
    """
    A connection to usbmuxd. Waits while its backlog is full.

    Raises:
        Absent: It is not there.
    """
    try:
        return Wire(await (_unix(address.path) if address.path is not None else _tcp(address)))
    except OSError as error:
        raise Absent(os.strerror(error.errno) if error.errno else type(error).__name__) from error


async def _unix(path: str) -> socket.socket:
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    door.setblocking(False)
    try:
        # asyncio takes EAGAIN for "in progress", and then the first write fails with ENOTCONN.
        while (code := door.connect_ex(path)) == errno.EAGAIN:  # noqa: ASYNC110 - nobody would set an event
            await asyncio.sleep(random.uniform(0.002, 0.02))
        if code:
            raise OSError(code, os.strerror(code))
    except BaseException:
        door.close()
        raise
    return door


async def _tcp(address: Address) -> socket.socket:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    family, kind, protocol, _, where = found[0]
    door = socket.socket(family, kind, protocol)
    door.setblocking(False)
    try:
        await loop.sock_connect(door, where)
    except BaseException:
        door.close()
        raise
    return door


class Wire:
    """
    Bytes to and from one connection, and the two kinds of frames on it.

    Everything that reads raises `Closed` if the other side ends, `Garbled` for what is no message.
    """

    def __init__(self, door: socket.socket) -> None:
        self._door = door
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._tls: _Tls | None = None
        self._reads = 0

    def close(self) -> None:
        """Close at once. Closing twice does nothing."""
        self._door.close()

    # usbmux

    async def ask(self, request: bytes) -> mux.Heard:
        """Send a request to usbmuxd and hear its answer."""
        await self.send(request)
        return await self.hear()

    async def hear(self) -> mux.Heard:
        """The next message of usbmuxd."""
        return mux.heard(await self.payload())

    async def payload(self) -> bytes:
        """The next message of usbmuxd, unread."""
        length = mux.payload_length(await self._exactly(mux.HEADER.size))
        return await self._exactly(length)

    # lockdown

    async def ask_device(self, frame: bytes, *, repeated: bool = False) -> Message:
        """Send one encoded plist through the tunnel; the reply. `repeated`: one that is often the same."""
        await self.send(_LENGTH.pack(len(frame)) + frame)
        (length,) = _LENGTH.unpack(await self._exactly(_LENGTH.size))
        if length > plist.DEVICE.size:
            raise Garbled("a frame longer than any answer")
        read = plist.repeated_message if repeated and length < 400 else plist.message
        return read(await self._exactly(length), plist.DEVICE)

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """
        Go on inside TLS.

        Raises:
            TlsFailed: There was no handshake, whoever ended it.
        """
        tls = _Tls(context)
        tls.take(self._take_buffer())
        try:
            while not tls.is_established():
                await self._flush(tls)
                tls.take(await self._received())
            await self._flush(tls)
        except (ssl.SSLError, Closed) as error:
            raise TlsFailed(type(error).__name__) from error
        self._tls = tls

    # bytes

    async def send(self, data: bytes) -> None:
        """Write all of it."""
        if self._tls is not None:
            self._tls.plain(data)
            data = self._tls.outgoing()
        try:
            await self._loop.sock_sendall(self._door, data)
        except OSError as error:
            raise Closed from error

    async def _exactly(self, length: int) -> bytes:
        while len(self._buffer) < length:
            self._buffer += await self._more()
        data = bytes(self._buffer[:length])
        del self._buffer[:length]
        return data

    async def _more(self) -> bytes:
        if self._tls is None:
            return await self._received()
        try:
            while not (data := self._tls.decrypted()):
                self._tls.take(await self._received())
        except ssl.SSLError as error:  # also its clean end, SSLZeroReturnError
            raise Closed from error
        return data

    async def _received(self) -> bytes:
        self._reads += 1
        if self._reads % _READS_A_TURN == 0:
            await asyncio.sleep(0)  # reading what is there already never waits: nor would any deadline come
        try:
            data = await self._loop.sock_recv(self._door, _CHUNK)
        except OSError as error:
            raise Closed from error
        if not data:
            raise Closed
        return data

    async def _flush(self, tls: "_Tls") -> None:
        if data := tls.outgoing():
            await self.send(data)

    def _take_buffer(self) -> bytes:
        data = bytes(self._buffer)
        self._buffer.clear()
        return data


class _Tls:
    """TLS without a socket."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing)

    def is_established(self) -> bool:
        """Take the handshake as far as it goes with what has come in. Raises `ssl.SSLError`."""
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def take(self, data: bytes) -> None:
        """Encrypted bytes have come in."""
        self._incoming.write(data)

    def outgoing(self) -> bytes:
        """Encrypted bytes that are to be sent."""
        return self._outgoing.read()

    def plain(self, data: bytes) -> None:
        """Encrypt."""
        self._object.write(data)

    def decrypted(self) -> bytes:
        """What can be read now; nothing if more must come in first. Raises `ssl.SSLError`."""
        try:
            return self._object.read(_CHUNK)
        except ssl.SSLWantReadError:
            return b""
