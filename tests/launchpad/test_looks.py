"""Each state that a phone can be in gives the look that the table of causes says, and changes nothing."""

import asyncio
from collections.abc import Callable

import pytest

from mamd.core.events import Detached
from mamd.core.facts import Answer, Ids, Look, PairAnswer
from mamd.launchpad import PadSettings
from mamd.sim.launchpad import SimLaunchpad
from mamd.sim.phone import Fault, Locked, Mode, Phone
from mamd.sim.record import Record
from tests.launchpad.watching import Watched, phone, watched

PORT = "2-1.4"


def requests(sim: SimLaunchpad, name: str) -> int:
    """How often a request was seen on the wire."""
    return len(Record.read(sim.record.path, "lockdown", request=name))


async def test_a_paired_phone_that_is_unlocked(sim: SimLaunchpad, watch: Watched) -> None:
    """A look that identifies tells who it is, what it runs and how full its battery is."""
    one = phone()
    sim.pair(one)
    sim.attach(one, PORT)
    assert await watch.look(PORT, identify=True) == Look(
        answer=Answer.SESSION,
        ids=Ids(one.udid, one.ecid, one.serial),
        locked=False,
        product_type=one.product_type,
        os_version=one.product_version,
        battery_percent=80,
        spoke=True,
    )


Prepare = Callable[[SimLaunchpad, Phone], None]


def set_up(**state: object) -> Prepare:
    """A phone in that state, known to this host."""

    def prepare(sim: SimLaunchpad, one: Phone) -> None:
        sim.pair(one)
        for name, value in state.items():
            setattr(one, name, value)

    return prepare


BEFORE_FIRST_UNLOCK = {"passcode_set": True, "locked": True, "first_unlocked": False}

STATES = {
    "paired, locked": (set_up(passcode_set=True, locked=True), Answer.SESSION, True),
    "before first unlock": (set_up(**BEFORE_FIRST_UNLOCK), Answer.PASSWORD_PROTECTED, None),
    "before first unlock, says InvalidHostID": (
        set_up(**BEFORE_FIRST_UNLOCK, session_before_first_unlock=Locked.INVALID_HOST),
        Answer.INVALID_HOST_ID,
        None,
    ),
    "before first unlock, gives a session": (
        set_up(**BEFORE_FIRST_UNLOCK, session_before_first_unlock=Locked.SESSION),
        Answer.SESSION,
        True,
    ),
    "it forgot this host": (lambda sim, one: sim.leave_stale_record(one), Answer.INVALID_HOST_ID, None),
    "wrong certificates": (lambda sim, one: sim.spoil_record(one), Answer.TLS_FAILED, None),
    "never paired": (lambda sim, one: None, Answer.NO_RECORD, None),
    "restoring": (set_up(mode=Mode.RESTORING), Answer.RESTORING, None),
    "setup assistant": (lambda sim, one: setattr(one, "mode", Mode.SETUP), Answer.NO_RECORD, None),
    "refuses to be connected to": (set_up(faults={Fault.REFUSE_CONNECT}), Answer.CONNECT_REFUSED, None),
    "closes instead of answering": (set_up(faults={Fault.DROP}), Answer.NO_ANSWER, None),
    "answers garbage": (set_up(faults={Fault.GARBAGE}), Answer.GARBLED, None),
    "claims a frame of 2 GiB": (set_up(faults={Fault.OVERSIZED}), Answer.GARBLED, None),
    "nests ten thousand deep": (set_up(faults={Fault.DEEP}), Answer.GARBLED, None),
    "floods": (set_up(faults={Fault.FLOOD}), Answer.GARBLED, None),
}


@pytest.mark.parametrize("state", STATES)
async def test_each_state_gives_its_answer(sim: SimLaunchpad, watch: Watched, state: str) -> None:
    """The quiet part of a look, line by line; and nobody is asked to trust anybody."""
    prepare, answer, locked = STATES[state]
    one = phone()
    prepare(sim, one)
    sim.attach(one, PORT)
    look = await watch.look(PORT)
    assert (look.answer, look.locked, look.pair) == (answer, locked, PairAnswer.NOT_SENT), look
    assert requests(sim, "Pair") == 0


