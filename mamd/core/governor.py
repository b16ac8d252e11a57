"""
May this go ahead? Eligibility, modes, holds, budgets and storms.

Every answer is a value with its reason, so that it can be shown, journaled and replayed.
Nothing here acts; and nothing that a device or an unsigned message can set makes it say yes.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from mamd.core.commands import Reason
from mamd.core.facts import (
    Cause,
    Custody,
    Enrollment,
    MdmRecord,
    Ownership,
    Record,
    Status,
    ecid_of,
)
from mamd.core.link import Link
from mamd.core.rules import Mode, most_careful
from mamd.core.time import Now

MDM_WORD_S: Final = 60.0
"""An MDM's word is fresh for that long before a clear and before arming."""
UNPAIRED_S: Final = 5.0
"""No clear for a device that does not pair before that was observed, whatever a rule waits for."""


class Block(Enum):
    """Why something harsh does not go ahead now. The wording for people is in `observe`."""

    NOT_IN_REGISTRY = "not_in_registry"
    NOT_ACTIVE = "not_active"
    LOST_OR_STOLEN = "lost_or_stolen"
    RETIRED_WHY_UNKNOWN = "retired_why_unknown"
    PERSONAL = "personal"
    OWNERSHIP_UNKNOWN = "ownership_unknown"
    LEFT_IMPORT = "left_import"
    RECORD_HELD = "record_held"
    IDENTITY_UNKNOWN = "identity_unknown"
    IDENTITY_CONTRADICTS = "identity_contradicts"
    SEEN_ELSEWHERE = "seen_elsewhere"
    CHARGE_ONLY = "charge_only"
    NO_MDM = "no_mdm"
    MDM_UNREAD = "mdm_unread"
    NOT_ENROLLED = "not_enrolled"
    MDM_SAYS_PERSONAL = "mdm_says_personal"
    LOST_MODE = "lost_mode"
    MDM_CANNOT_CLEAR = "mdm_cannot_clear"
    NO_TOKEN = "no_token"
    VAULT_BROKEN = "vault_broken"
    NEEDS = "needs"
    NOT_LOCKED = "not_locked"
    NOT_CHECKED_IN = "not_checked_in"
    HELD = "held"
    STORM = "storm"
    CLEARS_USED_UP = "clears_used_up"
    RULE_USED_UP = "rule_used_up"
    ERASES_USED_UP = "erases_used_up"
    NEEDS_APPROVAL = "needs_approval"
    OBSERVING = "observing"
    SWITCHED_OFF = "switched_off"
    HOST_FAULT = "host_fault"
    NOT_YET_ACCEPTED = "not_yet_accepted"
    NOT_BUILT = "not_built"
    RECENTLY_ERASED = "recently_erased"


@dataclass(frozen=True, slots=True)
class MdmCan:
    """What the device's MDM can do at all."""

    clear_passcode: bool = True
    needs_unlock_token: bool = False
    knows_ownership: bool = True
    can_cancel: bool = False
    can_push: bool = False
    tells_contact: bool = True
    asks_once: bool = False


@dataclass(frozen=True, slots=True)
class OpenClear:
    """A clear for this device that may still be queued at its MDM, whoever asked for it."""

    act: str
    run: str
    accepted: Now | None
    pushed: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """The governor's settings that a decision needs."""

    clears_per_device_per_hour: int = 2
    erases_at_once: int = 1
    erases_per_hour: int = 2
    erases_per_day: int = 5


@dataclass(frozen=True, slots=True)
class View:
    """
    Everything outside one device's link and run that a turn may be decided on.

    It is stored with each turn, so that the turn can be taken again from its row alone.

    Attributes:
        record: The registry's row for the device on this cable; None: a stranger.
        mdm: What its MDM last said, with the time; None: not asked yet, or not known there.
        last_contact_any: When any device of that MDM was last heard by it, by our own clock.
        seen_elsewhere: A name of this device is seen on another attachment at this moment.
        holds: Scopes of the holds that apply to it.
        is_storm_member: It is one of those that became unpaired in a storm that is on.
        clears_in_hour: Clears asked for this device within the last hour.
        runs_today: Runs of each rule within the last day.
        next_run: The name that a run opened by this turn gets.
        was_in_storm: It was part of a storm, and nobody has released it since.
        minutes: Local time of day, in minutes since midnight; None while the wall clock is not
            to be trusted (after a step, a boot or a lost time source), so that no window holds.
    """

    record: Record | None = None
    mdm: MdmRecord | None = None
    mdm_can: MdmCan | None = None
    last_contact_any: Now | None = None
    seen_elsewhere: bool = False
    usbmuxd_up: bool = True
    mode: Mode = Mode.AUTO
    recovery_mode: Mode = Mode.OBSERVE
    limits: Limits = Limits()
    holds: tuple[str, ...] = ()
    is_storm: bool = False
    is_storm_member: bool = False
    was_in_storm: bool = False
    clears_in_hour: int = 0
    erases_in_hour: int = 0
    erases_in_day: int = 0
    runs_today: tuple[tuple[str, int], ...] = ()
    open_clear: OpenClear | None = None
    charge_only: bool = False
    port_label: str = ""
    launchpad: str = ""
    launchpad_labels: tuple[str, ...] = ()
    minutes: float | None = None
    next_run: str = ""


