"""
Who may read the database, who has it open, and what is known of it outside of it.

The folder is locked, not the file: SQLite has its own locks on the file, and closing any
other handle of it would drop them (sqlite.org, "How To Corrupt An SQLite Database File", 2.2).
"""

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Final

from mamd.core.errors import Misconfigured, No, Unreachable
from mamd.store.chain import Head

WHO: Final = "store"
_COMPANIONS: Final = ("-journal", "-wal", "-shm")


class Folder:
    """The folder of one database, held by one process at a time."""

    def __init__(self, database: Path) -> None:
        self.database = database
        self._head_file = database.parent / "journal.head"
        self._lock: int | None = None

    def take(self) -> None:
        """
        Make the folder, 0700, and hold it against every other mamd.

        Raises:
            Misconfigured: Another process holds it, or we may not use it.
            Unreachable: It cannot be made now.
        """
        folder = self.database.parent
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            raise _wrong(f"{folder} is in use by another mamd; end that one first") from None
        except PermissionError:
            raise _wrong(
                f"{folder} may not be used by this user; give it to the one that runs mamd"
            ) from None
        except OSError as error:
            raise Unreachable(WHO, f"{folder} cannot be used: {error.strerror}") from error

    def release(self) -> None:
        """Let the folder go. Twice is as once."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def new_file(self) -> Path:
        """
        An empty private file beside the database, to be filled and then put in its place.

        A start that was cut short leaves one; nothing in it has ever been used.
        """
        fresh = self.database.with_name(f"{self.database.name}.new")
        for left in (fresh, *_beside(fresh)):
            left.unlink(missing_ok=True)
        os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        return fresh

    def put_in_place(self, fresh: Path) -> None:
        """
        The new file becomes the database; there is none yet.

        What a lost database left beside it is laid aside: SQLite would roll it back into the new one.
        """
        for left in _beside(self.database):
            if left.exists():
                left.replace(left.with_name(f"{left.name}.old"))
        fresh.rename(self.database)
        folder = os.open(self.database.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def check_beginning(self) -> None:
        """
        See that the file begins as an SQLite database does (sqlite.org, file format, 1.3.1).

        Raises:
            Misconfigured: It is empty, cut off, or something else. It is not touched.
        """
        with self.database.open("rb") as file:
            beginning = file.read(100)
        if len(beginning) < 100:
            raise damaged(self.database, "is empty" if not beginning else "is cut off")
        if not beginning.startswith(b"SQLite format 3\0"):
            raise damaged(self.database, "is not a database")
        self.database.chmod(0o600)

    def head(self) -> Head | None:
        """The last row of the journal that is known outside the database; None if nothing is known."""
        try:
            return Head.of(self._head_file.read_text())
        except (OSError, UnicodeDecodeError):
            return None

    def keep_head(self, head: Head) -> bool:
        """Write down the last row outside the database; False if that cannot be done now."""
        fresh = self._head_file.with_name("journal.head.new")
        try:
            with contextlib.suppress(FileNotFoundError):
                fresh.unlink()
            handle = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with open(handle, "w") as file:
                file.write(f"{head}\n")
            fresh.replace(self._head_file)
        except OSError:
            return False  # a full disk; the database's own error says so to whoever commits
        return True


def damaged(database: Path, what: str) -> Misconfigured:
    """The one line about a database that cannot be used, with its cure. The file stays as it is."""
    cure = "move it away and put the last backup in its place"
    return _wrong(f"{database} {what}; {cure}; without one mamd begins anew, with everything held")


def _wrong(what: str) -> Misconfigured:
    return Misconfigured(WHO, what, No.REJECTED)


def _beside(database: Path) -> list[Path]:
    return [database.with_name(f"{database.name}{suffix}") for suffix in _COMPANIONS]
