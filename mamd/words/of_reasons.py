"""Words for why a person is called, each with its cure."""

from collections.abc import Mapping
from typing import Final

from mamd.core.commands import Reason
from mamd.core.facts import Cause
from mamd.core.governor import Block
from mamd.words.of_blocks import BLOCKS
from mamd.words.of_devices import CAUSES
from mamd.words.wording import Said

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
