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
from mamd.core.governor import (
    NEVER,
    REASON_OF_CAUSE,
    Block,
    Gate,
    OpenClear,
    arming,
    may_clear,
    not_ours_here,
)
from mamd.core.link import Link
from mamd.core.rules import Mode, most_careful
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
    with_proof,
)
from mamd.core.time import Now
from mamd.core.workflow import Action, IfImpossible

READ_AGAIN_S: Final = 15.0
"""How long to wait before asking an MDM again for its word on a device."""
LOOK_AGAIN_S: Final = 300.0
"""A gate that is shut is tried again after that long, and at every look."""


def consider(case: Case) -> RunTurn:
    """Look at the present step: is it needed, possible, allowed?"""
    step = case.run.doing
    if is_proven(case):
        return not_needed(case)
    if case.run.reason is Reason.WOULD_ERASE:
        return RunTurn(case.run)  # decided once; nothing but the device itself ends it
    if step.needs and not all_hold(step.needs, case.facts):
        return RunTurn(_waiting(case, (Block.NEEDS,), None))
    return _CONSIDER[step.do](case)


def is_proven(case: Case) -> bool:
    """What the present step is there for is so."""
    return all_hold(case.run.doing.until, case.facts)


def not_needed(case: Case) -> RunTurn:
    """What the step was to bring about is so without it."""
    if case.run.workflow.is_ladder:
        return close(case, End.NOT_NEEDED)
    return step_done(case, "was not needed")


def worked(case: Case) -> RunTurn:
    """The step is proven: a ladder ends there, a list goes on."""
    if case.run.workflow.is_ladder:
        return close(case, End.PROVEN)
    return step_done(replace(case, run=with_proof(case)), "worked")


def _waiting(case: Case, blocks: tuple[Block, ...], pause_s: float | None) -> Run:
    """Waiting for these; to wait on for the same is no news, and puts nothing off."""
    run = case.run
    is_same = run.state is RunState.WAITING and run.blocks == blocks and run.reason is None
    if is_same and (run.wake_at is None or run.wake_at > case.now.up):
        return run
    return wait(run, blocks, later(case, pause_s) if pause_s is not None else None)


def _consider_clear(case: Case) -> RunTurn:
    gate = may_clear(case.view, case.link, asking(case), case.now)
    if gate.is_open:
        return _ask_for_clear(case)
    if gate.blocks[0] is Block.MDM_UNREAD:
        return _unread(case, gate)
    return _blocked(case, gate)


def _unread(case: Case, gate: Gate) -> RunTurn:
    """Ask the MDM afresh, but not at every look, nor only to ask a person again for an approval."""
    run = case.run
    if run.blocks == (Block.NEEDS_APPROVAL,) and Block.NEEDS_APPROVAL in gate.blocks:
        return RunTurn(run)
    waiting = _waiting(case, gate.blocks, READ_AGAIN_S)
    return RunTurn(waiting, (read(case),) if waiting is not run else ())


def _blocked(case: Case, gate: Gate) -> RunTurn:
    """A gate is shut: give up where it will not open, observe where only that is wanted, else wait."""
    first = gate.blocks[0]
    if first is Block.OBSERVING or (first in _IMPOSSIBLE and Block.OBSERVING in gate.blocks):
        return _observed(case, gate)
    if first in _IMPOSSIBLE:
        return impossible(case, first.value)
    if first in NEVER:
        return close(case, End.NOT_OURS, note=first.value)
    if first is Block.NOT_LOCKED:
        return _not_locked(case)
    waiting = _waiting(case, gate.blocks, LOOK_AGAIN_S)
    reason = _CALLS.get(first) if case.run.blocks[:1] != (first,) else None
    return RunTurn(waiting, (call(case, reason),) if reason is not None else ())


def _observed(case: Case, gate: Gate) -> RunTurn:
    """Somebody only wants to see what would have been done, and what would have been in the way."""
    others = [block.value for block in gate.blocks if block is not Block.OBSERVING]
    in_the_way = f"; in the way: {', '.join(others)}" if others else ""
    return close(case, End.OBSERVED, note=f"would do {case.run.doing.do.value}{in_the_way}")


_IMPOSSIBLE: Final = frozenset({Block.MDM_CANNOT_CLEAR, Block.NO_TOKEN})
"""The adapter's declared incapacity, or no token while the vault is sound: certain (promise 3)."""
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
    if is_other_cause(case):
        return other_cause(case)
    if is_open(link):
        return not_needed(case)
    return RunTurn(_waiting(case, (Block.NOT_LOCKED,), None))


