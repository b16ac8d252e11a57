"""
Sends one device out of recovery or restore mode, in a process that may hang.

    recovery: auto-boot true, looked at, reboot       restore: restored's Reboot

`python -m mamd.recovery.leaver`, one line of JSON on standard input.
"""

import asyncio
import json
import os
import sys
from typing import Any, Final, NoReturn

from pymobiledevice3.exceptions import IRecvNoDeviceConnectedError, PyMobileDevice3Exception
from pymobiledevice3.irecv import IRecv
from usb.core import USBError

from mamd.recovery import restored_door, usbs
from mamd.recovery.causes import Ended
from mamd.recovery.leave import FAILED, LEFT, NOT_THERE, Mode

_ENABLED: Final = b"true"


def main() -> NoReturn:
    """Do what one line of JSON on standard input says: `{mode, ecid, udid, usb, find_s}`."""
    asked: dict[str, Any] = json.loads(sys.stdin.readline())
    try:
        if Mode(asked["mode"]) is Mode.RECOVERY:
            code, why = _leave_recovery(asked)
        else:
            code, why = asyncio.run(_reboot_restored(int(asked["ecid"], 16), asked["udid"]))
    except (PyMobileDevice3Exception, USBError, OSError, Ended) as error:
        code, why = FAILED, f"{type(error).__name__}: {error}"
    print(why, flush=True)
    os._exit(code)


def _leave_recovery(asked: dict[str, Any]) -> tuple[int, str]:
    usbs.install(asked["usb"])
    usbs.look_only_at(asked["port"])
    try:
        device = IRecv(ecid=int(asked["ecid"], 16), timeout=asked["find_s"])
    except IRecvNoDeviceConnectedError:
        return NOT_THERE, "not in recovery mode"
    device.set_autoboot(True)
    is_set = device.getenv("auto-boot")
    if is_set is not None and not bytes(is_set).startswith(_ENABLED):
        return FAILED, "it does not keep auto-boot"
    device.reboot()  # type: ignore[no-untyped-call]
    return LEFT, "it starts its system"


async def _reboot_restored(ecid: int, udid: str | None) -> tuple[int, str]:
    client = await restored_door.find(ecid, udid)
    if client is None:
        return NOT_THERE, "not in restore mode"
    await client.reboot()
    return LEFT, "it starts anew"


if __name__ == "__main__":
    main()
