"""Pair is sent on purpose only, and a record is replaced only by one that the phone has really accepted."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from mamd.core.errors import Misconfigured
from mamd.core.facts import Answer, PairAnswer
from mamd.launchpad import PadSettings, Pairings, Supervision
from mamd.sim import keys
from mamd.sim.launchpad import SimLaunchpad
from mamd.sim.phone import Fault, Locked, Mode, Phone, Trust
from mamd.sim.record import Record
from tests.launchpad.watching import Watched, phone, watched

PORT = "2-1.4"
ORGANISATION = keys.Supervision.new("Hospital")
OTHERS = keys.Supervision.new("Somebody else")


def identity(of: keys.Supervision = ORGANISATION) -> Supervision:
    """The supervision identity as it is given to a Pad."""
    return Supervision.of(of.certificate, of.key)


def pairs(sim: SimLaunchpad) -> int:
    """How many Pair requests were seen on the wire."""
    return len(Record.read(sim.record.path, "lockdown", request="Pair"))


LOCKED = {"passcode_set": True, "locked": True}

ORDINARY: dict[str, tuple[dict[str, object], PairAnswer]] = {
    "locked": (LOCKED, PairAnswer.PASSWORD_PROTECTED),
    "locked since it started": (
        LOCKED | {"first_unlocked": False, "pair_before_first_unlock": Locked.ESCROW_LOCKED},
        PairAnswer.ESCROW_LOCKED,
    ),
    "nobody answers the dialog": ({}, PairAnswer.DIALOG_PENDING),
    "somebody says no": ({"trust": Trust.DENY}, PairAnswer.DENIED),
    "somebody says yes": ({"trust": Trust.ACCEPT}, PairAnswer.PAIRED),
    "setup assistant": ({"mode": Mode.SETUP}, PairAnswer.PAIRED),
    "never answers Pair": ({"faults": {Fault.HANG_PAIR}}, PairAnswer.NO_ANSWER),
}


@pytest.mark.parametrize("state", ORDINARY)
async def test_each_state_gives_its_answer_to_an_ordinary_pair(
    sim: SimLaunchpad, watch: Watched, state: str
) -> None:
    """A phone without a record: Pair tells why, and the quiet part stays what it was."""
    attributes, answer = ORDINARY[state]
    sim.attach(phone(**attributes), PORT)
    look = await watch.look(PORT, pair=True, deadline_s=2)
    assert (look.answer, look.pair) == (Answer.NO_RECORD, answer), look


async def test_an_accepted_pairing_is_kept_and_used(sim: SimLaunchpad, settings: PadSettings) -> None:
    """The look that paired sees inside at once; a new Pad needs no Pair; usbmuxd's records stay."""
    one = phone(trust=Trust.ACCEPT)
    sim.attach(one, PORT)
    async with watched(settings) as watch:
        look = await watch.look(PORT, pair=True)
    assert (look.pair, look.locked, look.ids.serial) == (PairAnswer.PAIRED, False, one.serial)
    async with watched(settings) as watch:
        assert (await watch.look(PORT, pair=True)).answer is Answer.SESSION
    assert pairs(sim) == 1
    assert sim.usbmuxd.pairings.read(one.udid) is None


async def test_all_records_of_a_host_name_the_same_host(sim: SimLaunchpad, watch: Watched) -> None:
    """Consent is given to a SystemBUID: one that changed would ask every person again."""
    one, two = phone(1, trust=Trust.ACCEPT), phone(2, trust=Trust.ACCEPT)
    sim.attach(one, "2-1.1")
    sim.attach(two, "2-1.2")
    await watch.look("2-1.1", pair=True)
    await watch.look("2-1.2", pair=True)
    assert one.consented == two.consented
    assert list(one.trusts) == list(two.trusts)


@pytest.mark.parametrize("stale", ["it forgot this host", "wrong certificates"])
async def test_a_record_that_has_become_useless_is_replaced(
    sim: SimLaunchpad, watch: Watched, stale: str
) -> None:
    """But only once the phone has accepted anew."""
    one = phone(trust=Trust.ACCEPT)
    prepare: Callable[[Phone], None] = (
        sim.spoil_record if stale == "wrong certificates" else sim.leave_stale_record
    )
    prepare(one)
    one.consented.clear()
    sim.attach(one, PORT)
    look = await watch.look(PORT, pair=True)
    assert look.answer in (Answer.INVALID_HOST_ID, Answer.TLS_FAILED)
    assert look.pair is PairAnswer.PAIRED
    assert (await watch.look(PORT)).answer is Answer.SESSION


async def test_a_phone_that_is_shown_to_be_locked_is_not_asked(sim: SimLaunchpad, watch: Watched) -> None:
    """StartSession has said so already; and one that opens a session needs no Pair either."""
    before_unlock, paired = phone(1, **LOCKED, first_unlocked=False), phone(2)
    for one, port in ((before_unlock, "2-1.1"), (paired, "2-1.2")):
        sim.pair(one)
        sim.attach(one, port)
        await watch.look(port, pair=True)
    assert pairs(sim) == 0


async def test_after_a_clear_a_pair_shows_that_it_worked(sim: SimLaunchpad, watch: Watched) -> None:
    """Locked; the MDM takes the passcode off; the same look pairs."""
    one = phone(**LOCKED, trust=Trust.ACCEPT)
    sim.attach(one, PORT)
    assert (await watch.look(PORT, pair=True)).pair is PairAnswer.PASSWORD_PROTECTED
    one.clear_passcode(one.unlock_token)
    assert (await watch.look(PORT, pair=True)).pair is PairAnswer.PAIRED


