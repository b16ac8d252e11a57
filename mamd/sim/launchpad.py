"""A Launchpad without cables: phones on ports, with the usbmuxd and the /sys that a daemon would find there.

    people, scenarios, tests ──▶ SimLaunchpad ──▶ usbmuxd ──▶ lockdownd ──▶ phone
                                              └─▶ sysfs                 (record: all that was seen)

Further parts (an MDM for the phones) are started and stopped with it: see `Part`.
"""

from __future__ import annotations

import asyncio
import plistlib
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from mamd.sim import keys
from mamd.sim.acts import ACTS, Act, NoSuchPhone, PortTaken
from mamd.sim.attachment import Attachment
from mamd.sim.phone import Mode, Phone
from mamd.sim.record import Record
from mamd.sim.restored import Restored
from mamd.sim.sysfs import Sysfs
from mamd.sim.usbmuxd import BACKLOG, Usbmuxd

PORTS_A_HUB, HUBS_A_BUS = 10, 10


class Part(Protocol):
    """Something that lives beside the phones and sees them, such as their MDM."""

    async def start(self, launchpad: SimLaunchpad) -> None:
        """Begin; the folder, the record and the phones known so far are there."""
        ...

    async def stop(self) -> None:
        """End, and leave nothing running."""
        ...

    def met(self, phone: Phone) -> None:
        """A phone was attached for the first time."""
        ...


