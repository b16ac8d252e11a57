"""
Brings a database up to date, and refuses one that a newer mamd has written.

alembic is imported only where there is something to do: a start after a crash is to be quick.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection

from mamd.core.errors import Misconfigured, No
from mamd.store.files import WHO, damaged

if TYPE_CHECKING:
    from alembic.config import Config

REVISION: Final = "0001"
"""The newest step of `migrations`."""


def is_current(connection: Connection, database: Path) -> bool:
    """
    Whether the database is of this version; False if it is of an older one.

    Raises:
        Misconfigured: It is of a newer version, or none of mamd's.
    """
    found = _revision(connection)
    if found is None:
        raise damaged(database, "is a database, but not one of mamd's")
    if found != REVISION and found not in _known():
        raise Misconfigured(
            WHO,
            f"{database} was written by a newer mamd (its version is {found}, ours {REVISION}); "
            "install that mamd again, or put a backup from before it in its place",
            No.REJECTED,
        )
    return found == REVISION


def upgrade(connection: Connection) -> None:
    """Take every step that is missing, in the transaction that is open."""
    from alembic import command

    command.upgrade(_config(connection), "head")


def _revision(connection: Connection) -> str | None:
    there = connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").scalar()
    if there is None:
        return None
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return None if found is None else str(found)


def _known() -> set[str]:
    from alembic.script import ScriptDirectory

    return {step.revision for step in ScriptDirectory.from_config(_config(None)).walk_revisions()}


def _config(connection: Connection | None) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "mamd.store:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
