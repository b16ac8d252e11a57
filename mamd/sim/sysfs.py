"""The part of /sys that shows the USB bus: a directory for each hub and phone, named by the path of its port.

    FOLDER/bus/usb/devices/usb2          the root hub of bus 2
                          /2-1           a hub on its port 1
                          /2-1.4         a phone on that hub's port 4
                          /2-1.4:1.0     one of the phone's interfaces

A directory appears and goes whole: it is made elsewhere and renamed.
"""

from __future__ import annotations

import os
import shutil
from itertools import count
from pathlib import Path

from mamd.sim.attachment import Attachment
from mamd.sim.phone import Mode

APPLE = "05ac"
RECOVERY_ID, DFU_ID = "1281", "1227"
FULL_BUS = 127  # USB addresses have seven bits


class BusFull(Exception):
    """No address is free on this bus: 127 hubs and phones are on it."""


class Sysfs:
    """A tree to point `launchpad.sysfs` at. It also gives out USB addresses, as the kernel does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._devices = folder / "bus" / "usb" / "devices"
        self._workshop = folder / ".workshop"
        self._scratch = count()
        self._devnums: dict[str, int] = {}
        self._taken: dict[int, set[int]] = {}
        self._next: dict[int, int] = {}
        self._texts: dict[str, Path] = {}
        for made in (self._devices, self._workshop):
            shutil.rmtree(made, ignore_errors=True)
            made.mkdir(parents=True)

    @property
    def devnums(self) -> dict[str, int]:
        """The addresses of all hubs and phones that are shown, by path."""
        return dict(self._devnums)

    def address(self, port: str) -> int:
        """An address for what is plugged in there; the hubs on its way come first. Raises `BusFull`."""
        for hub in hubs_to(port):
            if hub not in self._devnums:
                self._add(hub, self._free_address(hub), _hub(hub))
        return self._free_address(port)

    def _free_address(self, port: str) -> int:
        """The next after the last one that was given out on this bus."""
        bus = _bus(port)
        taken = self._taken.get(bus, set())
        start = self._next.get(bus, 1)
        candidates = [*range(start, FULL_BUS + 1), *range(1, start)]
        devnum: int | None = next((number for number in candidates if number not in taken), None)
        if devnum is None:
            raise BusFull(f"bus {bus} has no free address for port {port}; use another bus")
        self._next[bus] = devnum % FULL_BUS + 1
        return devnum

    def add(self, attachment: Attachment) -> None:
        """Show a phone in its mode, under the address that it was given."""
        self._add(attachment.port, attachment.devnum, _phone(attachment))

    def remove(self, path: str) -> None:
        """Take a device away; nothing if it is not there."""
        devnum = self._devnums.pop(path, None)
        if devnum is None:
            return
        self._taken[_bus(path)].discard(devnum)
        for name in (f"{path}:1.0", path):
            gone = self._workshop / str(next(self._scratch))
            (self._devices / name).rename(gone)
            shutil.rmtree(gone)

    def _add(self, path: str, devnum: int, attributes: dict[str, str]) -> None:
        self.remove(path)
        fresh = self._workshop / str(next(self._scratch))
        fresh.mkdir()
        for name, value in (attributes | {"busnum": str(_bus(path)), "devnum": str(devnum)}).items():
            os.link(self._text(value), fresh / name)
        interface = self._workshop / str(next(self._scratch))
        interface.mkdir()
        fresh.rename(self._devices / path)
        interface.rename(self._devices / f"{path}:1.0")
        self._devnums[path] = devnum
        self._taken.setdefault(_bus(path), set()).add(devnum)

    def _text(self, value: str) -> Path:
        """A file that holds this value: most attributes of a thousand phones are the same few texts."""
        if value not in self._texts:
            self._texts[value] = self._workshop / f"text-{len(self._texts)}"
            self._texts[value].write_text(value + "\n")
        return self._texts[value]


def hubs_to(port: str) -> list[str]:
    """The hubs between the host and that port, nearest to the host first: usb2, 2-1, …"""
    bus, _, rest = port.partition("-")
    parts = rest.split(".")
    return [f"usb{bus}", *(f"{bus}-{'.'.join(parts[:depth])}" for depth in range(1, len(parts)))]


def _bus(path: str) -> int:
    return int(path.removeprefix("usb").partition("-")[0])


def _hub(path: str) -> dict[str, str]:
    root = path.startswith("usb")
    return {
        "bDeviceClass": "09",
        "idVendor": "1d6b" if root else "0424",
        "idProduct": "0002" if root else "2514",
        "manufacturer": "Linux xhci-hcd" if root else "Microchip",
        "product": "xHCI Host Controller" if root else "USB 2.0 hub",
        "speed": "480",
    }


def _phone(attachment: Attachment) -> dict[str, str]:
    identity, mode = attachment.phone.identity, attachment.phone.mode
    attributes = {"bDeviceClass": "00", "idVendor": APPLE, "manufacturer": "Apple Inc.", "speed": "480"}
    if mode is Mode.RECOVERY:
        own = (RECOVERY_ID, identity.recovery_serial(dfu=False), "Apple Mobile Device (Recovery Mode)")
    elif mode is Mode.DFU:
        own = (DFU_ID, identity.recovery_serial(dfu=True), "Apple Mobile Device (DFU Mode)")
    else:
        own = (f"{identity.model.product_id:04x}", identity.usb_serial, identity.model.device_class)
    return attributes | dict(zip(("idProduct", "serial", "product"), own, strict=True))
