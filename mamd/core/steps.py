"""
A run's present step: is it needed, possible, allowed? And which step comes next?

    consider ──▶ not needed | needs unmet | blocked by the governor | asked for
    next_rung ─▶ the next step of the ladder, considered at once
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from mamd.core.commands import (
    ClearPasscode,
    Push,
    Reason,
)
from mamd.core.conditions import all_hold
from mamd.core.facts import LinkState
from mamd.core.governor import REASON_OF_CAUSE, Block, Gate, arming, may_clear
from mamd.core.run import (
    Case,
    End,
    Run,
    RunState,
    RunTurn,
    asking,
    call,
    close,
    fail,
    later,
    mdm,
    past,
    read,
    wait,
)
from mamd.core.workflow import Action, IfImpossible

LOOK_AGAIN_S: Final = 300.0
"""A gate that is shut is tried again after that long, and at every look."""


def consider(case: Case) -> RunTurn:
    """Look at the present step: is it needed, possible, allowed?"""
    step = case.run.doing
    if step.until and all_hold(step.until, case.facts):
        return close(case, End.NOT_NEEDED)
    if step.needs and not all_hold(step.needs, case.facts):
        return RunTurn(wait(case.run, (Block.NEEDS,), None))
    return _CONSIDER[step.do](case)


def _consider_clear(case: Case) -> RunTurn:
    gate = may_clear(case.view, case.link, asking(case), case.now)
    if gate.is_open:
        return _ask_for_clear(case)
    if Block.MDM_UNREAD in gate.blocks and set(gate.blocks) <= _UNREAD:
        return RunTurn(wait(case.run, gate.blocks, later(case, 15.0)), (read(case),))
    return _blocked(case, gate)


_UNREAD: Final = frozenset({Block.MDM_UNREAD, Block.NEEDS_APPROVAL})


def _blocked(case: Case, gate: Gate) -> RunTurn:
    """A gate is shut: give up where it will not open, observe where only that is wanted, else wait."""
    first = gate.blocks[0]
    if first in _IMPOSSIBLE:
        return impossible(case, first.value)
    if first is Block.OBSERVING:
        return close(case, End.OBSERVED, note=f"would do {case.run.doing.do.value}")
    if first in _NEVER:
        return close(case, End.NOT_OURS, note=first.value)
    if first is Block.NOT_LOCKED:
        return _not_locked(case)
    waiting = replace(
        wait(case.run, gate.blocks, later(case, LOOK_AGAIN_S)), stuck=case.run.stuck or case.now
    )
    reason = _CALLS.get(first)
    return RunTurn(waiting, (call(case, reason),) if reason is not None else ())


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
        return other_cause(case)
    if link is not None and link.state is LinkState.PAIRED and link.seen.locked is False:
        return close(case, End.NOT_NEEDED)
    return RunTurn(wait(case.run, (Block.NOT_LOCKED,), None))


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
        past=past(case, "asked the MDM to clear the passcode") if run.asked is None else run.past,
    )
    return RunTurn(acting, (ClearPasscode(acting.act, run.device, mdm(case)),))


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
        past=past(case, "joined the clear that is still queued at the MDM"),
    )
    return RunTurn(watching)


def _consider_erase(case: Case) -> RunTurn:
    """Decided, shown and reported to a person; not done in this version."""
    run = case.run
    if run.reason is Reason.WOULD_ERASE:
        return RunTurn(run)
    asked = arming(case.view, case.link, asking(case), case.now)
    in_the_way = ", ".join(block.value for block, is_so in asked if is_so)
    waiting = replace(
        wait(run, tuple(block for block, is_so in asked if is_so), None),
        reason=Reason.WOULD_ERASE,
        past=past(case, "would erase and update it", in_the_way),
    )
    details = (
        ("waited", f"{run.waited_s:.0f} s"),
        ("arming would have asked", ", ".join(block.value for block, _ in asked)),
        ("in the way now", in_the_way),
    )
    return RunTurn(waiting, (call(case, Reason.WOULD_ERASE, *details),))


def _consider_call(case: Case) -> RunTurn:
    called = call(case, Reason.ASKED_FOR, *case.run.doing.texts)
    return step_done(case, "called a person").and_ask(called)


def _consider_push(case: Case) -> RunTurn:
    push = Push(f"{case.run.run}/{case.run.step}/{case.run.attempt}", case.run.device, mdm(case))
    return step_done(case, "pushed").and_ask(push)


def _consider_refresh(case: Case) -> RunTurn:
    return step_done(case, "asked the MDM what it knows").and_ask(read(case))


def impossible(case: Case, why: str) -> RunTurn:
    """It is certain that this device cannot be cleared over the air."""
    if case.run.doing.if_impossible is IfImpossible.NEXT and case.run.workflow.is_ladder:
        return next_rung(case, f"impossible: {why}")
    return fail(case, Reason.CANNOT_CLEAR, why)


def other_cause(case: Case) -> RunTurn:
    assert case.link is not None
    assert case.link.cause is not None
    cause = case.link.cause
    turn = close(case, End.CAUSE_CHANGED, note=f"the cause is now {cause.value}")
    reason = REASON_OF_CAUSE.get(cause)
    return turn.and_ask(call(case, reason)) if reason is not None else turn


def step_done(case: Case, what: str) -> RunTurn:
    """A step that succeeds by being asked for."""
    done = replace(case.run, past=past(case, what))
    if done.step + 1 >= len(done.workflow.steps):
        return close(replace(case, run=done), End.DONE)
    return consider(replace(case, run=_at_step(done, done.step + 1)))


def next_rung(case: Case, why: str) -> RunTurn:
    if case.run.step + 1 >= len(case.run.workflow.steps):
        return fail(case, Reason.FAILED, why)
    moved = _at_step(replace(case.run, past=past(case, case.run.doing.do.value, why)), case.run.step + 1)
    # `waited_s` is kept for the report of what the earlier rung was given.
    return consider(replace(case, run=replace(moved, waited_s=case.run.waited_s)))


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


_CONSIDER: Final[Mapping[Action, Callable[[Case], RunTurn]]] = {
    Action.MDM_CLEAR_PASSCODE: _consider_clear,
    Action.RECOVERY_ERASE_AND_UPDATE: _consider_erase,
    Action.CALL_A_PERSON: _consider_call,
    Action.MDM_PUSH: _consider_push,
    Action.MDM_REFRESH: _consider_refresh,
}
