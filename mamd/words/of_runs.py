"""Words for rules, workflows and runs: what they wait for, what they do, how they end."""

from collections.abc import Mapping
from typing import Final

from mamd.core.rules import Mode, Trigger
from mamd.core.run import End, Proof, RunState
from mamd.core.workflow import Action, IfImpossible, Kind
from mamd.words.wording import Said

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
