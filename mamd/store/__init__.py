"""
What must survive a power cut: state, journal and what is to be done, written in one transaction.

    Changes ─plan, chain─▶ rows ──┬─ sql ─writer─▶ books ─▶ database    SQLite: one file, one thread
                                  └─ memory                             the same promises, no file

    tables migrations    where rows lie            files      who may read them, who has them open
    chain                what links journal rows   trouble    what SQLite's errors are to the caller
"""

from mamd.store.memory import MemoryStore
from mamd.store.sql import SqlStore

__all__ = ["MemoryStore", "SqlStore"]
