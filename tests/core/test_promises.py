"""The promises as far as they are decisions, each over whole generated lives."""

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from typing import Any

from mamd.core import commands as do
from mamd.core import events as ev
from mamd.core.commands import Reason
from mamd.core.facts import LinkState
from mamd.core.rules import Mode
from mamd.core.run import RunState
from mamd.core.turn import take
from tests.core.cast import WAIT_S
from tests.core.lives import DEVICES, Life, live, live_with, over_lives, ruleset
from tests.core.model import Entry, Model, harsh
from tests.core.witness import NEAR, Witness, may_be_touched, mdm_agrees


def _of(entry: Entry, kind: type) -> list[Any]:
    return [one for one in entry.turn.commands if isinstance(one, kind)]


def _would_erase(entry: Entry) -> bool:
    return any(one.reason is Reason.WOULD_ERASE for one in _of(entry, do.CallPerson))


# ----------------------------------------------------------------------------- 1: ours only


@over_lives
def test_promise_1_only_what_is_ours_is_cleared_or_pushed(life: Life) -> None:
    """
    Nothing is cleared, and nothing pushed, unless registry, MDM and this very cable agree that it is ours.
    """
    model, witness = live(life), Witness()
    for entry in witness.follow(model):
        for _ in (*_of(entry, do.ClearPasscode), *_of(entry, do.Push)):
            assert entry.attachment in witness.present
            assert witness.is_ours(entry.view.record, entry.attachment)
        for _ in _of(entry, do.ClearPasscode):
            assert mdm_agrees(entry.view.mdm, entry.now)
            assert entry.view.usbmuxd_up


@over_lives
def test_promise_1_nobody_elses_device_is_asked_to_pair(life: Life) -> None:
    """
    A Pair request, which may show the Trust dialog, goes to devices of ours only.
    """
    model, witness = live(life), Witness()
    for index, entry in enumerate(model.log):
        if entry.pair:  # whether it may be sent was decided before this look came back
            for _ in _rewound(witness, model, index):
                pass
            assert witness.is_ours(entry.view.record, entry.attachment)


def _rewound(witness: Witness, model: Model, until: int) -> Any:
    seen = getattr(witness, "_seen_until", 0)
    part = Model(model.rules, log=model.log[seen:until])
    witness._seen_until = until  # type: ignore[attr-defined]
    return witness.follow(part)


# ---------------------------------------------------------------------------- 2: the cause


@over_lives
def test_promise_2_only_what_is_shown_to_be_locked_is_cleared(life: Life) -> None:
    """
    The last look before a clear, seconds old, shows the device locked, as the one before it did.
    """
    model, witness = live(life), Witness()
    for entry in witness.follow(model):
        for _ in _of(entry, do.ClearPasscode):
            assert entry.attachment is not None
            looks = [one for one in witness.cables[entry.attachment].looks if one[1] != "nothing"]
            assert all(says in ("locked", "paired_locked") for _, says in looks[-1:])
            assert entry.now.up - looks[-1][0].up <= 20.0


@over_lives
def test_promise_2_another_cause_calls_a_person(life: Life) -> None:
    """
    A trust question, a wrong identity, silence or garbage from a device of ours calls somebody.
    """
    for entry in live(life).log:
        was, link, record = entry.was.link, entry.turn.became.link, entry.view.record
        if link is None or record is None or not may_be_touched(record) or entry.view.charge_only:
            continue
        is_new = link.cause is not None and (was is None or was.cause is not link.cause)
        if is_new and link.cause is not None and link.cause.value in _CALLED:
            reasons = [one.reason.value for one in _of(entry, do.CallPerson)]
            assert link.cause.value in reasons


_CALLED = ("trust_pending", "trust_denied", "wrong_identity", "no_answer", "garbled", "hidden")


# ---------------------------------------------------------------------- 3: earned, 4: faults