def is_open(link: Link | None) -> bool:
    """It pairs, and is not locked: nothing harsh is wanted of it any more."""
    return link is not None and link.state is LinkState.PAIRED and link.seen.locked is False


def is_other_cause(case: Case) -> bool:
    """It does not pair, and what keeps it from pairing is known to be no passcode."""
    link = case.link
    return link is not None and link.is_unpaired and link.cause is not None and not link.is_locked


def _ask_for_clear(case: Case) -> RunTurn:
    """Join a clear that may still be queued, else ask for one: at most one an episode (promise 5)."""
    run, joined = case.run, case.view.open_clear
    act = f"{run.run}/{run.step}/{run.attempt}"
    if joined is None or joined.act in (act, run.act):
        return _ask(case, joined.act if joined is not None else act, "asked the MDM to clear the passcode")
    if joined.accepted is not None:
        return _join(case, joined, joined.accepted)
    if case.view.mdm_can is None or not case.view.mdm_can.asks_once:
        return fail(case, Reason.MDM_OUT_OF_REACH, "it is not known whether the MDM took an earlier clear")
    # Nobody knows whether the MDM has it: under the same act, asking again asks once.
    return _ask(case, joined.act, "asked again for the clear of which nobody knows whether it is queued")


def _ask(case: Case, act: str, what: str) -> RunTurn:
    run = case.run
    is_first = run.asked is None
    acting = replace(
        run,
        state=RunState.ACTING,
        act=act,
        asked=run.asked or case.now,
        stuck=None if is_first else run.stuck,
        blocks=(),
        reason=None,
        wake_at=None,
        past=past(case, what) if is_first else run.past,
    )
    return RunTurn(acting, (ClearPasscode(act, run.device, mdm(case)),))


def _join(case: Case, joined: OpenClear, accepted: Now) -> RunTurn:
    """The wait runs from that acceptance; a push tells the device once more."""
    since = accepted if accepted.boot == case.now.boot else case.now
    watching = replace(
        case.run,
        state=RunState.WATCHING,
        act=joined.act,
        asked=since,
        accepted=since,
        told=case.now if joined.pushed else None,
        blocks=(),
        reason=None,
        stuck=None if joined.pushed else case.now,
        wake_at=case.now.up,
        past=past(case, "joined the clear that is still queued at the MDM"),
    )
    return RunTurn(watching)


def _consider_erase(case: Case) -> RunTurn:
    """Decided, shown and reported to a person; not done in this version."""
    run = case.run
    if is_open(case.link):
        return not_needed(case)
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
    blocks = not_ours_here(case.view, case.link)
    if blocks:
        return _blocked(case, Gate(blocks))
    if most_careful(case.view.mode, asking(case).mode) in (Mode.OFF, Mode.OBSERVE):
        return close(case, End.OBSERVED, note=f"would do {case.run.doing.do.value}")
    push = Push(f"{case.run.run}/{case.run.step}/{case.run.attempt}", case.run.device, mdm(case))
    return step_done(case, "pushed").and_ask(push)


def _consider_refresh(case: Case) -> RunTurn:
    return step_done(case, "asked the MDM what it knows").and_ask(read(case))


def impossible(case: Case, why: str) -> RunTurn:
    """It is certain that this device cannot be cleared over the air."""
    if case.run.doing.if_impossible is IfImpossible.NEXT and case.run.workflow.is_ladder:
        return next_rung(case, f"impossible: {why}")
    return failed(case, Reason.CANNOT_CLEAR, why)


def failed(case: Case, reason: Reason, why: str) -> RunTurn:
    """The step failed. A list leaves out what was optional; everything else ends with a person."""
    if case.run.doing.optional and not case.run.workflow.is_ladder:
        return step_done(case, f"left out {case.run.doing.do.value}: {why}")
    return fail(case, reason, why)


def other_cause(case: Case) -> RunTurn:
    assert case.link is not None, "a cause is seen on a cable"
    assert case.link.cause is not None, "another cause is a cause"
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
        proven=None,
    )


_CONSIDER: Final[Mapping[Action, Callable[[Case], RunTurn]]] = {
    Action.MDM_CLEAR_PASSCODE: _consider_clear,
    Action.RECOVERY_ERASE_AND_UPDATE: _consider_erase,
    Action.CALL_A_PERSON: _consider_call,
    Action.MDM_PUSH: _consider_push,
    Action.MDM_REFRESH: _consider_refresh,
}
