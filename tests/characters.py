"""The devices of a ward one night: each stands for one thing that a technician can come upon."""

from collections.abc import Mapping
from dataclasses import replace

from mamd.core import events as ev
from mamd.core.facts import Answer, Enrollment, Look, MdmRecord, Ownership, PairAnswer, Status, UsbMode
from mamd.core.rules import Mode
from mamd.core.turn import Situation
from mamd.desk import Standing
from mamd.ports import MdmCommand
from tests.lives import (
    ASKS_FOR_TRUST,
    LOCKED,
    OPEN,
    PAIRED_BUT_LOCKED,
    SILENT,
    Life,
    moment,
    record,
)

END = 420.0
"""When the technician asks: seven minutes into the story."""


def cleared() -> Standing:
    """Locked; cleared over the air; paired."""
    life = Life("2-1.1", "1", record(1, "Ward phone 1")).plugged_in().looked(LOCKED, until=7.5).accepted()
    life.looked(LOCKED, until=20.0).answered(ev.AnswerStatus.ACKNOWLEDGED)
    return life.looked(OPEN, until=30.0).looked(OPEN, until=END, every=10.0).standing()


def watched() -> Standing:
    """Locked; the clear was accepted, and the wait is running."""
    life = Life("2-1.2", "2", record(2, "Ward phone 2"), up=END - 142.0).plugged_in()
    return life.looked(LOCKED, until=END - 134.0).accepted().looked(LOCKED, until=END).standing()


def would_be_erased() -> Standing:
    """The clear never arrived, although others are heard: its erase is due."""
    life = Life("2-1.3", "3", record(3, "Ward phone 3")).plugged_in().looked(LOCKED, until=7.5).accepted()
    life.looked(LOCKED, until=100.0).heard_elsewhere()
    return life.looked(LOCKED, until=END).standing()


def locked_on_the_dock() -> Standing:
    """It pairs, but it is locked."""
    life = Life("2-1.4", "4", record(4, "Ward phone 4")).plugged_in()
    return life.looked(PAIRED_BUT_LOCKED, until=END, every=10.0).standing()


def personal() -> Standing:
    """Somebody's own, plugged in to charge."""
    mine = record(5, "Dr. Weber's iPhone", ownership=Ownership.PERSONAL)
    return Life("2-1.5", "5", mine).plugged_in().looked(LOCKED, until=END, every=10.0).standing()


def stolen() -> Standing:
    """Retired as stolen, and here it is."""
    gone = record(6, "Ward phone 6", status=Status.RETIRED, retired_reason="stolen")
    return Life("2-1.6", "6", gone).plugged_in().looked(LOCKED, until=END, every=10.0).standing()


def asks_for_trust() -> Standing:
    """Unlocked, and it shows the Trust question."""
    life = Life("2-1.7", "7", record(7, "Ward phone 7")).plugged_in()
    return life.looked(ASKS_FOR_TRUST, until=END, every=10.0).standing()


def bad_cable() -> Standing:
    """It comes and goes."""
    life = Life("2-2.1", "9", record(9, "Ward phone 9"), up=END - 8.0)
    return life.plugged_in(lately=(END - 30.0, END - 16.0)).looked(OPEN, until=END).standing()


def hidden() -> Standing:
    """On the bus, but usbmuxd does not have it."""
    life = Life("2-2.2", "10", record(10, "Ward phone 10")).plugged_in(listed=False)
    life.up = END
    return life.takes(ev.TimeCame()).standing()


def no_token() -> Standing:
    """Its MDM needs an unlock token, and none is held."""
    life = Life("2-2.3", "11", record(11, "Ward phone 11")).plugged_in()
    life.word = MdmRecord("hospital", moment(0), "E1", Enrollment.ENROLLED, has_token=False)
    return life.looked(LOCKED, until=END, every=10.0).standing()


def not_told() -> Standing:
    """The MDM has the clear, and could not wake the device."""
    life = Life("2-2.4", "12", record(12, "Ward phone 12"), up=END - 60.0).plugged_in()
    return life.looked(LOCKED, until=END - 52.0).accepted(pushed=False).looked(LOCKED, until=END).standing()


def needs_approval() -> Standing:
    """The site wants a person to allow each clear."""
    life = Life("2-2.5", "13", record(13, "Ward phone 13"), up=END - 60.0).plugged_in()
    life.view = replace(life.view, mode=Mode.APPROVE)
    return life.looked(LOCKED, until=END).standing()


