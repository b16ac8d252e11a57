"""
Everything the keeper remembers: rebuilt from the store at start, changed only by turns.

A change is written here and into the draft of the next transaction at once. If that
transaction fails, `undo` puts everything back, so that memory never knows more than the disk.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from mamd.core.commands import CallPerson, StopCalling
from mamd.core.enrollment import Enrolled
from mamd.core.facts import Attachment, Ids, LinkState, MdmRecord, Record, ecid_of
from mamd.core.governor import OpenClear
from mamd.core.link import Link
from mamd.core.run import Run
from mamd.core.storm import Watch
from mamd.core.time import Now
from mamd.ports import CallRow, Changes, HoldRow, MdmCommand, Sealed, Snapshot, TurnRow

K = TypeVar("K")
V = TypeVar("V")

MAY_BE_QUEUED = frozenset({"sending", "queued", "orphan"})
IN_DOUBT = "in doubt"
"""The answer of a command that was sent and may or may not have been processed."""
HOUR_S, DAY_S = 3600.0, 86400.0


class Book(Generic[K, V]):
    """A dictionary that can take back what was written since the last transaction."""

    def __init__(self) -> None:
        self._rows: dict[K, V] = {}
        self._before: dict[K, V | None] = {}

    def __iter__(self) -> Iterator[V]:
        return iter(list(self._rows.values()))

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, key: K) -> V | None:
        """The row, or None."""
        return self._rows.get(key)

    def put(self, key: K, row: V | None, *, quietly: bool = False) -> None:
        """Write a row; None removes it. Quietly: into memory only, and past recall."""
        if not quietly:
            self._before.setdefault(key, self._rows.get(key))
        self._set(key, row)

    def _set(self, key: K, row: V | None) -> None:
        if row is None:
            self._rows.pop(key, None)
        else:
            self._rows[key] = row

    def forget(self, key: K) -> None:
        """Drop a row that needs no writing and no way back."""
        self._rows.pop(key, None)
        self._before.pop(key, None)

    def written(self) -> dict[K, V | None]:
        """What has been written since the last transaction; None for what was removed."""
        return {key: self._rows.get(key) for key in self._before}

    def keep(self) -> None:
        """The transaction stands."""
        self._before = {}

    def undo(self) -> None:
        """Put back what was there."""
        for key, row in self._before.items():
            self._set(key, row)
        self._before = {}


@dataclass(slots=True)
class Draft:
    """What the next transaction writes beside the books."""

    turns: list[TurnRow] = field(default_factory=list)
    tokens: list[Sealed] = field(default_factory=list)
    destroyed: list[str] = field(default_factory=list)
    counted: set[Attachment] = field(default_factory=set)
    """Links whose counts are to be saved although nothing else changed."""


class Ledger:
    """All rows in memory, by what they are looked up by."""

    def __init__(self, snapshot: Snapshot, watch: Watch) -> None:
        self.installation = snapshot.installation
        self.records: Book[str, Record] = Book()
        self.links: Book[Attachment, Link] = Book()
        self.runs: Book[str, Run] = Book()
        """By device: its newest run, open or closed."""
        self.ran: Book[str, Run] = Book()
        """By run: those of the last day."""
        self.commands: Book[str, MdmCommand] = Book()
        self.holds: Book[str, HoldRow] = Book()
        self.calls: Book[str, CallRow] = Book()
        self.enrolled: Book[tuple[str, str], Enrolled] = Book()
        self.words: Book[str, MdmRecord] = Book()
        self.contacts: Book[str, Now] = Book()
        """By MDM, and by device: when it was last heard, by our own clock."""
        self.watch: Book[str, Watch] = Book()
        self.draft = Draft()
        self._owners: dict[Attachment, str] = {}
        self._names: dict[str | int, str] = {}
        self._seen_at: dict[str | int, set[Attachment]] = {}
        self._acts: dict[str, set[str]] = {}
        self._last_run = int(snapshot.meta.get("last_run", "0"))
        self._fill(snapshot, watch)

    def _fill(self, snapshot: Snapshot, watch: Watch) -> None:
        for record in snapshot.records:
            self.records.put(record.device, record)
        for device, link in snapshot.links:
            self.links.put(link.attachment, link)
            self._owners[link.attachment] = device
        for run in sorted(snapshot.runs, key=lambda one: one.run):
            self.put_run(run)
        for command in snapshot.commands:
            # Whether what was being sent as we ended has arrived, nobody knows.
            cut_off = command.state == "sending" and not command.answer
            self.put_command(replace(command, answer=IN_DOUBT) if cut_off else command)
        for hold in snapshot.holds:
            self.holds.put(hold.scope, hold)
        for call in snapshot.calls:
            self.calls.put(call.call.key, call)
        for enrolled in snapshot.enrolled:
            self.enrolled.put((enrolled.mdm, enrolled.enrollment_id), enrolled)
        self.watch.put("", watch)
        for book in self._books():
            book.keep()
        self.reindex()

    @property
    def the_watch(self) -> Watch:
        """What the governor remembers of comings and goings."""
        return self.watch.get("") or Watch()

    def put_watch(self, watch: Watch, *, quietly: bool = False) -> None:
        """Write what the governor remembers; arrivals alone are not worth a transaction."""
        self.watch.put("", watch, quietly=quietly)

    def _books(self) -> tuple[Book[Any, Any], ...]:
        return (
            self.records,
            self.links,
            self.runs,
            self.ran,
            self.commands,
            self.holds,
            self.calls,
            self.enrolled,
            self.words,
            self.contacts,
            self.watch,
        )

    # ------------------------------------------------------------------- transactions

    def changes(self, watch_text: Callable[[Watch], str]) -> Changes | None:
        """What the next transaction writes; None if there is nothing."""
        draft = self.draft
        links = {**self.links.written(), **{one: self.links.get(one) for one in draft.counted}}
        holds, runs = self.holds.written(), _rows(self.ran.written())
        watch = self.watch.written().get("")
        meta = [("watch", watch_text(watch))] if watch is not None else []
        changes = Changes(
            turns=tuple(draft.turns),
            records=_rows(self.records.written()),
            links=tuple(self._saved_links(links)),
            runs=runs,
            commands=_rows(self.commands.written()),
            holds=_rows(holds),
            lifted=tuple(scope for scope, row in holds.items() if row is None),
            calls=_rows(self.calls.written()),
            enrolled=_rows(self.enrolled.written()),
            tokens=tuple(draft.tokens),
            tokens_destroyed=tuple(draft.destroyed),
            meta=tuple([*meta, ("last_run", str(self._last_run))] if runs else meta),
        )
        return changes if changes != _NOTHING else None

    def keep(self) -> None:
        """The transaction stands; links that are written as gone need not be remembered."""
        written = self.links.written().values()
        self.draft = Draft()
        for book in self._books():
            book.keep()
        for link in written:
            if link is not None and link.state is LinkState.GONE:
                self.drop_link(link.attachment)

    def _saved_links(self, links: dict[Attachment, Link | None]) -> Iterator[tuple[str, Link]]:
        """Links of our own devices only: of a stranger nothing is kept (promise 15)."""
        for attachment, link in links.items():
            device = self._owners.get(attachment)
            if link is not None and device is not None:
                yield device, link

    def undo(self) -> None:
        """The transaction failed: memory goes back to what the disk knows."""
        for book in self._books():
            book.undo()
        self._owners = {
            link.attachment: self._owners[link.attachment] for link in self.links if self.is_owned(link)
        }
        self.draft = Draft()
        self.reindex()

    # -------------------------------------------------------------------------- names

    def reindex(self) -> None:
        """Learn again which name belongs to which device, and is seen where."""
        self._names, self._seen_at, self._acts = {}, {}, {}
        for record in self.records:
            self._index(record)
        for link in self.links:
            self._index_link(link)
        for command in self.commands:
            self._acts.setdefault(command.device, set()).add(command.act)

    def _index(self, record: Record) -> None:
        for name in names_of(record.ids):
            self._names.setdefault(name, record.device)

    def _index_link(self, link: Link) -> None:
        for name in names_of(link.seen.ids):
            self._seen_at.setdefault(name, set()).add(link.attachment)

    def put_record(self, record: Record) -> None:
        """Write a device's record, and learn its names."""
        self.records.put(record.device, record)
        self._index(record)

    def put_link(self, link: Link, device: str | None, *, quietly: bool = False) -> None:
        """
        Write a link.

        Args:
            device: Whose it is; None: a stranger's, which never reaches the disk.
            quietly: Only its counts changed; they are saved in a while (`save_counts`).
        """
        self.links.put(link.attachment, link, quietly=quietly)
        self._index_link(link)
        if device is not None:
            self._owners[link.attachment] = device

    def drop_link(self, attachment: Attachment) -> None:
        """Forget an attachment that has gone and is written as gone."""
        link = self.links.get(attachment)
        self._owners.pop(attachment, None)
        for name in names_of(link.seen.ids) if link is not None else ():
            self._seen_at.get(name, set()).discard(attachment)
        self.links.forget(attachment)

    def find(self, ids: Ids) -> Record | None:
        """The record that one of these names belongs to; the UDID's word counts first."""
        for name in names_of(ids):
            device = self._names.get(name)
            if device is not None:
                return self.records.get(device)
        return None

    def others_named(self, ids: Ids, device: str) -> tuple[Record, ...]:
        """Records of other devices that one of these names belongs to."""
        devices = {self._names[name] for name in names_of(ids) if name in self._names} - {device}
        found = (self.records.get(one) for one in sorted(devices))
        return tuple(one for one in found if one is not None)

    def owner(self, link: Link) -> Record | None:
        """The record of the device at the end of this cable; None: a stranger."""
        known = self._owners.get(link.attachment)
        return self.find(link.seen.ids) or (self.records.get(known) if known is not None else None)

    def is_owned(self, link: Link) -> bool:
        """It belongs to a device of the registry."""
        return link.attachment in self._owners

    @property
    def owned(self) -> int:
        """How many attachments belong to devices of the registry."""
        return len(self._owners)

    def new_device(self) -> str:
        """The next free name."""
        numbers = [int(one.device[2:]) for one in self.records if one.device[2:].isdigit()]
        return f"d-{max(numbers, default=0) + 1:04d}"

    def link_of(self, record: Record) -> Link | None:
        """Where a device is attached now; the newest, should two claim to be it."""
        found = [
            link
            for link in self._seen_links(record.ids)
            if self._owners.get(link.attachment) == record.device
        ]
        return max(found, key=lambda one: one.attached.up, default=None)

    def _seen_links(self, ids: Ids) -> list[Link]:
        attachments = {one for name in names_of(ids) for one in self._seen_at.get(name, ())}
        links = (self.links.get(one) for one in attachments)
        return [link for link in links if link is not None and link.state is not LinkState.GONE]

    def is_seen_twice(self, ids: Ids) -> bool:
        """A name of this device is seen on more than one attachment at this moment."""
        return len(self._seen_links(ids)) > 1

    # --------------------------------------------------------------------------- runs

    def put_run(self, run: Run, *, quietly: bool = False) -> None:
        """Write a run; quietly where only its counts changed."""
        self.runs.put(run.device, run, quietly=quietly)
        self.ran.put(run.run, run, quietly=quietly)
        number = int(run.run[2:]) if run.run[2:].isdigit() else 0
        self._last_run = max(self._last_run, number)

    def save_counts(self, attachment: Attachment) -> None:
        """Have the next transaction write the counts of a link of ours and of its device's open run."""
        self.draft.counted.add(attachment)
        run = self.runs.get(self._owners.get(attachment, ""))
        if run is not None and run.is_open:
            self.ran.put(run.run, run)

    def next_run(self) -> str:
        """The next free name for a run. Never given twice: command ids are made from it."""
        return f"r-{self._last_run + 1:04d}"

    def runs_today(self, rules: tuple[str, ...], now: Now) -> tuple[tuple[str, int], ...]:
        """How many runs each of these rules has opened within a day."""
        if not rules:
            return ()
        recent = [one.rule for one in self.ran if _is_recent(one.opened, now, DAY_S)]
        return tuple((rule, recent.count(rule)) for rule in rules)

    # ----------------------------------------------------------------------- commands

    def put_command(self, command: MdmCommand) -> None:
        """Write what is known of a command of ours."""
        self.commands.put(command.act, command)
        self._acts.setdefault(command.device, set()).add(command.act)

    def commands_of(self, device: str) -> tuple[MdmCommand, ...]:
        """Commands of ours for this device, oldest first."""
        found = (self.commands.get(act) for act in self._acts.get(device, ()))
        return tuple(sorted((one for one in found if one is not None), key=lambda one: one.asked.wall))

    def clears_in_hour(self, device: str, now: Now) -> int:
        """Clears asked for this device within an hour; one of another boot counts by the wall clock."""
        return sum(1 for one in self.commands_of(device) if _is_recent(one.asked, now, HOUR_S))

    def open_clear(self, device: str) -> OpenClear | None:
        """A clear that may still be queued for this device."""
        for one in self.commands_of(device):
            if one.state in MAY_BE_QUEUED:
                return OpenClear(one.act, one.act.split("/")[0], one.accepted, one.pushed)
        return None

    def command_by_id(self, command_id: str) -> MdmCommand | None:
        """Our own record of a command that an MDM tells of; NanoMDM names no request type."""
        return next((one for one in self.commands if one.command_id == command_id), None)

    def enrollment_of(self, record: Record) -> Enrolled | None:
        """What this device's MDM has heard of it."""
        if record.mdm is None or record.ids.udid is None:
            return None
        found = self.enrolled.get((record.mdm, record.ids.udid))
        if found is not None:
            return found
        same = [one for one in self.enrolled if one.mdm == record.mdm and one.udid == record.ids.udid]
        return max(same, key=lambda one: one.as_of, default=None)

    # -------------------------------------------------------------------------- calls

    def call(self, call: CallPerson, now: Now) -> None:
        """Open a call, unless there is one about the same matter."""
        row = self.calls.get(call.key)
        if row is None or row.is_settled:
            times, last = (row.times, row.last) if row is not None else (0, None)
            is_new = last is None or not now.is_within(HOUR_S, of=last)
            self.calls.put(call.key, CallRow(call, now.wall, times=0 if is_new else times, last=last))

    def open_calls(self) -> tuple[CallRow, ...]:
        """Matters that are not settled yet."""
        return tuple(row for row in self.calls if not row.is_settled)

    def stop_calling(self, stop: StopCalling) -> None:
        """Settle a matter; a key that ends in a stroke means everything below it."""
        for row in self.calls:
            is_meant = row.call.key == stop.key or (
                stop.key.endswith("/") and row.call.key.startswith(stop.key)
            )
            if is_meant and not row.is_settled:
                self.calls.put(row.call.key, replace(row, is_settled=True))

    def holds_for(self, device: str | None) -> tuple[str, ...]:
        """Scopes of the holds that may concern a device; those on rules are told apart by the core."""
        mine = {"everything", f"device:{device}"}
        return tuple(
            sorted(one.scope for one in self.holds if one.scope in mine or one.scope.startswith("rule:"))
        )


_NOTHING = Changes()


def _rows(written: dict[K, V | None]) -> tuple[V, ...]:
    return tuple(row for row in written.values() if row is not None)


def names_of(ids: Ids) -> tuple[str | int, ...]:
    """Every name that is known of a device, its ECID by arithmetic included."""
    ecid = ids.ecid if ids.ecid is not None else (ecid_of(ids.udid) if ids.udid else None)
    return tuple(name for name in (ids.udid, ecid, ids.serial) if name is not None)


def _is_recent(then: Now, now: Now, seconds: float) -> bool:
    """Budgets survive a reboot: what lies in the wall clock's future counts as recent too."""
    passed = now.since(then)
    if passed is not None:
        return passed <= seconds
    return (now.wall - then.wall).total_seconds() <= seconds
