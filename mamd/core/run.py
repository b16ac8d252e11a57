"""
One workflow being carried out on one device: the table of its turns.

              ┌──────────── not yet: needs, approval, hold, budget, MDM unread ◀──┐
              ▼                                                                   │
    open ▶ WAITING ──may──▶ ACTING ──Accepted──▶ WATCHING ──whole wait in vain──▶ next rung
              │                │                    │
              └────────────────┴───── proof, Detached, another cause, a no ─────▶ CLOSED

Only a whole wait, given with the way to the device seen open, leads to a harsher rung. A
refusal, an outage, a rate limit leads to patience or to a person (promise 3). What waits is
a value here: `waited_s` counts observed seconds, `wake_at` names the next time to try.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final

from mamd.core import events as ev
from mamd.core.commands import CallPerson, Cancel, ClearPasscode, Command, LookNow, Push, ReadMdmRecord, Reason, StopCalling
from mamd.core.conditions import all_hold
from mamd.core.errors import No
from mamd.core.facts import Attachment, Fact, LinkState
from mamd.core.governor import REASON_OF_CAUSE, Asking, Block, Gate, View, arming, may_clear
from mamd.core.link import GAP_S, Link
from mamd.core.rules import Mode, Rule
from mamd.core.time import Now
from mamd.core.workflow import Action, IfImpossible, Step, Workflow

REPUSH_S: Final = (5.0, 15.0, 30.0, 60.0)
"""How long to wait between pushes while the device was not told; the last one repeats."""
REMIND_S: Final = (60.0, 150.0)
"""When to push once more after an acceptance: pushes coalesce and are harmless."""
PATIENCE_S: Final = 900.0
"""After that long without progress a person is called."""
DOUBT_S: Final = 30.0
LOOK_AGAIN_S: Final = 300.0
APPROVAL_S: Final = 900.0
PAIR_AFTER_ACCEPTED_S: Final = 5.0


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


@dataclass(frozen=True, slots=True)
class RunTurn:
    """What became of a run, and what it asks for."""

    run: Run
    commands: tuple[Command, ...] = ()

    def and_ask(self, *commands: Command) -> "RunTurn":
        """The same, asking for more."""
        return replace(self, commands=(*self.commands, *commands))


def open_run(rule: Rule | None, workflow: Workflow, case: Case, *, by: str, rule_set: str) -> RunTurn:
    """A new run, and its first step considered at once."""
    run = replace(
        case.run,
        workflow=workflow,
        rule=rule.name if rule is not None else None,
        by=by,
        is_person=rule is None,
        mode=rule.mode if rule is not None else Mode.AUTO,
        rule_set=rule_set,
    )
    return _consider(replace(case, run=run))


def advance(case: Case, event: ev.Event) -> RunTurn:
    """
    Take one event, and say what becomes of the run.

    Pure: the same arguments give the same turn, today, in a test and in a replay.
    Total: every event is welcome in every state, and none of them raises.
    """
    if not case.run.is_open:
        return RunTurn(case.run)
    handler = TURNS.get((case.run.state, type(event))) or ALWAYS.get(type(event), _no_news)
    return handler(case, event)


# --------------------------------------------------------------------- may it go ahead?


def _consider(case: Case) -> RunTurn:
    """Look at the present step: is it needed, possible, allowed?"""
    step = case.run.doing
    if step.until and all_hold(step.until, case.facts):
        return _close(case, End.NOT_NEEDED)
    if step.needs and not all_hold(step.needs, case.facts):
        return RunTurn(_wait(case.run, (Block.NEEDS,), None))
    return _CONSIDER[step.do](case)


def _consider_clear(case: Case) -> RunTurn:
    gate = may_clear(case.view, case.link, _asking(case), case.now)
    if gate.is_open:
        return _ask_for_clear(case)
    if Block.MDM_UNREAD in gate.blocks and set(gate.blocks) <= _UNREAD:
        return RunTurn(_wait(case.run, gate.blocks, _later(case, 15.0)), (_read(case),))
    return _blocked(case, gate)


_UNREAD: Final = frozenset({Block.MDM_UNREAD, Block.NEEDS_APPROVAL})


def _blocked(case: Case, gate: Gate) -> RunTurn:
    """A gate is shut: give up where it will not open, observe where only that is wanted, else wait."""
    first = gate.blocks[0]
    if first in _IMPOSSIBLE:
        return _impossible(case, first.value)
    if first is Block.OBSERVING:
        return _close(case, End.OBSERVED, note=f"would do {case.run.doing.do.value}")
    if first in _NEVER:
        return _close(case, End.NOT_OURS, note=first.value)
    if first is Block.NOT_LOCKED:
        return _not_locked(case)
    waiting = replace(_wait(case.run, gate.blocks, _later(case, LOOK_AGAIN_S)), stuck=case.run.stuck or case.now)
    reason = _CALLS.get(first)
    return RunTurn(waiting, (_call(case, reason),) if reason is not None else ())


_IMPOSSIBLE: Final = frozenset({Block.MDM_CANNOT_CLEAR, Block.NO_TOKEN})
"""The adapter's declared incapacity, or no token while the vault is sound: certain (promise 3)."""
_NEVER: Final = frozenset(
    {
        Block.NOT_IN_REGISTRY,
        Block.NOT_ACTIVE,
        Block.LOST_OR_STOLEN,
        Block.RETIRED_WHY_UNKNOWN,
        Block.PERSONAL,
        Block.OWNERSHIP_UNKNOWN,
        Block.LEFT_IMPORT,
        Block.MDM_SAYS_PERSONAL,
        Block.SWITCHED_OFF,
        Block.CHARGE_ONLY,
    }
)
_CALLS: Final = {
    Block.IDENTITY_CONTRADICTS: Reason.IDENTITY_CONTRADICTS,
    Block.SEEN_ELSEWHERE: Reason.IDENTITY_CONTRADICTS,
    Block.CLEARS_USED_UP: Reason.LIMIT_REACHED,
    Block.NEEDS_APPROVAL: Reason.NEEDS_APPROVAL,
    Block.NOT_ENROLLED: Reason.CANNOT_CLEAR,
    Block.LOST_MODE: Reason.CANNOT_CLEAR,
    Block.NO_MDM: Reason.CANNOT_CLEAR,
    Block.VAULT_BROKEN: Reason.MDM_MISCONFIGURED,
}


