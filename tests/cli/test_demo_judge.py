"""Tries the demo's judge: a record of the wire that tells another story makes it say no."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from mamd.cli.demo.cast import FILES, WAIT_S, Fate, Role, cast
from mamd.cli.demo.judge import Call, Verdict, judge
from mamd.rulebook.lint import Site
from mamd.rulebook.load import load_all
from mamd.sim.record import Seen

WALL = datetime(2026, 11, 25, tzinfo=UTC)


@dataclass
class Evidence:
    """A record that can be written and tampered with."""

    seen: list[Seen] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)

    def note(self, role: Role, at: float, kind: str, **fields: object) -> None:
        self.seen.append(Seen(at, WALL, kind, role.udid, fields))

    def judged(self) -> tuple[Verdict, ...]:
        return judge(cast(), sorted(self.seen, key=lambda one: one.at), self.calls)


def of(fate: Fate) -> Role:
    """The first phone with that fate."""
    return next(role for role in cast() if role.fate is fate)


def as_it_should_be() -> Evidence:
    """What the wire shows when all goes well."""
    here = Evidence()
    for number, role in enumerate(cast()):
        _TOLD[role.fate](here, role, 100.0 + 10 * number)
    here.calls.append(Call(900.0, "storm"))
    return here


def attached(here: Evidence, role: Role, at: float) -> None:
    here.note(role, at, "launchpad", what="attached", port=role.port)


def asked_to_clear(here: Evidence, role: Role, at: float) -> None:
    here.note(role, at, "mdm.enqueue", request_type="ClearPasscode", command_uuid=role.name)
    here.note(role, at, "mdm.push", ok=True)


def cleared(here: Evidence, role: Role, at: float) -> None:
    attached(here, role, at)
    here.note(role, at + 1, "lockdown", request="Pair", answer="ok")
    asked_to_clear(here, role, at + 5.1)
    here.note(role, at + 5.2, "phone", what="passcode_cleared")
    here.note(role, at + 5.3, "tls", answer="ok")


def docked(here: Evidence, role: Role, at: float) -> None:
    here.note(role, at + 0.1, "tls", answer="ok")
    cleared(here, role, at)


def offline(here: Evidence, role: Role, at: float) -> None:
    attached(here, role, at)
    asked_to_clear(here, role, at + 5.1)
    here.calls.append(Call(at + 26.0, "would_erase", role.label))


def left_alone(here: Evidence, role: Role, at: float) -> None:
    attached(here, role, at)
    here.note(role, at + 1, "lockdown", request="QueryType", answer="ok")


def untrusted(here: Evidence, role: Role, at: float) -> None:
    attached(here, role, at)
    here.note(role, at + 1, "lockdown", request="Pair", answer="PairingDialogResponsePending")
    here.calls.append(Call(at + 5, "trust_pending", role.label))


def loose(here: Evidence, role: Role, at: float) -> None:
    for turn in range(3):
        attached(here, role, at + 2 * turn)
    here.calls.append(Call(at + 6, "bad_cable", role.label))


def hidden(here: Evidence, role: Role, at: float) -> None:
    attached(here, role, at)
    here.calls.append(Call(at + 12, "hidden", role.label))


def stormy(here: Evidence, role: Role, at: float) -> None:
    attached(here, role, at)
    here.note(role, at + 1, "tls", answer="ok")
    attached(here, role, 890.0)
    here.note(role, 890.5, "lockdown", request="StartSession", answer="PasswordProtected")


_TOLD: dict[Fate, Callable[[Evidence, Role, float], None]] = {
    Fate.CLEARED: cleared,
    Fate.ERASE_DUE: offline,
    Fate.UNLOCKED: docked,
    Fate.PERSONAL: left_alone,
    Fate.STOLEN: left_alone,
    Fate.TRUST: untrusted,
    Fate.CABLE: loose,
    Fate.HIDDEN: hidden,
    Fate.STORM: stormy,
}


def wrongs(here: Evidence) -> str:
    return " | ".join(line for verdict in here.judged() for line in verdict.wrong)


def without(here: Evidence, role: Role, kind: str, **fields: object) -> None:
    """Take lines out of the record."""

    def is_it(one: Seen) -> bool:
        return one.kind == kind and one.device == role.udid and one.fields.items() >= fields.items()

    assert any(map(is_it, here.seen)), "only what is there can be taken out"
    here.seen = [one for one in here.seen if not is_it(one)]


def test_a_story_that_came_true_is_called_true():
    """When the wire shows what should have happened, every phone gets a yes."""
    verdicts = as_it_should_be().judged()
    assert [verdict.wrong for verdict in verdicts] == [()] * (len(cast()) + 1)
    assert {verdict.role.fate for verdict in verdicts if verdict.role} == set(Fate)


def test_an_empty_record_is_not_a_good_one():
    """A daemon that was never seen on the wire has not done its work, whatever it says."""
    verdicts = Evidence().judged()
    assert not any(verdict.is_true for verdict in verdicts)


@pytest.mark.parametrize("fate", list(Fate), ids=lambda fate: fate.name)
def test_a_second_clear_is_found_out(fate):
    """Nobody is cleared twice, and whoever is to be left alone not once."""
    here, role = as_it_should_be(), of(fate)
    asked_to_clear(here, role, 950.0)
    assert not next(one for one in here.judged() if one.role == role).is_true


@pytest.mark.parametrize("fate", list(Fate), ids=lambda fate: fate.name)
def test_recovery_mode_and_an_erase_are_found_out(fate):
    """This version erases nobody."""
    here, role = as_it_should_be(), of(fate)
    here.note(role, 951.0, "lockdown", request="EnterRecovery", answer="ok")
    assert "it was sent to recovery mode" in wrongs(here)
    here = as_it_should_be()
    here.note(role, 951.0, "mdm.enqueue", request_type="EraseDevice", command_uuid="x")
    assert "something other than a clear" in wrongs(here)


@pytest.mark.parametrize("fate", [Fate.CLEARED, Fate.UNLOCKED, Fate.ERASE_DUE], ids=lambda fate: fate.name)
def test_a_clear_that_comes_too_early_is_found_out(fate):
    """Five seconds of looking come before any clear."""
    here, role = as_it_should_be(), of(fate)
    without(here, role, "mdm.enqueue")
    came = next(one.at for one in here.seen if one.device == role.udid and one.kind == "launchpad")
    asked_to_clear(here, role, came + 4.9)
    assert "after it was attached" in wrongs(here)


@pytest.mark.parametrize("fate", [Fate.PERSONAL, Fate.STOLEN], ids=lambda fate: fate.name)
def test_one_pair_request_to_a_phone_that_is_not_ours_to_touch_is_found_out(fate):
    """A personal phone and a stolen one are never asked to pair."""
    here = as_it_should_be()
    here.note(of(fate), 120.0, "lockdown", request="Pair", answer="PasswordProtected")
    assert "1 Pair requests were sent to it" in wrongs(here)


def test_a_clear_without_effect_is_no_clear():
    """The MDM's word that it cleared is not enough: the passcode has to be gone, and a session open."""
    here, role = as_it_should_be(), of(Fate.CLEARED)
    without(here, role, "phone", what="passcode_cleared")
    assert "its passcode was not taken off" in wrongs(here)
    here = as_it_should_be()
    without(here, role, "tls")
    assert "no session opened after its passcode was gone" in wrongs(here)


