"""Every value that people can meet has words, and times are said as people say them."""

from datetime import UTC, datetime
from enum import Enum

import pytest

from mamd.core import commands, conditions, facts, governor, rules, run, workflow
from mamd.words import SAID, hindrance, lasting, running, say

MET = (
    facts.LinkState, facts.Cause, facts.Answer, facts.PairAnswer, facts.UsbMode, facts.Status,
    facts.Ownership, facts.Custody, governor.Block, commands.Reason, rules.Mode, rules.Trigger,
    run.RunState, run.Proof, run.End, workflow.Action, workflow.Kind, workflow.IfImpossible,
)  # fmt: skip
MEMBERS = [member for kind in MET for member in kind]


@pytest.mark.parametrize("member", MEMBERS, ids=str)
def test_every_value_has_words(member: Enum) -> None:
    """Nobody ever reads a code where a word could stand."""
    said = say(member)
    assert said.short
    assert said.text
    assert "_" not in said.short + said.text
    assert not said.text.endswith(".")
    assert not said.cure or said.cure.endswith((".", ")", "LABEL", "NAME"))


def test_no_words_are_left_over() -> None:
    """Words for a value that does not exist any more are thrown away with it."""
    assert set(SAID) == set(MEMBERS)


@pytest.mark.parametrize("reason", facts.Cause, ids=str)
def test_every_cause_but_one_of_a_stranger_comes_with_a_cure(reason: facts.Cause) -> None:
    """Whoever reads why a device does not pair reads what to do."""
    assert bool(say(reason).cure) is (reason is not facts.Cause.UNKNOWN)


@pytest.mark.parametrize("word", conditions.WORDS)
def test_every_word_of_the_rules_can_be_said(word: str) -> None:
    """A condition that is not met is named in words that a technician knows."""
    from mamd.words.facts import _PHRASES

    assert word in _PHRASES


def test_what_stops_a_device_is_said_in_words_or_as_it_was_given() -> None:
    """A reason that is no code of ours is its own words."""
    assert hindrance("not_enrolled").short == "not enrolled"
    assert hindrance("left the building").text == "left the building"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"), (59.9, "59 s"), (60, "1 min"), (134, "2 min 14 s"), (3600, "1 h"),
        (3700, "1 h 1 min"), (86_400, "24 h"), (200_000, "2 days"),
    ],
)  # fmt: skip
def test_a_length_of_time_has_two_units_at_most(seconds: float, words: str) -> None:
    """Nobody has to divide by sixty."""
    assert lasting(seconds) == words


@pytest.mark.parametrize(("seconds", "clock"), [(4, "0:04"), (134, "2:14"), (3734, "1:02:14")])
def test_a_running_clock_looks_like_one(seconds: float, clock: str) -> None:
    """`waited 2:14 of 5:00`."""
    assert running(seconds) == clock


def test_a_moment_of_today_has_no_day() -> None:
    """The day is said only where it is another one."""
    from mamd.words import at

    now = datetime(2026, 11, 25, 3, 7, tzinfo=UTC)
    assert at(now.replace(minute=2), now, UTC) == "03:02:00"
    assert at(now.replace(day=24), now, UTC) == "2026-11-24 03:07:00"