def _not_locked(case: Case) -> RunTurn:
    """It is not shown to be locked now: over if it shows something else, else one more look."""
    link = case.link
    if link is not None and link.is_unpaired and link.cause is not None:
        return _other_cause(case)
    if link is not None and link.state is LinkState.PAIRED and link.seen.locked is False:
        return _close(case, End.NOT_NEEDED)
    return RunTurn(_wait(case.run, (Block.NOT_LOCKED,), None))


def _ask_for_clear(case: Case) -> RunTurn:
    """Join a clear that may still be queued, else ask for one: at most one an episode (promise 5)."""
    run, joined = case.run, case.view.open_clear
    if joined is not None and joined.run != run.run:
        return _join(case)
    acting = replace(
        run,
        state=RunState.ACTING,
        act=f"{run.run}/{run.step}/{run.attempt}",
        asked=run.asked or case.now,
        blocks=(),
        reason=None,
        wake_at=None,
        past=_past(case, "asked the MDM to clear the passcode") if run.asked is None else run.past,
    )
    return RunTurn(acting, (ClearPasscode(acting.act, run.device, _mdm(case)),))


def _join(case: Case) -> RunTurn:
    joined = case.view.open_clear
    assert joined is not None, "there is one to join"
    watching = replace(
        case.run,
        state=RunState.WATCHING,
        act=joined.act,
        asked=joined.accepted or case.now,
        accepted=joined.accepted or case.now,
        told=None,
        blocks=(),
        stuck=case.now,
        wake_at=case.now.up,
        past=_past(case, "joined the clear that is still queued at the MDM"),
    )
    return RunTurn(watching)


