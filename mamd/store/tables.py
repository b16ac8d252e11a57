"""
Where the rows lie: columns for what is searched, and the whole value as text in `body`.

`place` counts rows in the order in which they first came; a wall clock is no order.
"""

from typing import Any, Final

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text

metadata: Final = MetaData()


def _text(name: str, **how: Any) -> Column[str]:
    return Column(name, String, nullable=how.pop("nullable", False), **how)


def _body() -> Column[str]:
    return Column("body", Text, nullable=False)


def _place() -> Column[int]:
    return Column("place", Integer, primary_key=True)


devices: Final = Table(
    "devices",
    metadata,
    _text("device", primary_key=True),
    _text("udid", nullable=True, index=True),
    _text("ecid", nullable=True, index=True),
    _text("serial", nullable=True, index=True),
    _text("name", nullable=True),
    _body(),
)
attachments: Final = Table(
    "attachments",
    metadata,
    _text("device", primary_key=True),
    _text("boot"),
    _text("port"),
    Column("devnum", Integer, nullable=False),
    _text("state"),
    _body(),
)
runs: Final = Table(
    "runs",
    metadata,
    _place(),
    _text("run", unique=True),
    _text("device", index=True),
    _text("rule_set", index=True),
    Column("is_open", Boolean, nullable=False, index=True),
    _text("moment", index=True),
    _body(),
)
mdm_commands: Final = Table(
    "mdm_commands",
    metadata,
    _place(),
    _text("command_id", unique=True),
    _text("act"),
    _text("device", index=True),
    _text("mdm"),
    _text("state"),
    Column("is_open", Boolean, nullable=False, index=True),
    _text("moment", index=True),
    _body(),
)
holds: Final = Table("holds", metadata, _text("scope", primary_key=True), _body())
outbox: Final = Table(
    "outbox",
    metadata,
    _text("key", primary_key=True),
    Column("is_open", Boolean, nullable=False, index=True),
    _text("moment"),
    _body(),
)
enrolled: Final = Table(
    "enrolled",
    metadata,
    _text("mdm", primary_key=True),
    _text("enrollment_id", primary_key=True),
    _text("udid", nullable=True, index=True),
    _body(),
)
vault: Final = Table(
    "vault",
    metadata,
    _text("owner", primary_key=True),
    _text("key_id"),
    Column("nonce", LargeBinary, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
)
rule_sets: Final = Table("rule_sets", metadata, _place(), _text("hash", unique=True), _body())
meta: Final = Table("meta", metadata, _text("name", primary_key=True), _text("value"))
journal: Final = Table(
    "journal",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    _text("subject"),
    _text("kind"),
    _text("wall"),
    _text("rule_set", index=True),
    _body(),
    _text("previous"),
    _text("hash"),
    Index("ix_journal_subject_number", "subject", "number"),
)
