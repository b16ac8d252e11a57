"""Paths through the ladder, told one device at a time."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mamd.core import commands as do
from mamd.core import events as ev
from mamd.core.commands import Reason
from mamd.core.conditions import Condition, Op
from mamd.core.errors import No, Unreachable
from mamd.core.facts import Answer, Cause, Fact, LinkState, Look, Status, ecid_of
from mamd.core.governor import Asking, Block, MdmCan, View, may_clear, not_ours
from mamd.core.machine import advance
from mamd.core.rules import Mode, RuleSet
from mamd.core.run import Case, End, Proof, Run, with_proof
from mamd.core.steps import consider
from mamd.core.storm import Note, Storm, StormLimits, Told, Watch, watch
from mamd.core.time import Now
from mamd.core.turn import Situation, facts_of, plan, take
from mamd.core.workflow import OnFailure
from tests.core.cast import (
    ASK,
    CALL,
    CLEAR_ONLY,
    LADDER,
    LOCKED,
    LOCKED_ON_THE_DOCK,
    NEVER_UNLOCKED,
    NOT_PAIRING,
    OVER_THE_AIR,
    PAIRED,
    PUSH,
    RESTORING,
    SILENT,
    SILENT_CALLS,
    STALE,
    SURE_LADDER,
    TRUST_DENIED,
    TRUST_PENDING,
    WORKFLOWS,
    WRONG_IDENTITY,
    port,
    rules,
    with_mode,
)
from tests.core.story import Story


def asked_for_a_clear(**settings: object) -> Story:
    """A locked device of ours, five seconds later."""
    story = Story(**settings).attach(LOCKED).after(seconds=5)
    return story.then(do.ClearPasscode)


def running(workflow: object) -> RuleSet:
    """The shipped rule with another workflow."""
    return rules(replace(NOT_PAIRING, run=workflow.name))  # type: ignore[attr-defined]


def test_a_whole_wait_in_vain_leads_to_an_erase_that_a_person_is_told_of():
    """A device that stays locked for five minutes after its clear was accepted would be erased."""
    story = asked_for_a_clear().accepted().somebody_is_heard().after(minutes=5, seconds=1)
    story.is_because(Reason.WOULD_ERASE)
    assert story.run.waited_s >= 300


def test_a_device_that_pairs_is_done():
    """The first proof ends the run: it pairs and is not locked."""
    story = asked_for_a_clear().accepted().answers(ev.AnswerStatus.ACKNOWLEDGED)
    story.shows(PAIRED).after(seconds=20).ends(End.PROVEN, "unlocked")


def test_a_device_that_pairs_before_its_answer_comes_was_cleared_by_us():
    """The answer over the air may be a moment later than the pairing; it still says who cleared it."""
    story = asked_for_a_clear().accepted().shows(PAIRED).after(seconds=12)
    assert story.run.proven is not None
    story.answers(ev.AnswerStatus.ACKNOWLEDGED).after(seconds=1).ends(End.PROVEN, "unlocked")
    assert story.last.proof is Proof.ACKNOWLEDGED


def test_a_device_that_somebody_unlocked_is_not_reported_as_cleared():
    """Where no answer comes within seconds somebody unlocked it, and the queued clear is withdrawn."""
    story = asked_for_a_clear().accepted().shows(PAIRED).after(seconds=40)
    story.ends(End.PROVEN, "unlocked").then(do.Cancel)
    assert story.last.proof is Proof.UNLOCKED_BY_SOMEONE


def test_a_device_that_is_taken_while_its_answer_is_awaited_was_unlocked():
    """Whoever takes it then takes a device that works."""
    story = asked_for_a_clear().accepted().shows(PAIRED).after(seconds=12).detach()
    story.ends(End.PROVEN, "unlocked")


def test_a_person_can_end_a_storm():
    """On a shelf of phones that really are locked nothing ever pairs: a person says that it is no fault."""
    now, limits = Now("b", 1.0, datetime(2026, 1, 1, tzinfo=UTC)), StormLimits()
    stormy = Watch(storm=Storm(now, now, frozenset({"d-0001"})), was_in_storm=frozenset({"d-0001"}))
    assert watch(stormy, Told(Note.RELEASED), now, limits).storm is None
    assert watch(stormy, Told(Note.RELEASED, device="d-0001"), now, limits).storm is not None


def test_never_unlocked_is_locked_too():
    """A device that was not unlocked since it started is cleared as any locked one."""
    Story().attach(NEVER_UNLOCKED).after(seconds=5).then(do.ClearPasscode)


@pytest.mark.parametrize(
    ("shown", "cause", "reason"),
    [
        (TRUST_PENDING, Cause.TRUST_PENDING, Reason.TRUST_PENDING),
        (TRUST_DENIED, Cause.TRUST_DENIED, Reason.TRUST_DENIED),
        (WRONG_IDENTITY, Cause.WRONG_IDENTITY, Reason.WRONG_IDENTITY),
        (STALE, Cause.STALE_RECORD, Reason.STALE_RECORD),
    ],
)
def test_another_cause_calls_a_person_and_clears_nothing(shown, cause, reason):
    """A trust question, a wrong identity or a stale record is for a person, never for a clear."""
    story = Story().attach(shown).after(seconds=12)
    story.is_(LinkState.UNPAIRED, cause).then(reason).no_run()


def test_a_push_that_fails_does_not_begin_the_wait():
    """Queued but not told: the push is repeated, the wait stays at zero, and somebody is called."""
    story = asked_for_a_clear()
    story.model.push_error = "no answer"
    story.accepted(pushed=False).after(minutes=17)
    assert Reason.NOT_TOLD in {
        one.reason for _, one in story.model.commands if isinstance(one, do.CallPerson)
    }
    assert story.run.waited_s == 0
    story.model.push_error = ""
    story.after(minutes=2)
    assert story.run.waited_s > 0


def test_a_push_that_fails_later_takes_nothing_back():
    """Once the device was told, a push that fails only means one reminder less."""
    story = asked_for_a_clear().accepted().pushed("no answer")
    assert story.run.told is not None


def test_an_answer_to_something_else_is_no_news():
    """What comes of another run's act changes nothing here."""
    story = asked_for_a_clear()
    before = story.run
    story.model.came_of(ev.PutOff("r-9999/0/0", "busy"))
    story.model.came_of(ev.LeftInDoubt("r-9999/0/0", "cut off"))
    assert story.run.state is before.state