def _consider_erase(case: Case) -> RunTurn:
    """Decided, shown and reported to a person; not done in this version."""
    run = case.run
    if run.reason is Reason.WOULD_ERASE:
        return RunTurn(run)
    asked = arming(case.view, case.link, _asking(case), case.now)
    in_the_way = ", ".join(block.value for block, is_so in asked if is_so)
    waiting = replace(
        _wait(run, tuple(block for block, is_so in asked if is_so), None),
        reason=Reason.WOULD_ERASE,
        past=_past(case, "would erase and update it", in_the_way),
    )
    details = (
        ("waited", f"{run.waited_s:.0f} s"),
        ("arming would have asked", ", ".join(block.value for block, _ in asked)),
        ("in the way now", in_the_way),
    )
    return RunTurn(waiting, (_call(case, Reason.WOULD_ERASE, *details),))


def _consider_call(case: Case) -> RunTurn:
    called = _call(case, Reason.ASKED_FOR, *case.run.doing.texts)
    return _step_done(case, "called a person").and_ask(called)


def _consider_push(case: Case) -> RunTurn:
    push = Push(f"{case.run.run}/{case.run.step}/{case.run.attempt}", case.run.device, _mdm(case))
    return _step_done(case, "pushed").and_ask(push)


def _consider_refresh(case: Case) -> RunTurn:
    return _step_done(case, "asked the MDM what it knows").and_ask(_read(case))


_CONSIDER: Final[Mapping[Action, Callable[[Case], RunTurn]]] = {
    Action.MDM_CLEAR_PASSCODE: _consider_clear,
    Action.RECOVERY_ERASE_AND_UPDATE: _consider_erase,
    Action.CALL_A_PERSON: _consider_call,
    Action.MDM_PUSH: _consider_push,
    Action.MDM_REFRESH: _consider_refresh,
}


# ------------------------------------------------------------------------ what came of it


def _accepted(case: Case, event: ev.Accepted) -> RunTurn:
    if event.act != case.run.act:
        return RunTurn(case.run)
    told = case.now if event.pushed else None
    watching = replace(
        case.run,
        state=RunState.WATCHING,
        accepted=case.now,
        told=told,
        stuck=None if told else case.now,
        pushes=0,
        wake_at=_later(case, REMIND_S[0] if told else REPUSH_S[0]),
        past=_past(case, "the MDM has it queued", "the device was told" if told else "the push failed"),
    )
    return RunTurn(watching)


def _put_off(case: Case, event: ev.PutOff) -> RunTurn:
    if event.act != case.run.act:
        return RunTurn(case.run)
    stuck = case.run.stuck or case.now
    run = replace(
        case.run,
        state=RunState.WAITING,
        reason=Reason.MDM_OUT_OF_REACH,
        stuck=stuck,
        wake_at=_later(case, max(1.0, event.retry_after_s)),
    )
    return RunTurn(run, _call_if_stuck(case, run, Reason.MDM_OUT_OF_REACH))


def _in_doubt(case: Case, event: ev.LeftInDoubt) -> RunTurn:
    if event.act != case.run.act:
        return RunTurn(case.run)
    run = replace(case.run, stuck=case.run.stuck or case.now, wake_at=_later(case, DOUBT_S))
    return RunTurn(run, _call_if_stuck(case, run, Reason.MDM_OUT_OF_REACH))


def _turned_down(case: Case, event: ev.TurnedDown) -> RunTurn:
    """No says something about the device only where the adapter cannot, or no token is held."""
    if event.act != case.run.act:
        return RunTurn(case.run)
    if event.no in (No.UNSUPPORTED, No.NO_TOKEN):
        return _impossible(case, event.why)
    if event.no in (No.AUTH_FAILED, No.FORBIDDEN, No.PROTOCOL):
        run = replace(
            _wait(case.run, (), _later(case, LOOK_AGAIN_S)),
            reason=Reason.MDM_MISCONFIGURED,
            past=_past(case, "the MDM said no", event.why),
        )
        return RunTurn(run, (_call(case, Reason.MDM_MISCONFIGURED, ("why", event.why)),))
    return _fail(case, Reason.CANNOT_CLEAR, event.why)


def _impossible(case: Case, why: str) -> RunTurn:
    """It is certain that this device cannot be cleared over the air."""
    if case.run.doing.if_impossible is IfImpossible.NEXT and case.run.workflow.is_ladder:
        return _next_rung(case, f"impossible: {why}")
    return _fail(case, Reason.CANNOT_CLEAR, why)


