"""The simulated USB bus, served to every process of this host that is told its socket.

It shows what the simulated /sys shows: the same hubs and phones, paths and addresses. Daemon and
workers reach it with `mamd.sim.usb_backend`; a phone in recovery mode answers as its iBoot does.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from mamd.sim import usb_devices as devices
from mamd.sim import usb_wire as wire
from mamd.sim.attachment import Attachment
from mamd.sim.iboot import IBoot
from mamd.sim.launchpad import SimLaunchpad
from mamd.sim.phone import Mode, Phone
from mamd.sim.usb_wire import Gone, Message, NoPermission, Stall, TimedOut, UsbFailure

SOCKET = "usb"
STANDARD_IN = 0x80

Place = tuple[int, int]  # bus, address


class HubRequests(Protocol):
    """Whoever answers for the hubs: their descriptors, the state and the power of their ports."""

    def control(
        self, hub: str, request_type: int, request: int, value: int, index: int, data: bytes
    ) -> bytes:
        """A class request (USB 2.0, 11.24) to that hub; the answer of an IN one. Raises `Stall`."""
        ...


class UsbBus:
    """A part of the Launchpad. `socket` is what `MAMD_SIM_USB` is set to for the processes that use the bus.

    `hubs` answers class requests to hubs; without it they stall, as those of a hub that knows none.
    `forbidden` names paths that may not be opened; `deaf` those that never answer a transfer.
    """

    def __init__(self, hubs: HubRequests | None = None) -> None:
        self.hubs = hubs
        self.forbidden: set[str] = set()
        self.deaf: set[str] = set()
        self._pad: SimLaunchpad | None = None
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()
        self._iboots: dict[Attachment, IBoot] = {}

    @property
    def pad(self) -> SimLaunchpad:
        """The Launchpad that it is a part of."""
        assert self._pad is not None, "the bus is started with its Launchpad"
        return self._pad

    @property
    def socket(self) -> Path:
        """Where it is served."""
        return self.pad.folder / SOCKET

    async def start(self, launchpad: SimLaunchpad) -> None:
        """Serve."""
        self._pad = launchpad
        self.socket.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._accept, self.socket)

    async def stop(self) -> None:
        """Serve no more; who has a device open finds it gone."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for client in list(self._clients):
            client.cancel()
        self.socket.unlink(missing_ok=True)

    def met(self, phone: Phone) -> None:
        """Nothing to do: the bus is looked at when it is asked."""

    # What is on it.

    def descriptions(self) -> list[devices.Description]:
        """All devices, as they are now."""
        phones, everything = self.pad.on_bus, self.pad.bus.devnums
        hubs = [
            devices.hub_description(path, number) for path, number in everything.items() if path not in phones
        ]
        return hubs + [devices.phone_description(attachment) for attachment in phones.values()]

    def _path(self, place: Place) -> str:
        for path, devnum in self.pad.bus.devnums.items():
            if devnum == place[1] and path.removeprefix("usb").partition("-")[0] == str(place[0]):
                return path
        raise Gone

    def _iboot(self, attachment: Attachment) -> IBoot:
        for old in self._iboots.keys() - set(self.pad.on_bus.values()):
            del self._iboots[old]
        return self._iboots.setdefault(attachment, IBoot(attachment.phone, self.pad.record))

    # Those who use it.

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._clients.add(task)
        task.add_done_callback(self._clients.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                header, length = wire.LENGTHS.unpack(await reader.readexactly(wire.LENGTHS.size))
                if header > wire.LONGEST_HEADER or length > wire.LONGEST_DATA:
                    return
                message = wire.parsed(await reader.readexactly(header))
                writer.write(await self._answered(message, await reader.readexactly(length)))
                await writer.drain()

    async def _answered(self, message: Message, data: bytes) -> bytes:
        try:
            if message.get("do") == "list":
                return wire.packed({"devices": self.descriptions()})
            return await self._done(message, data)
        except UsbFailure as failure:
            return wire.packed({"errno": failure.number})

    async def _done(self, message: Message, data: bytes) -> bytes:
        path, do = self._path((message["bus"], message["address"])), message["do"]
        act = _ACTS.get(do)
        if act is None:
            raise Stall
        if path in self.deaf and do != "open":
            await asyncio.sleep(message.get("timeout", 0) / 1000)
            raise TimedOut
        answer = act(self, path, message, data)
        return wire.packed({"n": answer} if isinstance(answer, int) else {"n": len(answer)},
                           b"" if isinstance(answer, int) else answer)  # fmt: skip

    def _open(self, path: str, message: Message, data: bytes) -> int:
        if path in self.forbidden:
            raise NoPermission
        if (attachment := self.pad.on_bus.get(path)) is not None:
            self._note("usb.open", attachment, by=message.get("pid"))
        return 0

    def _configure(self, path: str, message: Message, data: bytes) -> int:
        return 0

    def _reset(self, path: str, message: Message, data: bytes) -> int:
        """A phone in DFU mode starts anew by it; others only enumerate again."""
        return 0

    def _control(self, path: str, message: Message, data: bytes) -> bytes | int:
        kind, request = int(message["type"]), int(message["request"])
        value, index = int(message["value"]), int(message["index"])
        answer = self._controlled(path, (kind, request, value, index), data)
        return answer[: int(message["length"])] if kind & 0x80 else len(data)

    def _controlled(self, path: str, setup: tuple[int, int, int, int], data: bytes) -> bytes:
        kind, request, value, index = setup
        attachment = self.pad.on_bus.get(path)
        if (kind, request, value >> 8) == (STANDARD_IN, devices.GET_DESCRIPTOR, devices.STRING):
            strings = devices.phone_strings(attachment) if attachment else devices.hub_strings(path)
            return _or_stall(devices.string_descriptor(strings, value & 0xFF))
        if attachment is not None and attachment.phone.mode is Mode.RECOVERY:
            return self._iboot(attachment).control(kind, request, data)
        if attachment is None and self.hubs is not None:
            return self.hubs.control(path, kind, request, value, index, data)
        raise Stall

    def _write(self, path: str, message: Message, data: bytes) -> int:
        attachment = self.pad.on_bus.get(path)
        if attachment is None or attachment.phone.mode is not Mode.RECOVERY:
            raise Stall
        return self._iboot(attachment).write(int(message["endpoint"]), data)

    def _note(self, kind: str, attachment: Attachment, **fields: Any) -> None:
        phone = attachment.phone
        self.pad.record.note(kind, device=phone.udid, port=attachment.port, mode=phone.mode.value, **fields)


def _or_stall(answer: bytes | None) -> bytes:
    if answer is None:
        raise Stall
    return answer


_ACTS: dict[str, Callable[[UsbBus, str, Message, bytes], bytes | int]] = {
    "open": UsbBus._open,
    "configure": UsbBus._configure,
    "reset": UsbBus._reset,
    "control": UsbBus._control,
    "write": UsbBus._write,
}
