"""
Lives of devices for tests of what people see: told to the real core, event by event.

What a page or a sentence is tested on is thus what the daemon would really have come to.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from mamd.core import events as ev
from mamd.core.commands import CallPerson, ReadMdmRecord, StopCalling
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
    UsbMode,
)
from mamd.core.governor import MdmCan, View, not_ours
from mamd.core.link import Link, attach
from mamd.core.rules import Rule, RuleSet, Trigger, When
from mamd.core.run import Run
from mamd.core.time import Now
from mamd.core.turn import Situation, explain, plan, take
from mamd.core.workflow import Action, IfImpossible, Kind, Step, Workflow
from mamd.desk import Standing
from mamd.ports import CallRow

MIDNIGHT = datetime(2026, 11, 25, 2, 0, tzinfo=UTC)
"""Three o'clock at night in Berlin."""


def moment(up: float) -> Now:
    """So many seconds after the story began."""
    return Now("boot-1", 1000.0 + up, MIDNIGHT + timedelta(seconds=up))


PROOF = (Condition("link", Op.IS, ("paired",)), Condition("locked", Op.IS, (False,)))
LADDER = Workflow(
    "clear-passcode-then-erase",
    Kind.RESCUE,
    "Take the passcode off; if the device has not paired five minutes later, erase and update it.",
    (
        Step(Action.MDM_CLEAR_PASSCODE, until=PROOF, wait_s=300.0, outcome="unlocked"),
        Step(
            Action.RECOVERY_ERASE_AND_UPDATE,
            until=(Condition("erased", Op.IS, (True,)),),
            wait_s=3600.0,
            outcome="erased",
        ),
    ),
)
CLEAR = Workflow(
    "clear-passcode",
    Kind.OVER_THE_AIR,
    "Take the passcode off.",
    (
        Step(
            Action.MDM_CLEAR_PASSCODE,
            until=PROOF,
            wait_s=300.0,
            outcome="unlocked",
            if_impossible=IfImpossible.CALL_A_PERSON,
        ),
    ),
)
NOT_PAIRING = Rule(
    "not-pairing",
    "A device that its last user locked helps nobody.",
    (When(Trigger.UNPAIRED, 5.0),),
    (
        Condition("status", Op.IN, ("active", "retired")),
        Condition("cause", Op.IS, ("locked",)),
    ),
    "clear-passcode-then-erase",
)
RULES = RuleSet((NOT_PAIRING,), (LADDER, CLEAR), "a1b2c3")


def record(number: int, name: str, **changes: object) -> Record:
    """A device of the hospital's."""
    udid = f"00008101-00{number:014X}"
    known = Record(
        device=f"d-{number:04}",
        ids=Ids(udid, number, f"F2LQ{number:04}Q6L4"),
        name=name,
        status=Status.ACTIVE,
        retired_reason="",
        ownership=Ownership.SHARED,
        mdm="hospital",
    )
    return replace(known, **changes)  # type: ignore[arg-type]


LOCKED = Look(Answer.PASSWORD_PROTECTED, spoke=True)
OPEN = Look(Answer.SESSION, locked=False, product_type="iPhone12,1", os_version="18.5", spoke=True)
PAIRED_BUT_LOCKED = replace(OPEN, locked=True)
ASKS_FOR_TRUST = Look(Answer.NO_RECORD, PairAnswer.DIALOG_PENDING, spoke=True)
SILENT = Look(Answer.NO_ANSWER)


