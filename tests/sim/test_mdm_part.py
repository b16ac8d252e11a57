"""The MDM as a part of a simulated Launchpad, and the orders that another process gives it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mamd.sim.launchpad import SimLaunchpad
from mamd.sim.mdm_apns import PushFault
from mamd.sim.mdm_part import BadOrder, MdmPart
from mamd.sim.record import Record
from tests.canary import API_KEY, HMAC_KEY
from tests.mdm.phones import locked_phone
from tests.mdm.receiver import Receiver


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Who listens to the webhook."""
    async with Receiver(HMAC_KEY) as receiver:
        yield receiver


@pytest.fixture
async def part(receiver: Receiver, tmp_path: Path) -> AsyncIterator[MdmPart]:
    """An MDM beside a Launchpad that knows one phone of the MDM and one that has none."""
    part = MdmPart(API_KEY, webhook_url=receiver.url, hmac_key=HMAC_KEY)
    stranger = locked_phone(2)
    stranger.mdm_enrolled = False
    async with SimLaunchpad(tmp_path, parts=[part]) as launchpad:
        launchpad.meet(locked_phone(1))
        launchpad.meet(stranger)
        yield part


async def test_phones_enrol_when_they_are_told_to(part: MdmPart, receiver: Receiver) -> None:
    """Nobody enrols before somebody listens; then all that have an MDM do, those met later included."""
    assert receiver.events == []
    await part.obey({"do": "enrol"})
    late = locked_phone(3)
    part.met(late)
    for udid in (locked_phone(1).udid, late.udid):
        await receiver.wait_for(lambda it, udid=udid: it.id == udid and it.tally == 1)
    known = {event.id for event in receiver.events}
    assert known == {locked_phone(1).udid, late.udid}


async def test_what_the_mdm_sees_is_in_the_record_of_the_launchpad(part: MdmPart, tmp_path: Path) -> None:
    """One record holds what the hubs and what the MDM saw."""
    await part.obey({"do": "enrol"})
    lines = Record.read(tmp_path / "record.jsonl", "mdm.device", device=locked_phone(1).udid)
    assert [line["said"] for line in lines] == ["Authenticate", "TokenUpdate"]


async def test_every_order_is_obeyed(part: MdmPart) -> None:
    """Faults are put in force and lifted by plain words."""
    udid = locked_phone(1).udid
    for order in (
        {"do": "enrol", "phone": udid},
        {"do": "fail", "how": "TOO_MANY", "times": 1, "retry_after": 7, "calls": ["enqueue"]},
        {"do": "fail", "how": None},
        {"do": "fail_pushes", "how": "UNREGISTERED", "phone": udid},
        {"do": "lose_events", "count": 2},
        {"do": "manners", "phone": udid, "not_now": {"ClearPasscode": 2}, "cellular": True},
        {"do": "down"},
        {"do": "up"},
        {"do": "check_out", "phone": udid},
        {"do": "webhook", "url": None},
    ):
        await part.obey(order)
    assert list(part.mdm.apns.faults.values()) == [PushFault.UNREGISTERED]
    assert part.mdm.server.webhook.url is None
    assert part.mdm.devices[udid].manners.cellular


async def test_an_order_to_an_mdm_that_is_down_says_so(part: MdmPart) -> None:
    """Nobody can enrol while the MDM is down."""
    await part.obey({"do": "down"})
    with pytest.raises(BadOrder, match="is it down"):
        await part.obey({"do": "enrol"})


@pytest.mark.parametrize(
    ("order", "text"),
    [
        ({}, "unknown order None"),
        ({"do": "enroll"}, "did you mean enrol?"),
        ({"do": "fail", "how": "HANG_AFTR"}, "did you mean HANG_AFTER?"),
        ({"do": "fail", "how": "TOO_MANY", "times": "often"}, "'often' is not a count"),
        ({"do": "manners", "phone": locked_phone(1).udid, "not_now": 2}, "would have to be like {}"),
        ({"do": "manners", "phone": "nobody"}, "no phone has the UDID 'nobody'"),
        ({"do": "manners", "phone": "nobody", "not_know": 1}, "did you mean not_now?"),
    ],
)
async def test_an_order_that_makes_no_sense_changes_nothing(
    part: MdmPart, order: dict[str, object], text: str
) -> None:
    """A mistake is named, with the nearest right word."""
    with pytest.raises(BadOrder) as refused:
        await part.obey(order)
    assert text in str(refused.value)
