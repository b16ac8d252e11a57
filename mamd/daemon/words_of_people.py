"""What people say, and other words that are no event of one device, written into the ledger."""

from dataclasses import replace

from mamd.codec import dump
from mamd.core import commands as do
from mamd.core import events as ev
from mamd.core.storm import Note, Told
from mamd.core.time import Now
from mamd.daemon import happening as said
from mamd.daemon.turns import LAUNCHPAD, Turns
from mamd.ports import HoldRow, TurnRow


def take(turns: Turns, word: said.Word, now: Now) -> None:
    """Take one word. Each is a row in the journal, with the name of whoever said it."""
    _TAKE[type(word)](turns, word, now)  # type: ignore[operator]
    if not isinstance(word, said.Called):
        row = TurnRow(LAUNCHPAD, type(word).__name__, now.wall, turns.house.rules.hash, dump(word))
        turns.ledger.draft.turns.append(row)


def _held(turns: Turns, word: said.Held, now: Now) -> None:
    turns.ledger.holds.put(word.scope, HoldRow(word.scope, word.reason, word.by, now.wall))
    turns.everybody(ev.WorldChanged(f"hold {word.scope}"), now)


def _released(turns: Turns, word: said.Released, now: Now) -> None:
    if word.scope == "storm":
        turns.watched(Told(Note.RELEASED), now)
    else:
        turns.ledger.holds.put(word.scope, None)
    turns.everybody(ev.WorldChanged(f"release {word.scope}"), now)


def _acknowledged(turns: Turns, word: said.Acknowledged, now: Now) -> None:
    for key in word.keys:
        row = turns.ledger.calls.get(key)
        if row is not None:
            turns.ledger.calls.put(key, replace(row, acknowledged_by=word.by))


def _called(turns: Turns, word: said.Called, now: Now) -> None:
    for told in word.rows:
        row = turns.ledger.calls.get(told.call.key)
        if row is not None:
            turns.ledger.calls.put(told.call.key, replace(row, times=row.times + 1, last=now))


def _records_set(turns: Turns, word: said.RecordsSet, now: Now) -> None:
    for record in word.records:
        named = record if record.device else replace(record, device=turns.ledger.new_device())
        turns.ledger.put_record(named)
        turns.ledger.words.put(named.device, None)
    turns.ledger.reindex()
    turns.everybody(ev.WorldChanged("registry"), now)


def _withdrawn(turns: Turns, word: said.Withdrawn, now: Now) -> None:
    row = turns.ledger.commands.get(word.act)
    if row is not None and row.state == "orphan":
        turns.ledger.put_command(replace(row, state="cancelled"))


def _expired(turns: Turns, word: said.Expired, now: Now) -> None:
    for act in word.acts:
        row = turns.ledger.commands.get(act)
        if row is not None and row.state == "orphan":
            turns.ledger.put_command(replace(row, state="given_up"))
            turns.command(do.CallPerson(f"orphan/{act}", do.Reason.ORPHAN, row.device), now)


def _house_changed(turns: Turns, word: said.HouseChanged, now: Now) -> None:
    turns.everybody(ev.WorldChanged(word.what), now)


_TAKE = {
    said.Held: _held,
    said.Released: _released,
    said.Acknowledged: _acknowledged,
    said.Called: _called,
    said.RecordsSet: _records_set,
    said.Withdrawn: _withdrawn,
    said.Expired: _expired,
    said.HouseChanged: _house_changed,
}
