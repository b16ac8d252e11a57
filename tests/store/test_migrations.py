"""The steps lead to the tables that the store uses, and ship with it."""

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from mamd.store import SqlStore, plan
from mamd.store.tables import metadata
from mamd.store.upgrade import REVISION, _config


async def test_a_new_database_has_the_tables_that_are_used(tmp_path: Path) -> None:
    """No step was forgotten: every column and index is there, and no other."""
    store = SqlStore(tmp_path / "state" / "mamd.db")
    await store.open()
    await store.close()
    engine = create_engine(f"sqlite:///{tmp_path}/state/mamd.db")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_the_newest_step_is_the_one_that_a_start_asks_for() -> None:
    """A start knows without alembic whether there is something to do."""
    assert ScriptDirectory.from_config(_config(None)).get_heads() == [REVISION]


def test_every_shelf_has_a_table() -> None:
    """What is planned has a place."""
    assert set(plan.KEYS) | {"journal"} == set(metadata.tables)
