"""The devices, rules and workflows that stories and lives are made of."""

from dataclasses import replace

from mamd.core.conditions import Condition, Op
from mamd.core.facts import (
    Answer,
    Attachment,
    Enrollment,
    Ids,
    Look,
    MdmRecord,
    Ownership,
    PairAnswer,
    Record,
    Status,
    ecid_of,
)
from mamd.core.rules import Mode, Rule, RuleSet, Trigger, When
from mamd.core.time import Now
from mamd.core.workflow import Action, IfImpossible, Kind, Step, Workflow
from tests.core.model import BEGAN, Shown

# ------------------------------------------------------------------------------ what devices show


def _shown(answer: Answer, pair: PairAnswer = PairAnswer.NOT_SENT, *, locked: bool | None = None) -> Shown:
    spoke = answer not in (Answer.NO_ANSWER, Answer.GARBLED, Answer.HOST_FAULT, Answer.CONNECT_REFUSED)
    return Shown(Look(answer, locked=locked, spoke=spoke), pair)


LOCKED = _shown(Answer.INVALID_HOST_ID, PairAnswer.PASSWORD_PROTECTED)
LOCKED_WITH_RECORD = _shown(Answer.PASSWORD_PROTECTED)
LOCKED_NO_RECORD = _shown(Answer.NO_RECORD, PairAnswer.PASSWORD_PROTECTED)
LOCKED_NO_ESCROW = _shown(Answer.TLS_FAILED, PairAnswer.NO_ESCROW)
NEVER_UNLOCKED = _shown(Answer.NO_RECORD, PairAnswer.ESCROW_LOCKED)
TRUST_PENDING = _shown(Answer.NO_RECORD, PairAnswer.DIALOG_PENDING)
TRUST_DENIED = _shown(Answer.NO_RECORD, PairAnswer.DENIED)
WRONG_IDENTITY = _shown(Answer.NO_RECORD, PairAnswer.WRONG_IDENTITY)
STALE = _shown(Answer.INVALID_HOST_ID, PairAnswer.NO_ANSWER)
NO_RECORD = _shown(Answer.NO_RECORD)
PAIRED = _shown(Answer.SESSION, locked=False)
PAIRED_LOCKED = _shown(Answer.SESSION, locked=True)
PAIRS_WHEN_ASKED = _shown(Answer.NO_RECORD, PairAnswer.PAIRED)
SILENT = _shown(Answer.NO_ANSWER)
GARBLED = _shown(Answer.GARBLED)
HOST_FAULT = _shown(Answer.HOST_FAULT)
REFUSED = _shown(Answer.CONNECT_REFUSED)
RESTORING = _shown(Answer.RESTORING)


def named(shown: Shown, ids: Ids) -> Shown:
    """The same, where lockdownd is there to say who it is."""
    return replace(shown, look=replace(shown.look, ids=ids)) if shown.look.spoke else shown


# ------------------------------------------------------------------------------------ devices


def ids_of(number: int) -> Ids:
    """The names of one device (its UDID holds its ECID, as from the A12 chip on)."""
    udid = f"00008110-{0x000A_1111_2222_0000 + number:016X}"
    return Ids(udid, ecid_of(udid), f"SER{number:04d}")


def record_of(number: int, **changed: object) -> Record:
    """The registry's row: a shared, active phone of the hospital."""
    record = Record(
        device=f"d-{number:04d}",
        ids=ids_of(number),
        name=f"Ward {number}",
        status=Status.ACTIVE,
        ownership=Ownership.SHARED,
        mdm="hospital",
    )
    return replace(record, **changed)  # type: ignore[arg-type]


def word_of(**changed: object) -> MdmRecord:
    """What the MDM says of it."""
    word = MdmRecord(
        "hospital",
        Now("boot-0", 0.0, BEGAN),
        command_id="e-1",
        enrollment=Enrollment.ENROLLED,
        has_token=True,
    )
    return replace(word, **changed)  # type: ignore[arg-type]


def port(number: int, devnum: int = 1, boot: str = "boot-1") -> Attachment:
    """One attachment on one port."""
    return Attachment(boot, f"1-{number}", devnum)


# ------------------------------------------------------------------------- rules and workflows


def condition(word: str, *values: str | bool | float, op: Op = Op.IN) -> Condition:
    """One condition of a file."""
    return Condition(word, op, values)


WAIT_S = 300.0
UNLOCKED = (condition("link", "paired"), condition("locked", False))
CLEAR = Step(Action.MDM_CLEAR_PASSCODE, until=UNLOCKED, wait_s=WAIT_S, outcome="unlocked")
ERASE = Step(
    Action.RECOVERY_ERASE_AND_UPDATE,
    needs=(condition("docked_for", 60.0, op=Op.AT_LEAST),),
    until=(condition("erased", True),),
    wait_s=3600.0,
    outcome="erased",
)
CALL = Step(Action.CALL_A_PERSON, texts=(("text", "please look at it"),))
LADDER = Workflow("clear-then-erase", Kind.RESCUE, "", (CLEAR, ERASE))
SURE_LADDER = Workflow(
    "sure-ladder", Kind.RESCUE, "", (replace(CLEAR, if_impossible=IfImpossible.NEXT), ERASE)
)
CLEAR_ONLY = Workflow("clear", Kind.RESCUE, "", (CLEAR,))
OVER_THE_AIR = Workflow(
    "over-the-air", Kind.OVER_THE_AIR, "", (CLEAR, Step(Action.MDM_REFRESH)), is_ladder=False
)
ASK = Workflow("ask", Kind.OVER_THE_AIR, "", (CALL,), is_ladder=False)
PUSH = Workflow("push", Kind.OVER_THE_AIR, "", (Step(Action.MDM_PUSH),), is_ladder=False)
WORKFLOWS = (LADDER, SURE_LADDER, CLEAR_ONLY, OVER_THE_AIR, ASK, PUSH)

NOT_PAIRING = Rule(
    name="not-pairing",
    because="A device that its last user locked helps nobody.",
    when=(When(Trigger.UNPAIRED, 5.0),),
    conditions=(condition("status", "active", "retired"), condition("cause", "locked")),
    run=LADDER.name,
)
LOCKED_ON_THE_DOCK = Rule(
    name="locked-on-the-dock",
    because="It pairs, and still cannot be made ready.",
    when=(When(Trigger.PAIRED, 5.0),),
    conditions=(condition("custody", "checked_in"), condition("locked", True)),
    run=CLEAR_ONLY.name,
)
SILENT_CALLS = Rule(
    name="silent-calls",
    because="Somebody should look.",
    when=(When(Trigger.SILENT, 60.0),),
    conditions=(condition("cause", "hidden", "no_answer"),),
    run=ASK.name,
)


def rules(*chosen: Rule) -> RuleSet:
    """A rule set of these, in this order, with every workflow."""
    return RuleSet(chosen, WORKFLOWS, hash="rules-1")


def with_mode(rule: Rule, mode: Mode) -> Rule:
    """The same rule, going that far."""
    return replace(rule, mode=mode)
