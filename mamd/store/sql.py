"""
The store that a Launchpad lives on: SQLite, written by one thread, read through nobody else.

This is the face towards the loop; what happens in the thread is in `books`.
"""

from datetime import datetime
from pathlib import Path

from mamd.core.rules import RuleSet
from mamd.core.run import Run
from mamd.ports import Changes, JournalRow, Sealed, Snapshot
from mamd.store import chain, plan
from mamd.store.books import Books
from mamd.store.trouble import told_plainly
from mamd.store.writer import Writer


class SqlStore:
    """
    Implements `ports.Store` on `path`, a file in a folder of its own.

    It can be opened again after it was closed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._books: Books | None = None
        self._writer: Writer | None = None

    async def open(self) -> Snapshot:
        """
        Make or migrate the database, check it, and read what to go on from.

        Raises:
            Unreachable: The disk is full or the file cannot be used now; open it again later.
            Misconfigured: It is broken, foreign, of a newer mamd, or in use by another one.
        """
        assert self._writer is None, "a store that is open is not opened again"
        self._books = Books(self._path)
        writer = Writer(self._books)
        writer.start()
        try:
            snapshot = await writer.ask(self._books.open)
        except BaseException:
            await writer.ask(self._books.close)
            await writer.stop()
            raise
        self._writer = writer
        return snapshot

    async def commit(self, changes: Changes) -> None:
        """
        Write all of it or nothing, durably. Concurrent calls are grouped into one transaction.

        Raises:
            Unreachable: Nothing was written; it may be asked again.
            Misconfigured: The database is damaged.
            ValueError: These changes cannot be written, whoever is beside them.
        """
        await self._open_writer().commit(changes)

    async def token(self, owner: str) -> Sealed | None:
        """The sealed token of one enrollment (`mdm/enrollment_id`)."""
        return await self._open_writer().ask(self._open_books().token, owner)

    async def journal(
        self, *, subject: str | None = None, after: int = 0, limit: int = 500, newest_first: bool = False
    ) -> tuple[JournalRow, ...]:
        """Rows of the journal in order, from after a number on."""
        books = self._open_books()
        rows = await self._open_writer().ask(
            books.journal, subject=subject, after=after, limit=limit, newest_first=newest_first
        )
        with told_plainly(self._path):
            return tuple(chain.journal_row(row) for row in rows)

    async def rule_set(self, hash_: str) -> RuleSet | None:
        """A rule set by its hash."""
        return await self._open_writer().ask(self._open_books().rule_set, hash_)

    async def runs(self, *, device: str | None = None, limit: int = 100) -> tuple[Run, ...]:
        """The newest runs, open and closed, the newest first."""
        return await self._open_writer().ask(self._open_books().runs, device, limit)

    async def verify(self) -> tuple[str, ...]:
        """Walk the journal's chain; one line for each row that is not what it was."""
        writer, books = self._open_writer(), self._open_books()
        while True:
            walk = await writer.ask(books.begin_walk)
            while await writer.ask(books.walk_on, walk):
                continue
            lines = await writer.ask(books.end_walk, walk)
            if lines is not None:
                return lines

    async def prune(self, *, older_than: datetime) -> int:
        """Drop the journal's old rows behind a checkpoint, and closed things as old; how many rows."""
        writer, books = self._open_writer(), self._open_books()
        moment, dropped = plan.stamp(older_than), 0
        through = await writer.ask(books.mark, moment)
        while gone := await writer.ask(books.drop_journal, through):
            dropped += gone
        await writer.ask(books.drop_old, moment)
        return dropped

    async def close(self) -> None:
        """Finish what is being written, and let go. Twice is as once."""
        writer, self._writer = self._writer, None
        if writer is not None:
            await writer.ask(self._open_books().close)
            await writer.stop()

    def _open_writer(self) -> Writer:
        assert self._writer is not None, "the store is open while it is used"
        return self._writer

    def _open_books(self) -> Books:
        assert self._books is not None, "the store has been opened"
        return self._books
