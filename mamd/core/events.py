"""
Everything that can happen, in the past tense. The counterpart of `commands`.

Cable events carry an attachment; MDM events carry our own name for the device, which the
keeper looks up; a person's word carries that person's name.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from mamd.core.errors import No
from mamd.core.facts import NO_IDS, Attachment, Ids, Look, MdmRecord, UsbMode

# ---------------------------------------------------------------------- the cable


@dataclass(frozen=True, slots=True)
class Attached:
    """A device is on the bus. Said again when what the bus says of it has changed."""

    attachment: Attachment
    mode: UsbMode
    ids: Ids = NO_IDS
    listed: bool = True
    """Whether usbmuxd lists it too; a device that only the bus shows may be `hidden`."""


@dataclass(frozen=True, slots=True)
class Detached:
    """It left the bus: unplugged, switched off, or on its way to another mode."""

    attachment: Attachment


@dataclass(frozen=True, slots=True)
class Looked:
    """A look has come back."""

    attachment: Attachment
    look: Look


@dataclass(frozen=True, slots=True)
class UsbmuxdCame:
    """usbmuxd answers (again)."""


@dataclass(frozen=True, slots=True)
class UsbmuxdWent:
    """usbmuxd does not answer; `why` is for people."""

    why: str


# ---------------------------------------------------------------- what we asked for


@dataclass(frozen=True, slots=True)
class Accepted:
    """
    The MDM has our command queued.

    Attributes:
        act: Which of our acts.
        pushed: A push went out for it without error, so the device was told.
    """

    act: str
    pushed: bool


@dataclass(frozen=True, slots=True)
class PutOff:
    """It was certainly not processed: an outage or a rate limit. It may be asked again."""

    act: str
    why: str
    retry_after_s: float = 15.0


@dataclass(frozen=True, slots=True)
class LeftInDoubt:
    """It may have been processed; the same act asked again asks once."""

    act: str
    why: str


@dataclass(frozen=True, slots=True)
class TurnedDown:
    """The MDM or its adapter said no."""

    act: str
    no: No
    why: str


@dataclass(frozen=True, slots=True)
class Pushed:
    """A push for a queued command was tried again; `error` is empty if it went out."""

    act: str
    error: str = ""


# ----------------------------------------------------------------------- the MDM


class AnswerStatus(Enum):
    """A device's answer to one MDM command (Apple, MDM protocol)."""

    ACKNOWLEDGED = "Acknowledged"
    ERROR = "Error"
    NOT_NOW = "NotNow"


@dataclass(frozen=True, slots=True)
class CommandAnswered:
    """A device answered one of our commands over the air."""

    device: str
    act: str
    status: AnswerStatus
    error: str = ""
    """The first entry of the ErrorChain, for people: texts and codes may change."""


@dataclass(frozen=True, slots=True)
class ContactMade:
    """A device was heard by its MDM (a poll, a check-in, an answer)."""

    mdm: str
    device: str | None


@dataclass(frozen=True, slots=True)
class Reenrolled:
    """Authenticate: the device starts a new enrollment, so commands that were queued are gone."""

    device: str
    mdm: str


@dataclass(frozen=True, slots=True)
class MdmRecordRead:
    """What the MDM says of a device, read afresh; None if it does not know it."""

    device: str
    mdm: str
    record: MdmRecord | None


@dataclass(frozen=True, slots=True)
class MdmRecordUnread:
    """The MDM could not be asked; whatever waits for its word goes on waiting."""

    device: str
    mdm: str
    why: str


# --------------------------------------------------------------------- the clock


@dataclass(frozen=True, slots=True)
class TimeCame:
    """A time that a run was waiting for has come (a repeat, a re-push, a call)."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """The daemon started and found this run open. What was being done is in doubt."""


# ------------------------------------------------------------------- a person's word


@dataclass(frozen=True, slots=True)
class Approved:
    """Somebody allows one step of one run."""

    run: str
    step: int
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Started:
    """Somebody asked for a workflow on one device."""

    workflow: str
    device: str
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Retried:
    """Somebody asks for a failed or waiting run to be looked at again."""

    run: str
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class WorldChanged:
    """Something that governs this device changed: a hold, a setting, a rule, the registry, a storm."""

    what: str


@dataclass(frozen=True, slots=True)
class Broke:
    """A bug in this one run: it is closed with its traceback, and no other is touched."""

    traceback: str
    at: datetime | None = None


Event = (
    Attached
    | Detached
    | Looked
    | UsbmuxdCame
    | UsbmuxdWent
    | Accepted
    | PutOff
    | LeftInDoubt
    | TurnedDown
    | Pushed
    | CommandAnswered
    | ContactMade
    | Reenrolled
    | MdmRecordRead
    | MdmRecordUnread
    | TimeCame
    | Resumed
    | Approved
    | Started
    | Retried
    | WorldChanged
    | Broke
)
