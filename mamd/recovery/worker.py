"""
Our own executor: pymobiledevice3's restore in a process that may hang, leak and be killed.

    find_recovery ──▶ tss_and_ibec ──▶ wait_restore_mode ──▶ restoring ──▶ done

It has no clock over its stages; its parent has. `python -m mamd.recovery.worker`, a job on standard input.
"""

import asyncio
import logging
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

from pymobiledevice3.exceptions import IRecvNoDeviceConnectedError
from pymobiledevice3.irecv import IRecv
from pymobiledevice3.restore.device import Device

from mamd.recovery import firmware_files, guards, usbs
from mamd.recovery.causes import CODES, Cause, Ended
from mamd.recovery.ended import ended
from mamd.recovery.guarded import GuardedRestore
from mamd.recovery.job import LONGEST_JOB, BadJob, Job, read
from mamd.recovery.lines import Stage
from mamd.recovery.speaker import Speaker

LAST_WORDS_S: Final = 5.0


def main() -> NoReturn:
    """Do one job and end the process, whatever threads of the library still wait for."""
    _set_up()
    speaker = Speaker(sys.stdout.fileno())
    try:
        asyncio.run(_attempted(_job(), speaker))
    except BaseException as error:
        if not isinstance(error, Ended):
            logging.getLogger(__name__).error("the attempt ended", exc_info=error)
        _leave(speaker, ended(error))
    raise AssertionError("an attempt ends its process")


async def _attempted(job: Job, speaker: Speaker) -> None:
    """Ends the process from within: to close the loop would be to wait for whatever hangs."""
    try:
        await _restored(job, speaker)
    except Exception as error:
        if not isinstance(error, Ended):
            logging.getLogger(__name__).error("the attempt ended", exc_info=error)
        _leave(speaker, ended(error))
    speaker.done()
    _exit(0)


async def _restored(job: Job, speaker: Speaker) -> None:
    usbs.install(job.usb)
    guards.install(job, speaker)
    speaker.phase(Stage.FIND_RECOVERY)
    device = _found(job, speaker)
    restore = GuardedRestore(firmware_files.opened(job.firmware), Device(irecv=device), job, speaker)
    await restore.run()
    if restore._restored is not None:
        # The device reboots on our last word; that is to leave this process before it ends.
        with suppress(Exception):
            async with asyncio.timeout(LAST_WORDS_S):
                await restore._restored.service.close()


def _found(job: Job, speaker: Speaker) -> IRecv:
    """
    The device in recovery mode.

    Raises:
        Ended: It is not there, or what is there is not the device of the job.
    """
    try:
        device = IRecv(ecid=job.ecid, timeout=job.limits.find_s)  # type: ignore[arg-type]
    except IRecvNoDeviceConnectedError as error:
        raise Ended(Cause.NO_DEVICE, f"the device is not in recovery mode at port {job.port}") from error
    serial = device._device_info.get("SRNM")
    product_type = _product_type(device)
    speaker.device(
        ecid=job.ecid_text, serial=serial, product_type=product_type, port=usbs.path(device.device)
    )
    if product_type is None:
        raise Ended(Cause.MISCONFIGURED, "pymobiledevice3 does not know this model; update mamd")
    if product_type != job.product_type:
        raise Ended(Cause.WRONG_DEVICE, f"it is an {product_type}, not an {job.product_type}")
    if serial is not None and job.serial is not None and serial != job.serial:
        raise Ended(Cause.WRONG_DEVICE, "it shows another serial number than the device of this job")
    return device


def _product_type(device: IRecv) -> str | None:
    try:
        return str(device.product_type)
    except KeyError:
        return None


def _job() -> Job:
    try:
        return read(sys.stdin.readline(LONGEST_JOB))
    except BadJob as error:
        raise Ended(Cause.MISCONFIGURED, str(error)) from error


def _set_up() -> None:
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    # If memory runs out, the kernel is to take a worker before it takes the daemon (proc(5)).
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")


def _leave(speaker: Speaker, error: Ended) -> NoReturn:
    logging.getLogger(__name__).error("%s: %s", error.cause.value, error.why)
    speaker.failed(error)
    _exit(CODES.get(error.cause, CODES[Cause.OTHER]))


def _exit(code: int) -> NoReturn:
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
