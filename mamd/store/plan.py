"""
Says what changes are as rows, once for every store, so that all of them keep the same things.

A row is put on a shelf under its key, or dropped from it; which shelf, which key and which
columns are decided here and nowhere else.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from mamd import codec
from mamd.core.enrollment import Enrolled
from mamd.core.facts import LinkState, Record
from mamd.core.link import Link
from mamd.core.rules import RuleSet
from mamd.core.run import Run
from mamd.ports import CallRow, Changes, HoldRow, MdmCommand, Sealed

Row = Mapping[str, Any]

KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "devices": ("device",),
    "attachments": ("device",),
    "runs": ("run",),
    "mdm_commands": ("command_id",),
    "holds": ("scope",),
    "outbox": ("key",),
    "enrolled": ("mdm", "enrollment_id"),
    "vault": ("owner",),
    "rule_sets": ("hash",),
    "meta": ("name",),
}
"""Every shelf, and what its rows are known by."""

OWN: Final = "store."
"""Names in `meta` that begin so are the store's own, and nobody else's."""
INSTALLATION: Final = f"{OWN}installation"
HEAD: Final = f"{OWN}head"

DAY: Final = timedelta(days=1)
NEWEST: Final = 1000
"""So many of the newest runs and commands are gone on from, whatever their times say: a stepped clock
must not make a start forget what was used up."""

AGEING: Final = ("runs", "mdm_commands", "outbox")
"""Shelves whose closed rows are dropped with the journal's old ones."""

MAY_BE_QUEUED: Final = ("sending", "queued", "orphan")
"""States of a command that something may still come of."""


@dataclass(frozen=True, slots=True)
class Put:
    """A row to be put in the place of the one with its key, if there is one."""

    shelf: str
    row: Row


@dataclass(frozen=True, slots=True)
class Drop:
    """Rows to be taken away: those that are equal in all of these columns."""

    shelf: str
    match: Row


def stamp(moment: datetime) -> str:
    """A time as text of one length in UTC, so that text sorts as time does."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def steps(changes: Changes) -> Iterator[Put | Drop]:
    """
    Everything but the journal, in the order in which it is to be written.

    Where one key is taken away and put in the same changes, it stays: a hold rather than none,
    and a device's only token rather than none.

    Raises:
        Unreadable: A value that could not be read again.
        ValueError: A name in `meta` that is the store's own.
    """
    yield from (Put("devices", _record(record)) for record in changes.records)
    yield from (_link(device, link) for device, link in changes.links)
    yield from (Put("runs", _run(run)) for run in changes.runs)
    yield from (Put("mdm_commands", _command(command)) for command in changes.commands)
    yield from (Drop("holds", {"scope": codec.clean(scope)}) for scope in changes.lifted)
    yield from (Put("holds", _hold(hold)) for hold in changes.holds)
    yield from (Put("outbox", _call(call)) for call in changes.calls)
    yield from (Put("enrolled", _enrolled(enrolled)) for enrolled in changes.enrolled)
    yield from (Drop("vault", {"owner": codec.clean(owner)}) for owner in changes.tokens_destroyed)
    yield from (Put("vault", _sealed(token)) for token in changes.tokens)
    for rules in changes.rule_sets:
        yield from _rule_set(rules)
    yield from (Put("meta", _meta(name, value)) for name, value in changes.meta)


def _clean(value: object) -> object:
    """A column's text as it can be kept; anything else as it is."""
    return codec.clean(value) if isinstance(value, str) else value


def _row(body: object, **columns: object) -> Row:
    return {**{name: _clean(value) for name, value in columns.items()}, "body": codec.write(body)}


def _record(record: Record) -> Row:
    ids = record.ids
    ecid = None if ids.ecid is None else f"{ids.ecid:#x}"  # it may have 64 bits, and SQLite counts with 63
    return _row(record, device=record.device, udid=ids.udid, ecid=ecid, serial=ids.serial, name=record.name)


def _link(device: str, link: Link) -> Put | Drop:
    """A link that is gone takes its own row away, and not the one of a later attachment."""
    where = link.attachment
    at = {"device": device, "boot": where.boot, "port": where.port, "devnum": where.devnum}
    if link.state is LinkState.GONE:
        return Drop("attachments", {name: _clean(value) for name, value in at.items()})
    return Put("attachments", _row(link, state=link.state.value, **at))


def _run(run: Run) -> Row:
    return _row(
        run,
        run=run.run,
        device=run.device,
        rule_set=run.rule_set,
        is_open=run.is_open,
        moment=stamp((run.closed or run.opened).wall),
    )


def _command(command: MdmCommand) -> Row:
    return _row(
        command,
        command_id=command.command_id,
        act=command.act,
        device=command.device,
        mdm=command.mdm,
        state=command.state,
        is_open=command.state in MAY_BE_QUEUED,
        moment=stamp(command.asked.wall),
    )


def _hold(hold: HoldRow) -> Row:
    return _row(hold, scope=hold.scope)


def _call(call: CallRow) -> Row:
    return _row(call, key=call.call.key, is_open=not call.is_settled, moment=stamp(call.since))


def _enrolled(enrolled: Enrolled) -> Row:
    return _row(enrolled, mdm=enrolled.mdm, enrollment_id=enrolled.enrollment_id, udid=enrolled.udid)


def _sealed(token: Sealed) -> Row:
    """Sealed bytes have columns of their own: they are no text, and no body is to show them."""
    return {
        "owner": codec.clean(token.owner),
        "key_id": token.key_id,
        "nonce": token.nonce,
        "ciphertext": token.ciphertext,
    }


def _rule_set(rules: RuleSet) -> tuple[Drop, Put]:
    """Put anew each time, so that the set in force is the newest one even where a site went back to it."""
    row = _row(rules, hash=rules.hash)
    return Drop("rule_sets", {"hash": row["hash"]}), Put("rule_sets", row)


def _meta(name: str, value: str) -> Row:
    if name.startswith(OWN):
        raise ValueError(f"{name}: names that begin with {OWN} are the store's own")
    return {"name": name, "value": codec.clean(value)}


def values_of(kind: type[Any], rows: Sequence[Row]) -> tuple[Any, ...]:
    """What rows hold. Raises Unreadable for a body that is damaged."""
    return tuple(codec.read(kind, row["body"]) for row in rows)


def links_of(rows: Sequence[Row]) -> tuple[tuple[str, Link], ...]:
    """Links with the device that each is of."""
    return tuple((row["device"], codec.read(Link, row["body"])) for row in rows)


def sealed_of(row: Row | None) -> Sealed | None:
    """A sealed token from its row."""
    if row is None:
        return None
    return Sealed(row["owner"], row["key_id"], bytes(row["nonce"]), bytes(row["ciphertext"]))


def day_before(newest: str | None) -> str:
    """
    The moment from which closed things are still gone on from: a day before the newest of them.

    No clock is read for that, so neither a long time off nor a stepped clock loses any.
    """
    if newest is None:
        return ""
    try:
        return stamp(datetime.fromisoformat(newest) - DAY)
    except OverflowError:
        return ""
