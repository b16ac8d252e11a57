"""Words for how a device stands: its link, why it does not pair, what it answered, whose it is."""

from collections.abc import Mapping
from typing import Final

from mamd.core.facts import Answer, Cause, Custody, LinkState, Ownership, PairAnswer, Status, UsbMode
from mamd.words.wording import Said

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

USB_MODES: Final[Mapping[UsbMode, Said]] = {
    UsbMode.NORMAL: Said("normal", "it runs its system"),
    UsbMode.RECOVERY: Said("recovery mode", "it is in recovery mode"),
    UsbMode.DFU: Said("DFU mode", "it is in DFU mode"),
}