def test_an_mdm_that_is_down_never_leads_to_an_erase():
    """An outage is waited out: the same clear is asked for again, and nothing harsher ever comes of it."""
    story = asked_for_a_clear().put_off().after(seconds=20).then(do.ClearPasscode)
    story.put_off().is_because(Reason.MDM_OUT_OF_REACH)


def test_a_clear_in_doubt_is_asked_for_again_under_its_own_name():
    """Nobody knows whether the MDM took it: the same act is asked again, which asks once."""
    story = asked_for_a_clear()
    act = story.run.act
    story.in_doubt().after(seconds=40).then(do.ClearPasscode)
    assert story.run.act == act


def test_a_clear_in_doubt_waits_while_something_is_held():
    """While a hold is on, even the doubtful clear is not asked for again."""
    story = asked_for_a_clear().in_doubt().hold().after(seconds=40)
    story.nothing().waits_for(Block.HELD)


def test_a_wrong_key_calls_a_person_and_goes_on():
    """A wrong key says nothing about the passcode: a person is called, and once it is mended it goes on."""
    story = asked_for_a_clear().turned_down(No.AUTH_FAILED).then(Reason.MDM_MISCONFIGURED)
    story.after(minutes=6).then(do.ClearPasscode)


def test_a_refusal_ends_with_a_person():
    """An MDM that does not know the device says nothing about the passcode either."""
    asked_for_a_clear().turned_down(No.NOT_FOUND).ends(End.FAILED)


def test_a_device_that_cannot_be_cleared_ends_with_a_person():
    """The device's own Error is certain, and without `if_impossible: next` a person decides."""
    asked_for_a_clear().accepted().answers(ev.AnswerStatus.ERROR, "wrong token").ends(End.FAILED)