@dataclass
class Life:
    """One device on one port, from the moment it is plugged in."""

    port: str
    label: str
    record: Record | None
    rules: RuleSet = RULES
    view: View = field(default_factory=View)
    situation: Situation = field(default_factory=Situation)
    word: MdmRecord | None = None
    up: float = 0.0
    closed: list[Run] = field(default_factory=list)
    calls: dict[str, CallRow] = field(default_factory=dict)

    @property
    def now(self) -> Now:
        """This moment in the story."""
        return moment(self.up)

    def plugged_in(
        self, *, mode: UsbMode = UsbMode.NORMAL, listed: bool = True, lately: tuple[float, ...] = ()
    ) -> "Life":
        """It comes, and shows on the bus who it is."""
        ids = self.record.ids if self.record is not None else Ids("00008101-00FFFFFFFFFFFFFF")
        event = ev.Attached(Attachment("boot-1", self.port, 7), mode, ids, listed)
        self.situation = Situation(attach(event, self.now, lately=tuple(1000.0 + up for up in lately)))
        self.view = View(
            record=self.record,
            mdm_can=MdmCan(needs_unlock_token=True, knows_ownership=False, can_push=True, asks_once=True),
            port_label=self.label,
            launchpad="ward-3",
            next_run=f"r-{self.label.zfill(4)}",
        )
        return self

    def takes(self, event: ev.Event) -> "Life":
        """One event, through the real core; the MDM answers at once when it is asked who this is."""
        turn = take(self.situation, event, self.now, self.view, self.rules)
        self.situation = turn.became
        if turn.became.run is not None and not turn.became.run.is_open:
            self.closed.insert(0, turn.became.run)
            self.situation = replace(turn.became, run=None)
        for command in turn.commands:
            self._asked(command)
        return self

    def _asked(self, command: object) -> None:
        if isinstance(command, CallPerson):
            self.calls[command.key] = CallRow(command, self.now.wall, 1, self.now)
        elif isinstance(command, StopCalling):
            self.calls = {key: row for key, row in self.calls.items() if not key.startswith(command.key)}
        elif isinstance(command, ReadMdmRecord) and self.record is not None:
            word = self.word or MdmRecord(
                "hospital",
                self.now,
                command_id="E1",
                enrollment=Enrollment.ENROLLED,
                has_token=True,
                last_contact=moment(self.up - 40.0),
            )
            self.view = replace(self.view, mdm=replace(word, at=self.now))
            self.takes(ev.MdmRecordRead(command.device, command.mdm, self.view.mdm))

    def looked(self, look: Look, *, until: float, every: float = 2.5) -> "Life":
        """It is looked at again and again, and says the same each time."""
        while self.up < until:
            self.up = min(until, self.up + every)
            self.takes(ev.Looked(Attachment("boot-1", self.port, 7), self._with_ids(look)))
        return self

    def _with_ids(self, look: Look) -> Look:
        return replace(look, ids=self.record.ids) if self.record is not None else look

    def accepted(self, *, pushed: bool = True) -> "Life":
        """The MDM has the clear queued."""
        run = self.situation.run
        assert run is not None
        return self.takes(ev.Accepted(run.act, pushed))

    def heard_elsewhere(self) -> "Life":
        """Some device of the same MDM was heard, so the way is open."""
        self.view = replace(self.view, last_contact_any=self.now)
        return self

    def answered(self, status: ev.AnswerStatus, error: str = "") -> "Life":
        """The device answers over the air."""
        run = self.situation.run
        assert run is not None
        assert self.record is not None
        return self.takes(ev.CommandAnswered(self.record.device, run.act, status, error))

    def standing(self, **changes: object) -> Standing:
        """What the desk says of it now."""
        link = self.situation.link
        blocks = not_ours(self.view, link)
        runs = (*((self.situation.run,) if self.situation.run is not None else ()), *self.closed)
        base = Standing(
            port=self.port,
            label=self.label,
            record=self.record,
            situation=self.situation,
            view=self.view,
            blocks=blocks,
            tested=explain(link, self.view, self.now, self.rules)[1] if isinstance(link, Link) else (),
            next_look=plan(self.situation, self.now, self.view, self.rules),
            runs=runs,
            calls=tuple(self.calls.values()),
        )
        return replace(base, **changes)  # type: ignore[arg-type]