@over_lives
def test_promise_3_no_clear_before_five_observed_seconds(life: Life) -> None:
    """
    A device that does not pair is cleared only after five seconds in which looks saw it not pairing.
    """
    model, witness = live(life), Witness()
    for entry in witness.follow(model):
        for _ in _of(entry, do.ClearPasscode):
            assert entry.attachment is not None
            if witness.says_now(entry.attachment) != "paired_locked":
                assert witness.last_stretch(entry.attachment, "locked", "unpaired") >= 5.0 - NEAR


@over_lives
def test_promise_3_an_erase_is_earned(life: Life) -> None:
    """
    No erase is due before a clear was accepted, the device told, the way open, and its whole wait in vain.
    """
    model, witness = live(life), Witness()
    for entry in witness.follow(model):
        if _would_erase(entry):
            assert _is_certain(entry, witness) or _is_in_vain(entry, witness)


def _is_certain(entry: Entry, witness: Witness) -> bool:
    """Only where the ladder says so: the device's Error, no token in a sound vault, an incapable adapter."""
    run, word, can = entry.turn.became.run, entry.view.mdm, entry.view.mdm_can
    assert run is not None
    assert can is not None
    allows = run.workflow.name == "sure-ladder"
    no_token = word is not None and word.has_token is False and word.vault_sound
    no_token = no_token or (isinstance(entry.event, ev.TurnedDown) and entry.event.no.value == "no_token")
    unsupported = isinstance(entry.event, ev.TurnedDown) and entry.event.no.value == "unsupported"
    earlier = any(one.step == 0 and one.detail.startswith("impossible") for one in run.past)
    error = run.act in witness.errors
    return allows and (no_token or unsupported or error or earlier)


def _is_in_vain(entry: Entry, witness: Witness) -> bool:
    run = entry.turn.became.run
    assert run is not None
    assert entry.attachment is not None
    told, asked = witness.told_of(run.device, run.act), witness.accepted.get(run.act)
    if told is None or asked is None:
        return False
    contact = entry.view.last_contact_any
    is_open = contact is not None and contact.boot == asked.boot and contact.up >= asked.up - 60.0
    waited = witness.seconds(entry.attachment, "locked", "paired_locked", since=told)
    return is_open and waited >= WAIT_S - NEAR


@over_lives
def test_promise_3_an_erase_is_due_on_a_look_that_shows_it_locked(life: Life) -> None:
    """
    When a whole wait was in vain, the look that says so shows the device locked.
    """
    model, witness = live(life), Witness()
    for entry in witness.follow(model):
        if _would_erase(entry) and isinstance(entry.event, ev.Looked):
            assert witness.says_now(entry.event.attachment) in ("locked", "paired_locked")


@over_lives
def test_promise_4_a_stepped_wall_clock_changes_nothing(life: Life) -> None:
    """
    The same life, with the wall clock stepped by hours and years, gives the same acts at the same moments.
    """
    straight = live(replace(life, happens=tuple(one for one in life.happens if one.what != "wall")))
    stepped = live(life)
    assert [(now.boot, now.up, one) for now, one in stepped.commands] == [
        (now.boot, now.up, one) for now, one in straight.commands
    ]


@over_lives
def test_promise_4_a_window_of_the_day_is_unknown_while_the_clock_is_not_trusted(life: Life) -> None:
    """
    Nothing that the core does depends on what a person's watch says.
    """
    for entry in live(life).log:
        elsewhen = replace(entry.now, wall=entry.now.wall + timedelta(days=3650))
        again = take(entry.was, entry.event, elsewhen, entry.view, ruleset(life))
        assert again.commands == entry.turn.commands


# ------------------------------------------------------------------------------- 5: once


@over_lives
def test_promise_5_one_clear_an_episode(life: Life) -> None:
    """
    In one stretch of not pairing a device is cleared once, unless the first clear certainly failed.
    """
    model, witness = live(life), Witness()
    failed: set[str] = set()
    asked: dict[Any, set[str]] = defaultdict(set)
    for entry in witness.follow(model):
        failed |= _certainly_failed(entry, witness)
        run = entry.turn.became.run
        for command in _of(entry, do.ClearPasscode):
            assert entry.attachment is not None
            stretch = (command.device, entry.attachment, witness.cables[entry.attachment].stretch)
            if run is not None and not run.is_person:
                assert asked[stretch] <= failed | {command.act}
            asked[stretch].add(command.act)