def test_a_device_that_cannot_be_cleared_goes_on_where_the_site_says_so():
    """With `if_impossible: next` the device's own Error ends the wait."""
    story = asked_for_a_clear(ruleset=running(SURE_LADDER)).accepted()
    story.answers(ev.AnswerStatus.ERROR, "wrong token").after(minutes=2).is_because(Reason.WOULD_ERASE)


def test_nobody_is_called_where_a_workflow_wants_nobody_called():
    """`on_failure: {call: none}` is obeyed."""
    quiet = replace(CLEAR_ONLY, on_failure=OnFailure(call=None))
    ruleset = RuleSet((replace(NOT_PAIRING, run=quiet.name),), (quiet,), "quiet")
    story = asked_for_a_clear(ruleset=ruleset).turned_down(No.REJECTED).ends(End.FAILED)
    assert not [one for _, one in story.model.commands if isinstance(one, do.CallPerson)]


def test_a_last_rung_in_vain_ends_with_a_person():
    """A ladder of one rung has nothing harsher: after the whole wait a person is called."""
    story = asked_for_a_clear(ruleset=running(CLEAR_ONLY)).accepted().somebody_is_heard()
    story.after(minutes=5, seconds=1).ends(End.FAILED)


def test_a_last_rung_that_is_impossible_ends_with_a_person():
    """`if_impossible: next` on the last rung leads to nothing but a person."""
    sure = replace(SURE_LADDER, name="sure", steps=SURE_LADDER.steps[:1])
    ruleset = RuleSet((replace(NOT_PAIRING, run="sure"),), (sure,), "sure")
    asked_for_a_clear(ruleset=ruleset).accepted().answers(ev.AnswerStatus.ERROR).ends(End.FAILED)


def test_an_optional_step_that_fails_is_left_out():
    """A list goes on over a step that is optional."""
    steps = (replace(CLEAR_ONLY.steps[0], optional=True), CALL)
    listed = replace(CLEAR_ONLY, name="listed", steps=steps, is_ladder=False)
    ruleset = RuleSet((replace(NOT_PAIRING, run="listed"),), (listed,), "listed")
    asked_for_a_clear(ruleset=ruleset).turned_down(No.REJECTED).ends(End.DONE)


def test_approval_is_waited_for():
    """With mode approve nothing happens until somebody says so."""
    story = Story(rules(with_mode(NOT_PAIRING, Mode.APPROVE))).attach(LOCKED).after(seconds=6)
    story.waits_for(Block.NEEDS_APPROVAL).then(Reason.NEEDS_APPROVAL)
    story.approve().then(do.ClearPasscode)


def test_a_device_taken_away_ends_the_run():
    """Whoever takes the device ends what was going on with it."""
    asked_for_a_clear().accepted().detach().ends(End.LEFT)


def test_a_device_that_enrolls_anew_is_asked_again():
    """Authenticate empties the queue: what was asked is gone, certainly."""
    story = asked_for_a_clear().accepted().enrolls_anew()
    assert story.run.accepted is None


def test_a_clear_left_behind_is_joined():
    """A clear that may still be queued is taken over by the next run, not asked for twice."""
    story = asked_for_a_clear().accepted().detach().then(do.Cancel)
    story.attach(LOCKED).after(seconds=6)
    assert story.run.act.startswith("r-0001/")


def test_a_device_of_an_mdm_that_pushes_is_told_when_it_is_heard():
    """A device that was not pushed, but polls, was told all the same."""
    story = asked_for_a_clear().accepted(pushed=False).is_heard()
    assert story.run.told is not None


def test_a_charge_only_port_is_never_opened():
    """Nothing is looked at, and nothing is ours, on a port for private phones."""
    story = Story().attach(PAIRED)
    view = replace(story.model.view(story.record, story.link), charge_only=True)
    assert not_ours(view, story.link) == (Block.CHARGE_ONLY,)
    assert plan(Situation(story.link), story.model.now, view, story.model.rules) is None


def test_a_person_who_wants_nothing_cleared_is_obeyed():
    """With mode off in the configuration no clear is asked for, whatever a rule says."""
    Story(mode=Mode.OFF).attach(LOCKED).after(seconds=6).ends(End.NOT_OURS)