# --------------------------------------------------------------------------- supervised


@asynccontextmanager
async def supervising(settings: PadSettings, **more: object) -> AsyncIterator[Watched]:
    """A Pad with the hospital's supervision identity."""
    async with watched(replace(settings, **({"supervision": identity()} | more))) as watch:  # type: ignore[arg-type]
        yield watch


SUPERVISED: dict[str, tuple[dict[str, object], PairAnswer]] = {
    "unlocked": ({}, PairAnswer.PAIRED),
    "locked, accepted without EscrowBag": (LOCKED, PairAnswer.NO_ESCROW),
    "locked, refused": (
        LOCKED | {"supervised_pair_when_locked": Locked.PASSWORD_PROTECTED},
        PairAnswer.PASSWORD_PROTECTED,
    ),
}


@pytest.mark.parametrize("pairing", Pairings, ids=lambda pairing: pairing.value)
@pytest.mark.parametrize("state", SUPERVISED)
async def test_a_supervised_phone_needs_no_dialog(
    sim: SimLaunchpad, settings: PadSettings, state: str, pairing: Pairings
) -> None:
    """The challenge is signed with the organisation's key."""
    attributes, answer = SUPERVISED[state]
    one = phone(supervisor=ORGANISATION.der, **attributes)
    sim.attach(one, PORT)
    async with supervising(settings, pairing=pairing) as watch:
        assert (await watch.look(PORT, pair=True)).pair is answer
    assert one.dialog_since is None
    assert bool(one.trusts) is (answer is PairAnswer.PAIRED)


async def test_without_an_escrow_bag_the_good_record_stays(sim: SimLaunchpad, settings: PadSettings) -> None:
    """A locked, supervised phone says yes and keeps nothing; we keep what we had."""
    one = phone(supervisor=ORGANISATION.der)
    sim.attach(one, PORT)
    record = settings.state / "pair_records" / f"{one.udid}.plist"
    async with supervising(settings) as watch:
        assert (await watch.look(PORT, pair=True)).pair is PairAnswer.PAIRED
        kept = record.read_bytes()
        one.set_passcode()
        one.lock()
        one.first_unlocked, one.session_before_first_unlock = False, Locked.INVALID_HOST
        assert (await watch.look(PORT, pair=True)).pair is PairAnswer.NO_ESCROW
    assert record.read_bytes() == kept


async def test_a_phone_that_others_supervise_is_not_ours_to_pair(
    sim: SimLaunchpad, settings: PadSettings
) -> None:
    """Its organisation has prohibited other hosts."""
    one = phone(supervisor=OTHERS.der)
    one.restrictions.allow_host_pairing = False
    sim.attach(one, PORT)
    async with supervising(settings) as watch:
        assert (await watch.look(PORT, pair=True)).pair is PairAnswer.WRONG_IDENTITY


async def test_supervised_only_without_an_identity_sends_nothing(
    sim: SimLaunchpad, settings: PadSettings
) -> None:
    """No ordinary Pair is ever sent then."""
    sim.attach(phone(trust=Trust.ACCEPT), PORT)
    async with watched(replace(settings, pairing=Pairings.SUPERVISED_ONLY)) as watch:
        assert (await watch.look(PORT, pair=True)).pair is PairAnswer.NOT_SENT
    assert pairs(sim) == 0


async def test_another_phone_behind_the_same_number_is_asked_nothing(
    sim: SimLaunchpad, watch: Watched
) -> None:
    """usbmuxd may have been restarted: its numbers begin anew, and strangers get no Pair request."""
    one = phone(1, trust=Trust.ACCEPT)
    one.lies = {"UniqueDeviceID": phone(2).udid}
    sim.attach(one, PORT)
    look = await watch.look(PORT, pair=True)
    assert (look.answer, look.pair, look.stage) == (Answer.NO_RECORD, PairAnswer.NOT_SENT, "identity")
    assert pairs(sim) == 0


async def test_keys_that_cannot_be_read_are_a_fault_of_ours(
    sim: SimLaunchpad, watch: Watched, settings: PadSettings
) -> None:
    """The phone is blamed for nothing, and the operator is told which file it is."""
    (settings.state / "host_keys.plist").write_bytes(b"rubbish")
    sim.attach(phone(trust=Trust.ACCEPT), PORT)
    assert (await watch.look(PORT, pair=True)).answer is Answer.HOST_FAULT
    assert [fault.name for fault in watch.pad.faults()] == ["pair_records"]
    assert pairs(sim) == 0


@pytest.mark.parametrize(
    ("certificate", "key"),
    [
        (b"rubbish", ORGANISATION.key),
        (ORGANISATION.certificate, b"rubbish"),
        (ORGANISATION.certificate, OTHERS.key),
    ],
    ids=["certificate", "key", "not of one another"],
)
def test_a_supervision_identity_that_is_none_is_refused_at_the_door(certificate: bytes, key: bytes) -> None:
    """With a cure, and without a word of the key."""
    with pytest.raises(Misconfigured, match="give") as refusal:
        Supervision.of(certificate, key)
    assert "PRIVATE" not in str(refusal.value)


def test_a_supervision_identity_shows_no_key() -> None:
    """Not in a repr either."""
    assert "key" not in repr(identity())
