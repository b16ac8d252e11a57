"""
What the kernel shows of the USB bus: which Apple device is on which port, also those usbmuxd hides.

The name of a device's directory is the path of its port (`2-1.4`: bus 2, port 1, port 4 of the
hub there). It stays the same when a device is plugged in again; the address does not.
"""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mamd.core.facts import Ids, UsbMode, canonical_udid, ecid_of

APPLE: Final = "05ac"
_RECOVERY: Final = frozenset(("1280", "1281", "1282", "1283"))
_DFU: Final = "1227"
_NORMAL: Final = re.compile("12[9a][0-9a-f]")
"""What Debian's rule for usbmuxd matches (39-usbmuxd.rules)."""
_PORT: Final = re.compile(r"\d+-\d+(\.\d+)*")
"""A device; beside it lie its interfaces (`2-1.4:1.0`) and root hubs (`usb2`)."""
_UDID: Final = re.compile(r"[0-9A-F]{8}-[0-9A-F]{16}|[0-9A-F]{40}")
_SERIAL: Final = re.compile(r"[0-9A-Z]{8,20}")
_LONGEST: Final = 512
_READ_AGAIN_EVERY: Final = 30
"""Scans after which a directory is read again although it looks unchanged."""


@dataclass(frozen=True, slots=True)
class BusDevice:
    """
    One Apple device on the bus.

    Attributes:
        port: Such as `2-1.4`; `hub` is the port of its hub, such as `2-1`.
        busnum, devnum: Its bus, and its address there until it is enumerated anew.
        ids: What its serial number string says: the UDID, or in recovery mode ECID and SRNM.
    """

    port: str
    busnum: int
    devnum: int
    mode: UsbMode
    ids: Ids

    @property
    def hub(self) -> str:
        """The port of the hub, or the root hub, that it hangs on."""
        head, dot, _ = self.port.rpartition(".")
        return head if dot else f"usb{self.busnum}"


@dataclass(slots=True)
class _Known:
    stamp: tuple[int, int, int]
    device: BusDevice | None
    age: int = field(default=0)


class BusScan:
    """Scans the tree; a directory that has not changed since the last scan is not opened again."""

    def __init__(self, root: Path) -> None:
        self._folder = str(root / "bus" / "usb" / "devices")
        self._known: dict[str, _Known] = {}

    def scan(self) -> tuple[BusDevice, ...] | None:
        """
        All Apple phones and tablets that are on the bus; None where there is no sysfs.

        Blocks for a moment: call it in a thread, one call at a time. Whatever vanishes while it
        is being read is not there.
        """
        try:
            names = [name for name in os.listdir(self._folder) if ":" not in name and "-" in name]
        except OSError:
            return None
        self._known = {name: known for name in names if (known := self._look_at(name)) is not None}
        return tuple(known.device for known in self._known.values() if known.device is not None)

    def _look_at(self, name: str) -> _Known | None:
        folder = f"{self._folder}/{name}"  # a thousand of these each second: no Path
        try:
            status = os.stat(folder)
        except OSError:
            return None
        stamp = (status.st_ino, status.st_mtime_ns, status.st_ctime_ns)
        known = self._known.get(name)
        if known is not None and known.stamp == stamp and known.age < _READ_AGAIN_EVERY:
            known.age += 1
            return known
        try:
            return _Known(stamp, _device(name, Path(folder)))
        except (OSError, ValueError):
            return None


def _device(name: str, folder: Path) -> BusDevice | None:
    """Raises OSError if it vanishes, ValueError if a number is none."""
    if not _PORT.fullmatch(name) or _text(folder / "idVendor") != APPLE:
        return None
    mode = _mode(_text(folder / "idProduct"))
    if mode is None:
        return None
    try:
        serial = _text(folder / "serial")
    except FileNotFoundError:
        serial = ""  # a device may have none; one that has vanished fails below
    busnum, devnum = int(_text(folder / "busnum")), int(_text(folder / "devnum"))
    return BusDevice(name, busnum, devnum, mode, ids_in(serial, mode))


def _mode(product: str) -> UsbMode | None:
    if product in _RECOVERY:
        return UsbMode.RECOVERY
    if product == _DFU:
        return UsbMode.DFU
    return UsbMode.NORMAL if _NORMAL.fullmatch(product) else None


def _text(path: Path) -> str:
    with open(path, "rb") as file:
        return file.read(_LONGEST).decode("utf-8", "replace").strip()


def ids_in(serial: str, mode: UsbMode) -> Ids:
    """The names in a serial number string: a UDID, or iBoot's `CPID:8110 … ECID:… SRNM:[…]`."""
    if mode is UsbMode.NORMAL:
        return ids_of_udid(serial)
    words = dict(part.split(":", 1) for part in serial.split() if ":" in part)
    number = words.get("SRNM", "").strip("[]")
    return Ids(ecid=_hex(words.get("ECID", "")), serial=number if _SERIAL.fullmatch(number) else None)


def ids_of_udid(text: str) -> Ids:
    """UDID, and the ECID inside it from A12 on; nothing for a text that cannot be a UDID."""
    udid = canonical_udid(text)
    return Ids(udid=udid, ecid=ecid_of(udid)) if _UDID.fullmatch(udid) else Ids()


def _hex(text: str) -> int | None:
    return int(text, 16) if re.fullmatch("[0-9A-Fa-f]{1,16}", text) else None
