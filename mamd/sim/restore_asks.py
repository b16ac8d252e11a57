"""What a phone asks for once its image is on it: boot objects, firmware of its chips, tickets, an asset.

Each function asks one thing of the host, checks that what came is what was asked for, and goes on.
"""

from __future__ import annotations

import io
import secrets
import zipfile
from typing import TYPE_CHECKING

from mamd.sim.phone import Phone
from mamd.sim.tunnel import HostGone, Plist

if TYPE_CHECKING:
    from mamd.sim.restoring import Restoring

PERSONALIZED = ("KernelCache", "StaticTrustCache", "DeviceTree")
PLAIN = ("Cryptex1,SystemOS",)
BASEBAND_CHIP = 0x1F20E1
UPDATER, TICKET = "SE", "SE2,Ticket"


async def boot_objects(restoring: Restoring) -> None:
    """The components that the new system boots with."""
    for image in PERSONALIZED:
        restoring.accept_image(await restoring.file("PersonalizedBootObjectV3", image))
    for image in PLAIN:
        await restoring.file("SourceBootObjectV4", image)


async def firmware(restoring: Restoring) -> None:
    """iBoot and what it loads, then the firmware of single chips: which there are, one, and all."""
    nor = await restoring.ask("NORData", {"FlashVersion1": False})
    for image in (nor.get("LlbImageData"), *(nor.get("NorImageData") or ()), nor.get("SEPImageData")):
        restoring.accept_image(bytes(image or b""))
    names = (await restoring.ask("FUDData", {"FUDImageList": True})).get("FUDImageList") or []
    for name in names:
        one = await restoring.ask("FUDData", {"ImageName": name})
        restoring.accept_image(bytes(one.get("FUDImageData") or b""))
    everything = (await restoring.ask("FUDData")).get("FUDImageData")
    if not isinstance(everything, dict) or set(everything) != set(names):
        raise HostGone


async def updaters(restoring: Restoring) -> None:
    """A chip that has its own ticket made by Apple, by a request that the phone wrote (since iOS 18)."""
    await _aside(restoring, "FirmwareUpdaterPreflight", {"MessageArgUpdaterName": UPDATER})
    reply = await _aside(restoring, "FirmwareUpdaterData", _updater_request(restoring.phone))
    response = reply.get("FirmwareResponseData")
    if not isinstance(response, dict) or TICKET not in response:
        raise HostGone


async def baseband(restoring: Restoring) -> bytes:
    """The modem's firmware with its ticket, as a zip. Raises `HostGone` if the ticket is not in it."""
    request = {
        "ChipID": BASEBAND_CHIP,
        "CertID": 1,
        "ChipSerialNo": secrets.token_bytes(4),
        "Nonce": secrets.token_bytes(20),
    }
    data = (await _aside(restoring, "BasebandData", request)).get("BasebandData")
    archive = bytes(data or b"")
    try:
        names = zipfile.ZipFile(io.BytesIO(archive)).namelist()
    except zipfile.BadZipFile as error:
        raise HostGone from error
    if "bbticket.der" not in names:
        raise HostGone
    return archive


async def asset(restoring: Restoring) -> None:
    """Something from Apple's servers, fetched by the host while the rest goes on."""
    if restoring.restored.apple is None:
        return
    request = {"RequestMethod": "GET", "RequestURL": f"{restoring.restored.apple}/asset"}
    stream = await restoring.ask_aside("URLAsset", request, kind="AsyncDataRequestMsg")
    answer = await stream.read_plist()
    restoring.restored.note("asset", status=answer.get("ResponseStatus"))
    stream.close()


async def _aside(restoring: Restoring, data: str, arguments: Plist) -> Plist:
    stream = await restoring.ask_aside(data, arguments)
    reply = await stream.read_plist()
    stream.close()
    return reply


def _updater_request(phone: Phone) -> Plist:
    return {
        "MessageArgType": "FirmwareResponseData",
        "MessageArgUpdaterName": UPDATER,
        "MessageArgInfo": {"SE,ChipID": 0x2C},
        "DeviceGeneratedRequest": {
            f"@{TICKET}": True,
            "ApECID": phone.ecid,
            "SE2,Nonce": phone.boot.sep_nonce,
        },
        "DeviceGeneratedTags": {"ResponseTags": [TICKET], "BuildIdentityTags": ["SE,ChipID"]},
    }