def test_a_docked_phone_must_have_been_paired_before():
    """What pairs only after the clear was not locked on the dock, but not pairing."""
    here, role = as_it_should_be(), of(Fate.UNLOCKED)
    first = next(one for one in here.seen if one.device == role.udid and one.kind == "tls")
    here.seen.remove(first)
    assert "it was not paired before the clear" in wrongs(here)


@pytest.mark.parametrize(
    ("fate", "reason"),
    [
        (Fate.ERASE_DUE, "would_erase"),
        (Fate.TRUST, "trust_pending"),
        (Fate.CABLE, "bad_cable"),
        (Fate.HIDDEN, "hidden"),
    ],
)
def test_a_call_that_reached_nobody_is_found_out(fate, reason):
    """That the daemon meant to call does not count; and two calls are one too many."""
    here, role = as_it_should_be(), of(fate)
    here.calls = [one for one in here.calls if one.reason != reason]
    assert "0 calls" in wrongs(here)
    here.calls += [Call(999.0, reason, role.label)] * 2
    assert "2 calls" in wrongs(here)


def test_a_call_about_another_port_is_no_call():
    """A person who is sent to the wrong port finds nobody there."""
    here, role = as_it_should_be(), of(Fate.TRUST)
    here.calls = [replace(one, port="99") if one.port == role.label else one for one in here.calls]
    assert "0 calls said that it waits for Trust" in wrongs(here)


