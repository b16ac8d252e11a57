"""Reads whatever ends an attempt inside our own worker as one exception with its cause."""

from zipfile import BadZipFile

import requests
from ipsw_parser.exceptions import NoSuchBuildIdentityError  # type: ignore[import-untyped]
from pymobiledevice3.exceptions import (
    ConnectionFailedError,
    ConnectionFailedToUsbmuxdError,
    ConnectionTerminatedError,
    DeviceNotFoundError,
    IRecvNoDeviceConnectedError,
    NoDeviceConnectedError,
    TSSError,
)
from usb.core import USBError

from mamd.recovery.causes import Cause, Ended
from mamd.recovery.lines import clipped

_LOST = (
    IRecvNoDeviceConnectedError,
    ConnectionTerminatedError,
    ConnectionFailedError,
    NoDeviceConnectedError,
    DeviceNotFoundError,
    USBError,
    ConnectionError,
    TimeoutError,
)
_FIRMWARE = (NoSuchBuildIdentityError, FileNotFoundError, BadZipFile, IsADirectoryError)


def ended(error: BaseException) -> Ended:
    """Whatever ended it, with its cause."""
    if isinstance(error, Ended):
        return error
    said = str(error).partition(" Please report it at ")[0]  # whom the library's own users should tell
    what = f"{type(error).__name__}: {said}" if said else type(error).__name__
    if isinstance(error, ConnectionFailedToUsbmuxdError):
        return Ended(Cause.DEVICE_LOST, "usbmuxd is gone")
    if isinstance(error, TSSError):
        return Ended(Cause.TSS_REFUSED, clipped(str(error)))
    if isinstance(error, requests.RequestException):
        return Ended(Cause.TSS_UNREACHABLE, f"no answer from a server of Apple's ({type(error).__name__})")
    if isinstance(error, _LOST):
        return Ended(Cause.DEVICE_LOST, f"the device went away ({type(error).__name__})")
    if isinstance(error, _FIRMWARE):
        return Ended(Cause.BAD_FIRMWARE, clipped(f"the firmware does not fit ({what})"))
    return Ended(Cause.OTHER, clipped(what))