def observed() -> Standing:
    """The site only wants to hear what would be done."""
    life = Life("2-2.6", "14", record(14, "Ward phone 14"), up=END - 60.0).plugged_in()
    life.view = replace(life.view, mode=Mode.OBSERVE)
    return life.looked(LOCKED, until=END).standing()


def held() -> Standing:
    """A hold on everything stops it."""
    life = Life("2-2.7", "15", record(15, "Ward phone 15"), up=END - 60.0).plugged_in()
    life.view = replace(life.view, holds=("everything",))
    return life.looked(LOCKED, until=END).standing()


def silent() -> Standing:
    """Attached, and it says nothing."""
    life = Life("2-3.1", "16", record(16, "Ward phone 16")).plugged_in()
    return life.looked(SILENT, until=END, every=10.0).standing()


def could_not_clear() -> Standing:
    """The device itself answered that it could not."""
    life = Life("2-3.2", "17", record(17, "Ward phone 17"), up=END - 60.0).plugged_in()
    life.looked(LOCKED, until=END - 50.0).accepted()
    return (
        life.answered(ev.AnswerStatus.ERROR, "12026: The unlock token is not valid.")
        .looked(LOCKED, until=END)
        .standing()
    )


def in_recovery() -> Standing:
    """It stands in recovery mode."""
    life = Life("2-3.3", "18", record(18, "Ward phone 18"), up=END - 30.0).plugged_in(mode=UsbMode.RECOVERY)
    life.up = END
    return life.standing()


def broken() -> Standing:
    """A mistake in mamd itself."""
    life = Life("2-3.4", "19", record(19, "Ward phone 19"), up=END - 60.0).plugged_in()
    life.looked(LOCKED, until=END - 50.0).accepted()
    life.takes(ev.Broke('Traceback (most recent call last):\n  File "x.py", line 3\nKeyError: 7'))
    return life.looked(LOCKED, until=END).standing()


def unlocked_by_someone() -> Standing:
    """While the MDM was being asked, somebody typed the passcode."""
    life = Life("2-3.5", "20", record(20, "Ward phone 20"), up=END - 90.0).plugged_in()
    life.looked(LOCKED, until=END - 80.0).accepted().looked(LOCKED, until=END - 60.0)
    return life.looked(OPEN, until=END, every=10.0).standing()


def denied() -> Standing:
    """Somebody pressed Don't Trust."""
    life = Life("2-3.6", "21", record(21, "Ward phone 21")).plugged_in()
    return life.looked(
        Look(Answer.NO_RECORD, PairAnswer.DENIED, spoke=True), until=END, every=10.0
    ).standing()


def orphan() -> Standing:
    """Unlocked by hand while the clear was under way: that may still be queued at the MDM."""
    asked = moment(END - 85.0)
    left = MdmCommand(
        "r-0022/0/0", "C1", "d-0022", "hospital", "clear_passcode", "orphan", asked, asked, True
    )
    life = Life("2-3.9", "22", record(22, "Ward phone 22"), up=END - 90.0).plugged_in()
    life.looked(LOCKED, until=END - 80.0).accepted().looked(LOCKED, until=END - 60.0)
    return life.looked(OPEN, until=END, every=10.0).standing(commands=(left,))


def away() -> Standing:
    """A device of ours that is not attached here."""
    return Standing(None, "", record(30, "Ward phone 30"), Situation())


def stranger() -> Standing:
    """A device that is not in the registry."""
    life = Life("2-2.8", "8", None).plugged_in().looked(LOCKED, until=END, every=10.0)
    return life.standing(is_stranger=True)


def charge_only() -> Standing:
    """A port that is never opened."""
    return Standing("2-3.8", "24", None, Situation(), charge_only=True)


def empty() -> Standing:
    """Nothing there."""
    return Standing("2-3.7", "23", None, Situation())


EVERYBODY: Mapping[str, Standing] = {
    maker.__name__: maker()
    for maker in (
        cleared, watched, would_be_erased, locked_on_the_dock, personal, stolen, asks_for_trust, stranger,
        bad_cable, hidden, no_token, not_told, needs_approval, observed, held, silent, could_not_clear,
        in_recovery, broken, unlocked_by_someone, orphan, denied, empty, charge_only, away,
    )
}  # fmt: skip
"""All of them by what they stand for."""
