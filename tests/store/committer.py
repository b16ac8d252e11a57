"""
A process that commits until it is killed, and says which turns were acknowledged.

Run as `python -m tests.store.committer DATABASE FIRST`: four tasks commit a turn and its run
at a time, beginning with number FIRST; each number is written to standard output once its
commit has returned.
"""

import asyncio
import itertools
import os
import sys
from pathlib import Path

from mamd.ports import Changes
from mamd.store import SqlStore
from tests.store.samples import run, turn


async def _commit_for_ever(store: SqlStore, numbers: "itertools.count[int]") -> None:
    for number in numbers:
        await store.commit(Changes(turns=(turn(number),), runs=(run(number),)))
        os.write(1, f"{number}\n".encode())


async def main(database: Path, first: int) -> None:
    """Commit until the end."""
    store = SqlStore(database)
    await store.open()
    numbers = itertools.count(first)
    await asyncio.gather(*(_commit_for_ever(store, numbers) for _ in range(4)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
