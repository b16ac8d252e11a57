"""
A keeper without a world: it feeds `take` and `plan`, as the daemon does, and remembers everything.

No clock, no loop, no store: time is a number that `pass_time` moves from one due thing to the
next. What the devices show, what the MDM answers and what people do is set from outside.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from mamd.core import commands as do
from mamd.core import events as ev
from mamd.core.facts import Attachment, Ids, LinkState, Look, MdmRecord, PairAnswer, Record, UsbMode, ecid_of
from mamd.core.governor import Limits, MdmCan, OpenClear, View
from mamd.core.link import Link, attach
from mamd.core.rules import Mode, RuleSet
from mamd.core.run import Run
from mamd.core.storm import Note, StormLimits, Told, Watch, alarms, lately_on, watch
from mamd.core.time import Now
from mamd.core.turn import Situation, Turn, is_news, plan, take

BEGAN = datetime(2026, 11, 25, 7, 0, tzinfo=UTC)
MAY_BE_QUEUED = ("sending", "queued", "orphan")


@dataclass(frozen=True)
class Shown:
    """What a device shows when it is looked at: without a Pair request, and with one."""

    look: Look
    pair: PairAnswer = PairAnswer.NOT_SENT

    def to(self, *, pair: bool) -> Look:
        """The look that comes back."""
        return replace(self.look, pair=self.pair) if pair else self.look


@dataclass
class Clear:
    """One clear at the MDM: what the keeper knows of it."""

    act: str
    device: str
    asked: Now
    state: str = "sending"
    accepted: Now | None = None
    pushed: bool = False


@dataclass(frozen=True)
class Entry:
    """One turn with all that it was decided on, for those who judge."""

    now: Now
    device: str | None
    attachment: Attachment | None
    event: Any
    was: Situation
    view: View
    turn: Turn
    shown: Shown | None = None
    pair: bool = False
    """A Pair request was allowed with this look."""


@dataclass
class Model:
    """One Launchpad, its devices, one MDM."""

    rules: RuleSet
    can: MdmCan = field(
        default_factory=lambda: MdmCan(
            needs_unlock_token=True, knows_ownership=False, can_push=True, asks_once=True
        )
    )
    limits: Limits = field(default_factory=Limits)
    storms: StormLimits = field(default_factory=StormLimits)
    mode: Mode = Mode.AUTO
    boot: str = "boot-1"
    up: float = 1000.0
    wall_step: timedelta = timedelta()
    usbmuxd_up: bool = True
    charge_only: set[str] = field(default_factory=set)
    records: dict[str, Record] = field(default_factory=dict)
    words: dict[str, MdmRecord | None] = field(default_factory=dict)
    """What the MDM would say now; `read` is what it has said."""
    read: dict[str, MdmRecord | None] = field(default_factory=dict)
    reads_work: bool = True
    push_error: str | None = None
    """What comes of a push at once: "" it went out, a text: it did not; None: somebody outside says."""
    links: dict[Attachment, Link] = field(default_factory=dict)
    owners: dict[Attachment, str] = field(default_factory=dict)
    shows: dict[Attachment, Shown] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    closed: list[Run] = field(default_factory=list)
    clears: list[Clear] = field(default_factory=list)
    contact: Now | None = None
    holds: set[str] = field(default_factory=set)
    watch: Watch = field(default_factory=Watch)
    asked: list[tuple[Now, do.Command]] = field(default_factory=list)
    """Commands that somebody outside has to answer: clears, pushes, cancels."""
    log: list[Entry] = field(default_factory=list)
    commands: list[tuple[Now, do.Command]] = field(default_factory=list)
    said_news: bool = False
    answer_clear: Callable[[str], None] | None = None
    """The MDM, told of an act; None: somebody outside answers by hand."""
    _asap: set[Attachment] = field(default_factory=set)
    _runs: int = 0
    _reading: list[str] = field(default_factory=list)

    # ---------------------------------------------------------------------------- time

    @property
    def now(self) -> Now:
        """This moment."""
        return Now(self.boot, self.up, BEGAN + timedelta(seconds=self.up) + self.wall_step)

    def pass_time(self, seconds: float) -> None:
        """Let time pass; whatever falls due on the way is done at its own moment."""
        until, at_once = self.up + seconds, 0
        while True:
            self._answer_at_once()
            due, what = self._next_due()
            if due is None or due > until:
                break
            at_once = at_once + 1 if due <= self.up else 0
            assert at_once < 100, "something is due again and again without any time passing"
            self.up = max(self.up, due)
            self._do(what)
        self.up = until

    def _next_due(self) -> tuple[float | None, Any]:
        due: list[tuple[float, str, Any]] = []
        for attachment, link in self.links.items():
            planned = self.plan(attachment)
            if planned is not None:
                at = self.up if attachment in self._asap else planned.at
                due.append((max(at, self.up), str(attachment), (attachment, link.listed)))
        for device, run in self.runs.items():
            if run.wake_at is not None:
                due.append((max(run.wake_at, self.up), device, device))
        if not due:
            return None, None
        at, _, what = min(due, key=lambda one: one[:2])
        return at, what

    def _do(self, what: Any) -> None:
        if isinstance(what, str):
            self.on_device(what, ev.TimeCame())
        elif what[1]:
            self.look(what[0])
        else:
            self._asap.discard(what[0])
            self.on_link(what[0], ev.TimeCame())
            self.told(Told(Note.TIME_CAME))

    def sleep(self, seconds: float) -> None:
        """The host sleeps: time since boot goes on, and nothing is seen or done."""
        self.up += seconds

    # ------------------------------------------------------------------------- the cable

    def attach(
        self,
        attachment: Attachment,
        shown: Shown,
        ids: Ids,
        *,
        mode: UsbMode = UsbMode.NORMAL,
        listed: bool = True,
    ) -> None:
        """Somebody plugs a device in."""
        event = ev.Attached(attachment, mode, ids, listed)
        self.shows[attachment] = shown
        if attachment in self.links:
            self.on_link(attachment, event)
            return
        link = attach(event, self.now, lately=lately_on(self.watch, attachment.port))
        self.told(Told(Note.ARRIVED, attachment, attached=len(self.owners)))
        self.links[attachment] = link
        self.on_link(attachment, event)

    def detach(self, attachment: Attachment) -> None:
        """Somebody takes it away."""
        if attachment not in self.links:
            return
        self.told(Told(Note.DEPARTED, attachment))
        self.on_link(attachment, ev.Detached(attachment))
        self.links.pop(attachment)
        self.owners.pop(attachment, None)
        self._asap.discard(attachment)

    def look(self, attachment: Attachment, *, shown: Shown | None = None) -> None:
        """Look now."""
        planned = self.plan(attachment, asked=attachment in self._asap)
        self._asap.discard(attachment)
        if planned is None:
            return
        shown = shown or self.shows[attachment]
        event = ev.Looked(attachment, shown.to(pair=planned.pair))
        self.on_link(attachment, event, shown=shown, pair=planned.pair)

    def plan(self, attachment: Attachment, *, asked: bool = False) -> Any:
        """The next look at an attachment."""
        link = self.links[attachment]
        record = self.owner(link)
        was = Situation(link, self.runs.get(record.device) if record is not None else None)
        return plan(was, self.now, self.view(record, link), self.rules, asked=asked)

    def on_link(
        self, attachment: Attachment, event: Any, *, shown: Shown | None = None, pair: bool = False
    ) -> None:
        """An event of one cable."""
        link = self.links[attachment]
        record = self.owner(link)
        turn = self._take(link, record, event, shown=shown, pair=pair)
        became = turn.became.link
        assert became is not None, "a link does not vanish"
        self.links[attachment] = became
        if record is not None and attachment not in self.charge_only_attachments():
            self.owners[attachment] = record.device
            self._tell_watch(link, became, record)

    def _tell_watch(self, was: Link, link: Link, record: Record) -> None:
        if link.is_unpaired and (not was.is_unpaired or was.episode != link.episode):
            suspect = link.was_paired or not link.spoke
            attached = len(self.owners)
            self.told(Told(Note.BECAME_UNPAIRED, link.attachment, record.device, suspect, attached))
        elif link.state is LinkState.PAIRED and was.state is not LinkState.PAIRED:
            self.told(Told(Note.PAIRED, link.attachment, record.device))

    def told(self, told: Told) -> None:
        """Tell the storm watch."""
        was, self.watch = self.watch, watch(self.watch, told, self.now, self.storms)
        for command in alarms(was, self.watch):
            self._command(command, None, None)
        if (was.storm is None) is not (self.watch.storm is None):
            self.everybody(ev.WorldChanged("storm"))

    # ------------------------------------------------------------------------ the device

    def on_device(self, device: str, event: Any) -> None:
        """An event of the air, the clock or a person."""
        record = self.records.get(device)
        if record is not None:
            link = self.link_of(record)
            became = self._take(link, record, event).became.link
            if link is not None and became is not None:
                self.links[link.attachment] = became

    def everybody(self, event: Any) -> None:
        """Something that governs all of them changed."""
        for device in list(self.runs):
            self.on_device(device, event)

    def came_of(self, event: Any) -> None:
        """What came of an act: the keeper's own row first, then the run."""
        clear = next((one for one in self.clears if one.act == event.act), None)
        if clear is None:
            return
        if isinstance(event, ev.Accepted) and clear.state in ("sending", "orphan"):
            state = "queued" if clear.state == "sending" else "orphan"
            clear.state, clear.accepted, clear.pushed = state, self.now, event.pushed
        elif isinstance(event, ev.TurnedDown):
            clear.state = "refused"
        elif isinstance(event, ev.Pushed) and not event.error:
            clear.pushed = True
        elif isinstance(event, ev.CommandAnswered) and event.status is not ev.AnswerStatus.NOT_NOW:
            clear.state = event.status.value
        self.on_device(clear.device, event)

    def heard(self, device: str | None) -> None:
        """Some device was heard by the MDM."""
        self.contact = self.now
        for one in [device] if device is not None else []:
            self.on_device(one, ev.ContactMade("hospital", one))

    def reenroll(self, device: str) -> None:
        """Authenticate: its queue is empty."""
        self.contact = self.now
        for clear in self.clears:
            if clear.device == device and clear.state in ("queued", "orphan"):
                clear.state = "lost"
        self.read.pop(device, None)
        self.on_device(device, ev.Reenrolled(device, "hospital"))

    def start(self, workflow: str, device: str) -> None:
        """A person starts a workflow, if none is open."""
        if device not in self.runs:
            self.on_device(device, ev.Started(workflow, device, by="Kim"))

    def restart(self) -> None:
        """The daemon is killed and starts: all rows are there, whatever was under way is in doubt."""
        self.asked.clear()
        self._asap.clear()
        self._reading.clear()
        self.read.clear()
        for device in list(self.runs):
            self.on_device(device, ev.Resumed())

    # ----------------------------------------------------------------------------- turns

    def _take(
        self,
        link: Link | None,
        record: Record | None,
        event: Any,
        *,
        shown: Shown | None = None,
        pair: bool = False,
    ) -> Turn:
        device = record.device if record is not None else None
        was = Situation(link, self.runs.get(device) if device is not None else None)
        view, now = self.view(record, link), self.now
        turn = take(was, event, now, view, self.rules)
        attachment = link.attachment if link is not None else None
        self.log.append(Entry(now, device, attachment, event, was, view, turn, shown, pair))
        self.said_news = is_news(was, turn)
        if device is not None:
            self._keep_run(device, turn.became.run)
        for command in turn.commands:
            self._command(command, device, attachment)
        return turn

    def _keep_run(self, device: str, run: Run | None) -> None:
        if run is None:
            self.runs.pop(device, None)
            return
        if device not in self.runs and run.run == self._next_run():
            self._runs += 1
        if run.is_open:
            self.runs[device] = run
        else:
            self.runs.pop(device, None)
            self.closed.append(run)

    def _next_run(self) -> str:
        return f"r-{self._runs + 1:04d}"

    def _command(self, command: do.Command, device: str | None, attachment: Attachment | None) -> None:
        self.commands.append((self.now, command))
        if isinstance(command, do.ReadMdmRecord):
            self._reading.append(command.device)
        elif isinstance(command, do.LookNow) and attachment in self.links:
            assert attachment is not None, "it is among the links"
            self._asap.add(attachment)
        elif isinstance(command, do.Hold):
            self.holds.add(command.scope)
        elif isinstance(command, do.ClearPasscode | do.Push | do.Cancel):
            self.asked.append((self.now, command))
            self._row(command)

    def _row(self, command: do.ClearPasscode | do.Push | do.Cancel) -> None:
        row = next((one for one in self.clears if one.act == command.act), None)
        if isinstance(command, do.ClearPasscode) and row is None:
            self.clears.append(Clear(command.act, command.device, self.now))
        elif isinstance(command, do.Cancel) and row is not None and row.state in ("sending", "queued"):
            row.state = "orphan"

    def _answer_at_once(self) -> None:
        for now, command in [one for one in self.asked if isinstance(one[1], do.Push)]:
            if self.push_error is not None:
                self.asked.remove((now, command))
                self.came_of(ev.Pushed(command.act, self.push_error))
        for now, command in [one for one in self.asked if isinstance(one[1], do.ClearPasscode)]:
            if self.answer_clear is not None:
                self.asked.remove((now, command))
                self.answer_clear(command.act)
        reading, self._reading = self._reading, []
        for device in reading:
            word = self.words.get(device)
            if not self.reads_work:
                self.on_device(device, ev.MdmRecordUnread(device, "hospital", "no answer"))
                continue
            self.read[device] = replace(word, at=self.now) if word is not None else None
            self.on_device(device, ev.MdmRecordRead(device, "hospital", self.read[device]))

    # ----------------------------------------------------------------------------- views

    def charge_only_attachments(self) -> set[Attachment]:
        """Attachments on ports that are never opened."""
        return {one for one in self.links if one.port in self.charge_only}

    def view(self, record: Record | None, link: Link | None) -> View:
        """What the core may know."""
        place = View(
            usbmuxd_up=self.usbmuxd_up,
            mode=self.mode,
            limits=self.limits,
            charge_only=link is not None and link.attachment.port in self.charge_only,
            port_label=link.attachment.port if link is not None else "",
            launchpad="ward-3",
        )
        if record is None:
            return place
        device, storm = record.device, self.watch.storm
        mine = {"everything", f"device:{device}"}
        return replace(
            place,
            record=record,
            mdm=self.read.get(device),
            mdm_can=self.can,
            last_contact_any=self.contact,
            seen_elsewhere=len(self._seen(record.ids)) > 1,
            holds=tuple(sorted(one for one in self.holds if one in mine or one.startswith("rule:"))),
            is_storm=storm is not None,
            is_storm_member=storm is not None and device in storm.members,
            was_in_storm=device in self.watch.was_in_storm,
            clears_in_hour=sum(self._is_recent(one) for one in self.clears if one.device == device),
            runs_today=tuple(self._runs_today()),
            open_clear=self._open_clear(device),
            next_run=self._next_run(),
        )

    def _is_recent(self, clear: Clear) -> bool:
        passed = self.now.since(clear.asked)
        return passed is None or passed <= 3600.0

    def _runs_today(self) -> Iterator[tuple[str, int]]:
        opened = [one.rule for one in (*self.closed, *self.runs.values())]
        for rule in self.rules.rules:
            yield rule.name, opened.count(rule.name)

    def _open_clear(self, device: str) -> OpenClear | None:
        for one in self.clears:
            if one.device == device and one.state in MAY_BE_QUEUED:
                return OpenClear(one.act, one.act.split("/")[0], one.accepted, one.pushed)
        return None

    def owner(self, link: Link) -> Record | None:
        """Whose cable this is; the UDID's word counts first."""
        for name in names(link.seen.ids):
            for record in self.records.values():
                if name in names(record.ids):
                    return record
        return self.records.get(self.owners.get(link.attachment, ""))

    def link_of(self, record: Record) -> Link | None:
        """Where it is attached; the newest, should two claim to be it."""
        found = [one for one in self._seen(record.ids) if self.owners.get(one.attachment) == record.device]
        return max(found, key=lambda one: one.attached.up, default=None)

    def _seen(self, ids: Ids) -> list[Link]:
        wanted = set(names(ids))
        return [link for link in self.links.values() if wanted & set(names(link.seen.ids))]


def names(ids: Ids) -> tuple[str | int, ...]:
    """Every name of a device, its ECID by arithmetic included."""
    ecid = ids.ecid if ids.ecid is not None else (ecid_of(ids.udid) if ids.udid else None)
    return tuple(name for name in (ids.udid, ecid, ids.serial) if name is not None)


def harsh(commands: Iterable[tuple[Now, do.Command]]) -> list[tuple[float, do.Command]]:
    """Clears, and reports of an erase that is due."""
    return [
        (now.up, one)
        for now, one in commands
        if isinstance(one, do.ClearPasscode)
        or (isinstance(one, do.CallPerson) and one.reason is do.Reason.WOULD_ERASE)
    ]
