"""Into recovery mode, gently: each way in is tried once, and says why it failed."""

import plistlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mamd.recovery.buttons import sequence
from mamd.recovery.enter import Climb, Outcome, Rung, Target, climb
from mamd.sim import characters
from mamd.sim.keys import Supervision
from mamd.sim.launchpad import SimLaunchpad
from mamd.sim.phone import Fault, Mode, Phone
from mamd.sim.record import Record


@pytest.fixture
async def pad(tmp_path: Path) -> AsyncIterator[SimLaunchpad]:
    """Hubs without cables."""
    async with SimLaunchpad(tmp_path / "sim") as launchpad:
        yield launchpad


@pytest.fixture
def phone(pad: SimLaunchpad) -> Phone:
    """A locked, supervised phone of ours that this host has never paired with."""
    found = characters.locked(1, name="ours", supervision=Supervision.new("Ward 3")).phone
    pad.attach(found)
    return found


def _target(pad: SimLaunchpad, phone: Phone) -> Target:
    return Target(phone.udid, phone.ecid, phone.product_type, str(pad.socket))


def _record(pad: SimLaunchpad, phone: Phone) -> dict[str, Any]:
    kept = pad.usbmuxd.pairings.read(phone.udid)
    assert kept is not None
    return dict(plistlib.loads(kept))


def _outcomes(found: Climb) -> list[tuple[Rung, Outcome]]:
    return [(result.rung, result.outcome) for result in found.results]


async def test_a_locked_phone_with_the_restriction_goes_in_without_a_session(
    pad: SimLaunchpad, phone: Phone
) -> None:
    """This is the way for which sites install allowUnpairedExternalBootToRecovery."""
    phone.restrictions.allow_unpaired_external_boot_to_recovery = True
    found = await climb(_target(pad, phone), None)
    assert _outcomes(found) == [(Rung.RECORD, Outcome.NO_RECORD), (Rung.UNPAIRED, Outcome.ACCEPTED)]
    assert (phone.mode, found.outcome, found.buttons) == (Mode.RECOVERY, Outcome.ACCEPTED, None)


async def test_a_record_opens_the_way_for_a_phone_that_was_unlocked_before(
    pad: SimLaunchpad, phone: Phone
) -> None:
    """Locked now, and trusting us still: the session is enough."""
    pad.pair(phone)
    found = await climb(_target(pad, phone), _record(pad, phone))
    assert _outcomes(found) == [(Rung.RECORD, Outcome.ACCEPTED)]
    assert phone.mode is Mode.RECOVERY


async def test_a_phone_that_can_be_paired_is_not_sent_there(pad: SimLaunchpad, phone: Phone) -> None:
    """Unlocked, with a session: whatever was wrong with it is over."""
    pad.pair(phone)
    phone.unlock()
    found = await climb(_target(pad, phone), _record(pad, phone))
    assert _outcomes(found) == [(Rung.RECORD, Outcome.CAN_BE_PAIRED)]
    assert (phone.mode, found.buttons) == (Mode.NORMAL, None)
    asked = replace(_target(pad, phone), may_be_unlocked=True)
    assert (await climb(asked, _record(pad, phone))).outcome is Outcome.ACCEPTED


async def test_without_restriction_and_record_a_person_is_told_which_buttons(
    pad: SimLaunchpad, phone: Phone
) -> None:
    """SessionInactive has one reason and one cure, and both are said."""
    found = await climb(_target(pad, phone), None)
    assert found.outcome is Outcome.NEEDS_BUTTONS
    assert found.buttons == sequence(phone.product_type)
    assert "allowUnpairedExternalBootToRecovery" in found.results[-1].why
    assert "Volume Up" in found.results[-1].why
    assert phone.mode is Mode.NORMAL


SPOIL: list[tuple[Callable[[SimLaunchpad, Phone], object], Outcome]] = [
    (SimLaunchpad.leave_stale_record, Outcome.STALE_RECORD),
    (SimLaunchpad.spoil_record, Outcome.STALE_RECORD),
]


