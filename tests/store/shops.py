"""Opens, closes, reopens and damages a store, whichever kind it is."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mamd.ports import Snapshot
from mamd.store import MemoryStore, SqlStore


class SqlShop:
    """The real store on a file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "state" / "mamd.db"
        self.store = SqlStore(self.path)

    async def open(self) -> Snapshot:
        return await self.store.open()

    async def reopen(self, while_closed: Callable[[], None] = lambda: None) -> Snapshot:
        """What a new process finds."""
        await self.store.close()
        while_closed()
        self.store = SqlStore(self.path)
        return await self.store.open()

    def change(self, number: int, column: str, value: Any) -> None:
        self._sql(f"UPDATE journal SET {column} = ? WHERE number = ?", value, number)

    def remove(self, number: int) -> None:
        self._sql("DELETE FROM journal WHERE number = ?", number)

    def copy(self, number: int, to: int) -> None:
        columns = "subject, kind, wall, rule_set, body, previous, hash"
        copied = f"INSERT INTO journal (number, {columns}) SELECT ?, {columns} FROM journal WHERE number = ?"
        self._sql(copied, to, number)

    def _sql(self, statement: str, *values: Any) -> None:
        connection = sqlite3.connect(self.path)
        with connection:
            assert connection.execute(statement, values).rowcount == 1
        connection.close()


class MemoryShop:
    """The store without a file."""

    def __init__(self) -> None:
        self.store = MemoryStore()

    async def open(self) -> Snapshot:
        return await self.store.open()

    async def reopen(self, while_closed: Callable[[], None] = lambda: None) -> Snapshot:
        await self.store.close()
        while_closed()
        return await self.store.open()

    def change(self, number: int, column: str, value: Any) -> None:
        at = self._at(number)
        self._rows[at] = {**self._rows[at], column: value}

    def remove(self, number: int) -> None:
        del self._rows[self._at(number)]

    def copy(self, number: int, to: int) -> None:
        self._rows.append({**self._rows[self._at(number)], "number": to})
        self._rows.sort(key=lambda row: row["number"])

    @property
    def _rows(self) -> list[Any]:
        return self.store._journal

    def _at(self, number: int) -> int:
        return next(at for at, row in enumerate(self._rows) if row["number"] == number)


Shop = SqlShop | MemoryShop
