"""
What we know of a device, and how sure we may be.

Unknown is not a value: `None` means that nobody told us, and no condition on it holds,
not even `is_not`. Known to be empty is the empty string (the files say `none`).
"""

from dataclasses import dataclass, field, replace
from enum import Enum

from mamd.core.time import Now


class UsbMode(Enum):
    """What a device says on the bus about the system that it is running."""

    NORMAL = "normal"
    RECOVERY = "recovery"
    DFU = "dfu"


class LinkState(Enum):
    """How an attached device stands."""

    SETTLING = "settling"
    PAIRED = "paired"
    UNPAIRED = "unpaired"
    RECOVERY = "recovery"
    DFU = "dfu"
    RESTORING = "restoring"
    GONE = "gone"


class Cause(Enum):
    """Why a device does not pair."""

    LOCKED = "locked"
    NEVER_UNLOCKED = "never_unlocked"
    TRUST_PENDING = "trust_pending"
    TRUST_DENIED = "trust_denied"
    WRONG_IDENTITY = "wrong_identity"
    STALE_RECORD = "stale_record"
    UNKNOWN = "unknown"
    HIDDEN = "hidden"
    NO_ANSWER = "no_answer"
    GARBLED = "garbled"
    HOST_FAULT = "host_fault"

    @property
    def is_locked(self) -> bool:
        """`never_unlocked` is a refinement of `locked`; rules that say locked mean both."""
        return self in (Cause.LOCKED, Cause.NEVER_UNLOCKED)


class Answer(Enum):
    """What the look without side effects got to hear (libimobiledevice's lockdown.h names)."""

    SESSION = "session"
    PASSWORD_PROTECTED = "password_protected"
    NO_RECORD = "no_record"
    INVALID_HOST_ID = "invalid_host_id"
    TLS_FAILED = "tls_failed"
    CONNECT_REFUSED = "connect_refused"
    RESTORING = "restoring"
    NO_ANSWER = "no_answer"
    GARBLED = "garbled"
    HOST_FAULT = "host_fault"


class PairAnswer(Enum):
    """What a Pair request got to hear, if one was sent."""

    NOT_SENT = "not_sent"
    PAIRED = "paired"
    PASSWORD_PROTECTED = "password_protected"
    NO_ESCROW = "no_escrow"
    ESCROW_LOCKED = "escrow_locked"
    DIALOG_PENDING = "dialog_pending"
    DENIED = "denied"
    WRONG_IDENTITY = "wrong_identity"
    NO_ANSWER = "no_answer"


@dataclass(frozen=True, slots=True)
class Ids:
    """
    The names a device goes by. Each is unique to it, or not yet known.

    Attributes:
        udid: As `canonical_udid` writes it.
        ecid: The one number that it shows in every mode.
        serial: Shown in a session and in recovery mode only.
    """

    udid: str | None = None
    ecid: int | None = None
    serial: str | None = None

    def joined(self, other: "Ids") -> "Ids":
        """What both know together; where they contradict, ours stays."""
        return Ids(
            udid=self.udid or other.udid,
            ecid=self.ecid if self.ecid is not None else other.ecid,
            serial=self.serial or other.serial,
        )

    def contradicts(self, other: "Ids") -> bool:
        """True if a name that both know differs."""
        return any(
            ours is not None and theirs is not None and ours != theirs
            for ours, theirs in (
                (self.udid, other.udid),
                (self.ecid, other.ecid),
                (self.serial, other.serial),
            )
        )


NO_IDS = Ids()


def canonical_udid(text: str) -> str:
    """One spelling: capitals, and a dash after the first 8 of 24 digits (usbmuxd 1.1.1 and newer)."""
    plain = text.strip().replace("-", "").upper()
    return f"{plain[:8]}-{plain[8:]}" if len(plain) == 24 else plain


def ecid_of(udid: str) -> int | None:
    """From the A12 chip on, the last 16 digits of a UDID are the ECID; older ones are a hash."""
    plain = udid.replace("-", "")
    if len(plain) != 24:
        return None
    try:
        return int(plain[8:], 16)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True, order=True)
class Attachment:
    """One device at one USB address on one port in one boot. Outlives restarts of usbmuxd and mamd."""

    boot: str
    port: str
    devnum: int

    def __str__(self) -> str:
        return f"{self.port}#{self.devnum}"


