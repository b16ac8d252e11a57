"""
One happening's turns, written into the ledger and the draft of the next transaction.

Nothing here decides: it gathers what `core.turn.take` needs, writes down what it says, and
hands on what it asks for.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Final

from mamd.codec import dump, dump_command, dump_event
from mamd.core import commands as do
from mamd.core import events as ev
from mamd.core.commands import Command
from mamd.core.facts import Attachment, LinkState, MdmRecord, Record
from mamd.core.governor import MdmCan, View
from mamd.core.link import Link, attach
from mamd.core.run import Run
from mamd.core.storm import Note, Told, Watch, alarms, lately_on, watch
from mamd.core.time import Now
from mamd.core.turn import Situation, Turn, is_news, take
from mamd.daemon.house import House
from mamd.daemon.ledger import IN_DOUBT, Ledger
from mamd.daemon.views import view_of
from mamd.ports import HoldRow, MdmCommand, TurnRow

SAVE_COUNTS_S: Final = 15.0
"""Counts are written with every turn, and at least that often."""
TAKEN_ALONG_S: Final = 7.5
"""Those that are due within this time are written together with the first one …"""
MOST_ALONG: Final = 100
"""… but not so many that a clear would have to wait for them."""
LAUNCHPAD: Final = "launchpad"
"""The subject of turns that concern no single device."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A command whose turn is in the draft; it is done once that is committed."""

    command: Command
    record: Record | None = None
    attachment: Attachment | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """A turn that was taken, for those who watch."""

    subject: str
    was: Situation
    event: ev.Event
    now: Now
    turn: Turn


@dataclass(slots=True)
class Taken:
    """What the turns of one batch came to."""

    done: list[Done] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    links: set[Attachment] = field(default_factory=set)
    """Attachments whose next look has to be planned again."""
    devices: set[str] = field(default_factory=set)
    """Devices whose run may wait for another time now."""


