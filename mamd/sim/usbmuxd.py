"""usbmuxd's side of its protocol on a unix socket, for phones that are not there.

It answers as usbmuxd 1.1.1 does (src/client.c), run with --no-preflight: it never talks to a phone by itself.

    client ── Listen ──▶ Result, Attached…, then Attached | Detached | Paired as they come
           ── Connect ─▶ Result, then the bytes of a tunnel to lockdownd
           ── the rest ▶ one answer each
"""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

from mamd.sim import mux_wire as wire
from mamd.sim.attachment import Attachment
from mamd.sim.keys import Sessions
from mamd.sim.mux_client import Client, UsbmuxdFault
from mamd.sim.pair_records import PairRecords
from mamd.sim.record import Record

BACKLOG = 5  # Debian 12's usbmuxd: more than five at once, and connecting fails with EAGAIN


class Usbmuxd:
    """A usbmuxd that lists the attachments it is told of. Start, stop and start it as often as you like."""

    def __init__(
        self,
        path: Path,
        records: Path,
        record: Record,
        *,
        backlog: int = BACKLOG,
        exits_with_last: bool = False,
    ) -> None:
        self.path = path
        self.record = record
        self.sessions = Sessions()
        self.pairings = PairRecords(records)
        self.fault: UsbmuxdFault | None = None
        self.exits_with_last = exits_with_last  # as Debian's unit and udev rule have it
        self._backlog = backlog
        self._server: asyncio.Server | None = None
        self._starting: asyncio.Task[None] | None = None
        self._clients: set[Client] = set()
        self._attached: list[Attachment] = []
        self._listed: dict[int, tuple[Attachment, bytes]] = {}
        self._last_id = 0

    @property
    def running(self) -> bool:
        """Whether the socket is there."""
        return self._server is not None

    async def start(self) -> None:
        """Make the socket and number all phones anew from 1, as a fresh usbmuxd does. Twice: nothing."""
        if self._server is not None:
            return
        self._last_id = 0
        self._listed.clear()
        for attachment in self._attached:
            self._list(attachment)
        self.path.unlink(missing_ok=True)
        door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        door.bind(str(self.path))
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: Client(self), sock=door, backlog=self._backlog)
        self.record.note("usbmuxd", what="started")

    async def stop(self) -> None:
        """Take the socket away and drop all connections, tunnels included. Twice: nothing."""
        if self._starting is not None:
            self._starting.cancel()
        self._exit()
        await asyncio.sleep(0)  # let the transports close

    async def restart(self) -> None:
        """Stop and start: every DeviceID is another one afterwards, or worse, another phone's."""
        await self.stop()
        await self.start()

    async def settled(self) -> None:
        """Wait until a start that a new phone has caused is over."""
        if self._starting is not None:
            await self._starting

    def appeared(self, attachment: Attachment) -> None:
        """A phone that speaks usbmux is on the bus."""
        self._attached.append(attachment)
        if self._server is None:
            self._start_as_udev_does()
            return
        device_id = self._list(attachment)
        self._tell(wire.packet(wire.whole(self._listed[device_id][1]), 0))

    def vanished(self, attachment: Attachment) -> None:
        """A phone left the bus, or its mode: its DeviceID is dead, its tunnels are closed."""
        if attachment not in self._attached:
            return
        self._attached.remove(attachment)
        for device_id in [key for key, (listed, _) in self._listed.items() if listed is attachment]:
            del self._listed[device_id]
            for client in [client for client in self._clients if client.device_id == device_id]:
                client.close()
            self._tell(wire.plist({"MessageType": "Detached", "DeviceID": device_id}, 0))
        if self.exits_with_last and not self._attached:
            self._exit()

    def device_id(self, attachment: Attachment) -> int | None:
        """The DeviceID under which it is listed now."""
        return next((key for key, (listed, _) in self._listed.items() if listed is attachment), None)

    # What the clients ask.

    def listed(self, device_id: object) -> Attachment | None:
        """The attachment of that DeviceID."""
        entry = self._listed.get(device_id) if isinstance(device_id, int) else None
        return entry[0] if entry else None

    def fragments(self) -> list[bytes]:
        """All listed devices, encoded."""
        return [fragment for _, fragment in self._listed.values()]

    def joined(self, client: Client) -> None:
        """A client connected."""
        self._clients.add(client)

    def left(self, client: Client) -> None:
        """A client is gone."""
        self._clients.discard(client)

    def paired(self, device_id: object, udid: str) -> None:
        """A record was saved under that DeviceID: listeners hear of it if the phone is still there."""
        attachment = self.listed(device_id)
        if attachment is not None and attachment.phone.udid == udid:
            self._tell(wire.plist({"MessageType": "Paired", "DeviceID": device_id}, 0))

    def _list(self, attachment: Attachment) -> int:
        self._last_id += 1
        self._listed[self._last_id] = (attachment, wire.attached(self._last_id, attachment))
        return self._last_id

    def _tell(self, packet: bytes) -> None:
        if self.fault is not UsbmuxdFault.HUNG:
            for client in [client for client in self._clients if client.listening]:
                client.send(packet)

    def _exit(self) -> None:
        if self._server is None:
            return
        self._server.close()
        self._server = None
        self.path.unlink(missing_ok=True)
        for client in list(self._clients):
            client.close()
        self.record.note("usbmuxd", what="stopped")

    def _start_as_udev_does(self) -> None:
        if self.exits_with_last:
            self._starting = asyncio.get_running_loop().create_task(self.start())