def test_an_mdm_that_was_never_asked_says_nothing_of_a_token():
    """Without the MDM's word, that it must be asked is what stands in the way, not a token."""
    story = Story().attach(LOCKED).after(seconds=3)
    view = replace(story.model.view(story.record, story.link), mdm=None)
    gate = may_clear(view, story.link, Asking(None, Mode.AUTO), story.model.now)
    assert Block.MDM_UNREAD in gate.blocks
    assert Block.NO_TOKEN not in gate.blocks


def test_silence_never_clears():
    """A device that does not answer is for a person."""
    Story().attach(SILENT).after(minutes=2).then(Reason.NO_ANSWER).no_run()


def test_a_clear_left_in_doubt_is_asked_for_again_by_the_next_run():
    """A clear of which nobody knows whether it is queued is asked for again under its own name."""
    story = asked_for_a_clear().in_doubt().detach().then(do.Cancel)
    story.attach(LOCKED).after(seconds=6)
    assert story.run.act.startswith("r-0001/")
    assert story.run.accepted is None


def test_a_clear_left_in_doubt_at_an_mdm_that_would_ask_twice_is_for_a_person():
    """Where asking again could clear twice, a person decides."""
    careless = MdmCan(needs_unlock_token=True, knows_ownership=False, can_push=True, asks_once=False)
    story = asked_for_a_clear(can=careless).in_doubt().detach()
    story.attach(LOCKED).after(seconds=6).ends(End.FAILED)


def test_a_clear_in_doubt_at_an_mdm_that_would_ask_twice_is_for_a_person():
    """The same while the device is still there."""
    careless = MdmCan(needs_unlock_token=True, knows_ownership=False, can_push=True, asks_once=False)
    asked_for_a_clear(can=careless).in_doubt().after(seconds=40).ends(End.FAILED)


def test_a_run_that_has_ended_takes_no_more_turns():
    """Whatever comes late for a run that has ended changes nothing."""
    story = asked_for_a_clear().detach()
    case = Case(story.last, None, View(), story.model.now, {})
    assert advance(case, ev.TimeCame()).run == story.last


def _advanced(story: Story, event: ev.Event, **changes: object) -> Run:
    view = story.model.view(story.record, story.link)
    facts = facts_of(story.link, view, story.model.now)
    run = replace(story.run, **changes)
    return advance(Case(run, story.link, view, story.model.now, facts), event).run


def test_an_answer_meant_for_another_act_changes_nothing():
    """What comes of another run's act is no news for this one."""
    story = asked_for_a_clear()
    for event in (
        ev.PutOff("r-9999/0/0", "busy"),
        ev.LeftInDoubt("r-9999/0/0", "cut off"),
        ev.TurnedDown("r-9999/0/0", No.REJECTED, "no"),
    ):
        assert _advanced(story, event) == story.run


def test_a_push_is_not_hastened():
    """A waking that comes before its time does nothing."""
    story = asked_for_a_clear().accepted()
    assert _advanced(story, ev.TimeCame()) == story.run


def test_a_run_that_only_calls_is_not_ended_by_a_look():
    """What is harmless waits for its needs, whatever the cable shows."""
    patient = replace(ASK, steps=(replace(CALL, needs=(Condition("battery", Op.AT_LEAST, (90.0,)),)),))
    ruleset = RuleSet((replace(SILENT_CALLS, run=patient.name),), (patient,), "patient")
    story = Story(ruleset).attach(SILENT).after(minutes=3)
    assert story.run.blocks == (Block.NEEDS,)


def test_a_device_that_opened_before_it_was_asked_about_needs_nothing():
    """Whoever unlocks it while an approval is waited for has done what was wanted."""
    asking = rules(with_mode(NOT_PAIRING, Mode.APPROVE))
    story = Story(asking).attach(LOCKED).after(seconds=6)
    story.shows(PAIRED).after(seconds=20)
    assert story.last.end is End.NOT_NEEDED


