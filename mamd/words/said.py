"""
Says each value of the core in a person's words, with what to do about it where something can be done.

Every member of every enum that a person can meet has its words here, and a test sees to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from mamd.core.commands import Reason
from mamd.core.facts import Answer, Cause, Custody, LinkState, Ownership, PairAnswer, Status, UsbMode
from mamd.core.governor import Block
from mamd.core.rules import Mode, Trigger
from mamd.core.run import End, Proof, RunState
from mamd.core.workflow import Action, IfImpossible, Kind


@dataclass(frozen=True, slots=True)
class Said:
    """
    One value in words.

    Attributes:
        short: For a cell of a table: two to five words, without an "it".
        text: A clause that begins with "it", "the MDM" and the like, without a full stop.
        cure: A whole sentence for whoever stands there; empty where nothing is to be done.
    """

    short: str
    text: str
    cure: str = ""


LINKS: Final[Mapping[LinkState, Said]] = {
    LinkState.SETTLING: Said("settling", "it has just come, and is being looked at"),
    LinkState.PAIRED: Said("paired", "it pairs"),
    LinkState.UNPAIRED: Said("not pairing", "it does not pair"),
    LinkState.RECOVERY: Said(
        "recovery mode",
        "it is in recovery mode",
        "Nothing leads out of recovery mode by itself: restart it, or restore it by hand.",
    ),
    LinkState.DFU: Said(
        "DFU mode",
        "it is in DFU mode, with a black screen",
        "Restart it by its buttons, or restore it by hand.",
    ),
    LinkState.RESTORING: Said(
        "being restored",
        "its system is being restored",
        "Leave the cable in until it shows Setup Assistant.",
    ),
    LinkState.GONE: Said("gone", "it has been taken away"),
}

CAUSES: Final[Mapping[Cause, Said]] = {
    Cause.LOCKED: Said(
        "locked",
        "it is locked with a passcode",
        "Whoever knows its passcode can unlock it; otherwise the passcode has to be cleared.",
    ),
    Cause.NEVER_UNLOCKED: Said(
        "locked since it started",
        "it is locked, and nobody has unlocked it since it was switched on",
        "Whoever knows its passcode can unlock it. Until then it may not be on Wi-Fi; "
        "a cable network or a SIM lets the MDM reach it.",
    ),
    Cause.TRUST_PENDING: Said(
        "waits for Trust",
        "it is unlocked and asks whether to trust this host",
        "Press Trust on the phone.",
    ),
    Cause.TRUST_DENIED: Said(
        "Trust was denied",
        "somebody pressed Don't Trust on it",
        "Unplug it, plug it in again and press Trust on the phone.",
    ),
    Cause.WRONG_IDENTITY: Said(
        "other supervision",
        "it is supervised by an identity that is not ours, or its MDM forbids pairing with this host",
        "Give this Launchpad the supervision identity that the device was prepared with, "
        "or allow pairing in the MDM.",
    ),
    Cause.STALE_RECORD: Said(
        "old pair record",
        "it no longer accepts the pair record that is stored here, most likely because it was erased or "
        "its trusted hosts were reset",
        "Unlock the phone with the cable in, and press Trust if it asks.",
    ),
    Cause.UNKNOWN: Said(
        "not asked",
        "there is no pair record for it, and only a device of ours is asked to pair",
    ),
    Cause.HIDDEN: Said(
        "hidden",
        "it draws power from the cable, but does not talk over it: it has been locked for an hour (USB "
        "accessories are off), or the cable has no data lines, or usbmuxd leaves it out",
        "Unlock the phone with the cable in. If that does not help, try another cable and another port.",
    ),
    Cause.NO_ANSWER: Said(
        "no answer",
        "it is attached, but does not answer in time",
        "Try another cable and port; if it stays silent, restart the phone.",
    ),
    Cause.GARBLED: Said(
        "answers nonsense",
        "what it answers cannot be understood",
        "Try another cable and port; if it stays so, restart the phone, then have a look at what is "
        "really plugged in there.",
    ),
    Cause.HOST_FAULT: Said(
        "fault of this host",
        "this host could not look at it: the fault is ours, not the device's",
        "See the faults on the status page (mamd status); the device needs nothing.",
    ),
}

BLOCKS: Final[Mapping[Block, Said]] = {
    Block.NOT_IN_REGISTRY: Said(
        "not in the registry",
        "it is not in the registry",
        "If it is ours, add it to the devices file with serial, UDID or ECID.",
    ),
    Block.NOT_ACTIVE: Said(
        "not in use yet",
        "the registry does not have it as active or retired",
        "When it is in use, set its status: mamd devices set DEVICE status active.",
    ),
    Block.LOST_OR_STOLEN: Said(
        "lost or stolen",
        "the registry has it as lost or stolen",
        "Do not unlock it. Put it aside and tell whoever reported it; "
        "once that is settled, set its status again.",
    ),
    Block.RETIRED_WHY_UNKNOWN: Said(
        "retired, no reason",
        "it is retired and nobody wrote down why, so it may be lost or stolen",
        "Write down why: mamd devices set DEVICE retired_reason expired (or other, lost, stolen).",
    ),
    Block.PERSONAL: Said(
        "personal",
        "it belongs to a person, and mamd never touches those",
        "Give it back to its owner.",
    ),
    Block.OWNERSHIP_UNKNOWN: Said(
        "owner unknown",
        "nobody wrote down whose it is",
        "If it is ours: mamd devices set DEVICE ownership shared (or corporate).",
    ),
    Block.LEFT_IMPORT: Said(
        "no longer in the file",
        "it stood in the devices file once and does not any more",
        "Put it back into the devices file, or confirm that it has left.",
    ),
    Block.RECORD_HELD: Said(
        "two records contradict",
        "two records in the registry seem to be this one device, and they contradict each other",
        "Compare both with the device itself and correct the wrong one in the devices file.",
    ),
    Block.IDENTITY_UNKNOWN: Said(
        "not yet identified",
        "it has not yet shown on this cable that it is the device of our record",
        "It says so by itself while it can be talked to. If it stays so, complete its UDID and ECID in "
        "the devices file.",
    ),
    Block.IDENTITY_CONTRADICTS: Said(
        "says to be another",
        "what it says of itself on this cable contradicts our record of it",
        "Look at the device's label and serial number: the record or the device is not what it seems.",
    ),
    Block.SEEN_ELSEWHERE: Said(
        "seen twice",
        "another device on this host gives the same identity",
        "Only one of the two can be right: unplug one and compare serial numbers.",
    ),
    Block.CHARGE_ONLY: Said(
        "charges only",
        "this port only charges; what is on it is never talked to",
        "To have it helped, plug it into another port.",
    ),
    Block.NO_MDM: Said(
        "no MDM",
        "nobody wrote down which MDM manages it, or that MDM is not set up here",
        "Set it: mamd devices set DEVICE mdm NAME, with a name from mamd.yaml.",
    ),
    Block.MDM_UNREAD: Said(
        "MDM not asked yet",
        "its MDM has not said within the last minute that this device is ours",
        "It is asked again by itself. If this stays, see whether the MDM can be reached.",
    ),
    Block.NOT_ENROLLED: Said(
        "not enrolled",
        "it is not enrolled in its MDM now, so nothing can be sent to it",
        "Enroll it again; until then only a person with its passcode can unlock it.",
    ),
    Block.MDM_SAYS_PERSONAL: Said(
        "MDM says personal",
        "its MDM says that it belongs to a person",
        "Give it back to its owner, or correct the ownership in the MDM.",
    ),
    Block.LOST_MODE: Said(
        "in Lost Mode",
        "it is in Lost Mode, so somebody is looking for it",
        "Tell whoever switched Lost Mode on; when they have switched it off, it goes on by itself.",
    ),
    Block.MDM_CANNOT_CLEAR: Said(
        "MDM cannot clear",
        "its MDM cannot clear passcodes",
        "Clear it by hand in whatever way that MDM has, or erase the device.",
    ),
    Block.NO_TOKEN: Said(
        "no unlock token",
        "no unlock token is held for it, and without one its passcode cannot be cleared over the air",
        "A token comes when the device enrolls: let whoever knows the passcode unlock it and enroll it "
        "again, or erase it.",
    ),
    Block.VAULT_BROKEN: Said(
        "vault unreadable",
        "the unlock tokens that are kept here cannot be read",
        "Restore the vault's key; no device can be cleared until then.",
    ),
    Block.NEEDS: Said(
        "a need is not met",
        "a condition that this step needs is not met yet",
        "It goes on by itself as soon as the condition is met.",
    ),
    Block.NOT_LOCKED: Said(
        "not shown locked",
        "it has not shown itself to be locked at this moment",
        "It is looked at again by itself.",
    ),
    Block.NOT_CHECKED_IN: Said(
        "lent out",
        "it is lent to somebody and pairs, so it is left alone",
        "Check it in first, if it has been given back.",
    ),
    Block.HELD: Said(
        "on hold",
        "a hold stops it",
        "When the reason for the hold is gone: mamd release SCOPE.",
    ),
    Block.STORM: Said(
        "part of a storm",
        "too many devices stopped pairing at once, which looks like a fault of this host",
        "Look at the hub, its power and usbmuxd. When it was no fault: mamd release storm.",
    ),
    Block.CLEARS_USED_UP: Said(
        "cleared often enough",
        "it has been cleared as often within this hour as is allowed",
        "Find out why it is locked again and again; it is tried again when the hour is over.",
    ),
    Block.RULE_USED_UP: Said(
        "rule used up",
        "the rule has run as often today as it may",
        "See whether that many are right, then: mamd release rule:NAME.",
    ),
    Block.ERASES_USED_UP: Said(
        "erases used up",
        "as many devices have been erased here as the limits allow",
        "It goes on when the hour or the day is over.",
    ),
    Block.NEEDS_APPROVAL: Said(
        "needs approval",
        "a person has to allow it first",
        "Stand at the port, see that it is the right device, then: mamd approve RUN --label LABEL.",
    ),
    Block.OBSERVING: Said(
        "only observing",
        "mamd only observes here: it says what it would do, and does not do it",
        "To let it act, set the mode to approve or auto in mamd.yaml or in the rule.",
    ),
    Block.SWITCHED_OFF: Said(
        "switched off",
        "this is switched off",
        "To let it act, set the mode in mamd.yaml or in the rule.",
    ),
    Block.HOST_FAULT: Said(
        "fault of this host",
        "this host cannot see its devices now",
        "See the faults on the status page (mamd status).",
    ),
    Block.NOT_YET_ACCEPTED: Said(
        "change not accepted",
        "a change of rules or registry that reaches further has not been accepted yet",
        "See what it would reach and accept it: mamd plan.",
    ),
    Block.NOT_BUILT: Said(
        "reported only",
        "this version of mamd decides and reports an erase, and does not do it",
        "Erase and update the device by hand, or let whoever knows its passcode unlock it.",
    ),
    Block.RECENTLY_ERASED: Said(
        "erased lately",
        "it was erased, and nobody has had it in hand since",
        "Set it up; it counts as new once it has been away from the dock for five minutes.",
    ),
}

REASONS: Final[Mapping[Reason, Said]] = {
    Reason.WOULD_ERASE: Said(
        "would be erased",
        "it is due to be erased and updated; this version only says so",
        "Erase and update it by hand, or let whoever knows its passcode unlock it.",
    ),
    Reason.CANNOT_CLEAR: Said(
        "cannot be cleared",
        "its passcode cannot be cleared over the air",
        "Let whoever knows the passcode unlock it, or erase it by hand.",
    ),
    Reason.MDM_OUT_OF_REACH: Said(
        "MDM out of reach",
        "its MDM does not answer",
        "See whether the MDM is up and this host's network reaches it; everything goes on by itself then.",
    ),
    Reason.NOT_TOLD: Said(
        "device not told",
        "the MDM has the request, but could not wake the device for it",
        "See whether the MDM's push certificate is valid and Apple's push service can be reached.",
    ),
    Reason.WAY_NOT_OPEN: Said(
        "way not seen open",
        "the whole wait was in vain, but since then no device at all was heard by that MDM, so the fault may "
        "be the network's and not this device's",
        "See whether devices reach the MDM (Wi-Fi, push); then: mamd retry RUN.",
    ),
    Reason.MDM_MISCONFIGURED: Said(
        "MDM refuses us",
        "the MDM refuses what it is asked, because something that we were given is wrong",
        "See the MDM's key, address and rights in mamd.yaml (mamd check), then: mamd retry RUN.",
    ),
    Reason.LIMIT_REACHED: Said(
        "limit reached",
        "a limit is reached, so it stops here",
        "See whether that many are right; then release the hold.",
    ),
    Reason.ASKED_TWICE: Said(
        "asked twice",
        "it was asked for twice",
        "See what was done already before anything is asked again.",
    ),
    Reason.STORM: Said(
        "storm",
        "many devices stopped pairing at once: most likely a hub, usbmuxd or this host, not the devices",
        "Look at the hub, its power and usbmuxd. Nothing is cleared or erased meanwhile.",
    ),
    Reason.TRUST_PENDING: Said(
        "waits for Trust", "it asks whether to trust this host", "Press Trust on the phone."
    ),
    Reason.TRUST_DENIED: Said(
        "Trust was denied",
        "somebody pressed Don't Trust on it",
        "Unplug it, plug it in again and press Trust on the phone.",
    ),
    Reason.WRONG_IDENTITY: Said(
        "other supervision",
        "it is supervised by an identity that is not ours",
        CAUSES[Cause.WRONG_IDENTITY].cure,
    ),
    Reason.NO_ANSWER: Said("no answer", "it does not answer", CAUSES[Cause.NO_ANSWER].cure),
    Reason.GARBLED: Said("answers nonsense", "it answers nonsense", CAUSES[Cause.GARBLED].cure),
    Reason.HIDDEN: Said("hidden", "it charges, but does not talk", CAUSES[Cause.HIDDEN].cure),
    Reason.BAD_CABLE: Said(
        "comes and goes",
        "it comes and goes on its port, again and again",
        "Change the cable; if that does not help, the port.",
    ),
    Reason.STALE_RECORD: Said(
        "old pair record", "it no longer accepts our pair record", CAUSES[Cause.STALE_RECORD].cure
    ),
    Reason.IDENTITY_CONTRADICTS: Said(
        "says to be another",
        "what it says of itself contradicts our record",
        BLOCKS[Block.IDENTITY_CONTRADICTS].cure,
    ),
    Reason.NEEDS_APPROVAL: Said(
        "needs approval", "a person has to allow the next step", BLOCKS[Block.NEEDS_APPROVAL].cure
    ),
    Reason.FAILED: Said(
        "did not help",
        "all that was to be tried was tried in vain",
        "Take the device in hand: unlock it, or erase and update it.",
    ),
    Reason.BROKEN_RUN: Said(
        "mistake in mamd",
        "mamd itself made a mistake while it worked on it, and stopped there",
        "Send the journal of this device (mamd journal --device DEVICE) to whoever looks after mamd. "
        "The device can be handled by hand.",
    ),
    Reason.ASKED_FOR: Said("you were asked for", "a workflow asks for a person"),
    Reason.CLEARED_AND_LEFT: Said(
        "left without a passcode",
        "its passcode was cleared, and it left before it was checked in",
        "Find it and check it in: nobody should carry it without a passcode.",
    ),
    Reason.STORE_BROKEN: Said(
        "cannot write",
        "mamd cannot write down what it does, so it does nothing harsh",
        "See whether the disk is full or read-only; it goes on by itself then.",
    ),
    Reason.ORPHAN: Said(
        "clear still queued",
        "an old request to clear its passcode is still queued at the MDM",
        "Leave it attached until it has answered, and do not hand it out before.",
    ),
}

ENDS: Final[Mapping[End, Said]] = {
    End.PROVEN: Said("done", "it worked, and the device has shown it"),
    End.NOT_NEEDED: Said("not needed", "it was no longer needed"),
    End.LEFT: Said("taken away", "the device was taken away"),
    End.CAUSE_CHANGED: Said("another cause", "something else than a passcode turned out to be the cause"),
    End.OBSERVED: Said("only observed", "it was only observed, and nothing was done"),
    End.NOT_OURS: Said("not ours to touch", "the device is not ours to touch"),
    End.FAILED: Said("in vain", "it was in vain, and a person was called"),
    End.DONE: Said("done", "every step was done"),
    End.BROKEN: Said("mistake in mamd", "mamd made a mistake, and stopped there"),
}

PROOFS: Final[Mapping[Proof, Said]] = {
    Proof.ACKNOWLEDGED: Said("cleared", "the device said that it took its passcode off, and it paired"),
    Proof.PASSCODE_ABSENT: Said("cleared", "its MDM says that no passcode is set any more, and it paired"),
    Proof.UNLOCKED_BY_SOMEONE: Said(
        "unlocked by someone",
        "it paired, but neither the device nor its MDM said that the passcode is gone, so somebody may have "
        "unlocked it by hand",
    ),
}

RUNS: Final[Mapping[RunState, Said]] = {
    RunState.WAITING: Said("waiting", "it waits"),
    RunState.ACTING: Said("asking the MDM", "the MDM is being asked, and has not answered yet"),
    RunState.WATCHING: Said("watching", "it is being watched whether that helps"),
    RunState.CLOSED: Said("ended", "it has ended"),
}

ACTIONS: Final[Mapping[Action, Said]] = {
    Action.MDM_CLEAR_PASSCODE: Said("clear the passcode", "the MDM is asked to clear its passcode"),
    Action.MDM_PUSH: Said("wake it", "the MDM is asked to wake it"),
    Action.MDM_REFRESH: Said("ask the MDM", "the MDM is asked what it knows of it"),
    Action.RECOVERY_ERASE_AND_UPDATE: Said("erase and update", "it is erased and updated"),
    Action.CALL_A_PERSON: Said("call a person", "a person is called"),
}

ANSWERS: Final[Mapping[Answer, Said]] = {
    Answer.SESSION: Said("session", "it opened a session with the stored pair record"),
    Answer.PASSWORD_PROTECTED: Said("locked", "it said that it is locked"),
    Answer.NO_RECORD: Said("no pair record", "there is no pair record for it here"),
    Answer.INVALID_HOST_ID: Said("old pair record", "it does not know our pair record any more"),
    Answer.TLS_FAILED: Said("old pair record", "it does not accept the keys of our pair record"),
    Answer.CONNECT_REFUSED: Said("refused", "it refused the connection"),
    Answer.RESTORING: Said("being restored", "it answered as a system that is being restored"),
    Answer.NO_ANSWER: Said("no answer", "it did not answer in time"),
    Answer.GARBLED: Said("nonsense", "it answered what cannot be understood"),
    Answer.HOST_FAULT: Said("fault of this host", "this host could not ask it"),
}

PAIR_ANSWERS: Final[Mapping[PairAnswer, Said]] = {
    PairAnswer.NOT_SENT: Said("not asked", "it was not asked to pair"),
    PairAnswer.PAIRED: Said("paired", "asked to pair, it agreed"),
    PairAnswer.PASSWORD_PROTECTED: Said("locked", "asked to pair, it said that it is locked"),
    PairAnswer.NO_ESCROW: Said("locked", "asked to pair, it agreed only as a locked supervised device does"),
    PairAnswer.ESCROW_LOCKED: Said(
        "locked since it started", "asked to pair, it said that nobody has unlocked it since it started"
    ),
    PairAnswer.DIALOG_PENDING: Said("waits for Trust", "asked to pair, it showed the Trust question"),
    PairAnswer.DENIED: Said("Trust was denied", "asked to pair, it said that somebody pressed Don't Trust"),
    PairAnswer.WRONG_IDENTITY: Said(
        "other supervision", "asked to pair, it wanted another supervision identity than ours"
    ),
    PairAnswer.NO_ANSWER: Said("no answer", "asked to pair, it did not answer in time"),
}

STATUSES: Final[Mapping[Status, Said]] = {
    Status.PENDING: Said("pending", "not in use yet"),
    Status.ACTIVE: Said("active", "in use"),
    Status.RETIRED: Said("retired", "retired"),
}

OWNERSHIPS: Final[Mapping[Ownership, Said]] = {
    Ownership.CORPORATE: Said("the organization's", "it belongs to the organization"),
    Ownership.SHARED: Said("shared", "it is shared"),
    Ownership.PERSONAL: Said("personal", "it belongs to a person"),
    Ownership.UNKNOWN: Said("owner unknown", "nobody wrote down whose it is"),
}

CUSTODIES: Final[Mapping[Custody, Said]] = {
    Custody.CHECKED_IN: Said("here", "checked in"),
    Custody.CHECKED_OUT: Said("lent", "lent to somebody"),
    Custody.OVERDUE: Said("overdue", "overdue"),
    Custody.FAILED: Said("check-in failed", "given back, but its check-in failed"),
}

MODES: Final[Mapping[Mode, Said]] = {
    Mode.OFF: Said("off", "nothing harsh is done"),
    Mode.OBSERVE: Said("observe", "it is said what would be done, and not done"),
    Mode.APPROVE: Said("approve", "a person allows each harsh step"),
    Mode.AUTO: Said("auto", "harsh steps are taken as the rules say"),
}

TRIGGERS: Final[Mapping[Trigger, Said]] = {
    Trigger.ATTACHED: Said("attached", "it is attached"),
    Trigger.DETACHED: Said("taken away", "it is taken away"),
    Trigger.PAIRED: Said("paired", "it pairs"),
    Trigger.UNPAIRED: Said("not pairing", "it does not pair"),
    Trigger.RECOVERY: Said("recovery mode", "it is in recovery mode"),
    Trigger.SILENT: Said("silent", "it is attached and does not talk"),
}

KINDS: Final[Mapping[Kind, Said]] = {
    Kind.OVER_THE_AIR: Said("over the air", "it works through the MDM only"),
    Kind.RESCUE: Said("rescue", "it brings back a device that nobody can use"),
    Kind.CHECK_IN: Said("check-in", "it takes a device back"),
    Kind.CHECK_OUT: Said("check-out", "it hands a device out"),
    Kind.PREPARE: Said("prepare", "it makes a device ready"),
}

IMPOSSIBLES: Final[Mapping[IfImpossible, Said]] = {
    IfImpossible.CALL_A_PERSON: Said("call a person", "a person is called"),
    IfImpossible.NEXT: Said("next step", "the next step is considered"),
}

USB_MODES: Final[Mapping[UsbMode, Said]] = {
    UsbMode.NORMAL: Said("normal", "it runs its system"),
    UsbMode.RECOVERY: Said("recovery mode", "it is in recovery mode"),
    UsbMode.DFU: Said("DFU mode", "it is in DFU mode"),
}

_TABLES: Final[tuple[Mapping[Enum, Said], ...]] = (
    LINKS, CAUSES, BLOCKS, REASONS, ENDS, PROOFS, RUNS, ACTIONS, ANSWERS, PAIR_ANSWERS, STATUSES,
    OWNERSHIPS, CUSTODIES, MODES, TRIGGERS, KINDS, IMPOSSIBLES, USB_MODES,
)  # type: ignore[assignment]  # a mapping of one enum is read here as one of any  # fmt: skip

SAID: Final[Mapping[Enum, Said]] = {member: said for table in _TABLES for member, said in table.items()}
"""Every member of every enum above."""


def hindrance(reason: str) -> Said:
    """The words for what stops a device from being helped; a text that is no code is its own words."""
    return BLOCKS[Block(reason)] if reason in {block.value for block in Block} else Said(reason, reason)


def say(value: Enum) -> Said:
    """The words for one value of the core. Every value that people meet has some."""
    return SAID[value]
