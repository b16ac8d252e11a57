"""
What people may ask of the daemon and tell it: the page and the command line come through here.

It lies beside `ports`: those are what the daemon needs from the world, this is what the world
needs from the daemon.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from mamd.core.enrollment import Enrolled
from mamd.core.facts import Record
from mamd.core.governor import Block, View
from mamd.core.link import LookPlan
from mamd.core.rules import Mode, RuleSet, Tested
from mamd.core.run import Run
from mamd.core.storm import Storm
from mamd.core.time import Now
from mamd.core.turn import Situation
from mamd.ports import CallRow, Fault, HoldRow, JournalRow, MdmCommand


@dataclass(frozen=True, slots=True)
class Standing:
    """
    One device or one port, as it stands, with everything that explains it.

    Attributes:
        record: The registry's row; None on an empty port or for a stranger.
        situation: Its link and open run; both None if it is not attached and nothing is going on.
        view: What the last decision about it would be based on.
        blocks: Why it is not ours to touch; empty if it is ours.
        tested: What each rule says of it now.
        next_look: When it is looked at next.
        runs: Its newest runs, closed ones included, newest first.
        commands: Commands of ours that may still be queued for it.
        calls: Open calls about it.
    """

    port: str | None
    label: str
    record: Record | None
    situation: Situation
    charge_only: bool = False
    is_stranger: bool = False
    view: View | None = None
    blocks: tuple[Block, ...] = ()
    tested: tuple[Tested, ...] = ()
    next_look: LookPlan | None = None
    runs: tuple[Run, ...] = ()
    commands: tuple[MdmCommand, ...] = ()
    calls: tuple[CallRow, ...] = ()
    enrolled: Enrolled | None = None


@dataclass(frozen=True, slots=True)
class MdmStanding:
    """One MDM as seen from here."""

    name: str
    kind: str
    url: str
    clears_when_not_pairing: bool
    last_contact: Now | None
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Overview:
    """The Launchpad at a glance."""

    launchpad: str
    version: str
    now: Now
    started: Now
    mode: Mode
    recovery_mode: Mode
    usbmuxd_up: bool
    last_look: Now | None
    faults: tuple[Fault, ...]
    ports: tuple[Standing, ...]
    runs: tuple[Run, ...]
    """Open runs."""
    holds: tuple[HoldRow, ...]
    calls: tuple[CallRow, ...]
    storm: Storm | None
    mdms: tuple[MdmStanding, ...]
    rules: RuleSet
    strangers: int
    known: int
    """Devices in the registry."""
    helpable: int
    """How many of them could be helped if they came back locked."""
    hindrances: tuple[tuple[str, int], ...] = ()
    """What stops the others, as (reason, how many)."""


class Desk(Protocol):
    """
    What people may ask of the daemon, and tell it. The CLI and the page come through here.

    Every word carries who said it; `by` is the socket's peer or the token's name.

    Raises:
        Refused: With one clear line that says what would be right.
        Unreachable: The word could not be stored; it was not taken.
    """

    def overview(self) -> Overview:
        """The Launchpad at a glance."""
        ...

    def devices(self) -> tuple[Standing, ...]:
        """Every device of the registry, attached or not, without its closed runs."""
        ...

    async def device(self, name: str) -> Standing:
        """One device by any of its names (ours, serial, UDID, ECID, name) or `port:LABEL`."""
        ...

    async def journal(
        self, *, device: str | None = None, after: int = 0, limit: int = 500, newest_first: bool = False
    ) -> tuple[JournalRow, ...]:
        """Rows of the journal."""
        ...

    async def verify(self) -> tuple[str, ...]:
        """One line for each row of the journal that is not what it was."""
        ...

    async def rule_set(self, hash_: str) -> RuleSet:
        """The rules that a row of the journal names, also those that were replaced since. Raises Refused."""
        ...

    async def hold(self, scope: str, *, by: str, reason: str) -> str:
        """Stop: `everything`, a device's name, or `rule:NAME`. Returns what is held."""
        ...

    async def release(self, scope: str, *, by: str, reason: str) -> str:
        """Lift a hold, or what a storm left behind (`storm`)."""
        ...

    async def approve(self, run: str, *, label: str, by: str, reason: str) -> str:
        """Allow a run's present step; `label` is the port's printed one: proof that somebody stands there."""
        ...

    async def start(self, workflow: str, device: str, *, by: str, reason: str) -> str:
        """Run a workflow on one device. Returns the run's name."""
        ...

    async def retry(self, run: str, *, by: str, reason: str) -> str:
        """Look again at a run that waits."""
        ...

    async def acknowledge(self, key: str, *, by: str) -> str:
        """I know; stop calling. `key` is a call's key, or `all`."""
        ...

    async def set_device(self, name: str, field: str, value: str, *, by: str) -> str:
        """Change one field of a device's record by a person's word."""
        ...

    async def reload(self, *, by: str) -> str:
        """Read configuration and rules again; a bad set changes nothing."""
        ...

    async def webhook(self, mdm: str, headers: Mapping[str, str], body: bytes) -> None:
        """Take one webhook; returns only when it is stored. Raises Refused, Unreachable."""
        ...

    def faults(self) -> tuple[Fault, ...]:
        """What stops the daemon from helping now; empty: ready."""
        ...

    async def changed(self, since: int) -> int:
        """Wait until something changed after that number; returns the new number."""
        ...