@dataclass(frozen=True, slots=True)
class Look:
    """
    What one cheap examination of a device saw.

    Attributes:
        answer: What the part without side effects got to hear.
        pair: What a Pair request got to hear, if one was allowed and needed.
        ids: What the device says of itself on this cable; empty where it was not asked.
        locked: PasswordProtected inside a session: locked *now*. Not whether a passcode is set.
        stage: Where it stopped, for people ("connect", "session").
        spoke: lockdownd gave at least one well-formed answer.
    """

    answer: Answer
    pair: PairAnswer = PairAnswer.NOT_SENT
    ids: Ids = Ids()
    locked: bool | None = None
    product_type: str | None = None
    os_version: str | None = None
    battery_percent: int | None = None
    stage: str = ""
    spoke: bool = False


class Status(Enum):
    """The registry's word on a device."""

    PENDING = "pending"
    ACTIVE = "active"
    RETIRED = "retired"


class Ownership(Enum):
    """Whose device it is."""

    CORPORATE = "corporate"
    SHARED = "shared"
    PERSONAL = "personal"
    UNKNOWN = "unknown"


class Custody(Enum):
    """Who has it."""

    CHECKED_IN = "checked_in"
    CHECKED_OUT = "checked_out"
    OVERDUE = "overdue"
    FAILED = "failed"


class Enrollment(Enum):
    """What an MDM's own check-ins say of a device."""

    ENROLLED = "enrolled"
    AUTHENTICATED = "authenticated"
    CHECKED_OUT = "checked_out"


@dataclass(frozen=True, slots=True)
class Record:
    """
    One device as the registry has it.

    Attributes:
        device: Our own name for it, such as `d-0042`.
        retired_reason: "" is known to be empty; None is an empty cell, so unknown.
        left_import: It left the CSV; not ours any more once a person confirms.
        is_held: Two rows seem to be one device and contradict each other.
        by_person: Fields that a person has set; a list or an MDM does not take them back, save
            where what it says restricts more.
    """

    device: str
    ids: Ids = Ids()
    name: str | None = None
    status: Status | None = None
    retired_reason: str | None = None
    ownership: Ownership = Ownership.UNKNOWN
    mdm: str | None = None
    home: str | None = None
    labels: tuple[str, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()
    custody: Custody = Custody.CHECKED_IN
    left_import: bool = False
    is_held: bool = False
    by_person: tuple[str, ...] = ()

    def called(self) -> str:
        """What a person calls it: its name, else its serial, else our own name."""
        return self.name or self.ids.serial or self.device


@dataclass(frozen=True, slots=True)
class MdmRecord:
    """
    What the MDM that manages a device says of it, and when it said so.

    Attributes:
        command_id: What commands for it are addressed to. None: it is not enrolled.
        ownership: None where that MDM has no say about it (NanoMDM has no inventory).
        has_token: Whether an UnlockToken that may be used is held for it.
        vault_sound: The vault can be read and holds tokens of other devices of this MDM.
        last_contact: The last time the device itself was heard by the MDM.
    """

    mdm: str
    at: Now
    command_id: str | None = None
    enrollment: Enrollment | None = None
    ownership: Ownership | None = None
    lost_mode: bool | None = None
    passcode_set: bool | None = None
    has_token: bool | None = None
    vault_sound: bool = True
    last_contact: Now | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """
    A value with its source and time, as conditions and people see it.

    Attributes:
        value: None is unknown, "" is known to be empty; numbers carry the unit of their word.
        source: Who said so: `registry`, `cable`, `mdm`, `clock`.
    """

    value: str | bool | float | tuple[str, ...] | None
    source: str
    at: Now | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What has been seen of a device on this cable, added up over its looks."""

    ids: Ids = Ids()
    locked: bool | None = None
    product_type: str | None = None
    os_version: str | None = None
    battery_percent: int | None = None
    at: Now | None = field(default=None, compare=False)

    def with_look(self, look: Look, now: Now) -> "Seen":
        """A later look wins where it says something; `locked` is only ever about now."""
        return replace(
            self,
            ids=look.ids.joined(self.ids),
            locked=look.locked,
            product_type=look.product_type or self.product_type,
            os_version=look.os_version or self.os_version,
            battery_percent=look.battery_percent
            if look.battery_percent is not None
            else self.battery_percent,
            at=now,
        )


NOT_SEEN = Seen()
