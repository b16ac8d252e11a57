"""
pymobiledevice3's Restore as it is, with its stages said, its errors heard and its waits bounded.

    update() ──▶ finished with status 0 ──▶ returns
             ──▶ a status, or a handler that failed, sync or async ──▶ `Ended`

A handler that fails is only logged by the library, and then both sides wait for ever. Here the device gets
`PATIENCE_S` to say by a status what was wrong in its own words; then the attempt is over.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from ipsw_parser.ipsw import IPSW  # type: ignore[import-untyped]
from pymobiledevice3 import irecv
from pymobiledevice3.exceptions import ConnectionFailedError
from pymobiledevice3.restore.base_restore import Behavior
from pymobiledevice3.restore.consts import PROGRESS_BAR_OPERATIONS
from pymobiledevice3.restore.device import Device
from pymobiledevice3.restore.restore import Restore, known_errors
from usb.core import USBError

from mamd.recovery import restored_door
from mamd.recovery.causes import Cause, Ended
from mamd.recovery.ended import ended
from mamd.recovery.job import Job
from mamd.recovery.lines import Stage, clipped
from mamd.recovery.speaker import Speaker

PATIENCE_S: Final = 5.0
LOOK_S: Final = 1.0
LONGEST_LOG: Final = 200_000

Message = dict[str, Any]
Handler = Callable[[Message], Awaitable[Any]]

_log = logging.getLogger(__name__)


class GuardedRestore(Restore):
    """One erase-and-update of one device in recovery mode."""

    def __init__(self, ipsw: IPSW, device: Device, job: Job, speaker: Speaker) -> None:
        super().__init__(ipsw, device, behavior=Behavior.Erase)
        self._job, self._speaker = job, speaker
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._first: Ended | None = None
        self._handlers = {kind: self._heard(handler) for kind, handler in self._handlers.items()}
        _UnknownRequests(self._fail).listen()

    async def run(self) -> None:
        """
        Restore it.

        Raises:
            Ended: It failed. Tasks of the library may still be there; the process is to end now.
        """
        self._speaker.phase(Stage.TSS_AND_IBEC)
        update = asyncio.ensure_future(self.update())  # type: ignore[no-untyped-call]
        await asyncio.wait([update, self._over], return_when=asyncio.FIRST_COMPLETED)
        if self._over.done():
            self._over.result()
        error = update.exception()
        if error is not None:
            _log.error("the restore ended", exc_info=error)
            raise self._first or ended(error)
        if self._first is not None:  # the device itself says that all is well, and it is the judge of that
            self._speaker.checkpoint(clipped(f"finished in spite of: {self._first.why}"))

    # ------------------------------------------------------------------------- what goes wrong

    def _fail(self, error: Ended, patience_s: float = 0.0) -> None:
        """The first failure counts, unless the device says within its patience what it was."""
        if self._first is None or error.cause is Cause.RESTORED_STATUS:
            self._first = error
        asyncio.get_running_loop().call_later(patience_s, self._end)

    def _end(self) -> None:
        if not self._over.done() and self._first is not None and not self._restore_finished:
            self._over.set_exception(self._first)

    def _heard(self, handler: Handler) -> Handler:
        async def loud(message: Message) -> Any:
            try:
                return await handler(message)
            except Exception as error:
                # Logged again by the library, which then goes on to listen for the device's status.
                self._fail(ended(error), 0.0 if isinstance(error, Ended) else PATIENCE_S)
                raise

        return loud

    def handle_async_data_request_msg(self, message: Message) -> Coroutine[Any, Any, None]:
        """As the library does it; its task's errors are heard, too."""
        waiting = super().handle_async_data_request_msg(message)
        self._tasks[-1].add_done_callback(self._task_ended)
        return waiting

    def _task_ended(self, task: "asyncio.Task[Any]") -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("%s failed", task.get_name(), exc_info=error)
            self._fail(ended(error), 0.0 if isinstance(error, Ended) else PATIENCE_S)

    async def handle_status_msg(self, message: Message) -> None:
        """restored's last word. Any but 0 ends the attempt."""
        status = int(message["Status"]) & 0xFFFFFFFFFFFFFFFF
        if status == 0:
            await super().handle_status_msg(message)
            return
        _log.error("status %d; the device's log:\n%s", status, str(message.get("Log", ""))[-LONGEST_LOG:])
        what = known_errors.get(status) or message.get("Error") or "no known reason"
        why = clipped(f"the device reported status {status}: {what}")
        self._fail(Ended(Cause.RESTORED_STATUS, why, status))

    # ----------------------------------------------------------------------------- what is said

    async def handle_progress_msg(self, message: Message) -> None:
        """What the device does, and how far it is."""
        operation, percent = message.get("Operation"), message.get("Progress")
        number = operation if isinstance(operation, int) else None
        name = PROGRESS_BAR_OPERATIONS.get(number) if number is not None else None
        self._speaker.progress(
            number, clipped(str(name or operation)), percent if isinstance(percent, int) else None
        )
        await super().handle_progress_msg(message)

    async def handle_checkpoint_msg(self, message: Message) -> None:
        """A point that the device has passed (idevicerestore src/restore.c has the keys)."""
        name = message.get("CHECKPOINT_NAME") or message.get("CHECKPOINT_ID")
        self._speaker.checkpoint(clipped(str(name)))
        await super().handle_checkpoint_msg(message)

    async def handle_data_request_msg(self, message: Message) -> Any:
        """What the device asks for, said before it is given."""
        self._speaker.data_request(clipped(str(message.get("DataType"))))
        return await super().handle_data_request_msg(message)

    # ------------------------------------------------------------------------- the restore mode

    async def _connect_to_restored_service(self) -> None:
        """Wait for restore mode, and see it when the device falls back to recovery mode instead."""
        self._speaker.phase(Stage.WAIT_RESTORE_MODE)
        ecid, until = self._job.ecid, time.monotonic() + self._job.limits.restore_mode_s
        watch = _FallBack(ecid, self.device.irecv.device.address if self.device.irecv is not None else None)
        while self._restored is None:
            try:
                self._restored = await restored_door.find(ecid, self._job.udid)
            except ConnectionFailedError as error:
                _log.warning("usbmuxd cannot be asked: %s", error)
            if self._restored is None:
                await self._waited(watch, until)
        self._speaker.phase(Stage.RESTORING)

    async def _waited(self, watch: "_FallBack", until: float) -> None:
        if await asyncio.to_thread(watch.look):
            raise Ended(Cause.NO_RESTORE_MODE, "the device fell back to recovery mode")
        if time.monotonic() > until:
            raise Ended(Cause.NO_RESTORE_MODE, "the device did not come to restore mode")
        await asyncio.sleep(LOOK_S)


