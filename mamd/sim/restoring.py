"""One restore, as the phone goes through it: what it asks for, in which order, and when its old data is gone.

    ticket, time, build ─▶ │ the erase begins │ ─▶ image ─▶ boot objects, firmware ─▶ status 0 ─▶ Setup

Before the line a phone that fails still has its system and its data; after it only another restore helps.
The messages are those that pymobiledevice3 (restore/restore.py) and idevicerestore (src/restore.c) answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from mamd.sim import image4, restore_asks
from mamd.sim.asr import BadImage, receive_image
from mamd.sim.boot import RestoreFault
from mamd.sim.fdr import Fdr
from mamd.sim.tunnel import HostGone, Plist, Stream, parsed

if TYPE_CHECKING:
    from mamd.sim.restored import Restored

CREATE_PARTITION_MAP, CREATE_FILESYSTEM, RESTORE_IMAGE, VERIFY_RESTORE = 11, 12, 13, 14
WAIT_FOR_NAND, WAIT_BATTERY_CHARGE = 28, 39
VERIFICATION_ERROR, NO_FDR = 0xFFFFFFFFFFFFFFFF, 53  # restored's numbers
FDR_PATIENCE_S = 20.0
BATTERY_STEPS = 10


class Failed(Exception):
    """The restore is over, with this status."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Restoring:
    """The restore that one host has begun on one connection."""

    def __init__(self, restored: Restored, host: Stream) -> None:
        self.restored, self._host = restored, host
        self.phone, self._fdr = restored.phone, Fdr(restored)
        self._checkpoints = 0
        self._version, self._build = self.phone.product_version, self.phone.identity.build

    async def run(self) -> None:
        """Go through all of it. Raises `HostGone` where the host leaves too early."""
        try:
            await self._before()
            self._erase()
            await self._after()
        except (Failed, BadImage) as error:
            self._fail(error)
        except _Dropped:
            self.restored.note("dropped")
            self.phone.reboot()
        else:
            await self._finish()

    async def _before(self) -> None:
        self.progress(WAIT_FOR_NAND, -1)
        await self._charge()
        await self._ticket()
        await self.ask("HostSystemTime")
        await self.ask("BuildIdentityDict", {"IsRecoveryOS": False, "Variant": "Erase"})
        self.checkpoint("RESTORED_PREFLIGHT")
        await self._early_faults()

    def _erase(self) -> None:
        """The point of no return."""
        self.restored.note("erase_began")
        self.phone.begin_erase()
        self.progress(CREATE_PARTITION_MAP, -1)
        self.progress(CREATE_FILESYSTEM, 100)
        self.checkpoint("CREATE_FILESYSTEM")

    async def _after(self) -> None:
        await self._image()
        if self._strikes(RestoreFault.STATUS_LATE):
            raise Failed(self.phone.boot.status, "a simulated failure after the erase")
        if self._strikes(RestoreFault.RESTORED_SILENT_LATE):
            await _for_ever()
        if self._strikes(RestoreFault.UNKNOWN_COMPONENT):
            await self.file("PersonalizedBootObjectV3", "NoSuchComponent")
        for step in STEPS:
            await step(self)

    async def _finish(self) -> None:
        self.send("StatusMsg", Status=0)
        self.restored.note("status", status=0)
        while (await self._host.read_plist()).get("MsgType") != "ReceivedFinalStatusMsg":
            pass
        self.restored.note("erased", version=self._version, build=self._build)
        self.phone.restored(self._version, self._build)

    def _fail(self, error: Failed | BadImage) -> None:
        status = error.status if isinstance(error, Failed) else VERIFICATION_ERROR
        self.restored.note("status", status=status, why=str(error))
        self.send("StatusMsg", Status=status, Log=f"restored: {error}")
        self.phone.reboot()

    # What is said to the host.

    def send(self, kind: str, **fields: Any) -> None:
        """A message that is not answered."""
        self._host.send_plist({"MsgType": kind, **fields})

    def progress(self, operation: int, percent: int) -> None:
        """How far an operation is; -1 where it cannot be known."""
        self.send("ProgressMsg", Operation=operation, Progress=percent)

    def checkpoint(self, name: str) -> None:
        """A step of restored's own list is done."""
        self._checkpoints += 1
        self.send("CheckpointMsg", CHECKPOINT_ID=self._checkpoints, CHECKPOINT_NAME=name, CHECKPOINT_RESULT=0)

    # What the host is asked for.

    async def ask(self, data: str, arguments: Plist | None = None) -> Plist:
        """Data that comes as one dictionary on the same connection."""
        self._request(data, arguments)
        return await self._host.read_plist()

    async def ask_aside(
        self, data: str, arguments: Plist | None = None, *, kind: str = "DataRequestMsg"
    ) -> Stream:
        """Data that comes over a connection of its own."""
        port, host = self.restored.data_port()
        self._request(data, arguments, kind, DataPort=port)
        return await host

    async def file(self, data: str, image: str) -> bytes:
        """A file that comes in pieces."""
        stream, pieces = await self.ask_aside(data, {"ImageName": image}), []
        while not (message := await stream.read_plist()).get("FileDataDone"):
            pieces.append(bytes(message["FileData"]))
        stream.close()
        self.restored.note("received", data=data, image=image, size=sum(map(len, pieces)))
        return b"".join(pieces)

    def _request(
        self, data: str, arguments: Plist | None, kind: str = "DataRequestMsg", **fields: Any
    ) -> None:
        self.restored.note("asked", data=data)
        self.send(kind, DataType=data, Arguments=arguments or {}, **fields)

    def accept_image(self, data: bytes) -> None:
        """Check a component against its ticket. Raises `Failed`."""
        try:
            image = image4.read_image(data)
        except image4.NotImage4 as error:
            raise Failed(VERIFICATION_ERROR, str(error)) from error
        self._accept_ticket(image.ticket)
        if image.ticket.digests.get(image.letters) != image.digest:
            raise Failed(VERIFICATION_ERROR, f"the ticket does not allow this {image.letters}")

    def _accept_ticket(self, ticket: image4.Ticket) -> None:
        if (ticket.ecid, ticket.nonce) != (self.phone.ecid, self.phone.boot.ap_nonce):
            raise Failed(VERIFICATION_ERROR, "the ticket is for another phone, or for an earlier start of it")

    # The steps that are more than a question.

    async def _ticket(self) -> None:
        data = (await self.ask("RootTicket")).get("RootTicketData")
        try:
            self._accept_ticket(image4.read_ticket(bytes(data or b"")))
        except image4.NotImage4 as error:
            raise Failed(VERIFICATION_ERROR, str(error)) from error

    async def _charge(self) -> None:
        if self._strikes(RestoreFault.BATTERY_WAIT):
            for step in range(BATTERY_STEPS):
                self.progress(WAIT_BATTERY_CHARGE, step * 100 // BATTERY_STEPS)
                await asyncio.sleep(self.phone.boot.slow_s / BATTERY_STEPS)

    async def _early_faults(self) -> None:
        if self._strikes(RestoreFault.STATUS_EARLY):
            raise Failed(self.phone.boot.status, "a simulated failure before the erase")
        if self._strikes(RestoreFault.DROPS_EARLY):
            raise _Dropped
        if self._strikes(RestoreFault.RESTORED_SILENT):
            await _for_ever()
        if self._strikes(RestoreFault.UNKNOWN_DATA_TYPE):
            await self.ask("DataThatNobodyKnows")

    async def _image(self) -> None:
        await self.ask("SystemImageRootHash")
        await self.ask("SystemImageCanonicalMetadata")
        stream = await self.ask_aside("SystemImageData")
        stalls, drops = self._strikes(RestoreFault.ASR_STALLS), self._strikes(RestoreFault.DROPS_LATE)

        def progress(percent: int) -> None:
            self.progress(RESTORE_IMAGE, min(percent, 100))
            if drops:
                raise _Dropped

        size = await receive_image(stream, stalls=stalls, progress=progress)
        self.restored.note("image", size=size)
        self.checkpoint("RESTORE_IMAGE")
        for percent in range(0, 101, 10):
            self.progress(VERIFY_RESTORE, percent)

    async def _versions(self) -> None:
        await self.file("PersonalizedBootObjectV3", "__RestoreVersion__")
        version = parsed(await self.file("PersonalizedBootObjectV3", "__SystemVersion__"))
        self._version = str(version.get("ProductVersion"))
        self._build = str(version.get("ProductBuildVersion"))

    async def _factory_data(self) -> None:
        await self.ask("FDRTrustData")
        try:
            async with asyncio.timeout(FDR_PATIENCE_S):
                await self._fdr.reached.wait()
        except TimeoutError as error:
            raise Failed(NO_FDR, "no way to Apple's store of factory data") from error

    async def _baseband(self) -> None:
        archive = await restore_asks.baseband(self)
        refused = self._strikes(RestoreFault.BASEBAND_REFUSED)
        self.restored.note("baseband", size=len(archive), accepted=not refused)
        self.send("BBUpdateStatusMsg", Accepted=not refused, **({"Output": {}} if refused else {}))

    async def _manifest(self) -> None:
        manifest = (await self.ask("ReceiptManifest")).get("ReceiptManifest")
        if not isinstance(manifest, dict):
            raise HostGone
        self.checkpoint("FINALIZE")

    def _strikes(self, fault: RestoreFault) -> bool:
        strikes = self.phone.boot.strikes(fault)
        if strikes:
            self.restored.note("fault", fault=fault.value)
        return strikes


STEPS: tuple[Callable[[Restoring], Awaitable[None]], ...] = (
    Restoring._versions,
    restore_asks.boot_objects,
    restore_asks.firmware,
    restore_asks.updaters,
    Restoring._factory_data,
    Restoring._baseband,
    restore_asks.asset,
    Restoring._manifest,
)


class _Dropped(Exception):
    """The phone falls off the bus."""


async def _for_ever() -> None:
    await asyncio.Event().wait()
