"""What ends an attempt inside our own worker: one exception with its cause, made of all others."""

from zipfile import BadZipFile

import requests
from pymobiledevice3.exceptions import (
    ConnectionFailedError,
    ConnectionFailedToUsbmuxdError,
    ConnectionTerminatedError,
    DeviceNotFoundError,
    IRecvNoDeviceConnectedError,
    NoDeviceConnectedError,
    NoSuchBuildIdentityError,
    TSSError,
)
from usb.core import USBError

from mamd.recovery.causes import Cause
from mamd.recovery.lines import clipped


class Ended(Exception):
    """The attempt is over. `status` is restored's number."""

    def __init__(self, cause: Cause, why: str, status: int | None = None) -> None:
        super().__init__(why)
        self.cause, self.why, self.status = cause, why, status


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
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, ConnectionFailedToUsbmuxdError):
        return Ended(Cause.DEVICE_LOST, "usbmuxd is gone")
    if isinstance(error, TSSError):
        return Ended(Cause.TSS_REFUSED, clipped(str(error)))
    if isinstance(error, requests.RequestException):
        return Ended(Cause.TSS_UNREACHABLE, f"no answer from a server of Apple's ({type(error).__name__})")
    if isinstance(error, _LOST):
        return Ended(Cause.DEVICE_LOST, clipped(f"the device went away ({what})"))
    if isinstance(error, _FIRMWARE):
        return Ended(Cause.BAD_FIRMWARE, clipped(f"the firmware does not fit ({what})"))
    return Ended(Cause.OTHER, clipped(what))
