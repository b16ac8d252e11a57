"""Says what SQLite's errors are to whoever asked: try again, or mend it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy.exc import DBAPIError

from mamd.codec import Unreadable
from mamd.core.errors import Trouble, Unreachable
from mamd.store.files import WHO, damaged

# By the primary result code's name (sqlite.org, "Result and Error Codes"); extended names begin with it.
_PASSING: Final = {
    "SQLITE_FULL": "the disk is full; make room, and it goes on by itself",
    "SQLITE_READONLY": "it cannot be written; make it writable, and it goes on by itself",
    "SQLITE_IOERR": "the disk refuses to read or write; see the kernel's log, it goes on when the disk does",
    "SQLITE_CANTOPEN": "it cannot be opened; see that it and its folder are there and ours",
    "SQLITE_BUSY": "another program keeps it locked; end that program",
    "SQLITE_LOCKED": "another program keeps it locked; end that program",
    "SQLITE_NOMEM": "there is no memory left",
    "SQLITE_PERM": "it may not be opened; give it to the user that runs mamd",
    "SQLITE_AUTH": "it may not be opened; give it to the user that runs mamd",
}
_BROKEN: Final = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_FORMAT")


@contextmanager
def told_plainly(database: Path) -> Iterator[None]:
    """
    Turn an error of SQLite's inside it into one of ours; a slip of our own comes through as it is.

    Raises:
        Unreachable: It passes; nothing was written.
        Misconfigured: The file is damaged.
    """
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        trouble = trouble_of(error.orig if isinstance(error, DBAPIError) else error, database)
        if trouble is None:
            raise
        raise trouble from error
    except Unreadable as error:
        raise damaged(database, f"has a damaged row ({error})") from error


def trouble_of(error: BaseException | None, database: Path) -> Trouble | None:
    """What an error of SQLite's is to the caller; None for one that is a slip of ours."""
    name = getattr(error, "sqlite_errorname", None) or ""
    if name.startswith(_BROKEN):
        return damaged(database, "is damaged")
    return next(
        (Unreachable(WHO, f"{database}: {what}") for code, what in _PASSING.items() if name.startswith(code)),
        None,
    )