def _answered(case: Case, event: ev.CommandAnswered) -> RunTurn:
    """The device answered over the air. Acknowledged is progress; only pairing proves it."""
    if event.act != case.run.act:
        return RunTurn(case.run)
    heard = replace(_told(case), answer=event.status.value, past=_past(case, f"the device answered {event.status.value}", event.error))
    if event.status is ev.AnswerStatus.ERROR:
        return _impossible(replace(case, run=heard), event.error or "the device answered Error")
    return RunTurn(heard, (LookNow("the device answered over the air"),))


def _told(case: Case) -> Run:
    """The device has been heard since the request, so it was told, pushed or not."""
    run = case.run
    state = RunState.WATCHING if run.state is RunState.ACTING else run.state
    accepted = run.accepted or case.now
    return replace(run, state=state, accepted=accepted, told=run.told or case.now, stuck=None)


def _contact(case: Case, event: ev.ContactMade) -> RunTurn:
    run = case.run
    if event.device != run.device or run.accepted is None:
        return RunTurn(run)
    if run.told is not None:
        return RunTurn(run, (LookNow("the device was heard by its MDM"),))
    return RunTurn(replace(_told(case), wake_at=_later(case, REMIND_S[0])), (LookNow("the device was heard by its MDM"),))


def _reenrolled(case: Case, event: ev.Reenrolled) -> RunTurn:
    """Authenticate empties the queue: what we asked for is gone, certainly, and may be asked again."""
    if event.device != case.run.device or not case.run.act:
        return RunTurn(case.run)
    fresh = replace(
        _wait(case.run, (Block.NOT_ENROLLED,), _later(case, 15.0)),
        attempt=case.run.attempt + 1,
        act="",
        asked=None,
        accepted=None,
        told=None,
        waited_s=0.0,
        past=_past(case, "the device enrolled anew, so the queued clear is gone"),
    )
    return RunTurn(fresh)


def _pushed(case: Case, event: ev.Pushed) -> RunTurn:
    run = case.run
    if event.act != run.act or run.state is not RunState.WATCHING:
        return RunTurn(run)
    if not event.error:
        told = replace(run, told=run.told or case.now, stuck=None, wake_at=_next_reminder(case))
        return RunTurn(told, (StopCalling(_key(case, Reason.NOT_TOLD)),) if run.told is None else ())
    if run.told is not None:
        return RunTurn(replace(run, wake_at=_next_reminder(case)))
    pause = REPUSH_S[min(run.pushes, len(REPUSH_S) - 1)]
    tried = replace(run, stuck=run.stuck or case.now, wake_at=_later(case, pause))
    return RunTurn(tried, _call_if_stuck(case, tried, Reason.NOT_TOLD))


def _next_reminder(case: Case) -> float | None:
    assert case.run.accepted is not None, "only what was accepted is pushed"
    due = [case.run.accepted.up + offset for offset in REMIND_S]
    return next((at for at in due if at > case.now.up), None)


# ------------------------------------------------------------------------------- looks


def _look_while_waiting(case: Case, event: ev.Looked) -> RunTurn:
    gone = _elsewhere(case)
    if gone is not None:
        return gone
    if case.run.reason is Reason.MDM_OUT_OF_REACH or case.run.reason is Reason.MDM_MISCONFIGURED:
        return _close(case, End.NOT_NEEDED) if _is_proven(case) else RunTurn(case.run)
    return _consider(case)


def _look_while_acting(case: Case, event: ev.Looked) -> RunTurn:
    if _is_proven(case):
        return _close(case, End.PROVEN)
    return _elsewhere(case) or RunTurn(case.run)


def _look_while_watching(case: Case, event: ev.Looked) -> RunTurn:
    """Did it work? If not, count; and only a whole wait with the way open leads on."""
    if _is_proven(case):
        return _close(case, End.PROVEN)
    gone = _elsewhere(case)
    if gone is not None:
        return gone
    run = replace(case.run, waited_s=case.run.waited_s + _counts(case))
    if run.told is None or run.waited_s < run.doing.wait_s:
        return RunTurn(run)
    return _waited(replace(case, run=run))


