"""
What the daemon needs from the world: one Protocol a need.

Whoever implements one of these translates and decides nothing. They raise only the errors
of `mamd.core.errors`; none of another library's is seen past its own folder.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from mamd.core.commands import CallPerson
from mamd.core.enrollment import Enrolled, MdmNews
from mamd.core.events import Attached, Detached, Event, UsbmuxdCame, UsbmuxdWent
from mamd.core.facts import Attachment, Look, MdmRecord, Record
from mamd.core.governor import MdmCan
from mamd.core.link import Link
from mamd.core.rules import RuleSet
from mamd.core.run import Run
from mamd.core.time import Now
from mamd.core.turn import Situation, Turn


class Clock(Protocol):
    """The one place where time is read."""

    def now(self) -> Now:
        """This moment."""
        ...

    async def sleep_until(self, up: float) -> None:
        """Return at or after that second since boot; a moment early counts as never."""
        ...


@dataclass(frozen=True, slots=True)
class Fault:
    """
    Something that stops the daemon from helping, as `/readyz` and the page name it.

    Attributes:
        name: A stable short name, such as `usbmuxd_silent`.
        what: One line for an operator.
        cure: What to do about it.
    """

    name: str
    what: str
    cure: str


CableEvent = Attached | Detached | UsbmuxdCame | UsbmuxdWent


class Launchpad(Protocol):
    """The hubs of this host: who is attached where, and what a look at one of them says."""

    def events(self) -> AsyncIterator[CableEvent]:
        """
        Everything that happens on the bus, for ever, beginning with what is attached now.

        Attached is repeated when mode, listing or names of the same attachment change.
        usbmuxd's absence, restart or silence ends nothing here.
        """
        ...

    async def look(
        self, attachment: Attachment, *, pair: bool, identify: bool, deadline_s: float = 5.0
    ) -> Look:
        """
        Look at one device. Never raises for what a device does; that is what a Look says.

        Args:
            pair: A Pair request may be sent if there is no session with the stored record.
            identify: Ask the device for its UDID and ECID on this cable too.
            deadline_s: The longest this may take, in seconds.
        """
        ...

    async def forget(self, attachment: Attachment) -> None:
        """Drop what is kept in memory of an attachment that has gone."""
        ...

    def faults(self) -> tuple[Fault, ...]:
        """What stops us from seeing devices at this moment."""
        ...


Capabilities = MdmCan
"""What an MDM can do at all. The core asks this, never which vendor it is."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A secret as it lies in the database: encrypted, bound to its owner, shown to nobody."""

    owner: str
    key_id: str
    nonce: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a command is for: the address that the MDM knows, and the sealed token if it needs one."""

    device: str
    command_id: str
    token: Sealed | None = None


class Mdm(Protocol):
    """
    One MDM.

    Raises:
        Unreachable, Busy: Certainly not processed; ask again later.
        Doubtful: It may have been processed; ask again under the same command id.
        Refused, Misconfigured: The answer is no.
    """

    name: str
    capabilities: Capabilities

    async def read(self, record: Record, enrolled: Enrolled | None, *, now: Now) -> MdmRecord | None:
        """What it says of a device, read afresh; None if it does not know it. Changes nothing."""
        ...

    async def clear_passcode(self, target: Target, *, command_id: str) -> bool:
        """
        Queue a clear under our own command id. True if the device was told (a push went out).

        Asked again under the same id it asks once, where `asks_once` says so.
        """
        ...

    async def push(self, target: Target) -> None:
        """Wake the device. May be repeated freely."""
        ...

    async def cancel(self, target: Target, *, command_id: str) -> bool:
        """Withdraw a queued command. False where it cannot be withdrawn."""
        ...

    async def check(self) -> tuple[Fault, ...]:
        """Whether it can be reached with what we were given; what is wrong, if not. Changes nothing."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook, read: the news without secrets, and the sealed token that came with it."""

    news: MdmNews | None
    token: Sealed | None = None


class Webhook(Protocol):
    """The receiving side of one MDM's webhook. Checks, reads and seals; stores nothing."""

    mdm: str

    def receive(self, headers: Mapping[str, str], body: bytes) -> Delivery:
        """
        What an MDM posted. `news` is None for a topic that says nothing to us.

        Raises:
            Refused: The signature is missing or wrong (`why` is FORBIDDEN), or the body is
                no message of that MDM (REJECTED). Nothing of the body is in the error.
        """
        ...


@dataclass(frozen=True, slots=True)
class MdmCommand:
    """
    A command of ours at an MDM, from before it is sent until nothing can come of it any more.

    Attributes:
        act: The act that asked for it.
        command_id: What the MDM knows it by; made from the installation and the act.
        state: `sending`, `queued`, `acknowledged`, `error`, `refused`, `cancelled`, `lost`, `orphan`.
    """

    act: str
    command_id: str
    device: str
    mdm: str
    kind: str
    state: str
    asked: Now
    accepted: Now | None = None
    pushed: bool = False
    answer: str = ""


