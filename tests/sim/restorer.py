"""A worker without guards: pymobiledevice3 as it is installed, told where bus, usbmuxd and TSS are.

    python restorer.py ECID FIRMWARE TSS_URL [UDID]       with UDID: put into recovery mode first

It prints `done`, or `failed: ` and the exception.
"""

import asyncio
import sys

import usb.backend.libusb1
from ipsw_parser.ipsw import IPSW
from pymobiledevice3 import lockdown
from pymobiledevice3.irecv import IRecv
from pymobiledevice3.restore import tss
from pymobiledevice3.restore.base_restore import Behavior
from pymobiledevice3.restore.device import Device
from pymobiledevice3.restore.restore import Restore

from mamd.sim.usb_backend import backend


async def _enter_recovery(udid: str) -> None:
    client = await lockdown.create_using_usbmux(serial=udid, autopair=False, connection_type="USB")
    await client.enter_recovery()


async def _restore(ecid: int, firmware: str) -> None:
    device = Device(irecv=IRecv(ecid=ecid, timeout=20))
    await Restore(IPSW.create_from_path(firmware), device, behavior=Behavior.Erase).update()


def main(ecid: str, firmware: str, tss_url: str, udid: str = "") -> None:
    """Restore one phone."""
    simulated = backend()
    usb.backend.libusb1.get_backend = lambda find_library=None: simulated
    tss.TSS_CONTROLLER_ACTION_URL = tss_url
    try:
        if udid:
            asyncio.run(_enter_recovery(udid))
        asyncio.run(_restore(int(ecid, 0), firmware))
    except Exception as error:
        print(f"failed: {type(error).__name__}: {error}")
    else:
        print("done")


if __name__ == "__main__":
    main(*sys.argv[1:])