@pytest.mark.parametrize(("spoil", "outcome"), SPOIL)
async def test_a_record_that_the_phone_forgot_leads_to_the_next_rung(
    pad: SimLaunchpad, phone: Phone, spoil: Callable[[SimLaunchpad, Phone], object], outcome: Outcome
) -> None:
    """A stale record is a fault of ours, and no reason to give up."""
    spoil(pad, phone)
    phone.restrictions.allow_unpaired_external_boot_to_recovery = True
    found = await climb(_target(pad, phone), _record(pad, phone))
    assert _outcomes(found) == [(Rung.RECORD, outcome), (Rung.UNPAIRED, Outcome.ACCEPTED)]


async def test_a_phone_that_was_not_unlocked_since_its_start_opens_no_session(
    pad: SimLaunchpad, phone: Phone
) -> None:
    """The record is good, and of no use before the first passcode."""
    pad.pair(phone)
    phone.first_unlocked = False
    found = await climb(_target(pad, phone), _record(pad, phone))
    assert _outcomes(found)[:2] == [(Rung.RECORD, Outcome.LOCKED), (Rung.UNPAIRED, Outcome.SESSION_INACTIVE)]


async def test_another_phone_than_the_one_that_is_meant_is_asked_nothing(
    pad: SimLaunchpad, phone: Phone
) -> None:
    """A spoofed USB serial number does not send a stranger to recovery mode."""
    phone.restrictions.allow_unpaired_external_boot_to_recovery = True
    other = replace(_target(pad, phone), ecid=phone.ecid + 1)
    found = await climb(other, None)
    assert _outcomes(found)[-1] == (Rung.UNPAIRED, Outcome.WRONG_DEVICE)
    assert phone.mode is Mode.NORMAL
    assert found.buttons is None


@pytest.mark.parametrize("fault", [Fault.HANG_QUERY_TYPE, Fault.GARBAGE, Fault.DROP])
async def test_each_rung_ends_whatever_the_phone_does(pad: SimLaunchpad, phone: Phone, fault: Fault) -> None:
    """A phone that hangs, babbles or drops costs seconds, and a person is called."""
    phone.faults.add(fault)
    found = await climb(_target(pad, phone), None, rung_s=0.5)
    assert _outcomes(found)[1:] == [(Rung.UNPAIRED, Outcome.NO_ANSWER), (Rung.BUTTONS, Outcome.NEEDS_BUTTONS)]


async def test_what_is_not_there_is_told_from_what_is_wrong_here(pad: SimLaunchpad, phone: Phone) -> None:
    """A phone off the bus needs a person; a dead usbmuxd says nothing about any phone."""
    pad.detach(phone)
    assert (await climb(_target(pad, phone), None)).results[1].outcome is Outcome.NOT_THERE
    await pad.usbmuxd.stop()
    found = await climb(_target(pad, phone), None)
    assert (found.outcome, found.buttons) == (Outcome.HOST_FAULT, None)


async def test_no_pair_request_is_ever_sent(pad: SimLaunchpad, phone: Phone, tmp_path: Path) -> None:
    """The Trust dialog does not show on the way to recovery mode, whatever state the phone is in."""
    for change in (phone.unlock, phone.lock):
        change()
        await climb(_target(pad, phone), None)
    asked = [seen["request"] for seen in Record.read(tmp_path / "sim" / "record.jsonl", "lockdown")]
    assert "EnterRecovery" in asked
    assert "Pair" not in asked


@pytest.mark.parametrize(
    ("product_type", "words"),
    [
        ("iPhone14,5", "side button"), ("iPhone10,3", "Volume Up"), ("iPhone12,8", "Volume Up"),
        ("iPhone9,1", "Volume Down"), ("iPhone8,4", "Home"), ("iPad12,1", "Home"), ("iPad11,1", "Home"),
        ("iPad7,5", "Home"), ("iPad8,1", "top button"), ("iPad13,18", "top button"),
        ("iPod9,1", "Volume Down"), ("AppleTV5,3", "with a Home button"), (None, "with a Home button"),
    ],
)  # fmt: skip
def test_the_buttons_are_those_of_the_model(product_type: str | None, words: str) -> None:
    """Whoever stands at the shelf is told what to press on this very phone."""
    text = str(sequence(product_type))
    assert words in text
    assert "computer and a cable" in text