def test_a_gate_that_finds_it_open_or_otherwise_stopped_ends_the_run():
    """At the last moment before a clear, what the device shows decides."""
    story = Story(rules(with_mode(NOT_PAIRING, Mode.APPROVE))).attach(LOCKED).after(seconds=6)
    view = story.model.view(story.record, story.link)
    now = story.model.now
    trusting = replace(story.link, cause=Cause.TRUST_PENDING)
    other = consider(Case(story.run, trusting, view, now, facts_of(trusting, view, now))).run
    assert other.end is End.CAUSE_CHANGED
    opened = replace(
        story.link, state=LinkState.PAIRED, cause=None, seen=replace(story.link.seen, locked=False)
    )
    blind = replace(story.run, workflow=replace(LADDER, steps=(replace(LADDER.steps[0], until=()),)))
    assert consider(Case(blind, opened, view, now, {})).run.end is End.NOT_NEEDED


def test_an_mdm_that_cannot_clear_says_so():
    """An adapter's own incapacity is certain."""
    story = Story().attach(LOCKED).after(seconds=3)
    view = replace(story.model.view(story.record, story.link), mdm_can=MdmCan(clear_passcode=False))
    gate = may_clear(view, story.link, Asking(None, Mode.AUTO), story.model.now)
    assert Block.MDM_CANNOT_CLEAR in gate.blocks


def test_the_mdms_own_word_can_prove_a_clear():
    """A device that pairs after its MDM said that no passcode is set was cleared, whoever heard of it."""
    story = asked_for_a_clear().accepted()
    later = replace(story.model.now, up=story.model.now.up + 30)
    word = replace(story.model.words[story.device], at=later, passcode_set=False)
    view = replace(story.model.view(story.record, story.link), mdm=word)
    case = Case(story.run, story.link, view, later, {})
    assert with_proof(case).proof is Proof.PASSCODE_ABSENT


def test_an_erase_is_not_even_reported_of_a_device_that_is_open():
    """Whoever unlocks it between two rungs ends the ladder."""
    story = asked_for_a_clear().accepted()
    opened = replace(
        story.link, state=LinkState.PAIRED, cause=None, seen=replace(story.link.seen, locked=False)
    )
    run = replace(story.run, step=1, workflow=replace(LADDER, steps=(LADDER.steps[0], BARE_ERASE)))
    view = story.model.view(story.record, opened)
    assert consider(Case(run, opened, view, story.model.now, {})).run.end is End.NOT_NEEDED


def test_an_unlocked_device_needs_no_erase():
    """A device that pairs while its erase is reported is left alone."""
    story = asked_for_a_clear().accepted().somebody_is_heard().after(minutes=5, seconds=1)
    story.shows(PAIRED).after(seconds=20)
    assert story.last.end in (End.NOT_NEEDED, End.PROVEN)


def test_a_release_forgets_what_a_storm_left_behind():
    """A person lets one device go, or all of them."""
    watched = Watch(was_in_storm=frozenset({"d-0001", "d-0002"}))
    now, limits = Now("b", 1.0, datetime(2026, 1, 1, tzinfo=UTC)), StormLimits()
    assert watch(watched, Told(Note.RELEASED, device="d-0001"), now, limits).was_in_storm == {"d-0002"}
    assert not watch(watched, Told(Note.RELEASED), now, limits).was_in_storm


# -------------------------------------------------------------------------- small values


def test_labels_match_one_by_one_and_versions_by_their_numbers():
    """A device with the label `loan` fits; text that is no version fits no version; labels have no order."""
    facts = {"labels": Fact(("loan", "ward"), "registry"), "os_version": Fact("unknown", "cable")}
    assert Condition("labels", Op.IN, ("loan",)).holds(facts) is True
    assert Condition("labels", Op.IS, (True,)).holds(facts) is False
    assert Condition("labels", Op.STARTS_WITH, ("wa",)).holds(facts) is True
    assert Condition("labels", Op.CONTAINS, ("ward",)).holds(facts) is True
    assert Condition("labels", Op.AT_LEAST, (3.0,)).holds(facts) is False
    assert Condition("os_version", Op.AT_LEAST, ("17.0",)).holds(facts) is False


