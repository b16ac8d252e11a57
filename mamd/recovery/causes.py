"""How an attempt can end, each named by what a person can do about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from mamd.recovery.lines import Failed


class Cause(Enum):
    """Why an attempt did not succeed."""

    NO_DEVICE = "no_device"
    """Not in recovery mode when the attempt began."""
    TSS_REFUSED = "tss_refused"
    """Apple does not sign this build for this device. Asking again is no use."""
    RESTORED_STATUS = "restored_status"
    """The device itself said what went wrong; `status` is its number."""
    DEVICE_LOST = "device_lost"
    """It went from the bus in the middle: cable, hub, battery."""
    OTHER = "other"
    TSS_UNREACHABLE = "tss_unreachable"
    """Apple's signing server gave no answer, or none of its kind."""
    BAD_FIRMWARE = "bad_firmware"
    """The firmware cannot be read, or has nothing for this device."""
    WRONG_DEVICE = "wrong_device"
    """What was found is not the device of the job. Nothing was done to it."""
    NO_RESTORE_MODE = "no_restore_mode"
    """It did not come to restore mode, or fell back to recovery mode."""
    MISCONFIGURED = "misconfigured"
    """The executor itself cannot work on this host."""
    SILENT = "silent"
    OVER_TIME = "over_time"
    FLOODED = "flooded"
    CANCELLED = "cancelled"
    """Ended by us on somebody's word."""
    NOT_STARTED = "not_started"
    """It never began: nothing was done."""
    VANISHED = "vanished"
    """It ended without an exit code: killed from outside, or the host went down."""
    UNPROVED = "unproved"
    """It says that it succeeded in one place, and not in the other."""


class Reason(Enum):
    """Why we end an executor."""

    SILENT = "silent"
    OVER_TIME = "over_time"
    FLOODED = "flooded"
    CANCELLED = "cancelled"


EXIT_CODES: Final[Mapping[int, Cause]] = {
    10: Cause.NO_DEVICE,
    11: Cause.TSS_REFUSED,
    12: Cause.RESTORED_STATUS,
    13: Cause.DEVICE_LOST,
    14: Cause.OTHER,
    15: Cause.TSS_UNREACHABLE,
    16: Cause.BAD_FIRMWARE,
    17: Cause.WRONG_DEVICE,
    18: Cause.NO_RESTORE_MODE,
    19: Cause.MISCONFIGURED,
}
CODES: Final[Mapping[Cause, int]] = {cause: code for code, cause in EXIT_CODES.items()}

FOR_SERVICE: Final = frozenset({6, 53, 1015})
"""restored's numbers for broken hardware: no further attempt helps once one was repeated."""

LASTING: Final = frozenset(
    {
        Cause.TSS_REFUSED,
        Cause.TSS_UNREACHABLE,
        Cause.BAD_FIRMWARE,
        Cause.WRONG_DEVICE,
        Cause.MISCONFIGURED,
        Cause.CANCELLED,
    }
)
"""Another attempt at once would end the same way."""

_NO_PROGRAM: Final[Mapping[int, str]] = {
    # What sh gives for a command that it cannot run.
    126: "the executor's program may not be run; look at its file mode",
    127: "the executor's program is not there; look at 'recovery.executor'",
}


class Ended(Exception):
    """Raised inside an executor: the attempt is over. `status` is restored's number."""

    def __init__(self, cause: Cause, why: str, status: int | None = None) -> None:
        super().__init__(why)
        self.cause, self.why, self.status = cause, why, status


@dataclass(frozen=True, slots=True)
class Result:
    """
    How an attempt ended. `cause` None: a `done` line and exit code 0.

    Whether the device was erased is seen on the device, after it; this is only what the executor says.

    Attributes:
        why: One line for a person.
        is_past_return: The old system is gone.
        status: restored's number, with RESTORED_STATUS.
        exit_code: None if there was none.
        lives: Pids that would not end, even when killed. Nobody may touch the device while there are any.
    """

    cause: Cause | None
    why: str
    is_past_return: bool
    status: int | None = None
    exit_code: int | None = None
    lives: tuple[int, ...] = ()


def judged(
    *, exit_code: int | None, is_done: bool, failed: Failed | None, killed: tuple[Reason, str] | None
) -> tuple[Cause | None, str]:
    """The cause and its words, from what an executor that has ended has left behind."""
    if exit_code == 0 and is_done:
        return None, "done"
    if killed is not None and exit_code != 0:
        return Cause(killed[0].value), killed[1]
    if exit_code is None:
        return Cause.VANISHED, "the executor ended without a word: killed from outside, or the host went down"
    if exit_code == 0:
        return Cause.UNPROVED, "exit code 0, but no 'done'"
    if is_done:
        return Cause.UNPROVED, f"'done', but exit code {exit_code}"
    if exit_code in _NO_PROGRAM:
        return Cause.MISCONFIGURED, _NO_PROGRAM[exit_code]
    cause = EXIT_CODES.get(exit_code, Cause.OTHER)
    return cause, failed.why if failed is not None else f"exit code {exit_code}{_signal(exit_code)}"


def _signal(exit_code: int) -> str:
    """sh gives 128 and the number of the signal that ended a command."""
    return f" (ended by signal {exit_code - 128})" if 128 < exit_code < 193 else ""
