"""
Joins the two witnesses of one bus: what the kernel shows, and what usbmuxd lists.

The kernel knows ports and sees devices in every mode, also those that usbmuxd hides; usbmuxd
knows the number to connect to. Where there is no sysfs (macOS, a container), usbmuxd is believed
alone and its LocationID stands for the port.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from mamd.core.events import Attached
from mamd.core.facts import Attachment, Ids, UsbMode
from mamd.launchpad.mux import MuxDevice
from mamd.launchpad.sysfs import BusDevice, ids_of_udid

KEEP_S: Final = 30.0
"""Without sysfs: how long a device is believed to be there while usbmuxd is away."""
UNSEEN_S: Final = 2.0
"""How long sysfs may lag behind usbmuxd before a device counts as one that it does not show."""


@dataclass(frozen=True, slots=True)
class Station:
    """One attachment: what the world is told of it, and how to reach it (None: not at all)."""

    told: Attached
    device: MuxDevice | None = None


Stations = dict[Attachment, Station]


class Topology:
    """Merges, again and again. `now` is the loop's time in seconds."""

    def __init__(self, boot: str, charge_only: frozenset[str]) -> None:
        self._boot = boot
        self._charge_only = charge_only
        self._alone: Stations = {}
        self._unseen: dict[MuxDevice, float] = {}
        self._down_since: float | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether time alone may change what the next merge gives."""
        return bool(self._unseen) or (bool(self._alone) and self._down_since is not None)

    def merged(
        self,
        bus: tuple[BusDevice, ...] | None,
        listed: Mapping[int, MuxDevice] | None,
        now: float,
    ) -> Stations:
        """
        Everything that is attached.

        Args:
            bus: None where there is no sysfs.
            listed: None while there is no usbmuxd.
        """
        joined = _joined(bus or (), (listed or {}).values())
        stations = dict(self._seen_by_both(joined, bus or ()))
        rest = set((listed or {}).values()) - {device for device in joined.values() if device is not None}
        self._alone = self._only_listed(rest, has_sysfs=bus is not None, is_up=listed is not None, now=now)
        return self._alone | stations

    def _seen_by_both(
        self, joined: Mapping[BusDevice, MuxDevice | None], bus: Iterable[BusDevice]
    ) -> Iterator[tuple[Attachment, Station]]:
        for seen in bus:
            attachment = Attachment(self._boot, seen.port, seen.devnum)
            device = joined[seen]
            ids = self._ids(seen.port, seen.ids, device)
            told = Attached(attachment, seen.mode, ids, listed=device is not None)
            yield attachment, self._station(told, device)

    def _only_listed(self, rest: set[MuxDevice], *, has_sysfs: bool, is_up: bool, now: float) -> Stations:
        if not is_up:
            self._unseen.clear()
            return self._kept(now)
        self._down_since = None
        self._unseen = {device: self._unseen.get(device, now) for device in rest} if has_sysfs else {}
        certain = [device for device in rest if now - self._unseen.get(device, float("-inf")) >= UNSEEN_S]
        return dict(map(self._by_location, certain))

    def _kept(self, now: float) -> Stations:
        """usbmuxd went away, and nobody else sees these: they are there for a while yet."""
        self._down_since = now if self._down_since is None else self._down_since
        if now - self._down_since >= KEEP_S:
            return {}
        return {attachment: _unreachable(station) for attachment, station in self._alone.items()}

    def _by_location(self, device: MuxDevice) -> tuple[Attachment, Station]:
        bus, address = device.bus_address
        attachment = Attachment(self._boot, f"bus-{bus}.{address}", address)
        ids = self._ids(attachment.port, Ids(), device)
        return attachment, self._station(Attached(attachment, UsbMode.NORMAL, ids), device)

    def _ids(self, port: str, seen: Ids, device: MuxDevice | None) -> Ids:
        """What both say; nothing where they contradict, or where nobody may know."""
        listed = ids_of_udid(device.serial) if device is not None else Ids()
        if port in self._charge_only or seen.contradicts(listed):
            return Ids()
        return seen.joined(listed)

    def _station(self, told: Attached, device: MuxDevice | None) -> Station:
        return Station(told, None if told.attachment.port in self._charge_only else device)


def _unreachable(station: Station) -> Station:
    told = station.told
    return Station(Attached(told.attachment, told.mode, told.ids, listed=False))


def _joined(bus: Iterable[BusDevice], listed: Iterable[MuxDevice]) -> dict[BusDevice, MuxDevice | None]:
    """By bus and address; where LocationID means something else (macOS), by UDID if only one has it."""
    by_address = {device.bus_address: device for device in listed}
    joined = {seen: _at_its_address(seen, by_address) for seen in bus}
    taken = {device for device in joined.values() if device is not None}
    by_udid: dict[str | None, list[MuxDevice]] = {}
    for device in by_address.values():
        if device not in taken:
            by_udid.setdefault(ids_of_udid(device.serial).udid, []).append(device)
    if by_udid:
        _join_by_udid(joined, by_udid)
    return joined


def _at_its_address(seen: BusDevice, by_address: Mapping[tuple[int, int], MuxDevice]) -> MuxDevice | None:
    is_listable = seen.mode is UsbMode.NORMAL
    return by_address.get((seen.busnum, seen.devnum)) if is_listable else None


def _join_by_udid(
    joined: dict[BusDevice, MuxDevice | None], by_udid: Mapping[str | None, list[MuxDevice]]
) -> None:
    lonely: dict[str, list[BusDevice]] = {}
    for seen, device in joined.items():
        if device is None and seen.ids.udid is not None:
            lonely.setdefault(seen.ids.udid, []).append(seen)
    for udid, seen_ones in lonely.items():
        candidates = by_udid.get(udid, [])
        if len(seen_ones) == 1 and len(candidates) == 1:
            joined[seen_ones[0]] = candidates[0]