def _certainly_failed(entry: Entry, witness: Witness) -> set[str]:
    event = entry.event
    if isinstance(event, ev.TurnedDown):
        return {event.act}
    if isinstance(event, ev.CommandAnswered) and event.status is ev.AnswerStatus.ERROR:
        return {event.act}
    return set(witness.acts_of[event.device]) if isinstance(event, ev.Reenrolled) else set()


@over_lives
def test_promise_5_two_clears_an_hour(life: Life) -> None:
    """
    One device is cleared at most twice within an hour, whoever asks for it and however often it comes back.
    """
    model, first = live(life), dict[str, Any]()
    for now, command in model.commands:
        if isinstance(command, do.ClearPasscode):
            first.setdefault(command.act, (now, command.device))
    for now, device in first.values():
        within = [
            at
            for at, other in first.values()
            if other == device and at.boot == now.boot and 0 <= now.up - at.up <= 3600.0
        ]
        assert len(within) <= 2


@over_lives
def test_promise_5_what_may_still_be_queued_is_joined(life: Life) -> None:
    """
    While a clear may still be queued for a device, no other is asked for, and an accepted one not again.
    """
    accepted: dict[str, set[str]] = defaultdict(set)
    for entry in live(life).log:
        event = entry.event
        if isinstance(event, ev.Reenrolled):
            accepted[event.device].clear()
        elif isinstance(event, ev.Accepted) and entry.device is not None:
            accepted[entry.device].add(event.act)
        elif isinstance(event, ev.CommandAnswered) and event.status is not ev.AnswerStatus.NOT_NOW:
            accepted[event.device].discard(event.act)
        elif isinstance(event, ev.TurnedDown) and entry.device is not None:
            accepted[entry.device].discard(event.act)
        for command in _of(entry, do.ClearPasscode):
            assert not accepted[command.device]


@over_lives
def test_promise_5_an_erase_is_decided_once(life: Life) -> None:
    """
    One run decides at most once that an erase is due, and is over as soon as the device is open.
    """
    decided: set[str] = set()
    for entry in live(life).log:
        run = entry.turn.became.run
        if _would_erase(entry):
            assert run is not None
            assert run.run not in decided
            decided.add(run.run)
        link = entry.turn.became.link
        is_open = link is not None and link.state is LinkState.PAIRED and link.seen.locked is False
        if run is not None and run.is_open and isinstance(entry.event, ev.Looked):
            same = link is not None and run.attachment in (None, link.attachment)
            assert not (is_open and same and run.reason is Reason.WOULD_ERASE)


# ------------------------------------------------------------------------------- 6: storm


@over_lives
def test_promise_6_nothing_is_cleared_in_a_storm(life: Life) -> None:
    """
    While a storm is on, none of its devices is cleared.
    """
    for entry in live(life).log:
        for _ in _of(entry, do.ClearPasscode):
            assert not entry.view.is_storm_member


# -------------------------------------------------------------- 7: never silently nothing


@over_lives
def test_promise_7_every_device_has_something_ahead_or_a_reason(life: Life) -> None:
    """
    At every moment each attached device has a next look, and each open run a next act or a reason to wait.
    """
    live_with(life, _nobody_is_forgotten)


def _nobody_is_forgotten(model: Model) -> None:
    for attachment, link in model.links.items():
        planned = model.plan(attachment)
        is_shown = link.state in (LinkState.RECOVERY, LinkState.DFU) or not link.listed
        assert planned is not None or is_shown
        assert planned is None or planned.at - model.up <= 66.0
    for run in model.runs.values():
        is_under_way = any(isinstance(one, do.ClearPasscode) and one.act == run.act for _, one in model.asked)
        is_lost = model.answer_clear is not None and run.state is RunState.ACTING
        if run.state is RunState.ACTING:
            assert run.wake_at is not None or is_under_way or is_lost
        elif run.state is RunState.WAITING:
            assert run.blocks or run.reason is not None or run.wake_at is not None
        else:
            assert run.told is not None or run.wake_at is not None


