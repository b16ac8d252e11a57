"""Which USB pyusb looks at: libusb, or the backend of a simulator that the configuration names."""

import importlib
from typing import Any

import libusb_package
import usb.backend.libusb1

from mamd.recovery.causes import Cause
from mamd.recovery.ended import Ended


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