# ------------------------------------------------------------------------ eligibility


def not_ours(view: View, link: Link | None) -> tuple[Block, ...]:
    """
    Every reason why this device is not ours to touch; empty if it is ours (promise 1).

    Ours: known to the registry, active or retired, not lost or stolen, corporate or shared,
    and its UDID and ECID, as seen on *this* cable, are the record's and on no other.
    """
    if view.charge_only:
        return (Block.CHARGE_ONLY,)
    if view.record is None:
        return (Block.NOT_IN_REGISTRY,)
    return (*_by_registry(view.record), *_by_cable(view, view.record, link))


def not_ours_here(view: View, link: Link | None) -> tuple[Block, ...]:
    """The same for an act: on no cable nobody can say that it is this one."""
    return not_ours(view, link) or ((Block.IDENTITY_UNKNOWN,) if link is None else ())


def _by_registry(record: Record) -> tuple[Block, ...]:
    reason = record.retired_reason
    checks = (
        (Block.NOT_ACTIVE, record.status not in (Status.ACTIVE, Status.RETIRED)),
        (Block.LOST_OR_STOLEN, reason in ("lost", "stolen")),
        (Block.RETIRED_WHY_UNKNOWN, record.status is Status.RETIRED and reason is None),
        (Block.PERSONAL, record.ownership is Ownership.PERSONAL),
        (Block.OWNERSHIP_UNKNOWN, record.ownership is Ownership.UNKNOWN),
        (Block.LEFT_IMPORT, record.left_import),
        (Block.RECORD_HELD, record.is_held),
    )
    return tuple(block for block, is_so in checks if is_so)


def _by_cable(view: View, record: Record, link: Link | None) -> tuple[Block, ...]:
    if link is None:
        return ()
    seen = link.seen.ids
    if seen.contradicts(record.ids):
        return (Block.IDENTITY_CONTRADICTS,)
    if not agrees(record, link):
        return (Block.IDENTITY_UNKNOWN,)
    return (Block.SEEN_ELSEWHERE,) if view.seen_elsewhere else ()


def agrees(record: Record, link: Link) -> bool:
    """UDID and ECID, both seen on this cable, both equal the record's; an answer, not only a USB name."""
    seen, known = link.seen.ids, record.ids
    ecid = known.ecid if known.ecid is not None else (ecid_of(known.udid) if known.udid else None)
    return (
        link.spoke
        and seen.udid is not None
        and seen.udid == known.udid
        and seen.ecid is not None
        and seen.ecid == ecid
    )


def by_mdm(view: View, now: Now) -> tuple[Block, ...]:
    """Every reason why the MDM's own word forbids it, or is missing or too old."""
    if view.record is None or view.record.mdm is None or view.mdm_can is None:
        return (Block.NO_MDM,)
    word = view.mdm
    if word is None or not now.is_within(MDM_WORD_S, of=word.at):
        return (Block.MDM_UNREAD,)
    checks = (
        (Block.NOT_ENROLLED, word.enrollment is not Enrollment.ENROLLED),
        (Block.MDM_SAYS_PERSONAL, word.ownership is Ownership.PERSONAL),
        (
            Block.OWNERSHIP_UNKNOWN,
            view.mdm_can.knows_ownership and word.ownership in (None, Ownership.UNKNOWN),
        ),
        (Block.LOST_MODE, word.lost_mode is True),
    )
    return tuple(block for block, is_so in checks if is_so)


NEVER: Final = frozenset(
    {
        Block.NOT_IN_REGISTRY,
        Block.NOT_ACTIVE,
        Block.LOST_OR_STOLEN,
        Block.RETIRED_WHY_UNKNOWN,
        Block.PERSONAL,
        Block.OWNERSHIP_UNKNOWN,
        Block.LEFT_IMPORT,
        Block.MDM_SAYS_PERSONAL,
        Block.SWITCHED_OFF,
        Block.CHARGE_ONLY,
    }
)
"""Whoever said so restricts for good: a run that meets one of these ends."""


# ------------------------------------------------------------------------------ gates