class _FallBack:
    """
    Sees that a device is in recovery mode again, at two looks in a row.

    Each start gives it a new address on its bus; the one under which it was told to start does not count.
    """

    def __init__(self, ecid: int, address: int | None) -> None:
        self._ecid = f"{ecid:016X}"
        self._address = address
        self._seen = 0

    def look(self) -> bool:
        """Blocks for some milliseconds."""
        found = irecv.find(find_all=True, idVendor=irecv.APPLE_VENDOR_ID)
        special = [device for device in found if irecv.Mode.has_value(device.idProduct)]
        again = [device for device in special if device.address != self._address]
        is_there = any(self._ecid in _serial(device).upper() for device in again)
        self._seen = self._seen + 1 if is_there else 0
        return self._seen >= 2


def _serial(device: Any) -> str:
    try:
        return str(device.serial_number)
    except (USBError, ValueError, NotImplementedError):
        return ""  # gone between the list and the question


class _UnknownRequests(logging.Handler):
    """The library says in its log, and nowhere else, that it cannot give the device what it asks for."""

    def __init__(self, fail: Callable[[Ended, float], None]) -> None:
        super().__init__(logging.ERROR)
        self._fail = fail

    def listen(self) -> None:
        """From now on."""
        logging.getLogger().addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """One record of the whole process."""
        said = record.getMessage()
        if said.startswith("unknown data request "):
            kind = said.removeprefix("unknown data request ").partition(":")[0]
            self._fail(
                Ended(Cause.OTHER, f"the device asks for {clipped(kind)}, which nobody here can give"), 0.0
            )
