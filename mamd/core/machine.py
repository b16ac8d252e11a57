"""
What becomes of a run: the table of its turns.

              ┌──────────── not yet: needs, approval, hold, budget, MDM unread ◀──┐
              ▼                                                                   │
    open ▶ WAITING ──may──▶ ACTING ──Accepted──▶ WATCHING ──whole wait in vain──▶ next rung
              │                │                    │
              └────────────────┴───── proof, Detached, another cause, a no ─────▶ CLOSED

Only a whole wait, given with the way to the device seen open, leads to a harsher rung. A
refusal, an outage, a rate limit leads to patience or to a person (promise 3).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from mamd.core import events as ev
from mamd.core.commands import (
    ClearPasscode,
    LookNow,
    Push,
    Reason,
    StopCalling,
)
from mamd.core.errors import No
from mamd.core.governor import NEVER, Block, may_clear, not_ours, not_ours_here
from mamd.core.link import GAP_S
from mamd.core.rules import Mode, Rule
from mamd.core.run import (
    Case,
    End,
    Run,
    RunState,
    RunTurn,
    asking,
    call,
    call_if_stuck,
    close,
    fail,
    is_answered,
    key,
    later,
    mdm,
    past,
    read,
    wait,
)
from mamd.core.steps import (
    LOOK_AGAIN_S,
    consider,
    failed,
    impossible,
    is_open,
    is_other_cause,
    is_proven,
    next_rung,
    not_needed,
    other_cause,
    worked,
)
from mamd.core.workflow import Workflow

REPUSH_S: Final = (5.0, 15.0, 30.0, 60.0)
"""How long to wait between pushes while the device was not told; the last one repeats."""
REMIND_S: Final = (60.0, 150.0)
"""When to push once more after an acceptance: pushes coalesce and are harmless."""
ANSWER_S: Final = 8.0
"""How long a device that pairs already is given to say itself that its passcode is off."""
DOUBT_S: Final = 30.0
"""How long to wait before asking again for what may have been processed."""


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
    return consider(replace(case, run=run))


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


# ------------------------------------------------------------------------ what came of it


def _accepted(case: Case, event: ev.Accepted) -> RunTurn:
    if event.act != case.run.act:
        return RunTurn(case.run)
    told = case.run.told or (case.now if event.pushed else None)
    watching = replace(
        case.run,
        state=RunState.WATCHING,
        accepted=case.now,
        told=told,
        stuck=None if told else case.now,
        pushes=0,
        wake_at=later(case, REMIND_S[0] if told else REPUSH_S[0]),
        past=past(case, "the MDM has it queued", "the device was told" if told else "the push failed"),
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
        wake_at=later(case, max(1.0, event.retry_after_s)),
    )
    return RunTurn(run, call_if_stuck(case, run, Reason.MDM_OUT_OF_REACH))


def _in_doubt(case: Case, event: ev.LeftInDoubt) -> RunTurn:
    if event.act != case.run.act:
        return RunTurn(case.run)
    run = replace(case.run, stuck=case.run.stuck or case.now, wake_at=later(case, DOUBT_S))
    return RunTurn(run, call_if_stuck(case, run, Reason.MDM_OUT_OF_REACH))


def _turned_down(case: Case, event: ev.TurnedDown) -> RunTurn:
    """No says something about the device only where the adapter cannot, or no token is held."""
    if event.act != case.run.act:
        return RunTurn(case.run)
    word = case.view.mdm
    is_sound = word is not None and word.vault_sound
    if event.no is No.UNSUPPORTED or (event.no is No.NO_TOKEN and is_sound):
        return impossible(case, event.why)
    if event.no in (No.AUTH_FAILED, No.FORBIDDEN, No.PROTOCOL, No.NO_TOKEN):
        run = replace(
            wait(case.run, (), later(case, LOOK_AGAIN_S)),
            reason=Reason.MDM_MISCONFIGURED,
            past=past(case, "the MDM said no", event.why),
        )
        return RunTurn(run, (call(case, Reason.MDM_MISCONFIGURED, ("why", event.why)),))
    return failed(case, Reason.CANNOT_CLEAR, event.why)


def _answered(case: Case, event: ev.CommandAnswered) -> RunTurn:
    """The device answered over the air. Acknowledged is progress; only pairing proves it."""
    if event.act != case.run.act:
        return RunTurn(case.run)
    heard = replace(
        _told(case),
        answer=event.status.value,
        past=past(case, f"the device answered {event.status.value}", event.error),
    )
    if not case.run.doing.do.clears:
        return RunTurn(heard)  # it comes late: that step is over
    if event.status is ev.AnswerStatus.ERROR:
        return impossible(replace(case, run=heard), event.error or "the device answered Error")
    return RunTurn(heard, (LookNow("the device answered over the air"),))


def _told(case: Case) -> Run:
    """The device has been heard since the request, so it was told, pushed or not."""
    run = case.run
    state = RunState.WATCHING if run.state is RunState.ACTING else run.state
    accepted = run.accepted or case.now
    return replace(run, state=state, accepted=accepted, told=run.told or case.now, stuck=None)


def _contact(case: Case, event: ev.ContactMade) -> RunTurn:
    run, look = case.run, LookNow("the device was heard by its MDM")
    if event.device != run.device or run.accepted is None:
        return RunTurn(run)
    if run.told is not None or run.state is not RunState.WATCHING:
        return RunTurn(run, (look,))
    told = replace(_told(case), wake_at=later(case, REMIND_S[0]))
    return RunTurn(told, (look, StopCalling(key(case, Reason.NOT_TOLD))))


def _reenrolled(case: Case, event: ev.Reenrolled) -> RunTurn:
    """Authenticate empties the queue: what we asked for is gone, certainly, and may be asked again."""
    run = case.run
    is_done = run.answer == ev.AnswerStatus.ACKNOWLEDGED.value
    if event.device != run.device or not run.act or not run.doing.do.clears or is_done:
        return RunTurn(run)
    if run.state is RunState.ACTING:
        # The request is under way: whether it was queued before or after that, nobody can tell.
        return fail(case, Reason.CANNOT_CLEAR, "the device enrolled anew while the clear was being asked for")
    fresh = replace(
        wait(run, (Block.NOT_ENROLLED,), later(case, 15.0)),
        attempt=run.attempt + 1,
        act="",
        asked=None,
        accepted=None,
        told=None,
        answer="",
        pushes=0,
        stuck=None,
        waited_s=0.0,
        past=past(case, "the device enrolled anew, so the queued clear is gone"),
    )
    return RunTurn(fresh)


def _pushed(case: Case, event: ev.Pushed) -> RunTurn:
    run = case.run
    if event.act != run.act or run.state is not RunState.WATCHING:
        return RunTurn(run)
    if not event.error:
        told = replace(run, told=run.told or case.now, stuck=None, wake_at=_next_reminder(case))
        return RunTurn(told, (StopCalling(key(case, Reason.NOT_TOLD)),) if run.told is None else ())
    if run.told is not None:
        return RunTurn(replace(run, wake_at=_next_reminder(case)))
    pause = REPUSH_S[min(run.pushes, len(REPUSH_S) - 1)]
    tried = replace(run, stuck=run.stuck or case.now, wake_at=later(case, pause))
    return RunTurn(tried, call_if_stuck(case, tried, Reason.NOT_TOLD))


def _next_reminder(case: Case) -> float | None:
    assert case.run.accepted is not None, "only what was accepted is pushed"
    due = [case.run.accepted.up + offset for offset in REMIND_S]
    return next((at for at in due if at > case.now.up), None)


# ------------------------------------------------------------------------------- looks


def _look_while_waiting(case: Case, event: ev.Looked) -> RunTurn:
    ended = _no_more_wanted(case)
    if ended is not None:
        return ended
    if case.run.reason in _PATIENT:
        return not_needed(case) if is_proven(case) or is_open(case.link) else RunTurn(case.run)
    return consider(case)


def _look_while_acting(case: Case, event: ev.Looked) -> RunTurn:
    return _no_more_wanted(case) or (worked(case) if is_proven(case) else RunTurn(case.run))


def _look_while_watching(case: Case, event: ev.Looked) -> RunTurn:
    """Did it work? If not, count; and only a whole wait with the way open leads on."""
    ended = _no_more_wanted(case)
    if ended is not None:
        return ended
    if is_proven(case):
        return _proven(case)
    run = replace(case.run, proven=None, waited_s=case.run.waited_s + _counts(case))
    if run.told is None or run.waited_s < run.doing.wait_s or not _shows_locked(case):
        return RunTurn(run)
    return _waited(replace(case, run=run))


def _proven(case: Case) -> RunTurn:
    """
    It pairs, often a moment before its own answer comes over the air.

    That answer says whether we cleared it or somebody unlocked it, and that nothing is queued
    any more; so a told device is given a few seconds for it.
    """
    run = case.run
    since = case.now.since(run.proven)
    if run.told is None or is_answered(run) or (since is not None and since >= ANSWER_S):
        return worked(case)
    return RunTurn(replace(run, proven=run.proven or case.now))


def _shows_locked(case: Case) -> bool:
    """Whatever is harsher is decided on a look that shows the device locked, and on no other."""
    return case.link is not None and case.link.shows_locked(case.now)


def _counts(case: Case) -> float:
    """Locked seconds of this look that lie after the device was told."""
    since_told = case.now.since(case.run.told)
    return 0.0 if since_told is None else min(case.counted_s, since_told, GAP_S)


def _waited(case: Case) -> RunTurn:
    run = case.run
    if not _way_is_open(case):
        if run.reason is Reason.WAY_NOT_OPEN:
            return RunTurn(run)
        stuck = replace(run, reason=Reason.WAY_NOT_OPEN, stuck=run.stuck or case.now)
        return RunTurn(stuck, (call(case, Reason.WAY_NOT_OPEN),))
    why = f"in vain for {run.waited_s:.0f} s"
    onward = next_rung(case, why) if run.workflow.is_ladder else failed(case, Reason.FAILED, why)
    if run.reason is not Reason.WAY_NOT_OPEN:
        return onward
    return replace(onward, commands=(StopCalling(key(case, Reason.WAY_NOT_OPEN)), *onward.commands))


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


def _no_more_wanted(case: Case) -> RunTurn | None:
    """It turned out not to be ours, or the cause is no longer that it is locked: the run stops there."""
    if not case.run.workflow.is_harsh:
        return None
    never = [block for block in not_ours(case.view, case.link) if block in NEVER]
    if never:
        return close(case, End.NOT_OURS, note=never[0].value)
    return other_cause(case) if is_other_cause(case) else None


# ------------------------------------------------------------------------------- time


def _time_while_waiting(case: Case, event: ev.TimeCame) -> RunTurn:
    run = case.run
    if run.wake_at is None or case.now.up < run.wake_at:
        return RunTurn(run)
    return consider(replace(case, run=replace(run, reason=_kept_reason(run), wake_at=None)))


def _time_while_acting(case: Case, event: ev.TimeCame) -> RunTurn:
    """What we asked for is in doubt: ask again under the same act, if that asks once."""
    run, can = case.run, case.view.mdm_can
    if run.wake_at is None or case.now.up < run.wake_at:
        return RunTurn(run)
    gate = may_clear(replace(case.view, clears_in_hour=0), case.link, asking(case), case.now)
    if not gate.is_open:
        put_off = replace(run, blocks=gate.blocks, wake_at=later(case, DOUBT_S))
        return RunTurn(put_off, (read(case),) if Block.MDM_UNREAD in gate.blocks else ())
    if can is None or not can.asks_once:
        return fail(case, Reason.MDM_OUT_OF_REACH, "it is not known whether the MDM took the request")
    again = replace(run, wake_at=None, blocks=())
    return RunTurn(again, (ClearPasscode(run.act, run.device, mdm(case)),))


def _time_while_watching(case: Case, event: ev.TimeCame) -> RunTurn:
    """Push once more; and while the device was not told for long, call a person."""
    run, can = case.run, case.view.mdm_can
    if run.wake_at is None or case.now.up < run.wake_at:
        return RunTurn(run)
    calls = call_if_stuck(case, run, Reason.NOT_TOLD) if run.told is None else ()
    if can is None or not can.can_push or not_ours_here(case.view, case.link):
        return RunTurn(replace(run, wake_at=later(case, REPUSH_S[-1]) if run.told is None else None), calls)
    # The pause stands until the push's answer sets another: a lost answer must not stop the pushing.
    tried = replace(run, pushes=run.pushes + 1, wake_at=later(case, REPUSH_S[-1]))
    return RunTurn(tried, (Push(run.act, run.device, mdm(case)), *calls))


def _resumed(case: Case, event: ev.Resumed) -> RunTurn:
    """A restart in the middle of asking leaves it in doubt; every other wait is a row and goes on."""
    run = case.run
    if run.state is RunState.ACTING:
        return RunTurn(replace(run, wake_at=case.now.up, stuck=run.stuck or case.now))
    if run.wake_at is not None and run.opened.boot != case.now.boot:
        return RunTurn(replace(run, wake_at=case.now.up))  # seconds of another boot name no time here
    return RunTurn(run)


# ---------------------------------------------------------------------- people and world


def _approved(case: Case, event: ev.Approved) -> RunTurn:
    run = case.run
    if event.run != run.run or event.step != run.step:
        return RunTurn(run)
    noted = replace(
        run,
        approved=(*run.approved, (event.step, event.by, case.now))[-_APPROVALS_KEPT:],
        past=past(case, f"approved by {event.by}", event.reason),
    )
    is_waiting = run.state is RunState.WAITING and run.reason not in _PATIENT
    turn = consider(replace(case, run=noted)) if is_waiting else RunTurn(noted)
    return turn.and_ask(StopCalling(key(case, Reason.NEEDS_APPROVAL)))


_APPROVALS_KEPT: Final = 10


def _retried(case: Case, event: ev.Retried) -> RunTurn:
    """A person wants it tried now, and not when its pause is over."""
    if event.run != case.run.run:
        return RunTurn(case.run)
    return consider(replace(case, run=replace(case.run, reason=_kept_reason(case.run), wake_at=None)))


def _kept_reason(run: Run) -> Reason | None:
    return Reason.WOULD_ERASE if run.reason is Reason.WOULD_ERASE else None


def _world_changed(case: Case, event: ev.WorldChanged) -> RunTurn:
    """A hold, a rule, the registry, a storm: what waits for that goes on by itself."""
    ended = _no_more_wanted(case)
    if ended is not None:
        return ended
    is_waiting = case.run.state is RunState.WAITING and case.run.reason not in _PATIENT
    return consider(case) if is_waiting else RunTurn(case.run)


def _detached(case: Case, event: ev.Detached) -> RunTurn:
    """It was taken away. What may still be queued is withdrawn, or an orphan from now on."""
    return close(case, End.LEFT if case.run.proven is None else End.PROVEN)


def _broke(case: Case, event: ev.Broke) -> RunTurn:
    closed = close(case, End.BROKEN, note=event.traceback)
    return closed.and_ask(call(case, Reason.BROKEN_RUN))


def _record_read(case: Case, event: ev.MdmRecordRead) -> RunTurn:
    return consider(case) if case.run.reason not in _PATIENT else RunTurn(case.run)


_PATIENT: Final = frozenset({Reason.MDM_OUT_OF_REACH, Reason.MDM_MISCONFIGURED, Reason.WOULD_ERASE})


def _record_unread(case: Case, event: ev.MdmRecordUnread) -> RunTurn:
    if Block.MDM_UNREAD not in case.run.blocks:
        return RunTurn(case.run)
    run = replace(case.run, stuck=case.run.stuck or case.now)
    return RunTurn(run, call_if_stuck(case, run, Reason.MDM_OUT_OF_REACH))


def _no_news(case: Case, event: ev.Event) -> RunTurn:
    return RunTurn(case.run)


Handler = Callable[[Case, Any], RunTurn]

TURNS: Final[Mapping[tuple[RunState, type[ev.Event]], Handler]] = {
    (RunState.WAITING, ev.Looked): _look_while_waiting,
    (RunState.WAITING, ev.TimeCame): _time_while_waiting,
    (RunState.WAITING, ev.MdmRecordRead): _record_read,
    (RunState.WAITING, ev.MdmRecordUnread): _record_unread,
    (RunState.WAITING, ev.Retried): _retried,
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
    ev.WorldChanged: _world_changed,
    ev.Detached: _detached,
    ev.Resumed: _resumed,
    ev.Broke: _broke,
}
"""What is the same in every state in which a run is open."""
