"""What a technician reads at night about each device of the ward."""

import re
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from mamd.core.facts import NO_IDS
from mamd.words import calling, why
from tests.characters import END, EVERYBODY
from tests.desk import STRANGERS_UDID, ward
from tests.golden import assert_golden
from tests.lives import moment

BERLIN = ZoneInfo("Europe/Berlin")
CODE = re.compile(r"[a-z]+_[a-z_]+|\b[A-Z][a-z]+[A-Z]\w+|Traceback|KeyError")


def told(name: str) -> str:
    """What `mamd why` says of one of them."""
    return "\n".join(why(EVERYBODY[name], moment(END), zone=BERLIN))


@pytest.mark.parametrize("name", EVERYBODY)
def test_why_tells_what_was_reviewed_as_text(name: str) -> None:
    """Each device's story is told in the words that somebody has read and found clear."""
    assert_golden(f"why-{name.replace('_', '-')}", told(name))


@pytest.mark.parametrize("name", EVERYBODY)
def test_why_has_no_word_that_only_a_programmer_would_use(name: str) -> None:
    """No name of a class, a table or a field stands in what people read."""
    said = told(name).replace("NanoMDM", "")
    assert CODE.findall(said) == []


@pytest.mark.parametrize("name", [name for name, one in EVERYBODY.items() if one.record is not None])
def test_every_device_of_ours_has_something_that_comes_next_and_something_to_do(name: str) -> None:
    """Nobody is left without knowing what comes next and what to do, be it nothing."""
    said = told(name)
    assert "What comes next\n  " in said
    assert "What you should do\n  " in said


def test_of_a_strangers_phone_it_is_only_said_that_there_is_one() -> None:
    """Neither a name nor a time of a device that is not ours is told."""
    said = told("stranger")
    assert STRANGERS_UDID not in said
    assert not re.search(r"\d\d:\d\d|locked|pair", said)


def test_times_are_the_launchpads_own() -> None:
    """Two in the morning in London is three in Berlin, and Berlin is where the technician stands."""
    assert "03:04:45  asked the MDM to clear the passcode" in told("watched")


def test_what_happened_on_another_day_says_which() -> None:
    """A time of yesterday is not taken for one of today."""
    tomorrow = replace(moment(END), wall=moment(END).wall + timedelta(days=1))
    said = "\n".join(why(EVERYBODY["watched"], tomorrow, zone=BERLIN))
    assert "2026-11-25 03:04:45  asked the MDM" in said


def test_after_a_restart_of_the_host_no_time_is_reckoned_over_it() -> None:
    """How long ago something was before a reboot is not known, and not guessed."""
    rebooted = replace(moment(END), boot="boot-2")
    said = "\n".join(why(EVERYBODY["watched"], rebooted, zone=BERLIN))
    assert "before this host was started" in said


def test_a_device_without_any_name_is_called_by_ours() -> None:
    """A row that has nothing but its own name is still told of."""
    one = EVERYBODY["away"]
    assert one.record is not None
    bare = replace(one, record=replace(one.record, ids=NO_IDS, name=None, mdm=None, status=None))
    assert why(bare, moment(END))[0] == "d-0030, not attached here"


def test_several_calls_go_out_as_one_message() -> None:
    """Sixteen devices are one message with sixteen lines, each with its cure."""
    assert_golden("calls", calling("ward-3", ward().calls))


def test_a_single_call_is_one_line() -> None:
    """What a pager shows begins with where, and what."""
    call = EVERYBODY["asks_for_trust"].calls
    assert calling("ward-3", call) == (
        "ward-3: Port 7, d-0007: it asks whether to trust this host. Press Trust on the phone."
    )