@dataclass(frozen=True, slots=True)
class HoldRow:
    """A hold: `scope` is `everything`, `device:d-0042`, `rule:NAME` or `storm`."""

    scope: str
    reason: str
    by: str
    since: datetime


@dataclass(frozen=True, slots=True)
class CallRow:
    """A call to people: open until somebody acknowledges it or the matter is settled."""

    call: CallPerson
    since: datetime
    times: int = 0
    last: Now | None = None
    acknowledged_by: str | None = None
    is_settled: bool = False


@dataclass(frozen=True, slots=True)
class TurnRow:
    """
    One row of the journal before it is chained: everything its turn was decided on.

    `body` is plain JSON data: event, was, became, now, view, commands.
    """

    subject: str
    kind: str
    wall: datetime
    rule_set: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class JournalRow:
    """A row as it stands in the journal."""

    number: int
    subject: str
    kind: str
    wall: datetime
    rule_set: str
    body: Mapping[str, Any]
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class Changes:
    """
    What one transaction writes. Everything is an upsert by its own key, so that writing the
    same changes twice leaves what writing them once leaves; only `turns` are appended.
    """

    turns: Sequence[TurnRow] = ()
    records: Sequence[Record] = ()
    links: Sequence[tuple[str, Link]] = ()
    """(device, link); a link that is gone is removed."""
    runs: Sequence[Run] = ()
    commands: Sequence[MdmCommand] = ()
    holds: Sequence[HoldRow] = ()
    lifted: Sequence[str] = ()
    """Scopes whose hold has been lifted."""
    calls: Sequence[CallRow] = ()
    enrolled: Sequence[Enrolled] = ()
    tokens: Sequence[Sealed] = ()
    tokens_destroyed: Sequence[str] = ()
    """Owners whose sealed token is to be overwritten and removed."""
    rule_sets: Sequence[RuleSet] = ()
    meta: Sequence[tuple[str, str]] = ()
    """Small things by name, such as the storm watch, as text."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything the daemon goes on from after a start. Closed runs are in the journal only."""

    installation: str
    """Drawn once when the database was made; part of every command id."""
    records: tuple[Record, ...] = ()
    links: tuple[tuple[str, Link], ...] = ()
    runs: tuple[Run, ...] = ()
    """All open ones, and those closed within the last day (for limits and `fired`)."""
    commands: tuple[MdmCommand, ...] = ()
    """All that may still be queued, and all asked within the last day (for budgets)."""
    holds: tuple[HoldRow, ...] = ()
    calls: tuple[CallRow, ...] = ()
    """All that are not settled."""
    enrolled: tuple[Enrolled, ...] = ()
    meta: Mapping[str, str] = field(default_factory=dict)
    is_from_the_past: bool = False
    """
    The state is older than what is known outside it: a backup was put back, or the database was
    lost. Said at each start until something has been committed, so the first commit is a hold.
    """


class Store(Protocol):
    """
    What must survive a power cut. One process, one connection, one thread.

    Raises:
        Unreachable: The disk is full, the file cannot be written. Nothing was written; the
            store may be asked again, and it works again by itself when the cause has gone.
        Misconfigured: The database is of a newer mamd, or broken; the line says what to do.
    """

    async def open(self) -> Snapshot:
        """Make or migrate the database, check it, and read what to go on from."""
        ...

    async def commit(self, changes: Changes) -> None:
        """Write all of it or nothing, durably. Concurrent calls are grouped into one transaction."""
        ...

    async def token(self, owner: str) -> Sealed | None:
        """The sealed token of one enrollment (`mdm/enrollment_id`)."""
        ...

    async def journal(
        self, *, subject: str | None = None, after: int = 0, limit: int = 500, newest_first: bool = False
    ) -> tuple[JournalRow, ...]:
        """Rows of the journal in order, from after a number on."""
        ...

    async def rule_set(self, hash_: str) -> RuleSet | None:
        """A rule set by its hash, kept while rows of the journal name it."""
        ...

    async def runs(self, *, device: str | None = None, limit: int = 100) -> tuple[Run, ...]:
        """The newest runs, open and closed."""
        ...

    async def verify(self) -> tuple[str, ...]:
        """Walk the journal's chain; one line for each row that is not what it was."""
        ...

    async def prune(self, *, older_than: datetime) -> int:
        """Drop old rows of the journal behind a checkpoint row that carries the chain on; how many."""
        ...

    async def close(self) -> None:
        """Finish what is being written, and let go."""
        ...


class People(Protocol):
    """One way to reach people who are on duty."""

    name: str

    async def call(self, text: str, calls: Sequence[CallRow]) -> None:
        """Tell them; several calls are gathered in one message. Raises Unreachable, Refused."""
        ...


class Observer(Protocol):
    """Whoever wants to see turns after they were committed: log, metrics. Must not fail or wait."""

    def turned(self, subject: str, was: Situation, event: Event, now: Now, turn: Turn) -> None:
        """One committed turn of one device."""
        ...