def _counts(case: Case) -> float:
    """Locked seconds of this look that lie after the device was told."""
    since_told = case.now.since(case.run.told)
    return 0.0 if since_told is None else min(case.counted_s, since_told, GAP_S)


def _waited(case: Case) -> RunTurn:
    run = case.run
    if not _way_is_open(case):
        stuck = replace(run, reason=Reason.WAY_NOT_OPEN, stuck=run.stuck or case.now)
        return RunTurn(stuck, (_call(case, Reason.WAY_NOT_OPEN),))
    if run.workflow.is_ladder and run.step + 1 < len(run.workflow.steps):
        return _next_rung(case, f"in vain for {run.waited_s:.0f} s")
    return _fail(case, Reason.FAILED, f"in vain for {run.waited_s:.0f} s")


def _way_is_open(case: Case) -> bool:
    """Some device of that MDM, anywhere, was heard after our request (promise 3)."""
    asked, heard = case.run.asked, case.view.last_contact_any
    return (
        case.view.mdm_can is not None
        and case.view.mdm_can.tells_contact
        and asked is not None
        and heard is not None
        and heard.boot == asked.boot
        and heard.up >= asked.up
    )


def _is_proven(case: Case) -> bool:
    return bool(case.run.doing.until) and all_hold(case.run.doing.until, case.facts)


def _elsewhere(case: Case) -> RunTurn | None:
    """If the cause is no longer that it is locked, the ladder stops there."""
    link = case.link
    if link is None or not link.is_unpaired or link.cause is None or link.is_locked:
        return None
    return _other_cause(case)


def _other_cause(case: Case) -> RunTurn:
    assert case.link is not None and case.link.cause is not None
    cause = case.link.cause
    turn = _close(case, End.CAUSE_CHANGED, note=f"the cause is now {cause.value}")
    reason = REASON_OF_CAUSE.get(cause)
    return turn.and_ask(_call(case, reason)) if reason is not None else turn


# ------------------------------------------------------------------------------- time


def _time_while_waiting(case: Case, event: ev.TimeCame) -> RunTurn:
    return _consider(replace(case, run=replace(case.run, reason=None, wake_at=None)))


def _time_while_acting(case: Case, event: ev.TimeCame) -> RunTurn:
    """What we asked for is in doubt: ask again under the same act, if that asks once."""
    run, can = case.run, case.view.mdm_can
    if run.wake_at is None or case.now.up < run.wake_at:
        return RunTurn(run)
    gate = may_clear(replace(case.view, clears_in_hour=0), case.link, _asking(case), case.now)
    if not gate.is_open:
        later = replace(run, blocks=gate.blocks, wake_at=_later(case, DOUBT_S))
        read = (_read(case),) if Block.MDM_UNREAD in gate.blocks else ()
        return RunTurn(later, read)
    if can is None or not can.asks_once:
        return _fail(case, Reason.MDM_OUT_OF_REACH, "it is not known whether the MDM took the request")
    again = replace(run, wake_at=None, blocks=())
    return RunTurn(again, (ClearPasscode(run.act, run.device, _mdm(case)),))


def _time_while_watching(case: Case, event: ev.TimeCame) -> RunTurn:
    run, can = case.run, case.view.mdm_can
    if run.wake_at is None or case.now.up < run.wake_at:
        return RunTurn(run)
    if can is None or not can.can_push:
        return RunTurn(replace(run, wake_at=None))
    # The pause stands until the push's answer sets another: a lost answer must not stop the pushing.
    tried = replace(run, pushes=run.pushes + 1, wake_at=_later(case, REPUSH_S[-1]))
    return RunTurn(tried, (Push(run.act, run.device, _mdm(case)),))


def _resumed(case: Case, event: ev.Resumed) -> RunTurn:
    """A restart in the middle of asking leaves it in doubt; every other wait is a row and goes on."""
    if case.run.state is RunState.ACTING:
        return RunTurn(replace(case.run, wake_at=case.now.up, stuck=case.run.stuck or case.now))
    return RunTurn(case.run)


# ---------------------------------------------------------------------- people and world


