"""
The Launchpad of this host, as `ports.Launchpad` wants it: real hubs, real usbmuxd, real lockdown.

    usbmuxd ──Listen──▶ Listener ──┐
                                   ├─▶ Topology ─▶ stations ─▶ events()
    sysfs ──each second──▶ BusScan ┘                  └──────▶ look() ─▶ Looker
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mamd.core.errors import Misconfigured
from mamd.core.events import Detached, UsbmuxdCame, UsbmuxdWent
from mamd.core.facts import Answer, Attachment, Look, UsbMode
from mamd.launchpad.findings import Target
from mamd.launchpad.listener import ANSWER_S, BEAT_S, Listener, Trouble
from mamd.launchpad.look import Looker, Memory
from mamd.launchpad.pairing import Pairing, Pairings, Supervision
from mamd.launchpad.records import Records
from mamd.launchpad.sysfs import BusDevice, BusScan, ids_of_udid
from mamd.launchpad.topology import Station, Stations, Topology
from mamd.launchpad.wire import Address
from mamd.ports import CableEvent, Fault

SCAN_S: Final = 1.0
LEAST_S: Final = 0.01
"""Between two scans, so that a flood of messages is one scan and not a flood of scans."""
HIDDEN_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class PadSettings:
    """
    What this part must be told.

    Attributes:
        usbmuxd: A path, `UNIX:/path` or `HOST:PORT`.
        state: The state folder; pair records and host keys are kept in it.
        boot: The kernel's boot id.
        sysfs: The folder that has `bus/usb/devices` in it.
        pairing: Whether ordinary Pair requests may be sent beside supervised ones.
        supervision: The organisation's identity, if there is one.
        charge_only: Ports that are never opened.
        beat_s, answer_s: How often usbmuxd is asked whether it still answers, and how long it may take.
    """

    usbmuxd: str
    state: Path
    boot: str
    sysfs: Path = Path("/sys")
    pairing: Pairings = Pairings.ANY
    supervision: Supervision | None = None
    charge_only: frozenset[str] = frozenset()
    beat_s: float = BEAT_S
    answer_s: float = ANSWER_S


class Pad:
    """
    Implements `ports.Launchpad`. `events` is for one reader; looks see what that reader was told.

    Raises:
        Misconfigured: usbmuxd's address is none.
    """

    def __init__(self, settings: PadSettings) -> None:
        try:
            address = Address.of(settings.usbmuxd)
        except ValueError as error:
            raise Misconfigured("launchpad.usbmuxd", str(error)) from error
        records = Records(settings.state)
        pairing = Pairing(records, settings.state, settings.pairing, settings.supervision)
        self._settings = settings
        self._listener = Listener(
            address, self._usbmuxd_said, beat_s=settings.beat_s, answer_s=settings.answer_s
        )
        self._looker = Looker(address, records, pairing, self._listener)
        self._scan = BusScan(settings.sysfs)
        self._topology = Topology(settings.boot, settings.charge_only)
        self._bus: tuple[BusDevice, ...] | None = None
        self._stations: Stations = {}
        self._told: Stations = {}
        self._told_up: bool | None = None
        self._memories: dict[Attachment, Memory] = {}
        self._unlisted: dict[Attachment, float] = {}
        self._is_stale = True
        self._wake, self._scan_now = asyncio.Event(), asyncio.Event()

    # ------------------------------------------------------------------------ who is there

    async def events(self) -> AsyncIterator[CableEvent]:
        """Everything that happens on the bus, for ever; what cannot be delivered at once is merged."""
        tasks = [asyncio.create_task(work) for work in (self._listener.run(), self._scanning())]
        for task in tasks:
            task.add_done_callback(lambda _: self._wake.set())
        try:
            while True:
                for event in self._news():
                    yield event
                await self._wake.wait()
                self._wake.clear()
                for task in tasks:
                    if task.done():
                        task.result()  # neither ends but by a bug, and a bug is to be seen
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _usbmuxd_said(self) -> None:
        self._is_stale = True
        self._scan_now.set()

    async def _scanning(self) -> None:
        """Read the bus every second, and at once when usbmuxd has something to say."""
        while True:
            self._scan_now.clear()
            bus = await asyncio.to_thread(self._scan.scan)
            if bus != self._bus or self._is_stale or self._topology.is_waiting:
                self._bus, self._is_stale = bus, False
                self._merge()
            await asyncio.sleep(LEAST_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(SCAN_S):
                    await self._scan_now.wait()

    def _merge(self) -> None:
        now = asyncio.get_running_loop().time()
        listed = self._listener.devices if self._listener.is_up else None
        self._stations = self._topology.merged(self._bus, listed, now)
        unlisted = [place for place, station in self._stations.items() if not station.told.listed]
        self._unlisted = {place: self._unlisted.get(place, now) for place in unlisted}
        self._wake.set()

    def _news(self) -> Iterator[CableEvent]:
        """What has changed since the reader was told last."""
        yield from self._news_of_usbmuxd()
        before, self._told = self._told, dict(self._stations)
        for attachment, station in before.items():
            if not _is_same(station, self._told.get(attachment)):
                self._drop(attachment)
                yield Detached(attachment)
        for attachment, station in self._told.items():
            known = before.get(attachment)
            if known is None or known.told != station.told:
                yield station.told

    def _news_of_usbmuxd(self) -> Iterator[CableEvent]:
        is_up, went = self._listener.is_up, self._listener.went
        if is_up == self._told_up or (not is_up and went is None):
            return
        self._told_up = is_up
        yield UsbmuxdCame() if went is None else UsbmuxdWent(went.why)

    async def forget(self, attachment: Attachment) -> None:
        """Drop what is kept in memory of an attachment; one that is detached is dropped unasked."""
        self._drop(attachment)

    def _drop(self, attachment: Attachment) -> None:
        memory = self._memories.pop(attachment, None)
        if memory is not None:
            self._looker.forget(memory)

    # ------------------------------------------------------------------------------- looks

    async def look(
        self, attachment: Attachment, *, pair: bool, identify: bool, deadline_s: float = 5.0
    ) -> Look:
        """One look at one device; see `ports.Launchpad`. Its turn may take a moment to come."""
        station = self._stations.get(attachment)
        if station is None or station.device is None:
            return self._unreachable(attachment, station)
        target = Target(station.device, ids_of_udid(station.device.serial).udid, pair, identify)
        memory = self._memories.setdefault(attachment, Memory())
        came = self._listener.came
        look = await self._looker.look(target, memory, deadline_s)
        is_still_it = self._listener.devices.get(station.device.device_id) == station.device
        if came != self._listener.came or not is_still_it:
            # DeviceIDs begin anew with each usbmuxd: this may have been a look at another device.
            return Look(Answer.HOST_FAULT, stage="moved")
        return look

    def _unreachable(self, attachment: Attachment, station: Station | None) -> Look:
        """Why there is nothing to connect to. Only a device that usbmuxd hides is told as such."""
        if station is None:
            return Look(Answer.HOST_FAULT, stage="gone")
        if attachment.port in self._settings.charge_only:
            return Look(Answer.HOST_FAULT, stage="charge_only")
        if station.told.mode is not UsbMode.NORMAL:
            return Look(Answer.HOST_FAULT, stage=station.told.mode.value)
        if not self._listener.is_up:
            return Look(Answer.HOST_FAULT, stage="usbmuxd")
        since = self._unlisted.get(attachment)
        is_hidden = since is not None and asyncio.get_running_loop().time() - since >= HIDDEN_S
        return Look(Answer.CONNECT_REFUSED if is_hidden else Answer.HOST_FAULT, stage="unlisted")

    # ------------------------------------------------------------------------------ faults

    def faults(self) -> tuple[Fault, ...]:
        """What stops us from seeing devices at this moment."""
        return (*self._usbmuxd_faults(), *(_record_fault(what) for what in self._looker.faults))

    def _usbmuxd_faults(self) -> Iterator[Fault]:
        went = self._listener.went
        if went is None or (went.trouble in _GONE and not self._is_missed()):
            return
        name, cure = _CURES[went.trouble]
        yield Fault(name, f"{went.why} at {self._settings.usbmuxd}", cure)

    def _is_missed(self) -> bool:
        """Debian's usbmuxd ends with its last device: without one, nobody misses it."""
        return self._bus is None or any(seen.mode is UsbMode.NORMAL for seen in self._bus)


def _is_same(before: Station, after: Station | None) -> bool:
    """An address may be given to another device; then the one before has gone."""
    return after is not None and not before.told.ids.contradicts(after.told.ids)


def _record_fault(what: str) -> Fault:
    cure = "mend the file or its permissions; until then no device is judged by it"
    return Fault("pair_records", what, cure)


_GONE: Final = (Trouble.ABSENT, Trouble.ENDED)
_CURES: Final = {
    Trouble.ABSENT: ("usbmuxd_absent", "start it (systemctl start usbmuxd), and see launchpad.usbmuxd"),
    Trouble.ENDED: ("usbmuxd_absent", "see why it ends (journalctl -u usbmuxd); it is to stay up"),
    Trouble.SILENT: ("usbmuxd_silent", "restart it (systemctl restart usbmuxd)"),
    Trouble.GARBLED: ("usbmuxd_garbled", "see that launchpad.usbmuxd is its socket, then restart it"),
}