HANGS = {
    Fault.HANG_CONNECT: "connect",
    Fault.HANG_QUERY_TYPE: "type",
    Fault.HANG_START_SESSION: "session",
    Fault.HANG_TLS: "tls",
    Fault.TRUNCATED: "type",
}


@pytest.mark.parametrize("fault", HANGS, ids=lambda fault: fault.value)
async def test_a_phone_that_hangs_is_given_up(sim: SimLaunchpad, watch: Watched, fault: Fault) -> None:
    """At its deadline, wherever it stops; usbmuxd answers others, so it is the phone that is silent."""
    one = phone()
    sim.pair(one)
    one.faults = {fault}
    sim.attach(one, PORT)
    look = await watch.look(PORT, deadline_s=0.5)
    assert (look.answer, look.stage) == (Answer.NO_ANSWER, HANGS[fault])


async def test_one_phone_that_hangs_does_not_delay_its_neighbours(sim: SimLaunchpad, watch: Watched) -> None:
    """Ten that never answer a Connect, and one that does: it is looked at in a moment."""
    for number in range(1, 11):
        one = phone(number, faults={Fault.HANG_CONNECT})
        sim.attach(one, f"2-1.{number}")
    good = phone(11)
    sim.pair(good)
    sim.attach(good, "2-2.1")
    hanging = [asyncio.create_task(watch.look(f"2-1.{number}", deadline_s=8)) for number in range(1, 11)]
    await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert (await watch.look("2-2.1")).answer is Answer.SESSION
    assert loop.time() - began < 3
    for look in hanging:
        look.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)


async def test_a_hundred_looks_at_once_all_get_through(sim: SimLaunchpad, watch: Watched) -> None:
    """usbmuxd's backlog holds five; nobody is turned away for that."""
    phones = [phone(number) for number in range(1, 101)]
    for one in phones:
        sim.pair(one)
        sim.attach(one)
    ports = list(sim.attached)
    for port in ports:
        await watch.listed(port)
    looks = await asyncio.gather(*(watch.look(port) for port in ports))
    assert {look.answer for look in looks} == {Answer.SESSION}


async def test_a_calm_phone_is_asked_for_tls_every_sixth_time(sim: SimLaunchpad, watch: Watched) -> None:
    """Between, it is enough that the session starts; a look that decides always asks."""
    one = phone(passcode_set=True)
    sim.pair(one)
    sim.attach(one, PORT)

    def handshakes() -> int:
        return len(Record.read(sim.record.path, "tls"))

    seen = []
    for _ in range(8):
        assert (await watch.look(PORT)).locked is False
        seen.append(handshakes())
    assert seen == [1, 1, 1, 1, 1, 1, 2, 2]
    one.lock()
    assert (await watch.look(PORT, identify=True)).locked is True
    assert handshakes() == 3
    for more in (4, 5):
        assert (await watch.look(PORT)).locked is True
        assert handshakes() == more, "that it is locked is seen afresh each time"


async def test_a_phone_is_asked_for_its_names_once(sim: SimLaunchpad, watch: Watched) -> None:
    """What is known need not be asked again, unless something is decided on it."""
    one = phone()
    sim.attach(one, PORT)
    assert (await watch.look(PORT)).ids == Ids(one.udid, one.ecid)
    assert (await watch.look(PORT)).ids == Ids()
    assert (await watch.look(PORT, identify=True)).ids == Ids(one.udid, one.ecid)


async def test_a_phone_that_lies_about_its_names_is_taken_at_its_word(
    sim: SimLaunchpad, watch: Watched
) -> None:
    """What lockdown says is kept apart from what the bus says, so that the two can be compared."""
    one, other = phone(1), phone(2)
    one.lies = {"UniqueDeviceID": other.udid, "UniqueChipID": -5, "ProductType": 5}
    sim.attach(one, PORT)
    look = await watch.look(PORT, identify=True)
    assert look.ids == Ids(other.udid, 0xFFFF_FFFF_FFFF_FFFB), "a signed number is an unsigned one, misread"
    assert look.product_type is None
    attached = watch.now(PORT)
    assert attached is not None
    assert attached.ids == Ids(one.udid, one.ecid)


