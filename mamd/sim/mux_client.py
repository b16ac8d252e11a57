"""One client of the simulated usbmuxd, and the answers to what it asks."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import plistlib
import socket
from enum import Enum
from typing import Any, Protocol

from mamd.sim import mux_wire as wire
from mamd.sim.attachment import Attachment
from mamd.sim.keys import Sessions
from mamd.sim.lockdownd import LOCKDOWN_PORT, LockdownConnection
from mamd.sim.pair_records import PairRecords
from mamd.sim.phone import Fault
from mamd.sim.record import Record
from mamd.sim.tunnel import Tunnel


class UsbmuxdFault(Enum):
    """How the daemon itself can fail while its socket is there; absent is `stop()`."""

    HUNG = "hung"  # accepts, never answers, reports nothing
    GARBAGE = "garbage"  # answers bytes that are no packet
    BAD_PLIST = "bad_plist"  # answers packets that hold no plist
    STRANGE = "strange"  # answers plists in which nothing has the type it should


class Daemon(Protocol):
    """What a client needs of the usbmuxd that it is connected to."""

    record: Record
    sessions: Sessions
    pairings: PairRecords
    fault: UsbmuxdFault | None

    def joined(self, client: Client) -> None:
        """A client connected."""
        ...

    def left(self, client: Client) -> None:
        """A client is gone."""
        ...

    def listed(self, device_id: object) -> Attachment | None:
        """The attachment of that DeviceID."""
        ...

    def fragments(self) -> list[bytes]:
        """All listed devices, encoded."""
        ...

    def paired(self, device_id: object, udid: str) -> None:
        """A record was saved under that DeviceID."""
        ...


class Client(asyncio.Protocol):
    """One connection: commands first; then a listener or a tunnel for the rest of its life."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.listening = False
        self.device_id: int | None = None
        self._tunnel: Tunnel | None = None
        self._connecting = False  # a Connect that is never answered
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.daemon.joined(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.daemon.left(self)
        if self._tunnel is not None:
            self._tunnel.lost()

    def data_received(self, data: bytes) -> None:
        if self._tunnel is not None:
            self._tunnel.receive(data)
            return
        self._buffer += data
        with contextlib.suppress(_Close):
            self._take_packets()
            return
        self.close()

    def send(self, data: bytes) -> None:
        """Write, unless the connection is going away."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """Close after what was written has gone out."""
        self._transport.close()

    def _take_packets(self) -> None:
        while len(self._buffer) >= wire.HEADER.size:
            length, version, message, tag = wire.HEADER.unpack_from(self._buffer)
            if not wire.HEADER.size <= length <= wire.LONGEST_REQUEST:
                raise _Close
            if len(self._buffer) < length:
                return
            payload = bytes(self._buffer[wire.HEADER.size : length])
            del self._buffer[:length]
            self._packet(version, message, tag, payload)
            if self._tunnel is not None:
                self._tunnel.receive(bytes(self._buffer))
                return

    def _packet(self, version: int, message: int, tag: int, payload: bytes) -> None:
        if self.daemon.fault is not None:
            self._misbehave(self.daemon.fault, tag)
        elif self.listening or self._connecting:
            self.send(wire.result(wire.Result.BAD_COMMAND, tag))
            raise _Close
        elif version not in (0, 1):
            self.send(wire.binary_result(wire.Result.BAD_VERSION, tag))
        elif message != wire.PLIST_MESSAGE:
            self.send(wire.binary_result(wire.Result.BAD_COMMAND, tag))
        else:
            self._request(_parsed(payload), tag)

    def _misbehave(self, fault: UsbmuxdFault, tag: int) -> None:
        if fault is UsbmuxdFault.GARBAGE:
            self.send(b"HTTP/1.0 400 Bad Request\r\n\r\n" * 8)
        elif fault is UsbmuxdFault.BAD_PLIST:
            self.send(wire.packet(b"<plist><dict><key>Number</key", tag))
        elif fault is UsbmuxdFault.STRANGE:
            self.send(
                wire.plist({"MessageType": 5, "Number": "zero", "DeviceList": {"a": []}, "BUID": 1.5}, tag)
            )

    def _request(self, request: dict[str, Any], tag: int) -> None:
        name = request.get("MessageType")
        if not isinstance(name, str):
            return  # usbmuxd answers nothing and keeps the connection
        self.daemon.record.note("usbmux", message=name)
        answer = _ANSWERS.get(name)
        self.send(wire.result(wire.Result.BAD_COMMAND, tag)) if answer is None else answer(self, request, tag)

    def _listen(self, request: dict[str, Any], tag: int) -> None:
        self.listening = True
        attached = [wire.packet(wire.whole(fragment), 0) for fragment in self.daemon.fragments()]
        self.send(wire.result(wire.Result.OK, tag) + b"".join(attached))

    def _list_devices(self, request: dict[str, Any], tag: int) -> None:
        self.send(wire.packet(wire.device_list(self.daemon.fragments()), tag))

    def _list_listeners(self, request: dict[str, Any], tag: int) -> None:
        self.send(wire.plist({"ListenerList": []}, tag))

    def _read_buid(self, request: dict[str, Any], tag: int) -> None:
        self.send(wire.plist({"BUID": self.daemon.pairings.system_buid}, tag))

    def _read_pair_record(self, request: dict[str, Any], tag: int) -> None:
        if not isinstance(request.get("PairRecordID"), str):
            self.send(wire.result(errno.EINVAL, tag))
            return
        data = self.daemon.pairings.read(request["PairRecordID"])
        self.send(
            wire.result(errno.ENOENT, tag) if data is None else wire.plist({"PairRecordData": data}, tag)
        )

    def _save_pair_record(self, request: dict[str, Any], tag: int) -> None:
        udid = request.get("PairRecordID")
        saved = self.daemon.pairings.save(udid, request.get("PairRecordData"))
        self.daemon.record.note("pair_record", device=str(udid), what="saved" if saved else "refused")
        if saved:
            self.daemon.paired(request.get("DeviceID"), str(udid))
        self.send(wire.result(wire.Result.OK if saved else errno.EINVAL, tag))

    def _delete_pair_record(self, request: dict[str, Any], tag: int) -> None:
        udid = request.get("PairRecordID")
        deleted = self.daemon.pairings.delete(udid)
        self.daemon.record.note("pair_record", device=str(udid), what="deleted" if deleted else "not there")
        missing = errno.ENOENT if isinstance(udid, str) else errno.EINVAL
        self.send(wire.result(wire.Result.OK if deleted else missing, tag))

    def _connect(self, request: dict[str, Any], tag: int) -> None:
        device_id, port = request.get("DeviceID"), request.get("PortNumber")
        if not isinstance(port, int):
            self.send(
                wire.result(wire.Result.BAD_DEVICE if device_id is None else wire.Result.BAD_COMMAND, tag)
            )
            return
        attachment = self.daemon.listed(device_id)
        number = _connect_result(attachment, socket.ntohs(port & 0xFFFF))
        udid = attachment.phone.udid if attachment else None
        self.daemon.record.note(
            "connect", device=udid, port=socket.ntohs(port & 0xFFFF), answer=_word(number)
        )
        if number is None:
            self._connecting = True
            self.device_id = device_id
            return
        self.send(wire.result(number, tag))
        if number is wire.Result.OK and attachment is not None:
            self.device_id = device_id
            self._tunnel = self._open(attachment, socket.ntohs(port & 0xFFFF))

    def _open(self, attachment: Attachment, port: int) -> Tunnel:
        """The phone's end: whoever listens on that port, else lockdownd."""
        if (accept := attachment.listens.get(port)) is not None:
            return accept(self._transport)
        phone, sessions = attachment.phone, self.daemon.sessions
        return LockdownConnection(phone, sessions, self.daemon.record, self.send, self.close)


def _connect_result(attachment: Attachment | None, port: int) -> wire.Result | None:
    """None: the phone never answers."""
    if attachment is None:
        return wire.Result.BAD_DEVICE
    if Fault.HANG_CONNECT in attachment.phone.faults:
        return None
    listens = port == LOCKDOWN_PORT or port in attachment.listens
    refused = Fault.REFUSE_CONNECT in attachment.phone.faults or not listens
    return wire.Result.REFUSED if refused else wire.Result.OK


def _word(number: wire.Result | None) -> str:
    return "none" if number is None else number.name.lower()


def _parsed(payload: bytes) -> dict[str, Any]:
    try:
        request = plistlib.loads(payload, fmt=plistlib.FMT_XML)
    except Exception:  # plistlib raises whatever the parser below it raises
        return {}
    return request if isinstance(request, dict) else {}


class _Close(Exception):
    """usbmuxd closes this connection now."""


_ANSWERS = {
    "Listen": Client._listen,
    "ListDevices": Client._list_devices,
    "ListListeners": Client._list_listeners,
    "ReadBUID": Client._read_buid,
    "ReadPairRecord": Client._read_pair_record,
    "SavePairRecord": Client._save_pair_record,
    "DeletePairRecord": Client._delete_pair_record,
    "Connect": Client._connect,
}