@dataclass(slots=True)
class Turns:
    """Takes turns for the keeper. `house` is replaced as a whole by a reload."""

    ledger: Ledger
    house: House
    can: Mapping[str, MdmCan]
    usbmuxd_up: bool = True
    taken: Taken = field(default_factory=Taken)
    _saved: dict[Attachment, float] = field(default_factory=dict)

    # ------------------------------------------------------------------------- the cable

    def attached(self, event: ev.Attached, now: Now) -> None:
        """A device is on the bus; one that is known there already says something new."""
        known = self.ledger.links.get(event.attachment)
        if known is None or known.state is LinkState.GONE:
            self._arrived(event, now)
        else:
            self.on_link(known, event, now)

    def _arrived(self, event: ev.Attached, now: Now) -> None:
        lately = lately_on(self.ledger.the_watch, event.attachment.port)
        link = attach(event, now, lately=lately)
        self.watched(Told(Note.ARRIVED, event.attachment, attached=self._attached()), now)
        if link.damped_until is not None:
            label = self.house.port(event.attachment.port).label
            self.command(
                do.CallPerson(f"port/{label}/cable", do.Reason.BAD_CABLE, None, (("port", label),)), now
            )
        self.ledger.put_link(link, None)
        self.on_link(link, event, now, is_new=True)

    def detached(self, event: ev.Detached, now: Now) -> None:
        """It left the bus."""
        link = self.ledger.links.get(event.attachment)
        if link is None:
            self._left_behind(event, now)
            return
        self.watched(Told(Note.DEPARTED, event.attachment), now)
        self.on_link(link, event, now)
        self._saved.pop(event.attachment, None)
        if not self.ledger.is_owned(link):
            self.ledger.drop_link(event.attachment)

    def _left_behind(self, event: ev.Detached, now: Now) -> None:
        """The run of a cable that nothing is known of any more: it ends with it."""
        for run in self.ledger.runs:
            record = self.ledger.records.get(run.device)
            if run.is_open and run.attachment == event.attachment and record is not None:
                was = Situation(None, run)
                view = self.view(record, None, now)
                turn = take(was, event, now, view, self.house.rules)
                self._write(was, event, now, record, turn, view)

    def on_link(self, link: Link, event: ev.Event, now: Now, *, is_new: bool = False) -> None:
        """One event of the cable, and what it means to the device at its end."""
        record = self.ledger.owner(link)
        was = Situation(link, self._run(record))
        view = self.view(record, link, now)
        turn = take(was, event, now, view, self.house.rules)
        self._write(was, event, now, record, turn, view, is_new=is_new)
        if turn.became.link is not None:
            self._learn(turn.became.link, record, now)
            self._told_watch(was.link, turn.became.link, record, now)

    def _told_watch(self, was: Link | None, link: Link, record: Record | None, now: Now) -> None:
        if record is None or self.house.port(link.attachment.port).charge_only:
            return
        began = link.is_unpaired and (was is None or was.episode != link.episode or not was.is_unpaired)
        if began:
            suspect = link.was_paired or not link.spoke
            told = Told(Note.BECAME_UNPAIRED, link.attachment, record.device, suspect, self._attached())
            self.watched(told, now)
        elif link.state is LinkState.PAIRED and (was is None or was.state is not LinkState.PAIRED):
            self.watched(Told(Note.PAIRED, link.attachment, record.device), now)

    def _learn(self, link: Link, record: Record | None, now: Now) -> None:
        """Names seen together on one cable belong to one device, where nothing contradicts."""
        seen = link.seen.ids
        if record is None or not link.spoke or seen.contradicts(record.ids):
            return
        others = self.ledger.others_named(seen, record.device)
        if others:
            self._hold_both((record, *others), now)
            return
        joined = record.ids.joined(seen)
        if joined != record.ids:
            self.ledger.put_record(replace(record, ids=joined))

    def _hold_both(self, records: tuple[Record, ...], now: Now) -> None:
        """Two rows turn out to name one device: which of them is right is for a person to say."""
        for record in records:
            if not record.is_held:
                self.ledger.put_record(replace(record, is_held=True))
        names = ", ".join(sorted(record.device for record in records))
        call = do.CallPerson(
            f"rows/{names}", do.Reason.IDENTITY_CONTRADICTS, records[0].device, (("rows", names),)
        )
        self.command(call, now)

    def _attached(self) -> int:
        """How many devices of ours are attached."""
        return self.ledger.owned

    # ------------------------------------------------------------------------ the device

    def on_device(self, device: str, event: ev.Event, now: Now) -> None:
        """One event of the air, the clock or a person, for one device and its open run."""
        record = self.ledger.records.get(device)
        if record is None:
            return
        link = self.ledger.link_of(record)
        was = Situation(link, self._run(record))
        view = self.view(record, link, now)
        turn = take(was, event, now, view, self.house.rules)
        self._write(was, event, now, record, turn, view)

    def on_act(self, device: str, event: ev.Event, now: Now) -> None:
        """What came of something that was asked for: its row first, then the run that asked."""
        if isinstance(event, ev.MdmRecordRead):
            # That it does not know the device is a word too, and a fresh one.
            self.ledger.words.put(device, event.record or MdmRecord(event.mdm, now))
        elif isinstance(event, ev.Accepted):
            self._command_state(event.act, "queued", now, pushed=event.pushed)
        elif isinstance(event, ev.TurnedDown):
            self._command_state(event.act, "refused", now)
        elif isinstance(event, ev.PutOff):
            self._command_state(event.act, "put_off", now)
        elif isinstance(event, ev.LeftInDoubt):
            self._command_doubted(event.act)
        elif isinstance(event, ev.Pushed) and not event.error:
            self._command_pushed(event.act)
        self.on_device(device, event, now)

    def _command_state(self, act: str, state: str, now: Now, *, pushed: bool = False) -> None:
        """
        What the MDM made of a request of ours.

        The device's own answer may have come before the MDM's; it is not taken back. Nor is a
        doubt: a later no says nothing about an earlier try that may have been processed.
        """
        row = self.ledger.commands.get(act)
        if row is None or row.state not in ("sending", "orphan"):
            return
        if row.answer == IN_DOUBT and state != "queued":
            return
        accepted = now if state == "queued" else None
        # Nobody waits for an orphan any more; only a certain no makes it something else.
        state = "orphan" if row.state == "orphan" and state == "queued" else state
        self.ledger.put_command(replace(row, state=state, accepted=accepted, pushed=pushed))

    def _command_doubted(self, act: str) -> None:
        row = self.ledger.commands.get(act)
        if row is not None and row.state == "sending":
            self.ledger.put_command(replace(row, answer=IN_DOUBT))

    def _command_pushed(self, act: str) -> None:
        row = self.ledger.commands.get(act)
        if row is not None and not row.pushed:
            self.ledger.put_command(replace(row, pushed=True))

    def everybody(self, event: ev.Event, now: Now) -> None:
        """Something that governs all of them changed: every open run is looked at again."""
        for run in self.ledger.runs:
            if run.is_open:
                self.on_device(run.device, event, now)
        self.taken.links.update(link.attachment for link in self.ledger.links)

    def view(self, record: Record | None, link: Link | None, now: Now) -> View:
        """What a decision about this device would be based on now."""
        return view_of(self.ledger, self.house, self.can, record, link, now, usbmuxd_up=self.usbmuxd_up)

    def _run(self, record: Record | None) -> Run | None:
        run = self.ledger.runs.get(record.device) if record is not None else None
        return run if run is not None and run.is_open else None

    def _write(
        self,
        was: Situation,
        event: ev.Event,
        now: Now,
        record: Record | None,
        turn: Turn,
        view: View,
        *,
        is_new: bool = False,
    ) -> None:
        """Put one turn into the books: a row in the journal if it is news, else only its counts."""
        became, device = turn.became, record.device if record is not None else None
        news = is_new or is_news(was, turn)
        if became.link is not None:
            self._write_link(became.link, device, now, news=news)
            self.taken.links.add(became.link.attachment)
        if became.run is not None and became.run != was.run:
            self._write_run(became.run, was.run, news=news)
        if record is not None:
            self.taken.devices.add(record.device)
            if news:
                body = turn_body(was, event, now, view, turn)
                row = TurnRow(record.device, type(event).__name__, now.wall, self.house.rules.hash, body)
                self.ledger.draft.turns.append(row)
        self.taken.done.append(Done(device or LAUNCHPAD, was, event, now, turn))
        for command in turn.commands:
            self.command(command, now, record, became.link)

    def _write_link(self, link: Link, device: str | None, now: Now, *, news: bool) -> None:
        self.ledger.put_link(link, device, quietly=not news)
        if device is None:
            return
        saved = self._saved.get(link.attachment)
        if news or saved is None:
            self._saved[link.attachment] = now.up
            self.ledger.save_counts(link.attachment)
        elif now.up - saved >= SAVE_COUNTS_S:
            self._save_counts(now)

    def _save_counts(self, now: Now) -> None:
        """One transaction for all that would soon be due: a disk that is forced for each wears out."""
        due = now.up - SAVE_COUNTS_S + TAKEN_ALONG_S
        soon = (attachment for attachment, saved in self._saved.items() if saved <= due)
        for attachment in tuple(islice(soon, MOST_ALONG)):
            self._saved[attachment] = now.up
            self.ledger.save_counts(attachment)

    def _write_run(self, run: Run, was: Run | None, *, news: bool) -> None:
        self.ledger.put_run(run, quietly=not news and was is not None)

    # ------------------------------------------------------------------------- the watch

    def watched(self, told: Told, now: Now) -> None:
        """Tell the storm watch; if that opens or closes a storm, everybody is looked at again."""
        was = self.ledger.the_watch
        became = watch(was, told, now, self.house.storm)
        if became == was:
            return
        is_news = became.storm != was.storm or became.was_in_storm != was.was_in_storm
        self.ledger.put_watch(became, quietly=not is_news)
        if not is_news:
            return
        self.ledger.draft.turns.append(
            TurnRow(LAUNCHPAD, "Watched", now.wall, "", watch_body(was, told, now, self.house.storm, became))
        )
        for command in alarms(was, became):
            self.command(command, now)
        self.everybody(ev.WorldChanged("storm"), now)

    # ---------------------------------------------------------------------- what is asked

    def command(
        self, command: Command, now: Now, record: Record | None = None, link: Link | None = None
    ) -> None:
        """Write down what a command needs to survive, and hand on what has to be done."""
        if isinstance(command, do.CallPerson):
            self.ledger.call(command, now)
        elif isinstance(command, do.StopCalling):
            self.ledger.stop_calling(command)
        elif isinstance(command, do.Hold):
            self.ledger.holds.put(command.scope, HoldRow(command.scope, command.reason, "mamd", now.wall))
        else:
            if isinstance(command, do.ClearPasscode):
                self._sending(command, now)
            elif isinstance(command, do.Cancel):
                self._withdrawn(command)
            attachment = link.attachment if link is not None else None
            self.taken.asked.append(Asked(command, record, attachment))

    def _sending(self, command: do.ClearPasscode, now: Now) -> None:
        """Its row is there before it is sent, so that no crash can send it under another id."""
        row = self.ledger.commands.get(command.act)
        if row is None:
            made = command_id(self.ledger.installation, command.act)
            row = MdmCommand(
                command.act, made, command.device, command.mdm, "ClearPasscode", "sending", asked=now
            )
        self.ledger.put_command(replace(row, state="sending"))

    def _withdrawn(self, command: do.Cancel) -> None:
        """Until the MDM says that it is withdrawn, it is an orphan with duties (promise 5)."""
        row = self.ledger.commands.get(command.act)
        if row is not None and row.state in ("sending", "queued"):
            self.ledger.put_command(replace(row, state="orphan"))


def command_id(installation: str, act: str) -> str:
    """What an MDM knows an act by: the same for the same act of this installation, and for no other."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{installation}/{act}")).upper()


def turn_body(was: Situation, event: ev.Event, now: Now, view: View, turn: Turn) -> Mapping[str, Any]:
    """All that a turn was decided on and came to, as plain data."""
    return {
        "was": dump(was),
        "event": dump_event(event),
        "now": dump(now),
        "view": dump(view),
        "became": dump(turn.became),
        "commands": [dump_command(one) for one in turn.commands],
        "passed_over": list(turn.passed_over),
    }


def watch_body(was: Watch, told: Told, now: Now, limits: Any, became: Watch) -> Mapping[str, Any]:
    """The same for the storm watch."""
    return {
        "was": dump(was),
        "told": dump(told),
        "now": dump(now),
        "limits": dump(limits),
        "became": dump(became),
    }
