"""
The way to restored of one device, past devices that hang, without a word to those that are surely not it.

pymobiledevice3's own search (restore/restored_client.py) asks each device that might be it, and waits for
each without end.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from pymobiledevice3.exceptions import PyMobileDevice3Exception
from pymobiledevice3.restore.restored_client import RestoredClient
from pymobiledevice3.service_connection import ServiceConnection
from pymobiledevice3.usbmux import MuxDevice, select_devices_by_connection_type

EACH_S: Final = 5.0
RESTORED: Final = "com.apple.mobile.restored"

_log = logging.getLogger(__name__)


async def find(ecid: int, udid: str | None) -> RestoredClient | None:
    """
    restored of this device, if it is in restore mode now.

    Raises:
        ConnectionFailedToUsbmuxdError: There is no usbmuxd.
    """
    for device in candidates(await select_devices_by_connection_type("USB"), ecid, udid):
        try:
            async with asyncio.timeout(EACH_S):
                found = await _asked(device, ecid)
        except (PyMobileDevice3Exception, OSError, TimeoutError, KeyError, ValueError) as error:
            _log.info("%s is not in restore mode yet: %s", device.serial, type(error).__name__)
            continue
        if found is not None:
            return found
    return None


def candidates(devices: Sequence[MuxDevice], ecid: int, udid: str | None) -> list[MuxDevice]:
    """Who might be it, the likeliest first: a UDID of A12 or later holds the ECID, an older one does not."""
    ours = [device for device in devices if device.ecid == ecid or device.serial == udid]
    maybe = [device for device in devices if device.ecid is None and device not in ours]
    return ours + maybe


async def _asked(device: MuxDevice, ecid: int) -> RestoredClient | None:
    service = await ServiceConnection.create_using_usbmux(
        device.serial, RestoredClient.SERVICE_PORT, connection_type="USB"
    )
    try:
        answer = await service.send_recv_plist({"Request": "QueryType"})
        if answer.get("Type") == RESTORED:
            client = RestoredClient(device.serial, str(answer.get("RestoreProtocolVersion")), service)
            # As it came: the version is a number in restored's plist, and goes back as one.
            client.version = answer.get("RestoreProtocolVersion")  # type: ignore[assignment]
            await client._connect()
            if client.ecid == ecid:
                return client
    except BaseException:
        await _closed(service)
        raise
    await _closed(service)
    return None


async def _closed(service: ServiceConnection) -> None:
    with suppress(PyMobileDevice3Exception, OSError):
        await service.close()