def _approved(case: Case, event: ev.Approved) -> RunTurn:
    run = case.run
    if event.run != run.run or event.step != run.step:
        return RunTurn(run)
    noted = replace(
        run,
        approved=(*run.approved, (event.step, event.by, case.now)),
        past=_past(case, f"approved by {event.by}", event.reason),
    )
    turn = _consider(replace(case, run=noted)) if run.state is RunState.WAITING else RunTurn(noted)
    return turn.and_ask(StopCalling(_key(case, Reason.NEEDS_APPROVAL)))


def _reconsider(case: Case, event: ev.Event) -> RunTurn:
    return _consider(replace(case, run=replace(case.run, reason=_kept_reason(case.run))))


def _kept_reason(run: Run) -> Reason | None:
    return Reason.WOULD_ERASE if run.reason is Reason.WOULD_ERASE else None


def _detached(case: Case, event: ev.Detached) -> RunTurn:
    """It was taken away. What may still be queued is withdrawn, or an orphan from now on."""
    return _close(case, End.LEFT)


def _broke(case: Case, event: ev.Broke) -> RunTurn:
    closed = _close(case, End.BROKEN, note=event.traceback)
    return closed.and_ask(_call(case, Reason.BROKEN_RUN))


def _record_read(case: Case, event: ev.MdmRecordRead) -> RunTurn:
    return _consider(case) if case.run.reason not in _PATIENT else RunTurn(case.run)


_PATIENT: Final = frozenset({Reason.MDM_OUT_OF_REACH, Reason.MDM_MISCONFIGURED, Reason.WOULD_ERASE})


def _record_unread(case: Case, event: ev.MdmRecordUnread) -> RunTurn:
    run = replace(case.run, blocks=(Block.MDM_UNREAD,), stuck=case.run.stuck or case.now)
    return RunTurn(run, _call_if_stuck(case, run, Reason.MDM_OUT_OF_REACH))


def _no_news(case: Case, event: ev.Event) -> RunTurn:
    return RunTurn(case.run)


# ---------------------------------------------------------------------------- building


def _step_done(case: Case, what: str) -> RunTurn:
    """A step that succeeds by being asked for."""
    done = replace(case.run, past=_past(case, what))
    if done.step + 1 >= len(done.workflow.steps):
        return _close(replace(case, run=done), End.DONE)
    return _consider(replace(case, run=_at_step(done, done.step + 1)))


def _next_rung(case: Case, why: str) -> RunTurn:
    if case.run.step + 1 >= len(case.run.workflow.steps):
        return _fail(case, Reason.FAILED, why)
    moved = _at_step(replace(case.run, past=_past(case, case.run.doing.do.value, why)), case.run.step + 1)
    # `waited_s` is kept for the report of what the earlier rung was given.
    return _consider(replace(case, run=replace(moved, waited_s=case.run.waited_s)))


def _at_step(run: Run, step: int) -> Run:
    return replace(
        run,
        step=step,
        attempt=0,
        state=RunState.WAITING,
        blocks=(),
        reason=None,
        wake_at=None,
        stuck=None,
        pushes=0,
        waited_s=0.0,
    )


def _fail(case: Case, reason: Reason, why: str) -> RunTurn:
    """Never to a harsher rung: a person is called."""
    closed = _close(case, End.FAILED, note=why)
    return closed.and_ask(_call(case, reason, ("why", why)))


def _close(case: Case, end: End, *, note: str = "") -> RunTurn:
    run = case.run
    is_well = end in (End.PROVEN, End.NOT_NEEDED, End.DONE)
    step_outcome = run.doing.outcome if end is End.PROVEN else ""
    closed = replace(
        run,
        state=RunState.CLOSED,
        end=end,
        outcome=step_outcome or end.value,
        proof=_proof(case) if end in (End.PROVEN, End.NOT_NEEDED) else None,
        closed=case.now,
        blocks=(),
        wake_at=None,
        past=_past(case, f"ended: {step_outcome or end.value}", note),
    )
    commands: tuple[Command, ...] = ()
    if _may_still_be_queued(run):
        commands = (Cancel(run.act, run.device, _mdm(case)),)
    settled = (StopCalling(f"run/{run.run}/"),) if is_well or end is End.LEFT else ()
    return RunTurn(closed, (*commands, *settled))


