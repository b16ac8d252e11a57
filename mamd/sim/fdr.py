"""FDR: how a phone that is being restored reaches Apple's store of factory data, through its host.

The host connects to the phone, is told a second port, connects there once per request, and carries the
phone's bytes to the server that the phone names (the dialogue of pymobiledevice3 restore/fdr.py).
"""

from __future__ import annotations

import asyncio
import plistlib
import struct
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mamd.sim.tunnel import HostGone, Stream

if TYPE_CHECKING:
    from mamd.sim.restored import Restored

CONTROL_PORT = 1082
SYNC, PROXY, PLIST = (struct.pack("<H", word) for word in (0x1, 0x105, 0xBBAA))
BEGIN, HELLO = b"BeginCtrl\0", b"HelloConn\0"
ACKNOWLEDGED = struct.pack("<H", 5)


class Fdr:
    """The phone's side. `reached` is set once a request went there and came back."""

    def __init__(self, restored: Restored) -> None:
        self._restored = restored
        self.reached = asyncio.Event()
        restored.listen(CONTROL_PORT, self._control, "<")

    async def _control(self, stream: Stream) -> None:
        if await stream.read(len(BEGIN)) != BEGIN:
            raise HostGone
        await stream.read_plist()
        port, host = self._restored.data_port("<")
        stream.send_plist({"ConnPort": port}, plistlib.FMT_BINARY)
        stream.send(SYNC + bytes(2))
        self._restored.spawn(self._request(host))
        await asyncio.Event().wait()  # the control connection stays, as long as restored does

    async def _request(self, host: asyncio.Future[Stream]) -> None:
        stream = await host
        try:
            await self._hello(stream)
            if self._restored.apple is not None:
                await self._proxied(stream, self._restored.apple)
        except HostGone:
            self._restored.note("fdr", answer="none")
            return
        self._restored.note("fdr", answer="ok")
        self.reached.set()

    async def _hello(self, stream: Stream) -> None:
        if await stream.read(len(HELLO)) != HELLO:
            raise HostGone
        stream.send_plist({"Command": "HelloConn", "Identifier": "simulated"}, plistlib.FMT_BINARY)
        stream.send(PLIST)
        stream.send_plist({"Command": "Ping"}, plistlib.FMT_BINARY)
        if not (await stream.read_plist()).get("Pong"):
            raise HostGone
        stream.send_plist({}, plistlib.FMT_BINARY)

    async def _proxied(self, stream: Stream, apple: str) -> None:
        """Ask Apple's server through the host for something, and take the answer."""
        server = urlsplit(apple)
        name = (server.hostname or "").encode()
        asked = bytes([0, 3, len(name)]) + name + struct.pack(">H", server.port or 80)
        stream.send(PROXY + asked)
        if await stream.read(len(ACKNOWLEDGED) + len(asked)) != ACKNOWLEDGED + asked:
            raise HostGone
        stream.send(b"GET /fdr HTTP/1.1\r\nHost: fdr\r\nConnection: close\r\n\r\n")
        if not (await stream.read_until(b"\r\n")).startswith(b"HTTP/1.1 200"):
            raise HostGone
