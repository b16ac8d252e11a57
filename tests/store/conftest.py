"""Gives each promise both stores to keep it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.store.shops import MemoryShop, Shop, SqlShop


@pytest.fixture(params=["sql", "memory"])
async def shop(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Shop]:
    """An open store that is new."""
    one = SqlShop(tmp_path) if request.param == "sql" else MemoryShop()
    await one.open()
    yield one
    await one.store.close()
