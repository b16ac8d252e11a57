"""Nights on a Launchpad, over the real protocols: what the whole daemon does with one phone."""

from mamd.core.commands import Reason
from mamd.core.run import End, Proof, RunState
from mamd.sim.identity import Identity
from mamd.sim.phone import Phone, Trust
from mamd.sim.record import Record as WireRecord
from tests.daemon.site import site


async def test_a_locked_phone_is_cleared_and_pairs(tmp_path):
    """
    A locked phone of ours is cleared over the air, pairs, and is reported as cleared.
    """
    async with site(tmp_path) as here:
        phone = Phone(Identity.numbered(1, name="ward-1"), passcode_set=True, locked=True, trust=Trust.ACCEPT)
        here.own(phone)
        here.pad.meet(phone)
        await here.mdm.enrol_all()
        here.pad.attach(phone)
        await here.until(lambda: (run := here.run_of(phone)) and not run.is_open)
        run = here.run_of(phone)
        assert (run.end, run.outcome, run.proof) == (End.PROVEN, "unlocked", Proof.ACKNOWLEDGED)
        assert not phone.passcode_set
        assert len(WireRecord.read(here.pad.record.path, "mdm.enqueue")) == 1


async def test_an_erase_that_is_due_is_reported_and_not_done(tmp_path):
    """
    A phone that the clear never reaches is reported to a person as one that would be erased,
    but not before some other device has shown that the way from the MDM to devices is open.
    """
    async with site(tmp_path) as here:
        phone = Phone(Identity.numbered(1, name="ward-1"), passcode_set=True, locked=True)
        other = Phone(Identity.numbered(2, name="ward-2"))
        here.own(phone, other)
        here.pad.meet(phone)
        here.pad.meet(other)
        await here.mdm.enrol_all()
        phone.online = False
        here.pad.attach(phone)
        await here.until(lambda: here.run_of(phone) and here.run_of(phone).told)
        await here.until(lambda: here.run_of(phone).waited_s >= 5.0)
        assert here.run_of(phone).reason is Reason.WAY_NOT_OPEN
        await here.mdm.mdm.device(other).contact()
        here.keeper.replan()
        await here.until(lambda: here.run_of(phone).reason is Reason.WOULD_ERASE)
        assert here.run_of(phone).state is RunState.WAITING
        assert here.run_of(phone).waited_s >= 5.0


async def test_a_strangers_phone_is_left_alone(tmp_path):
    """
    A phone that the registry does not know gets no Pair request and no MDM call, and nothing of it is kept.
    """
    async with site(tmp_path) as here:
        phone = Phone(Identity.numbered(9), passcode_set=True, locked=True)
        here.pad.attach(phone)
        await here.until(lambda: here.keeper.turns_taken >= 4)
        assert not WireRecord.read(here.pad.record.path, "lockdown", request="Pair")
        assert not WireRecord.read(here.pad.record.path, "mdm.enqueue")
        assert here.desk.overview().strangers == 1
