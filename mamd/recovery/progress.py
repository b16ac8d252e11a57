"""
How far a restore is, for people, and whether the point of no return is behind it.

    0 ─ find, sign ─ 5 ─ uploads ─ 10 ─ restore mode ─ 15 ─ the image ─ 75 ─ verify ─ 85 ─ the rest ─ 99 │ 100

100 is kept for the executor's `done`.
"""

from dataclasses import dataclass, replace
from typing import Final

from mamd.recovery.lines import DataRequest, Done, Line, Phase, Progress, Stage, Transfer

FILESYSTEM: Final = "filesystem"
"""What pymobiledevice3 calls the transfer of the system image (restore/asr.py)."""

POINT_OF_NO_RETURN: Final = frozenset({"CREATE_PARTITION_MAP", "CREATE_FILESYSTEM", "WIPE_STORAGE_DEVICE"})
"""restored's operations that destroy what was there (pymobiledevice3 restore/consts.py)."""
_ERASING: Final = {11: "CREATE_PARTITION_MAP", 12: "CREATE_FILESYSTEM", 42: "WIPE_STORAGE_DEVICE"}
ERASING_REQUEST: Final = "SystemImageData"
"""A device that asks for its new system has no old one any more."""

_STAGES: Final = {
    Stage.FIND_RECOVERY: 1,
    Stage.TSS_AND_IBEC: 3,
    Stage.WAIT_RESTORE_MODE: 11,
    Stage.RESTORING: 14,
}
_IMAGE: Final = (15, 75)
_UPLOADS: Final = (5, 10)
_OPERATIONS: Final = {
    # restored's operations in the order of a restore, each with where it begins and ends. What is not
    # here has its phase's place.
    "RESTORE_IMAGE": _IMAGE,
    "VERIFY_RESTORE": (75, 85),
    "CHECK_FILESYSTEMS": (85, 86),
    "MOUNT_FILESYSTEMS": (86, 87),
    "FIXUP_VAR": (87, 88),
    "FLASH_FIRMWARE": (88, 92),
    "UPDATE_BASEBAND": (92, 97),
    "FINALIZE_NAND_EPOCH_UPDATE": (97, 98),
    "UNMOUNT_FILESYSTEMS": (98, 99),
}


@dataclass(frozen=True, slots=True)
class Course:
    """
    What the lines so far add up to.

    Attributes:
        percent: Never less than it was; 100 only after `done`.
        is_past_return: The old system is gone; only another restore helps. Never false again.
    """

    stage: Stage | None = None
    percent: int = 0
    is_past_return: bool = False

    def after(self, line: Line) -> "Course":
        """The course once this line was heard, too."""
        return replace(
            self,
            stage=line.stage if isinstance(line, Phase) else self.stage,
            percent=max(self.percent, self._percent(line)),
            is_past_return=self.is_past_return or is_erasing(line),
        )

    def _percent(self, line: Line) -> int:
        if isinstance(line, Done):
            return 100
        if isinstance(line, Phase):
            return _STAGES[line.stage]
        if isinstance(line, Transfer):
            return self._sent(line)
        if isinstance(line, Progress) and line.name in _OPERATIONS:
            begin, end = _OPERATIONS[line.name]
            return begin + (end - begin) * (line.percent or 0) // 100
        return 0

    def _sent(self, line: Transfer) -> int:
        """Single files to a device in restore mode are small, and say little about the whole."""
        if line.name == FILESYSTEM:
            begin, end = _IMAGE
        elif self.stage is Stage.RESTORING:
            return 0
        else:
            begin, end = _UPLOADS
        return begin + (end - begin) * min(line.done, line.total) // max(1, line.total)


def is_erasing(line: Line) -> bool:
    """Whether this line says that the device's old system is, or is about to be, destroyed."""
    if isinstance(line, Progress):
        return line.name in POINT_OF_NO_RETURN or line.operation in _ERASING
    return isinstance(line, DataRequest) and line.kind == ERASING_REQUEST
