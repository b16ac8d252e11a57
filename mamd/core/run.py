"""
A run: one workflow being carried out on one device, as a value, and how it is written down.

All that must survive a power cut is in `Run`; what waits is a value there: `waited_s` counts
observed seconds, `wake_at` names the next time to try. `machine` says what becomes of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from mamd.core.commands import CallPerson, Cancel, Command, ReadMdmRecord, Reason, StopCalling
from mamd.core.events import AnswerStatus
from mamd.core.facts import Attachment, Fact
from mamd.core.governor import Asking, Block, View
from mamd.core.link import Link
from mamd.core.rules import Mode, most_careful
from mamd.core.time import Now
from mamd.core.workflow import Step, Workflow

PATIENCE_S: Final = 900.0
"""After that long without progress a person is called."""
APPROVAL_S: Final = 900.0
"""An approval is for one step of one run, and for that long."""


class RunState(Enum):
    """Where a run stands."""

    WAITING = "waiting"
    ACTING = "acting"
    WATCHING = "watching"
    CLOSED = "closed"


class Proof(Enum):
    """How a run that ended well knows it. Only the first two are reported as cleared."""

    ACKNOWLEDGED = "acknowledged"
    PASSCODE_ABSENT = "passcode_absent"
    UNLOCKED_BY_SOMEONE = "unlocked_by_someone"


class End(Enum):
    """How a run can end besides with a step's own outcome."""

    PROVEN = "proven"
    NOT_NEEDED = "not_needed"
    LEFT = "left"
    CAUSE_CHANGED = "cause_changed"
    OBSERVED = "observed"
    NOT_OURS = "not_ours"
    FAILED = "failed"
    DONE = "done"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Past:
    """One thing that happened in a run, for people: what was done, and what came of it."""

    step: int
    what: str
    at: Now
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """
    All of a run that must survive a power cut.

    Attributes:
        by: The rule's name, or the person who asked for it.
        mode: How far the rule that opened it may go.
        act: The act under way, `RUN/STEP/ATTEMPT`; another run's if its clear was joined.
        blocks: Why it waits.
        asked: When the act was asked for; `told` when the device was told of it.
        waited_s: Observed seconds of the present step's wait.
        proven: When the proof was first seen, while the device's own answer is still awaited.
        wake_at: `up` at which `TimeCame` is due.
        stuck: Since when there has been no progress towards the device being told.
        outcome: The step's own word if it ended well, else why it ended.
    """

    run: str
    device: str
    workflow: Workflow
    by: str
    opened: Now
    attachment: Attachment | None = None
    episode: int = 0
    rule: str | None = None
    is_person: bool = False
    mode: Mode = Mode.AUTO
    rule_set: str = ""
    state: RunState = RunState.WAITING
    blocks: tuple[Block, ...] = ()
    reason: Reason | None = None
    step: int = 0
    attempt: int = 0
    act: str = ""
    asked: Now | None = None
    accepted: Now | None = None
    told: Now | None = None
    answer: str = ""
    waited_s: float = 0.0
    proven: Now | None = None
    pushes: int = 0
    wake_at: float | None = None
    stuck: Now | None = None
    approved: tuple[tuple[int, str, Now], ...] = ()
    end: End | None = None
    outcome: str = ""
    proof: Proof | None = None
    closed: Now | None = None
    past: tuple[Past, ...] = ()

    @property
    def is_open(self) -> bool:
        """It has not ended."""
        return self.state is not RunState.CLOSED

    @property
    def doing(self) -> Step:
        """The present step."""
        return self.workflow.steps[self.step]

    @property
    def left_s(self) -> float | None:
        """Observed seconds that the wait still lacks, while it counts."""
        if self.state is not RunState.WATCHING or self.told is None:
            return None
        return max(0.0, self.doing.wait_s - self.waited_s)


@dataclass(frozen=True, slots=True)
class Case:
    """What a turn of a run is decided on, beside the event."""

    run: Run
    link: Link | None
    view: View
    now: Now
    facts: Mapping[str, Fact]
    counted_s: float = 0.0
    """Locked seconds that this very look added."""
    consent: Mode = Mode.AUTO
    """How far the run's rule may go by the text of now: each harsh step needs that consent, too."""