def test_an_erase_that_is_due_too_early_is_found_out():
    """The whole wait has to pass after the device was told."""
    here = as_it_should_be()
    here.calls = [replace(one, at=one.at - 2.0) if one.reason == "would_erase" else one for one in here.calls]
    assert "its erase was due after" in wrongs(here)


def test_a_device_that_was_never_told_is_not_due():
    """Without a push that went out there is no wait that could have been in vain."""
    here = as_it_should_be()
    without(here, of(Fate.ERASE_DUE), "mdm.push")
    assert "the device was never told" in wrongs(here)


def test_a_bad_cable_that_is_still_asked_is_found_out():
    """After it came and went three times it is left in peace for a minute."""
    here, role = as_it_should_be(), of(Fate.CABLE)
    last = max(one.at for one in here.seen if one.device == role.udid)
    here.note(role, last + 3.0, "tls", answer="ok")
    assert "still talked to" in wrongs(here)


def test_a_storm_without_its_alarm_or_with_two_is_found_out():
    """One alarm for all of it, and not before it."""
    here = as_it_should_be()
    here.calls = [one for one in here.calls if one.reason != "storm"]
    assert "0 alarms about the storm" in wrongs(here)
    here.calls += [Call(900.0, "storm")] * 2
    assert "2 alarms about the storm" in wrongs(here)
    here.calls = [one for one in here.calls if one.reason != "storm"] + [Call(880.0, "storm")]
    assert "before the storm" in wrongs(here)


def test_a_storm_that_never_came_is_found_out():
    """If the hub did not come back there was nothing to leave alone."""
    here, role = as_it_should_be(), of(Fate.STORM)
    here.seen = [one for one in here.seen if not (one.device == role.udid and one.at > 800.0)]
    assert "its hub did not come back" in wrongs(here)


def test_a_step_that_failed_and_a_phone_of_nobody_are_found_out():
    """A story that was not told to its end proves nothing; nor may the MDM be asked about others."""
    here = as_it_should_be()
    here.seen.append(Seen(5.0, WALL, "scenario", None, {"what": "step failed", "why": "no such port"}))
    assert "a step of the story failed: no such port" in wrongs(here)
    here = as_it_should_be()
    here.seen.append(Seen(5.0, WALL, "mdm.enqueue", "0000-FFFF", {"request_type": "ClearPasscode"}))
    assert "a phone that is not of the cast" in wrongs(here)


def test_the_demo_waits_as_long_as_its_workflow_says():
    """The judge measures the wait that the workflow file names, and the rules wait the real five seconds."""
    loaded = load_all([FILES / "workflows.yaml", FILES / "rules.yaml"], Site(mdms=("hospital",)))
    assert loaded.rules is not None
    assert {flow.steps[0].wait_s for flow in loaded.rules.workflows} == {WAIT_S}
    assert {when.for_s for rule in loaded.rules.rules for when in rule.when} == {5.0}
    assert all("a real site waits 5 minutes" in flow.about for flow in loaded.rules.workflows)