def test_a_udid_that_is_no_number_has_no_ecid():
    """A list with letters that are no digits gives no ECID by arithmetic."""
    assert ecid_of("0000811O-OOOOOOOOOOOOOOOO") is None
    assert ecid_of("short") is None


def test_an_error_says_who_and_what():
    """A line that a person reads names whom we asked, and what came of it."""
    assert str(Unreachable("hospital", "no answer")) == "hospital: no answer"


def test_a_workflow_says_how_harsh_it_is():
    """What erases, and what clears or erases, is known before it runs."""
    assert LADDER.can_erase
    assert CLEAR_ONLY.is_harsh
    assert not CLEAR_ONLY.can_erase
    assert not_ours(View(), None) == (Block.NOT_IN_REGISTRY,)


# ------------------------------------------------------------------------- less common paths


def test_an_mdm_that_cannot_push_is_not_asked_to():
    """Where pushes are not to be had, the device is told when it polls."""
    story = asked_for_a_clear().accepted()
    view = replace(story.model.view(story.record, story.link), mdm_can=MdmCan(can_push=False))
    due = replace(story.run, wake_at=story.model.now.up)
    turn = advance(Case(due, story.link, view, story.model.now, {}), ev.TimeCame())
    assert turn.run.wake_at is None
    assert not turn.commands
    untold = replace(due, told=None)
    assert advance(Case(untold, story.link, view, story.model.now, {}), ev.TimeCame()).run.wake_at


def test_a_device_in_restore_mode_is_nobodys_to_touch():
    """Somebody restores it: it neither pairs nor is it locked."""
    story = Story().attach(LOCKED).shows(RESTORING).after(seconds=30)
    story.is_(LinkState.RESTORING)


def test_a_paired_device_that_stumbles_once_is_looked_at_again_soon():
    """One look that fails takes nobody's pairing away; the next one comes a second later."""
    story = Story().attach(PAIRED).after(seconds=30).looked(LOCKED)
    story.is_(LinkState.PAIRED)
    later = story.model.plan(story.where).at - story.model.now.up
    assert later <= 1.0


def test_a_limit_a_day_is_a_hold_and_a_call():
    """One run a day more than the rule allows stops that rule until a person looks."""
    limited = RuleSet((replace(NOT_PAIRING, per_day=1),), WORKFLOWS, "limited")
    story = asked_for_a_clear(ruleset=limited).accepted().answers(ev.AnswerStatus.ACKNOWLEDGED)
    story.shows(PAIRED).after(seconds=20).detach().shows(LOCKED)
    story.attach(LOCKED)
    view = replace(story.model.view(story.record, story.link), runs_today=(("not-pairing", 1),))
    lasted = replace(story.link, counts=replace(story.link.counts, unpaired_s=6.0, locked_s=6.0))
    locked = replace(lasted, cause=Cause.LOCKED)
    turn = take(Situation(locked), ev.WorldChanged("x"), story.model.now, view, limited)
    assert [type(one) for one in turn.commands if isinstance(one, do.Hold)] == [do.Hold]
    held = replace(view, holds=("rule:not-pairing",))
    again = take(Situation(locked), ev.WorldChanged("x"), story.model.now, held, limited)
    assert not [one for one in again.commands if isinstance(one, do.Hold)]


def test_silence_may_call_by_rule_before_it_says_who_it_is():
    """A rule that only calls a person may speak of a device that cannot say who it is."""
    story = Story(rules(SILENT_CALLS)).attach(SILENT).after(minutes=3)
    assert story.last.end is End.DONE


def test_pushing_is_only_shown_where_the_site_only_observes():
    """With mode observe even a push is only said, not done."""
    story = Story(rules(replace(NOT_PAIRING, run=PUSH.name, mode=Mode.OBSERVE)))
    story.attach(LOCKED).after(seconds=6).ends(End.OBSERVED)


