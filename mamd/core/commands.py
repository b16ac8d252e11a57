"""
Everything the core can ask for, in the imperative. The counterpart of `events`.

Nothing here is done before the turn that asked for it is committed. A command that changes
something outside carries an act id, built from what it names; asking twice under one act id
asks once.
"""

from dataclasses import dataclass
from enum import Enum


class Reason(Enum):
    """Why somebody is called, or why something waits. The wording for people is in `observe`."""

    WOULD_ERASE = "would_erase"
    CANNOT_CLEAR = "cannot_clear"
    MDM_OUT_OF_REACH = "mdm_out_of_reach"
    NOT_TOLD = "not_told"
    WAY_NOT_OPEN = "way_not_open"
    MDM_MISCONFIGURED = "mdm_misconfigured"
    LIMIT_REACHED = "limit_reached"
    ASKED_TWICE = "asked_twice"
    STORM = "storm"
    TRUST_PENDING = "trust_pending"
    TRUST_DENIED = "trust_denied"
    WRONG_IDENTITY = "wrong_identity"
    NO_ANSWER = "no_answer"
    GARBLED = "garbled"
    HIDDEN = "hidden"
    BAD_CABLE = "bad_cable"
    STALE_RECORD = "stale_record"
    IDENTITY_CONTRADICTS = "identity_contradicts"
    NEEDS_APPROVAL = "needs_approval"
    FAILED = "failed"
    BROKEN_RUN = "broken_run"
    ASKED_FOR = "asked_for"
    CLEARED_AND_LEFT = "cleared_and_left"
    STORE_BROKEN = "store_broken"
    ORPHAN = "orphan"


@dataclass(frozen=True, slots=True)
class ClearPasscode:
    """Ask the MDM to take the passcode off one device."""

    act: str
    device: str
    mdm: str


@dataclass(frozen=True, slots=True)
class Push:
    """Wake the device once more for a command that is queued already. Harmless to repeat."""

    act: str
    device: str
    mdm: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """Withdraw a queued command where that MDM can; where it cannot, it is an orphan from now on."""

    act: str
    device: str
    mdm: str


@dataclass(frozen=True, slots=True)
class ReadMdmRecord:
    """Ask the MDM afresh what it says of a device. Changes nothing."""

    device: str
    mdm: str


@dataclass(frozen=True, slots=True)
class LookNow:
    """Look at this attachment as soon as may be, with a Pair request if the core allows one then."""

    why: str


@dataclass(frozen=True, slots=True)
class CallPerson:
    """
    Tell a person, and go on telling until somebody acknowledges.

    Attributes:
        key: One call for one matter: calling again under the same key is no second call.
        details: What a person needs, as (word, value) pairs, in the order to be shown.
    """

    key: str
    reason: Reason
    device: str | None
    details: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class StopCalling:
    """The matter is settled; nobody needs to be told again."""

    key: str


@dataclass(frozen=True, slots=True)
class Hold:
    """A stop that only a person lifts."""

    scope: str
    reason: str


Command = ClearPasscode | Push | Cancel | ReadMdmRecord | LookNow | CallPerson | StopCalling | Hold