@dataclass(frozen=True, slots=True)
class RunTurn:
    """What became of a run, and what it asks for."""

    run: Run
    commands: tuple[Command, ...] = ()

    def and_ask(self, *commands: Command) -> "RunTurn":
        """The same, asking for more."""
        return replace(self, commands=(*self.commands, *commands))


# ---------------------------------------------------------------------------- building


def fail(case: Case, reason: Reason, why: str) -> RunTurn:
    """Never to a harsher rung: a person is called, unless the workflow wants nobody called."""
    closed = close(case, End.FAILED, note=why)
    if case.run.workflow.on_failure.call is None:
        return closed
    return closed.and_ask(call(case, reason, ("why", why)))


def close(case: Case, end: End, *, note: str = "") -> RunTurn:
    """End a run: withdraw what may still be queued, and stop the calls that it made."""
    run = case.run
    if end is End.PROVEN:
        run = with_proof(case)
    is_well = end in (End.PROVEN, End.DONE)
    outcome = (run.outcome if is_well else "") or end.value
    closed = replace(
        run,
        state=RunState.CLOSED,
        end=end,
        outcome=outcome,
        proof=_proof(case) if end is End.NOT_NEEDED else run.proof,
        closed=case.now,
        blocks=(),
        reason=None,
        wake_at=None,
        past=past(case, f"ended: {outcome}", note),
    )
    commands: tuple[Command, ...] = ()
    if _may_still_be_queued(run):
        commands = (Cancel(run.act, run.device, mdm(case)),)
    return RunTurn(closed, (*commands, StopCalling(f"run/{run.run}/")))


def with_proof(case: Case) -> Run:
    """The present step worked: what to call that, and how it is known."""
    return replace(case.run, outcome=case.run.doing.outcome, proof=_proof(case))


def is_answered(run: Run) -> bool:
    """The device gave its own answer to what was asked of it."""
    return run.answer in (AnswerStatus.ACKNOWLEDGED.value, AnswerStatus.ERROR.value)


def _may_still_be_queued(run: Run) -> bool:
    return run.asked is not None and bool(run.act) and not is_answered(run)


def _proof(case: Case) -> Proof:
    if case.run.answer == AnswerStatus.ACKNOWLEDGED.value:
        return Proof.ACKNOWLEDGED
    word = case.view.mdm
    asked = case.run.asked
    if word is not None and word.passcode_set is False and asked is not None and word.at.since(asked):
        return Proof.PASSCODE_ABSENT
    return Proof.UNLOCKED_BY_SOMEONE


def wait(run: Run, blocks: tuple[Block, ...], wake_at: float | None) -> Run:
    return replace(run, state=RunState.WAITING, blocks=blocks, wake_at=wake_at, reason=None)


def past(case: Case, what: str, detail: str = "") -> tuple[Past, ...]:
    return (*case.run.past, Past(case.run.step, what, case.now, detail))


def asking(case: Case) -> Asking:
    run = case.run
    is_approved = any(
        step == run.step and case.now.is_within(APPROVAL_S, of=at) for step, _, at in run.approved
    )
    mode = most_careful(run.mode, case.consent)
    return Asking(run.rule, mode, is_approved=is_approved, is_person=run.is_person)


def later(case: Case, seconds: float) -> float:
    return case.now.up + seconds


def mdm(case: Case) -> str:
    record = case.view.record
    return (record.mdm or "") if record is not None else ""


def read(case: Case) -> ReadMdmRecord:
    return ReadMdmRecord(case.run.device, mdm(case))


def key(case: Case, reason: Reason) -> str:
    return f"run/{case.run.run}/{reason.value}"


def call(case: Case, reason: Reason, *details: tuple[str, str]) -> CallPerson:
    where = (("port", case.view.port_label),) if case.view.port_label else ()
    by = (("rule", case.run.by),)
    return CallPerson(key(case, reason), reason, case.run.device, (*where, *by, *details))


def call_if_stuck(case: Case, run: Run, reason: Reason) -> tuple[Command, ...]:
    """Patience first; a person after 15 minutes without progress."""
    stuck = case.now.since(run.stuck)
    return (call(case, reason),) if stuck is not None and stuck >= PATIENCE_S else ()