def _may_still_be_queued(run: Run) -> bool:
    is_answered = run.answer in (ev.AnswerStatus.ACKNOWLEDGED.value, ev.AnswerStatus.ERROR.value)
    return run.asked is not None and bool(run.act) and not is_answered


def _proof(case: Case) -> Proof:
    if case.run.answer == ev.AnswerStatus.ACKNOWLEDGED.value:
        return Proof.ACKNOWLEDGED
    word = case.view.mdm
    asked = case.run.asked
    if word is not None and word.passcode_set is False and asked is not None and word.at.since(asked):
        return Proof.PASSCODE_ABSENT
    return Proof.UNLOCKED_BY_SOMEONE


def _wait(run: Run, blocks: tuple[Block, ...], wake_at: float | None) -> Run:
    return replace(run, state=RunState.WAITING, blocks=blocks, wake_at=wake_at, reason=None)


def _past(case: Case, what: str, detail: str = "") -> tuple[Past, ...]:
    return (*case.run.past, Past(case.run.step, what, case.now, detail))


def _asking(case: Case) -> Asking:
    run = case.run
    is_approved = any(
        step == run.step and case.now.is_within(APPROVAL_S, of=at) for step, _, at in run.approved
    )
    return Asking(run.rule, run.mode, is_approved=is_approved, is_person=run.is_person)


def _later(case: Case, seconds: float) -> float:
    return case.now.up + seconds


def _mdm(case: Case) -> str:
    record = case.view.record
    return (record.mdm or "") if record is not None else ""


def _read(case: Case) -> ReadMdmRecord:
    return ReadMdmRecord(case.run.device, _mdm(case))


def _key(case: Case, reason: Reason) -> str:
    return f"run/{case.run.run}/{reason.value}"


def _call(case: Case, reason: Reason, *details: tuple[str, str]) -> CallPerson:
    where = (("port", case.view.port_label),) if case.view.port_label else ()
    by = (("rule", case.run.by),)
    return CallPerson(_key(case, reason), reason, case.run.device, (*where, *by, *details))


def _call_if_stuck(case: Case, run: Run, reason: Reason) -> tuple[Command, ...]:
    """Patience first; a person after 15 minutes without progress."""
    stuck = case.now.since(run.stuck)
    return (_call(case, reason),) if stuck is not None and stuck >= PATIENCE_S else ()


Handler = Callable[[Case, Any], RunTurn]

TURNS: Final[Mapping[tuple[RunState, type[ev.Event]], Handler]] = {
    (RunState.WAITING, ev.Looked): _look_while_waiting,
    (RunState.WAITING, ev.TimeCame): _time_while_waiting,
    (RunState.WAITING, ev.MdmRecordRead): _record_read,
    (RunState.WAITING, ev.MdmRecordUnread): _record_unread,
    (RunState.WAITING, ev.WorldChanged): _reconsider,
    (RunState.WAITING, ev.Retried): _reconsider,
    (RunState.ACTING, ev.Looked): _look_while_acting,
    (RunState.ACTING, ev.Accepted): _accepted,
    (RunState.ACTING, ev.PutOff): _put_off,
    (RunState.ACTING, ev.LeftInDoubt): _in_doubt,
    (RunState.ACTING, ev.TurnedDown): _turned_down,
    (RunState.ACTING, ev.TimeCame): _time_while_acting,
    (RunState.WATCHING, ev.Looked): _look_while_watching,
    (RunState.WATCHING, ev.Pushed): _pushed,
    (RunState.WATCHING, ev.TimeCame): _time_while_watching,
}
"""What each state makes of each event."""

ALWAYS: Final[Mapping[type[ev.Event], Handler]] = {
    ev.CommandAnswered: _answered,
    ev.ContactMade: _contact,
    ev.Reenrolled: _reenrolled,
    ev.Approved: _approved,
    ev.Detached: _detached,
    ev.Resumed: _resumed,
    ev.Broke: _broke,
}
"""What is the same in every state in which a run is open."""
