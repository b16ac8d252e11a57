"""
idevicerestore as an executor (experimental): its text read, and said in the lines of the contract.

    idevicerestore ── "progress: 2 0.25", "14:03:07.123   <Info> Creating filesystem (12)" ──▶ JSON lines

Written after libimobiledevice/idevicerestore 405fcd1 (2026-02-16), src/idevicerestore.c, src/restore.c and
src/log.c. It ends with 0 or 1; the cause is read from what it wrote last.
`python -m mamd.recovery.idevicerestore`, a job on standard input.
"""

import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import IO, Final, NoReturn

from mamd.recovery.causes import CODES, Cause, Ended
from mamd.recovery.job import LONGEST_JOB, BadJob, Job, read
from mamd.recovery.lines import LONGEST_LINE, Stage, clipped
from mamd.recovery.progress import ERASING_REQUEST, FILESYSTEM
from mamd.recovery.speaker import Speaker

PROGRAM: Final = "idevicerestore"
TOO_OLD: Final = re.compile(r"^idevicerestore (0\.|1\.0\.0(\s|$))")
"""1.0.0 is of June 2020 and what Debian has; what upstream builds since says 1.0.0-NUMBER-gCOMMIT."""

_PREFIX: Final = re.compile(r"^\d\d:\d\d:\d\d\.\d{3}\s+<\w+>\s")
_PROGRESS: Final = re.compile(r"^progress: (\d+) (\d+\.\d+)$")
_OPERATION: Final = re.compile(r"^([A-Z][\w ./-]{2,60}) \((\d{1,3})\)$")
_STATUS: Final = re.compile(r"^Unhandled status message \((\d{1,20})\)$")
_FAILED_STATUS: Final = {
    "Status: Verification Error": 0xFFFFFFFFFFFFFFFF,
    "Status: Disk Failure": 6,
    "Status: Fail": 14,
    "Status: Failed to mount filesystems.": 27,
    "Status: Failed to load SEP Firmware.": 50,
    "Status: Failed to recover FDR data.": 53,
    "Status: X-Gold Baseband Update Failed. Defective Unit?": 1015,
}
_STEPS: Final = {3: (14, "VERIFY_RESTORE"), 4: (18, "FLASH_FIRMWARE"), 5: (19, "UPDATE_BASEBAND")}
_UPLOAD, _IMAGE, _OTHER_IMAGES = 1, 2, 7
_STAGES: Final = (
    ("Device will be restored", None),
    ("Trying to fetch new SHSH blob", Stage.TSS_AND_IBEC),
    ("Sending iBEC", Stage.TSS_AND_IBEC),
    ("About to restore device", Stage.WAIT_RESTORE_MODE),
    ("Device is now in restore mode", Stage.RESTORING),
    ("Starting Reverse Proxy", Stage.RESTORING),
)
_CAUSES: Final = (
    ("Unable to discover device mode", Cause.NO_DEVICE),
    ("Unable to discover device type", Cause.NO_DEVICE),
    ("isn't eligible for the requested build", Cause.TSS_REFUSED),
    ("Unable to send TSS request", Cause.TSS_UNREACHABLE),
    ("Unable to get SHSH blobs", Cause.TSS_UNREACHABLE),
    ("Unable to proceed without a TSS record", Cause.TSS_UNREACHABLE),
    ("cannot be opened", Cause.BAD_FIRMWARE),
    ("Firmware file might be corrupt", Cause.BAD_FIRMWARE),
    ("Unable to find a matching build identity", Cause.BAD_FIRMWARE),
    ("Could not make sure this firmware is suitable", Cause.BAD_FIRMWARE),
    ("Device failed to enter restore mode", Cause.NO_RESTORE_MODE),
    ("Unable to place device into restore mode", Cause.NO_RESTORE_MODE),
    ("Device did not reconnect in recovery mode", Cause.DEVICE_LOST),
    ("Unable to open device in restore mode", Cause.DEVICE_LOST),
)