@dataclass(frozen=True, slots=True)
class Gate:
    """
    The governor's answer.

    Attributes:
        blocks: Why not; empty: it may go ahead. The first is the one to show.
    """

    blocks: tuple[Block, ...] = ()

    @property
    def is_open(self) -> bool:
        """It may go ahead now."""
        return not self.blocks


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks: the rule (or a person) and how far it may go."""

    rule: str | None
    mode: Mode
    is_approved: bool = False
    is_person: bool = False


def may_clear(view: View, link: Link | None, asking: Asking, now: Now) -> Gate:
    """Whether a clear-passcode may be asked for now, with every reason why not."""
    ours = not_ours_here(view, link)
    if ours:
        return Gate(ours)
    blocks = (
        *_world(view, asking),
        *by_mdm(view, now),
        *_by_token(view),
        *_by_link(link, view, asking, now),
        *_by_budget(view, asking),
        *_by_mode(most_careful(view.mode, asking.mode), asking),
    )
    return Gate(blocks)


def _world(view: View, asking: Asking) -> tuple[Block, ...]:
    checks = (
        (Block.HOST_FAULT, not view.usbmuxd_up),
        (Block.HELD, any(_applies(scope, asking) for scope in view.holds)),
        (Block.STORM, view.is_storm_member),
    )
    return tuple(block for block, is_so in checks if is_so)


def _applies(scope: str, asking: Asking) -> bool:
    """A hold on a rule stops what that rule began, and nothing else."""
    return not scope.startswith("rule:") or scope == f"rule:{asking.rule}"


def _by_token(view: View) -> tuple[Block, ...]:
    can, word = view.mdm_can, view.mdm
    if can is None or word is None:
        return ()
    if not can.clear_passcode:
        return (Block.MDM_CANNOT_CLEAR,)
    if not can.needs_unlock_token or word.has_token:
        return ()
    return (Block.NO_TOKEN,) if word.vault_sound else (Block.VAULT_BROKEN,)


def _by_link(link: Link | None, view: View, asking: Asking, now: Now) -> tuple[Block, ...]:
    """Shown to be locked by the last look; and unpaired for long enough, or paired and not lent."""
    if link is None or not link.shows_locked(now):
        return (Block.NOT_LOCKED,)
    if link.is_unpaired:
        return (Block.NOT_LOCKED,) if link.counts.unpaired_s < UNPAIRED_S else ()
    return () if asking.is_person else _by_custody(view)


def _by_custody(view: View) -> tuple[Block, ...]:
    is_in = view.record is not None and view.record.custody is Custody.CHECKED_IN
    return () if is_in else (Block.NOT_CHECKED_IN,)


def _by_budget(view: View, asking: Asking) -> tuple[Block, ...]:
    is_used_up = view.clears_in_hour >= view.limits.clears_per_device_per_hour
    return (Block.CLEARS_USED_UP,) if is_used_up and view.open_clear is None else ()


def _by_mode(mode: Mode, asking: Asking) -> tuple[Block, ...]:
    if mode is Mode.OFF:
        return (Block.SWITCHED_OFF,)
    if mode is Mode.OBSERVE:
        return (Block.OBSERVING,)
    return (Block.NEEDS_APPROVAL,) if mode is Mode.APPROVE and not asking.is_approved else ()


def arming(view: View, link: Link | None, asking: Asking, now: Now) -> tuple[tuple[Block, bool], ...]:
    """
    All that arming an erase asks, each with whether it would be in the way now.

    In this version the last line is always in the way: an erase is decided, shown and
    reported, and not done.
    """
    ours = not_ours_here(view, link)
    by_word = by_mdm(view, now)
    mode = most_careful(view.mode, view.recovery_mode, asking.mode)
    custody = _by_custody(view) if link is not None and not link.is_unpaired else ()
    held = (Block.HELD,) if view.was_in_storm else ()
    found = {*ours, *by_word, *_world(view, asking), *_by_mode(mode, asking), *custody, *held}
    checks = (
        *((block, block in found) for block in _OF_ARMING),
        (Block.NOT_LOCKED, link is None or not link.shows_locked(now)),
        (Block.STORM, view.is_storm or view.is_storm_member),
        (Block.ERASES_USED_UP, _erases_used_up(view)),
        (Block.NOT_BUILT, True),
    )
    return checks


_OF_ARMING: Final = (
    Block.NOT_IN_REGISTRY,
    Block.NOT_ACTIVE,
    Block.LOST_OR_STOLEN,
    Block.RETIRED_WHY_UNKNOWN,
    Block.PERSONAL,
    Block.OWNERSHIP_UNKNOWN,
    Block.LEFT_IMPORT,
    Block.RECORD_HELD,
    Block.IDENTITY_UNKNOWN,
    Block.IDENTITY_CONTRADICTS,
    Block.SEEN_ELSEWHERE,
    Block.NO_MDM,
    Block.MDM_UNREAD,
    Block.NOT_ENROLLED,
    Block.MDM_SAYS_PERSONAL,
    Block.LOST_MODE,
    Block.NOT_CHECKED_IN,
    Block.HELD,
    Block.HOST_FAULT,
    Block.OBSERVING,
    Block.SWITCHED_OFF,
    Block.NEEDS_APPROVAL,
)


def _erases_used_up(view: View) -> bool:
    limits = view.limits
    return view.erases_in_hour >= limits.erases_per_hour or view.erases_in_day >= limits.erases_per_day


REASON_OF_CAUSE: Final = {
    Cause.TRUST_PENDING: Reason.TRUST_PENDING,
    Cause.TRUST_DENIED: Reason.TRUST_DENIED,
    Cause.WRONG_IDENTITY: Reason.WRONG_IDENTITY,
    Cause.NO_ANSWER: Reason.NO_ANSWER,
    Cause.GARBLED: Reason.GARBLED,
    Cause.HIDDEN: Reason.HIDDEN,
    Cause.STALE_RECORD: Reason.STALE_RECORD,
}
"""Causes of a device of ours for which a person is called; silence and garbage included (promise 2)."""