# ----------------------------------------------------------- 8, 9, 11: stored, total, again


@over_lives
def test_promise_9_no_event_in_any_state_raises(life: Life) -> None:
    """
    Whatever comes, in whatever state, late or twice or about somebody else: there is a turn for it.
    """
    model = live(life)
    for entry in model.log[:: max(1, len(model.log) // 12)]:
        for event in _everything(entry, model):
            take(entry.turn.became, event, entry.now, entry.view, ruleset(life))


def _everything(entry: Entry, model: Model) -> list[Any]:
    run = entry.turn.became.run
    act, name = (run.act, run.run) if run is not None else ("", "")
    device = entry.device or ""
    of_log = {type(one.event): one.event for one in model.log}
    return [
        *of_log.values(),
        ev.Accepted(act, True),
        ev.Accepted(act, False),
        ev.PutOff(act, ""),
        ev.LeftInDoubt(act, ""),
        *(ev.TurnedDown(act, no, "") for no in ev.No),
        ev.Pushed(act),
        ev.Pushed(act, "no"),
        *(ev.CommandAnswered(device, act, status) for status in ev.AnswerStatus),
        ev.ContactMade("hospital", device),
        ev.ContactMade("hospital", None),
        ev.Reenrolled(device, "hospital"),
        ev.MdmRecordRead(device, "hospital", entry.view.mdm),
        ev.MdmRecordRead(device, "hospital", None),
        ev.MdmRecordUnread(device, "hospital", ""),
        ev.TimeCame(),
        ev.Resumed(),
        ev.UsbmuxdCame(),
        ev.UsbmuxdWent(""),
        ev.Approved(name, run.step if run is not None else 0, "Kim"),
        ev.Started("clear", device, "Kim"),
        ev.Started("no such workflow", device, "Kim"),
        ev.Retried(name, "Kim"),
        ev.WorldChanged(""),
        ev.Broke("Traceback"),
    ]


@over_lives
def test_promise_9_what_is_remembered_is_bounded(life: Life) -> None:
    """
    However often devices come and go, ask and are refused, what is kept of them stays small.
    """
    model = live(life)
    assert len(model.watch.crowd) <= DEVICES
    assert len(model.watch.onsets) <= len(model.records)
    for run in (*model.closed, *model.runs.values()):
        assert len(run.past) <= 60


@over_lives
def test_promise_11_the_same_turn_again(life: Life) -> None:
    """
    Taken again from what was written down, every turn comes out the same.
    """
    for entry in live(life).log:
        assert take(entry.was, entry.event, entry.now, entry.view, ruleset(life)) == entry.turn


@over_lives
def test_promise_15_a_stranger_leaves_no_trace(life: Life) -> None:
    """
    About a device that is not in the registry nothing is asked and nobody called.
    """
    for entry in live(life).log:
        if entry.view.record is None:
            assert entry.turn.commands == ()
            assert entry.turn.became.run is None


@over_lives
def test_promise_13_who_only_observes_does_nothing(life: Life) -> None:
    """
    Where a site only observes, nothing is cleared and nobody pushed.
    """
    model = live(replace(life, mode=Mode.OBSERVE))
    assert not [one for _, one in model.commands if isinstance(one, do.ClearPasscode | do.Push)]


@over_lives
def test_whoever_is_not_ours_has_no_harsh_run(life: Life) -> None:
    """
    As soon as the registry restricts a device, whatever was begun on it ends at its next look.
    """
    for entry in live(life).log:
        run, link = entry.turn.became.run, entry.turn.became.link
        if isinstance(entry.event, ev.Looked) and run is not None and run.is_open and link is not None:
            is_on_it = run.attachment in (None, link.attachment)
            if is_on_it and run.workflow.is_harsh and entry.view.record is not None:
                assert may_be_touched(entry.view.record) or entry.view.record.is_held


__all__ = ["harsh"]