class Reader:
    """What its lines add up to. The first cause counts: what comes after it follows from it."""

    def __init__(self, speaker: Speaker) -> None:
        self._speaker = speaker
        self._stage: Stage | None = None
        self._first: Ended | None = None
        self._last_error = ""
        self._is_image_said = False
        self._is_finished = False

    def begin(self) -> None:
        """It has been started."""
        self._enter(Stage.FIND_RECOVERY)

    def take(self, raw: str) -> None:
        """One line of its output. Raises Ended if the point of no return cannot be noted."""
        text = _PREFIX.sub("", raw.strip())
        progress = _PROGRESS.match(text)
        if progress is not None:
            self._step(int(progress[1]), min(100, int(float(progress[2]) * 100)))
            return
        operation = _OPERATION.match(text)
        if operation is not None:
            self._speaker.progress(int(operation[2]), operation[1].upper().replace(" ", "_"), None)
        for words, stage in _STAGES:
            if text.startswith(words) and stage is not None:
                self._enter(stage)
        if text.startswith("About to send filesystem"):
            self._image()
        self._judge(raw, text)

    def end(self, code: int) -> None:
        """It has ended with this code. Raises Ended unless it has restored the device."""
        if code == 0 and self._is_finished and self._first is None:
            return
        if self._first is not None:
            raise self._first
        if code == 0:  # it says DONE after an interrupt, too (idevicerestore issue 668)
            raise Ended(
                Cause.OTHER, "idevicerestore ended with 0, but the device did not say that it had finished"
            )
        raise Ended(Cause.OTHER, self._last_error or f"idevicerestore ended with {code}")

    def _step(self, step: int, percent: int) -> None:
        if step in (_UPLOAD, 0):
            self._enter(Stage.TSS_AND_IBEC if step == _UPLOAD else Stage.FIND_RECOVERY)
        elif step == _IMAGE:
            self._image()
            self._speaker.transfer(FILESYSTEM, percent, 100)
        elif step in _STEPS:
            self._speaker.progress(*_STEPS[step], percent)
        elif step == _OTHER_IMAGES:
            self._speaker.transfer("images", percent, 100)

    def _enter(self, stage: Stage) -> None:
        """Stages come in one order; what seems to go back is another word for where it is."""
        order = list(Stage)
        if self._stage is None or order.index(stage) > order.index(self._stage):
            self._stage = stage
            self._speaker.phase(stage)

    def _image(self) -> None:
        self._enter(Stage.RESTORING)
        if not self._is_image_said:
            self._is_image_said = True
            self._speaker.data_request(ERASING_REQUEST)

    def _judge(self, raw: str, text: str) -> None:
        if text == "Status: Restore Finished":
            self._is_finished = True
        if "<Error>" in raw or text.startswith("ERROR: "):
            self._last_error = clipped(text)
        status = _FAILED_STATUS.get(text)
        unknown = _STATUS.match(text)
        if status is None and unknown is not None:
            status = int(unknown[1])
        if self._first is None and status is not None:
            why = f"the device reported status {status}: {text.removeprefix('Status: ')}"
            self._first = Ended(Cause.RESTORED_STATUS, clipped(why), status)
        for words, cause in _CAUSES:
            if self._first is None and words in text:
                self._first = Ended(cause, clipped(text))


def words(job: Job) -> list[str]:
    """The command for this job."""
    server = ["-s", job.tss] if job.tss is not None else []
    return [PROGRAM, "-e", "-y", "-P", "-i", job.ecid_text, "--logfile=NULL", *server, job.firmware]


def check_version(said: str) -> None:
    """Raises Ended for one that cannot restore what is in use today."""
    first = said.strip().splitlines()[0] if said.strip() else ""
    if TOO_OLD.match(first):
        raise Ended(
            Cause.MISCONFIGURED,
            "idevicerestore 1.0.0, as Debian has it, is of 2020 and can restore neither an iPhone 12 "
            "or later nor iOS 16 or later; build a current one from its repository, or use "
            "'executor: pymobiledevice3'",
        )
    if not first.startswith("idevicerestore "):
        raise Ended(Cause.MISCONFIGURED, f"'idevicerestore --version' says {clipped(first, 80) or 'nothing'}")


def main() -> NoReturn:
    """Do one job."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    speaker = Speaker(sys.stdout.fileno())
    try:
        _run(_job(), speaker)
    except Ended as error:
        speaker.failed(error)
        os._exit(CODES.get(error.cause, CODES[Cause.OTHER]))
    speaker.done()
    os._exit(0)


def _run(job: Job, speaker: Speaker) -> None:
    try:
        check_version(
            subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=False).stdout
        )
        process = subprocess.Popen(
            words(job), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
    except OSError as error:
        raise Ended(Cause.MISCONFIGURED, f"idevicerestore cannot be run: {error.strerror}") from error
    reader = Reader(speaker)
    reader.begin()
    assert process.stdout is not None, "it is a pipe"
    try:
        for line in _lines(process.stdout):
            sys.stderr.write(line)
            reader.take(line)
    except Ended:
        process.kill()
        raise
    reader.end(process.wait())


def _lines(output: IO[bytes]) -> Iterator[str]:
    """Its lines, however long it makes them."""
    while line := output.readline(LONGEST_LINE):
        yield line.decode("utf-8", "replace")


def _job() -> Job:
    try:
        return read(sys.stdin.readline(LONGEST_JOB))
    except BadJob as error:
        raise Ended(Cause.MISCONFIGURED, str(error)) from error


if __name__ == "__main__":
    main()