async def test_a_charge_only_port_is_never_opened(sim: SimLaunchpad, settings: PadSettings) -> None:
    """Not even its phone's name is passed on."""
    closed = PadSettings(
        settings.usbmuxd, settings.state, settings.boot, settings.sysfs, charge_only=frozenset({PORT})
    )
    sim.attach(phone(), PORT)
    async with watched(closed) as watch:
        look = await watch.look(PORT, pair=True, identify=True)
        attached = watch.now(PORT)
    assert (look.answer, look.stage) == (Answer.HOST_FAULT, "charge_only")
    assert attached is not None
    assert attached.ids == Ids()
    assert not Record.read(sim.record.path, "connect")


async def test_a_phone_that_has_gone_is_nobodys_fault(sim: SimLaunchpad, watch: Watched) -> None:
    """A look that comes too late says nothing about the phone."""
    one = phone()
    sim.attach(one, PORT)
    attachment = await watch.listed(PORT)
    sim.detach(one)
    await watch.until(lambda _: watch.now(PORT) is None and watch.now(PORT, listed=False) is None)
    look = await watch.pad.look(attachment, pair=True, identify=True)
    assert (look.answer, look.stage) == (Answer.HOST_FAULT, "gone")
    await watch.pad.forget(attachment)


async def test_a_phone_unplugged_during_its_look_is_nobodys_fault(sim: SimLaunchpad, watch: Watched) -> None:
    """Whatever it still said may have been another one's word."""
    one = phone()
    sim.pair(one)
    one.faults = {Fault.HANG_START_SESSION}
    sim.attach(one, PORT)
    looking = asyncio.create_task(watch.look(PORT))
    while not requests(sim, "StartSession"):  # noqa: ASYNC110 - the record is a file
        await asyncio.sleep(0.01)
    sim.detach(one)
    assert (await looking).answer is Answer.HOST_FAULT


async def test_an_unreadable_store_of_records_is_a_fault_of_ours(
    sim: SimLaunchpad, watch: Watched, settings: PadSettings
) -> None:
    """It is never taken for a phone without a record; it is shown, and gone when it is mended."""
    one = phone()
    sim.pair(one)
    sim.attach(one, PORT)
    own = settings.state / "pair_records" / f"{one.udid}.plist"
    own.write_bytes(b"rubbish")
    look = await watch.look(PORT, pair=True)
    assert (look.answer, look.pair) == (Answer.HOST_FAULT, PairAnswer.NOT_SENT)
    (fault,) = watch.pad.faults()
    assert fault.name == "pair_records"
    assert str(own) in fault.what
    own.unlink()
    assert (await watch.look(PORT)).answer is Answer.SESSION
    assert watch.pad.faults() == ()


async def test_the_record_of_a_phone_that_has_gone_is_no_fault_any_more(
    sim: SimLaunchpad, watch: Watched, settings: PadSettings
) -> None:
    """It will be one again when the phone is back."""
    one = phone()
    sim.attach(one, PORT)
    place = await watch.listed(PORT)
    (settings.state / "pair_records" / f"{one.udid}.plist").write_bytes(b"rubbish")
    await watch.look(PORT)
    assert watch.pad.faults()
    sim.detach(one)
    await watch.until(lambda events: Detached(place) in events)
    assert watch.pad.faults() == ()


async def test_usbmuxds_spoilt_record_is_a_fault_of_ours(sim: SimLaunchpad, watch: Watched) -> None:
    """The same for the records that others keep."""
    one = phone()
    sim.usbmuxd.pairings.save(one.udid, b"rubbish")
    sim.attach(one, PORT)
    assert (await watch.look(PORT, pair=True)).answer is Answer.HOST_FAULT
    assert requests(sim, "Pair") == 0
