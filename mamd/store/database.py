"""
The one file and the one connection to it. All of this runs in the writer's thread.

    no file ──▶ filled under another name ──▶ put in place
    a file ──▶ is it whole, is it ours, is it of our version? ──▶ used; else told, and left as it is
"""

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, insert
from sqlalchemy.pool import NullPool

from mamd.core.errors import Unreachable
from mamd.store import plan, tables
from mamd.store.files import WHO, Folder, damaged
from mamd.store.trouble import told_plainly
from mamd.store.upgrade import is_current, upgrade

_SETTINGS: Final = (
    "synchronous = FULL",  # durable when commit returns, not some time later
    "secure_delete = ON",  # what is deleted is overwritten: destroyed tokens
    "cell_size_check = ON",
    "trusted_schema = OFF",
    "temp_store = MEMORY",
)
_BUSY_S: Final = 5.0
CHECKED_WHOLE_BYTES: Final = 256 * 1024 * 1024


def is_wal_safe(version: tuple[int, ...]) -> bool:
    """
    Whether this SQLite's write-ahead log can be trusted.

    Up to 3.51.2 a race when the log begins anew can corrupt the file; 3.44.6 and 3.50.7 have the
    cure too (sqlite.org, "Write-Ahead Logging", the WAL-reset bug).
    """
    return version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)


class Database:
    """One SQLite database. Not for more than one thread, the one that opened it included."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = Folder(path)
        self._engine = _engine(path)
        self._connection: Connection | None = None
        self._inode = 0

    def open(self) -> None:
        """
        Make the database, or check the one that is there and bring it up to date.

        Raises:
            Unreachable: The disk is full, or the file cannot be used now.
            Misconfigured: It is broken, foreign, of a newer mamd, or in use.
        """
        self.folder.take()
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        with told_plainly(self.path):
            try:
                if not self.path.exists():
                    self._make()
                self.folder.check_beginning()
                self._inode = self.path.stat().st_ino
            except OSError as error:
                raise Unreachable(WHO, f"{self.path}: {error.strerror}; mend that and start again") from error
            self._check()

    def _make(self) -> None:
        fresh = self.folder.new_file()
        engine = _engine(fresh)
        with engine.connect() as connection, connection.begin():
            upgrade(connection)
            connection.execute(
                insert(tables.meta), {"name": plan.INSTALLATION, "value": secrets.token_hex(8)}
            )
        engine.dispose()
        self.folder.put_in_place(fresh)

    def _check(self) -> None:
        with self.reading() as connection:
            current = is_current(connection, self.path)
            self._check_whole(connection)
        if not current:
            with self.writing() as connection:
                upgrade(connection)

    def _check_whole(self, connection: Connection) -> None:
        """Of a large file the journal is left out: its chain proves it, and a start is to be quick."""
        checked = [""]
        if self.path.stat().st_size > CHECKED_WHOLE_BYTES:
            checked = [f"('{name}')" for name in tables.metadata.tables if name != tables.journal.name]
        for what in checked:
            if connection.exec_driver_sql(f"PRAGMA quick_check{what}").scalar() != "ok":
                raise damaged(self.path, "is damaged")

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that has the lock from its beginning. Raises Unreachable, Misconfigured."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads, so that it works on a full disk too."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Connection]:
        with told_plainly(self.path):
            connection = self._connected()
            try:
                connection.info["begin"] = begin
                with connection.begin():
                    yield connection
            except BaseException:
                # After an error of the disk's a connection may hold on to it; a new one does not.
                self._let_go()
                raise

    def _connected(self) -> Connection:
        """The connection, made anew after trouble; never to another file than the one that was opened."""
        try:
            is_same = self.path.stat().st_ino == self._inode
        except OSError:
            is_same = False
        if not is_same:
            self._let_go()
            raise Unreachable(
                WHO, f"{self.path} was taken away while in use; put it back, or start mamd again"
            )
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def _let_go(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.invalidate()
            connection.close()

    def close(self) -> None:
        """Let go of connection and folder. Twice is as once."""
        self._let_go()
        self._engine.dispose()
        self.folder.release()


def _engine(path: Path) -> Engine:
    def connect() -> sqlite3.Connection:
        # mode=rw: a database that has gone is never made anew behind our back.
        uri = f"{path.absolute().as_uri()}?mode=rw"
        return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=_BUSY_S)

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _set_up(raw: Any, _: object) -> None:
    mode = "WAL" if is_wal_safe(sqlite3.sqlite_version_info) else "DELETE"
    for setting in (f"journal_mode = {mode}", *_SETTINGS):
        raw.execute(f"PRAGMA {setting}").close()


def _begin(connection: Connection) -> None:
    """The library's own BEGIN comes too late and takes no lock; so it has none, and this is it."""
    connection.exec_driver_sql(connection.info.get("begin", "BEGIN IMMEDIATE"))
