"""The simulated USB bus as a pyusb backend, for the daemon and for workers in processes of their own.

`launchpad.usb: {python: "mamd.sim.usb_backend:backend"}` names it; the environment variable MAMD_SIM_USB has
the socket of the bus. What libusb does is kept: descriptors are as they were when the device was found, and a
device that is gone shows itself only when it is opened or used.
"""

from __future__ import annotations

import errno
import os
import socket
import threading
from array import array
from types import SimpleNamespace
from typing import Any

from usb.backend import IBackend
from usb.core import USBError, USBTimeoutError

from mamd.sim import usb_devices as devices
from mamd.sim import usb_wire as wire

PATIENCE_S = 3600.0  # the bus answers a transfer that times out; only a bus that is gone lets this pass
ROOT_HUB_ADDRESS_PREFIX = "usb"


def backend() -> IBackend:
    """The backend for the bus that the environment names. Raises `USBError` if it names none."""
    path = os.environ.get(wire.SOCKET_VARIABLE)
    if not path:
        raise USBError(
            f"no simulated bus: {wire.SOCKET_VARIABLE} is not set; it is the path that the simulator prints",
            errno=errno.ENOENT,
        )
    return SimBackend(path)


class SimBackend(IBackend):  # type: ignore[misc]  # pyusb has no types
    """Each thread has a connection of its own, so that one that waits keeps no other waiting."""

    def __init__(self, path: str) -> None:
        self._path, self._mine = path, threading.local()

    # Finding devices.

    def enumerate_devices(self) -> list[devices.Description]:
        """All that is on the bus now; nothing if there is no bus any more."""
        try:
            answer, _ = self._ask({"do": "list"})
        except USBError:
            return []
        return list(answer["devices"])

    def get_parent(self, dev: devices.Description) -> devices.Description | None:
        """The hub that the device is on; None for a root hub."""
        if not dev["ports"]:
            return None
        parts = dev["path"].rpartition(".")[0] or f"{ROOT_HUB_ADDRESS_PREFIX}{dev['bus']}"
        return next((one for one in self.enumerate_devices() if one["path"] == parts), None)

    def get_device_descriptor(self, dev: devices.Description) -> SimpleNamespace:
        """As it was when the device was found."""
        return SimpleNamespace(**devices.device_descriptor(dev))

    def get_configuration_descriptor(self, dev: devices.Description, config: int) -> SimpleNamespace:
        """The only one. Raises IndexError for others."""
        _first(config)
        return SimpleNamespace(**devices.configuration_descriptor())

    def get_interface_descriptor(
        self, dev: devices.Description, intf: int, alt: int, config: int
    ) -> SimpleNamespace:
        """The only one. Raises IndexError for others."""
        _first(config, intf, alt)
        return SimpleNamespace(**devices.interface_descriptor(dev))

    def get_endpoint_descriptor(
        self, dev: devices.Description, ep: int, intf: int, alt: int, config: int
    ) -> SimpleNamespace:
        """One of those of the only interface. Raises IndexError past the last."""
        _first(config, intf, alt)
        return SimpleNamespace(**devices.endpoint_descriptor(dev["endpoints"][ep]))

    # Using them.

    def open_device(self, dev: devices.Description) -> devices.Description:
        """The handle. Raises `USBError`: ENODEV, EACCES."""
        self._do(dev, "open", pid=os.getpid())
        return dev

    def close_device(self, dev_handle: devices.Description) -> None:
        """Nothing is kept of who has what open."""

    def set_configuration(self, dev_handle: devices.Description, config_value: int) -> None:
        """Raises `USBError` if the device is gone."""
        self._do(dev_handle, "configure")

    def get_configuration(self, dev_handle: devices.Description) -> int:
        """The only one. Raises `USBError` if the device is gone."""
        self._do(dev_handle, "configure")
        return 1

    def set_interface_altsetting(self, dev_handle: devices.Description, intf: int, altsetting: int) -> None:
        """Raises `USBError` if the device is gone."""
        self._do(dev_handle, "configure")

    def claim_interface(self, dev_handle: devices.Description, intf: int) -> None:
        """Raises `USBError` if the device is gone."""
        self._do(dev_handle, "configure")

    def release_interface(self, dev_handle: devices.Description, intf: int) -> None:
        """Raises `USBError` if the device is gone."""
        self._do(dev_handle, "configure")

    def ctrl_transfer(
        self, dev_handle: devices.Description, bmRequestType: int, bRequest: int, wValue: int, wIndex: int,
        data: array[int], timeout: int,
    ) -> int:  # fmt: skip
        """How many bytes went; those of an IN transfer are in `data` then. Raises `USBError`."""
        setup = {"type": bmRequestType, "request": bRequest, "value": wValue, "index": wIndex}
        out = b"" if bmRequestType & 0x80 else data.tobytes()
        length, timeout_ms = len(data), {"timeout": timeout}
        answer, came = self._do(dev_handle, "control", out, **setup, length=length, **timeout_ms)
        data[: len(came)] = array("B", came)
        return int(answer["n"])

    def bulk_write(
        self, dev_handle: devices.Description, ep: int, intf: int, data: array[int], timeout: int
    ) -> int:
        """How many bytes were taken. Raises `USBError`."""
        return int(self._do(dev_handle, "write", bytes(data), endpoint=ep, timeout=timeout)[0]["n"])

    def bulk_read(
        self, dev_handle: devices.Description, ep: int, intf: int, buff: array[int], timeout: int
    ) -> int:
        """Nothing here sends by itself: it stalls. Raises `USBError`."""
        return int(self._do(dev_handle, "read", endpoint=ep, timeout=timeout)[0]["n"])

    def reset_device(self, dev_handle: devices.Description) -> None:
        """Raises `USBError` if the device is gone."""
        self._do(dev_handle, "reset")

    def clear_halt(self, dev_handle: devices.Description, ep: int) -> None:
        """Raises `USBError` if the device is gone."""
        self._do(dev_handle, "configure")

    def is_kernel_driver_active(self, dev_handle: devices.Description, intf: int) -> bool:
        """No kernel knows of these devices."""
        return False

    def detach_kernel_driver(self, dev_handle: devices.Description, intf: int) -> None:
        """No kernel knows of these devices."""

    def attach_kernel_driver(self, dev_handle: devices.Description, intf: int) -> None:
        """No kernel knows of these devices."""

    # The bus.

    def _do(
        self, dev: devices.Description, what: str, data: bytes = b"", **fields: Any
    ) -> tuple[wire.Message, bytes]:
        place = {"bus": dev["bus"], "address": dev["address"]}
        answer, came = self._ask({"do": what, **place, **fields}, data)
        if (number := answer.get("errno")) is not None:
            kind = USBTimeoutError if number == errno.ETIMEDOUT else USBError
            raise kind(os.strerror(number), errno=number)
        return answer, came

    def _ask(self, message: wire.Message, data: bytes = b"") -> tuple[wire.Message, bytes]:
        try:
            line = self._line()
            line.sendall(wire.packed(message, data))
            header, length = wire.LENGTHS.unpack(_exactly(line, wire.LENGTHS.size))
            return wire.parsed(_exactly(line, header)), _exactly(line, length)
        except OSError as error:
            self._hang_up()
            raise USBError("the simulated bus is gone", errno=errno.ENODEV) from error

    def _line(self) -> socket.socket:
        line: socket.socket | None = getattr(self._mine, "line", None)
        if line is None:
            line = self._mine.line = socket.socket(socket.AF_UNIX)
            line.settimeout(PATIENCE_S)
            line.connect(self._path)
        return line

    def _hang_up(self) -> None:
        line: socket.socket | None = getattr(self._mine, "line", None)
        if line is not None:
            line.close()
            self._mine.line = None


def _first(*numbers: int) -> None:
    """There is one configuration, one interface, one setting of it."""
    if any(numbers):
        raise IndexError(numbers)


def _exactly(line: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        piece = line.recv(length - len(data))
        if not piece:
            raise ConnectionResetError("the bus has ended")
        data += piece
    return bytes(data)
