"""Words for why something harsh does not go ahead, each with its cure."""

from collections.abc import Mapping
from typing import Final

from mamd.core.governor import Block
from mamd.words.wording import Said

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
