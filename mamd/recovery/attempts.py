"""
The files of an attempt: what is known of it when the daemon that began it is gone.

    STATE/attempts/ID.job     what it was told
                   ID.json    which process it is; on the disk before that process may do anything
                   ID.jsonl   what it says           ID.log   what it writes on standard error
                   ID.kill    why we ended it        ID.exit  its exit code
                   ID.d/      where it works
"""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

from mamd.recovery.causes import Reason
from mamd.recovery.processes import Doors, Process

LONGEST_OP_ID: Final = 120


class BrokenRecord(Exception):
    """An attempt's record cannot be read: what it was is not known, so it is neither resumed nor repeated."""


@dataclass(frozen=True, slots=True)
class Record:
    """
    What a later daemon needs to find a process again.

    Attributes:
        began_up_s: CLOCK_BOOTTIME when it was let through, in seconds.
        wall: The same moment for people, in seconds since 1970.
    """

    op_id: str
    process: Process
    began_up_s: float
    deadline_s: float
    wall: float


@dataclass(frozen=True, slots=True)
class Files:
    """Where one attempt keeps what."""

    folder: Path
    op_id: str

    def __post_init__(self) -> None:
        if not 0 < len(quote(self.op_id, safe="")) <= LONGEST_OP_ID:
            raise ValueError(f"an operation's id has 1 to {LONGEST_OP_ID} letters: {self.op_id!r}")

    def _of(self, ending: str) -> Path:
        # "r-0412/2/1" is a name of an act, and none of a file; a leading dot would hide it.
        return self.folder / f"{quote(self.op_id, safe='').replace('.', '%2E')}.{ending}"

    @property
    def lines(self) -> Path:
        """What the executor says."""
        return self._of("jsonl")

    @property
    def log(self) -> Path:
        """What it writes on standard error."""
        return self._of("log")

    @property
    def work(self) -> Path:
        """Its working folder."""
        return self._of("d")

    @property
    def record(self) -> Path:
        """Which process it is."""
        return self._of("json")

    def doors(self) -> Doors:
        """What its process is started with."""
        return Doors(self._of("job"), self.lines, self.log, self._of("exit"), self.work)

    def prepare(self, job: str) -> None:
        """Lay out what its process needs. Twice is once, as long as no process was started."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.work.mkdir(mode=0o700, exist_ok=True)
        for leftover in (self.lines, self.log):  # of a daemon that ended before it had recorded a process
            leftover.unlink(missing_ok=True)
        _written(self._of("job"), job)

    def keep(self, record: Record) -> None:
        """
        Record its process, on the disk when this returns.

        Raises:
            FileExistsError: A process was recorded before.
        """
        beside = self._of("json.new")
        beside.unlink(missing_ok=True)
        _written(beside, json.dumps(asdict(record)))
        try:
            os.link(beside, self.record)  # unlike a rename, this never replaces
        finally:
            beside.unlink()
        _synced(self.folder)

    def read(self) -> Record | None:
        """
        The record; None if no process was ever recorded.

        Raises:
            BrokenRecord: There is one, and it cannot be read.
        """
        try:
            plain: Any = json.loads(self.record.read_text(encoding="utf-8"))
            process = Process(**plain.pop("process"))
            return Record(process=process, **plain)
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            cure = f"look at {self.lines.name} beside it"
            raise BrokenRecord(f"{self.record.name} cannot be read; {cure}") from error

    def note_kill(self, reason: Reason, why: str) -> None:
        """Note why it is ended, before it is. The first reason stays."""
        if self.kill() is None:
            _written(self._of("kill"), json.dumps({"reason": reason.value, "why": why}))

    def kill(self) -> tuple[Reason, str] | None:
        """Why we ended it, if we did."""
        try:
            plain = json.loads(self._of("kill").read_text(encoding="utf-8"))
            return Reason(plain["reason"]), str(plain["why"])
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError):
            return Reason.CANCELLED, "ended by us; the reason was lost with the power"

    def remove(self) -> None:
        """Remove all of it, the record last: until then the id counts as let through."""
        shutil.rmtree(self.work, ignore_errors=True)
        for ending in ("job", "jsonl", "log", "kill", "exit"):
            self._of(ending).unlink(missing_ok=True)
        self.record.unlink(missing_ok=True)

    def exit_code(self) -> int | None:
        """Its exit code, if it has ended with one."""
        try:
            return int(self._of("exit").read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return None


def recorded(folder: Path) -> Iterator[str]:
    """The ids of all attempts that were ever let through, in no order."""
    for path in folder.glob("*.json"):
        yield unquote(path.name.removesuffix(".json"))


def _written(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _synced(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