class SimLaunchpad:
    """The whole, kept in one folder. Use it as an async context manager.

    `socket` is usbmuxd's, `sysfs` goes into `launchpad.sysfs`, `record` is what was seen on the wire.
    """

    def __init__(
        self,
        folder: Path,
        *,
        parts: Sequence[Part] = (),
        record: Record | None = None,
        supervision: keys.Supervision | None = None,
        pace: float = 1.0,
        backlog: int = BACKLOG,
        exits_with_last: bool = False,
        boot_s: float = 0.0,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.record = record or Record(folder / "record.jsonl")
        self.bus = Sysfs(folder / "sys")
        self.usbmuxd = Usbmuxd(
            folder / "usbmuxd",
            folder / "lockdown",
            self.record,
            backlog=backlog,
            exits_with_last=exits_with_last,
        )
        self.parts = list(parts)
        self.supervision = supervision  # the organisation of the phones that acts bring
        self.pace = pace  # 2: stories go twice as fast
        self._stories: set[asyncio.Task[None]] = set()
        self.acts: dict[str, Act] = dict(ACTS)  # parts may add theirs
        self.phones: dict[str, Phone] = {}  # all that were ever here, by UDID
        self.boot_s = boot_s  # how long a phone is off the bus when it starts anew
        self._met: set[Phone] = set()
        self._cables: dict[str, Phone] = {}
        self._on_bus: dict[str, Attachment] = {}
        self._unpowered: dict[str, dict[str, Phone]] = {}
        self._booting: dict[str, asyncio.TimerHandle] = {}
        self._restoring: dict[str, Restored] = {}
        self.apple: str | None = None  # the origin of what stands for Apple's servers, if there is one

    @property
    def socket(self) -> Path:
        """usbmuxd's socket."""
        return self.usbmuxd.path

    @property
    def sysfs(self) -> Path:
        """The folder that stands for /sys."""
        return self.bus.folder

    @property
    def attached(self) -> dict[str, Phone]:
        """The phones at the end of a cable, by port."""
        return dict(self._cables)

    @property
    def on_bus(self) -> dict[str, Attachment]:
        """The phones that are enumerated now, by port: a phone that is starting is on no bus."""
        return dict(self._on_bus)

    async def start(self) -> None:
        """Start usbmuxd, then the further parts."""
        await self.usbmuxd.start()
        for part in self.parts:
            await part.start(self)

    async def stop(self) -> None:
        """Stop everything; the folder stays, to be read."""
        for timer in self._booting.values():
            timer.cancel()
        for restored in self._restoring.values():
            restored.stop()
        for story in list(self._stories):
            story.cancel()
        for part in reversed(self.parts):
            await part.stop()
        await self.usbmuxd.stop()
        self.record.close()

    async def __aenter__(self) -> SimLaunchpad:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def tell(self, story: Coroutine[Any, Any, None]) -> None:
        """Let a story go on beside everything else, until its end or ours."""
        task = asyncio.get_running_loop().create_task(story)
        self._stories.add(task)
        task.add_done_callback(self._stories.discard)

    async def told(self) -> None:
        """Wait until all stories that go on have come to their end."""
        await asyncio.gather(*self._stories)

    # Cables.

    def attach(self, phone: Phone, port: str | None = None) -> str:
        """Put the phone on a port (the next free one if none is named); the port.

        Raises `PortTaken` or `BusFull`, and then nothing has changed.
        """
        port = port or self.free_port()
        if port in self._cables:
            raise PortTaken(f"port {port} holds {self._cables[port].name}; detach it first")
        devnum = self.bus.address(port)
        self.meet(phone)
        self.record.note("launchpad", device=phone.udid, what="attached", port=port)
        self._cables[port] = phone
        self._enumerate(port, devnum)
        return port

    def detach(self, phone: Phone) -> str:
        """Pull the phone's cable; the port it was on. Raises `NoSuchPhone` if it is on none."""
        port = self.port_of(phone)
        self.record.note("launchpad", device=phone.udid, what="detached", port=port)
        self._vanish(port)
        del self._cables[port]
        phone.replugged()
        return port

    def replug(self, phone: Phone) -> None:
        """Pull the cable and put it back at once: same port, another address, another DeviceID."""
        self.attach(phone, self.detach(phone))

    def hub_off(self, hub: str) -> None:
        """Take the power of a hub away: all phones below it are gone at once."""
        below = {port: phone for port, phone in sorted(self._cables.items()) if port.startswith(f"{hub}.")}
        self._unpowered.setdefault(hub, {}).update(below)
        for phone in below.values():
            self.detach(phone)

    def hub_on(self, hub: str) -> None:
        """Give the power back: the phones return to their ports, one right after another."""
        for port, phone in self._unpowered.pop(hub, {}).items():
            self.attach(phone, port)

    # Who is where.

    def port_of(self, phone: Phone) -> str:
        """The port that the phone is on. Raises `NoSuchPhone`."""
        for port, cabled in self._cables.items():
            if cabled is phone:
                return port
        raise NoSuchPhone(f"{phone.name} is on no port")

    def phone(self, name: str) -> Phone:
        """The phone with that name, UDID, serial or port. Raises `NoSuchPhone`."""
        if name in self._cables:
            return self._cables[name]
        if name in self.phones:
            return self.phones[name]
        for phone in self.phones.values():
            if name in (phone.identity.name, phone.identity.serial):
                return phone
        raise NoSuchPhone(
            f"no phone is called {name!r}; known: {', '.join(p.name for p in self.phones.values())}"
        )

    def free_port(self) -> str:
        """A port that holds nothing: ten ports a hub, ten hubs a bus, as many buses as it takes."""
        number = len(self._cables) if port_number(len(self._cables)) not in self._cables else 0
        while port_number(number) in self._cables:
            number += 1
        return port_number(number)

    # Pairings that were made before the story begins.

    def pair(self, phone: Phone) -> None:
        """This host and the phone know each other: the record is where usbmuxd keeps it."""
        host = keys.shared_host()
        buid = self.usbmuxd.pairings.system_buid
        phone.trusts[host.host_id] = host.trust(buid)
        phone.consented.add(buid)
        self._keep(phone, host)

    def leave_stale_record(self, phone: Phone) -> None:
        """This host has a record, and the phone knows nothing of it."""
        host = keys.shared_host()
        phone.trusts.pop(host.host_id, None)
        phone.consented.discard(self.usbmuxd.pairings.system_buid)
        self._keep(phone, host)

    def spoil_record(self, phone: Phone) -> None:
        """This host's record has the right HostID and the wrong certificates: the session's TLS will fail."""
        self.pair(phone)
        self._keep(phone, replace(keys.HostIdentity.new(), host_id=keys.shared_host().host_id))

    def _keep(self, phone: Phone, host: keys.HostIdentity) -> None:
        record = host.pair_record(self.usbmuxd.pairings.system_buid, phone.identity.wifi_address)
        self.usbmuxd.pairings.save(phone.udid, plistlib.dumps(record))

    # The bus.

    def meet(self, phone: Phone) -> None:
        """Know a phone before it is attached, so that the parts can enrol it. Twice: nothing.

        A second phone with the UDID of one that is known (an impostor) goes by its port only.
        """
        if phone in self._met:
            return
        self._met.add(phone)
        self.phones.setdefault(phone.udid, phone)
        phone.on_change(self._changed)
        for part in self.parts:
            part.met(phone)

    def _enumerate(self, port: str, devnum: int) -> None:
        attachment = Attachment(self._cables[port], port, devnum)
        if attachment.phone.boot.hung:
            return
        self._on_bus[port] = attachment
        self.bus.add(attachment)
        if attachment.phone.mode is Mode.RESTORING:
            self._restoring[port] = Restored(attachment, self.record, self.apple)
        self._show(attachment)

    def _vanish(self, port: str) -> None:
        if (timer := self._booting.pop(port, None)) is not None:
            timer.cancel()
        if (restored := self._restoring.pop(port, None)) is not None:
            restored.stop()
        if (attachment := self._on_bus.pop(port, None)) is not None:
            self.bus.remove(port)
            self.usbmuxd.vanished(attachment)

    def _show(self, attachment: Attachment) -> None:
        if attachment.phone.mode.speaks_usbmux and not attachment.phone.hidden:
            self.usbmuxd.appeared(attachment)

    def _changed(self, phone: Phone, what: str) -> None:
        self.record.note("phone", device=phone.udid, what=what)
        port = next((port for port, cabled in self._cables.items() if cabled is phone), None)
        if port is None:
            return
        if what in ("hidden", "shown") and (attachment := self._on_bus.get(port)):
            self.usbmuxd.vanished(attachment)
            self._show(attachment)
        if what == "hung":
            self._vanish(port)
        if what == "rebooted" or what.startswith("entered_"):
            self.record.note("restore.mode", device=phone.udid, mode=phone.mode.value, how=what, port=port)
            self._start_anew(port)

    def _start_anew(self, port: str) -> None:
        """Off the bus, and back on it with another address when the phone has started."""
        self._vanish(port)
        boot = self._cables[port].boot
        away_s, boot.away_s = self.boot_s + boot.away_s, 0.0
        if not away_s:
            self._enumerate(port, self.bus.address(port))
            return
        loop = asyncio.get_running_loop()
        self._booting[port] = loop.call_later(away_s, self._started, port)

    def _started(self, port: str) -> None:
        del self._booting[port]
        self._enumerate(port, self.bus.address(port))


def port_number(number: int) -> str:
    """The port of that number, from 0: bus, root port with a hub, port of the hub."""
    bus, rest = divmod(number, PORTS_A_HUB * HUBS_A_BUS)
    hub, port = divmod(rest, PORTS_A_HUB)
    return f"{bus + 1}-{hub + 1}.{port + 1}"
