"""The first tables: devices and links, runs and commands, holds and calls, the vault, the journal."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables of the first version. Spelled out: a step does not change when `tables` does."""
    _what_is_attached()
    _what_is_done()
    _what_people_said()
    _what_is_enrolled()
    _what_happened()


def downgrade() -> None:
    """There is no way back behind the first version; a backup is put back instead."""
    raise NotImplementedError("put a backup back instead")


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=nullable)


def _body() -> sa.Column[str]:
    return sa.Column("body", sa.Text(), nullable=False)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False)


def _index(table: str, *columns: str) -> None:
    for column in columns:
        op.create_index(f"ix_{table}_{column}", table, [column])


def _what_is_attached() -> None:
    op.create_table(
        "devices",
        _text("device"),
        *(_text(name, nullable=True) for name in ("udid", "ecid", "serial", "name")),
        _body(),
        sa.PrimaryKeyConstraint("device"),
    )
    _index("devices", "udid", "ecid", "serial")
    op.create_table(
        "attachments",
        *(_text(name) for name in ("device", "boot", "port")),
        _count("devnum"),
        _text("state"),
        _body(),
        sa.PrimaryKeyConstraint("device"),
    )


def _what_is_done() -> None:
    op.create_table(
        "runs",
        _count("place"),
        *(_text(name) for name in ("run", "device", "rule_set")),
        _flag("is_open"),
        _text("moment"),
        _body(),
        sa.PrimaryKeyConstraint("place"),
        sa.UniqueConstraint("run"),
    )
    _index("runs", "device", "rule_set", "is_open", "moment")
    op.create_table(
        "mdm_commands",
        _count("place"),
        *(_text(name) for name in ("command_id", "act", "device", "mdm", "state")),
        _flag("is_open"),
        _text("moment"),
        _body(),
        sa.PrimaryKeyConstraint("place"),
        sa.UniqueConstraint("command_id"),
    )
    _index("mdm_commands", "device", "is_open", "moment")


def _what_people_said() -> None:
    op.create_table("holds", _text("scope"), _body(), sa.PrimaryKeyConstraint("scope"))
    op.create_table(
        "outbox", _text("key"), _flag("is_open"), _text("moment"), _body(), sa.PrimaryKeyConstraint("key")
    )
    _index("outbox", "is_open")


def _what_is_enrolled() -> None:
    op.create_table(
        "enrolled",
        *(_text(name) for name in ("mdm", "enrollment_id")),
        _text("udid", nullable=True),
        _body(),
        sa.PrimaryKeyConstraint("mdm", "enrollment_id"),
    )
    _index("enrolled", "udid")
    op.create_table(
        "vault",
        *(_text(name) for name in ("owner", "key_id")),
        *(sa.Column(name, sa.LargeBinary(), nullable=False) for name in ("nonce", "ciphertext")),
        sa.PrimaryKeyConstraint("owner"),
    )


def _what_happened() -> None:
    op.create_table(
        "rule_sets",
        _count("place"),
        _text("hash"),
        _body(),
        sa.PrimaryKeyConstraint("place"),
        sa.UniqueConstraint("hash"),
    )
    op.create_table("meta", _text("name"), _text("value"), sa.PrimaryKeyConstraint("name"))
    op.create_table(
        "journal",
        _count("number"),
        *(_text(name) for name in ("subject", "kind", "wall", "rule_set")),
        _body(),
        *(_text(name) for name in ("previous", "hash")),
        sa.PrimaryKeyConstraint("number"),
    )
    _index("journal", "rule_set")
    op.create_index("ix_journal_subject_number", "journal", ["subject", "number"])
