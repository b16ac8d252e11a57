"""
Which USB the library looks at: libusb, or the backend of a simulator that the configuration names, and there
at one port only.

To find a device by its ECID is to open each device in recovery mode and to read its strings; those of
neighbours belong to their own workers.
"""

import importlib
import time
from typing import Any, Final

import libusb_package
import usb.backend.libusb1
from pymobiledevice3 import irecv

from mamd.recovery.causes import Cause, Ended

FIND_PAUSE_S: Final = 0.1
"""irecv asks again and again without a pause (pymobiledevice3 irecv.py, `_find`)."""


def backend(named: str | None) -> Any:
    """
    A pyusb backend. `named` is `module:function`; None is libusb, of this host or else of a wheel.

    Raises:
        Ended: There is none.
    """
    if named is None:
        found = usb.backend.libusb1.get_backend() or libusb_package.get_libusb1_backend()
        if found is None:
            raise Ended(Cause.MISCONFIGURED, "no libusb on this host; install libusb-1.0")
        return found
    module, _, function = named.partition(":")
    try:
        return getattr(importlib.import_module(module), function)()
    except (ImportError, AttributeError, usb.core.USBError) as error:
        raise Ended(Cause.MISCONFIGURED, f"the USB backend {named} cannot be had: {error}") from error


def install(named: str | None) -> None:
    """
    Have every `usb.core.find` of this process look there, the library's own too. Raises as `backend` does.

    `find` asks `usb.backend.libusb1.get_backend` each time that it is called (pyusb usb/core.py).
    """
    found = backend(named)
    usb.backend.libusb1.get_backend = lambda find_library=None: found


def look_only_at(port: str) -> None:
    """Have irecv find devices at this port and nowhere else, and at most ten times a second."""
    find = irecv.find

    def find_there(*args: Any, **more: Any) -> list[Any]:
        time.sleep(FIND_PAUSE_S)
        return [device for device in find(*args, **more) if path(device) == port]

    irecv.find = find_there


def path(device: Any) -> str | None:
    """The name of a device in sysfs (Linux drivers/usb/core/usb.c); None for a root hub."""
    numbers = device.port_numbers
    return f"{device.bus}-{'.'.join(map(str, numbers))}" if numbers else None