def test_a_push_of_a_device_that_is_not_ours_is_not_sent():
    """On no cable nobody can say that it is this device; nothing is pushed."""
    story = Story().attach(PAIRED)
    view = story.model.view(story.record, None)
    turn = consider(Case(_run_of(PUSH, story), None, view, story.model.now, {}))
    assert not [one for one in turn.commands if isinstance(one, do.Push)]
    here = story.model.view(story.record, story.link)
    for mode in (Mode.OBSERVE, Mode.OFF):
        run = replace(_run_of(PUSH, story), mode=mode)
        assert consider(Case(run, story.link, here, story.model.now, {})).run.end is End.OBSERVED
    sent = consider(Case(_run_of(PUSH, story), story.link, here, story.model.now, {}))
    assert [type(one) for one in sent.commands if isinstance(one, do.Push)] == [do.Push]


def test_a_step_of_a_list_that_is_not_needed_lets_the_list_go_on():
    """A list asks for nothing that is so already, and does the rest."""
    listed = replace(CLEAR_ONLY, name="listed", steps=(*CLEAR_ONLY.steps, CALL), is_ladder=False)
    ruleset = RuleSet((replace(LOCKED_ON_THE_DOCK, run="listed", conditions=DOCKED),), (listed,), "listed")
    Story(ruleset).attach(PAIRED).after(seconds=12).then(Reason.ASKED_FOR)


def test_a_list_goes_on_when_its_clear_worked():
    """A step that is proven lets a list go on."""
    listed = replace(CLEAR_ONLY, name="listed", steps=(*CLEAR_ONLY.steps, CALL), is_ladder=False)
    ruleset = RuleSet((replace(NOT_PAIRING, run="listed"),), (listed,), "listed")
    story = asked_for_a_clear(ruleset=ruleset).accepted().answers(ev.AnswerStatus.ACKNOWLEDGED)
    story.shows(PAIRED).after(seconds=20).ends(End.DONE)


def test_asking_the_mdm_is_a_step_too():
    """A step that reads the MDM's word asks, and the list goes on."""
    story = asked_for_a_clear(ruleset=rules(replace(NOT_PAIRING, run=OVER_THE_AIR.name))).accepted()
    story.answers(ev.AnswerStatus.ACKNOWLEDGED).shows(PAIRED).after(seconds=20).ends(End.DONE)


def test_a_storm_waits_its_quiet_time_after_the_last_onset():
    """A storm closes ten minutes after its last onset, once something paired; another boot starts anew."""
    limits, wall = StormLimits(), datetime(2026, 1, 1, tzinfo=UTC)
    began = Now("b", 100.0, wall)
    stormy = Watch(storm=Storm(began, began, frozenset({"d-0001"}), has_paired_since=True))
    ticks = Told(Note.TIME_CAME)
    assert watch(stormy, ticks, Now("b", 600.0, wall), limits).storm is not None
    assert watch(stormy, ticks, Now("b", 701.0, wall), limits).storm is None
    moved = watch(stormy, ticks, Now("c", 5.0, wall), limits).storm
    assert moved is not None
    assert moved.last.boot == "c"


def test_what_happens_on_another_cable_says_nothing_about_a_run():
    """An impostor on another port neither proves nor ends what goes on with the real one."""
    story = asked_for_a_clear().accepted()
    other = replace(story.link, attachment=port(5, 9))
    view = story.model.view(story.record, other)
    looked = ev.Looked(other.attachment, Look(Answer.SESSION, locked=False, spoke=True))
    turn = take(Situation(other, story.run), looked, story.model.now, view, story.model.rules)
    assert turn.became.run is not None
    assert turn.became.run.is_open
    contact = ev.ContactMade("hospital", story.device)
    assert take(Situation(other, story.run), contact, story.model.now, view, story.model.rules).became.run


def test_a_workflow_that_only_calls_is_not_stopped_by_a_registry_change():
    """What is harmless may end by itself."""
    story = Story(rules(SILENT_CALLS)).attach(SILENT).after(seconds=30)
    story.registry(status=Status.RETIRED, retired_reason="stolen").after(minutes=2).no_run()


def _run_of(workflow, story):
    return Run("r-0001", story.device, workflow, "x", story.model.now)


BARE_ERASE = replace(LADDER.steps[1], needs=(), until=())
DOCKED = (Condition("custody", Op.IS, ("checked_in",)),)
