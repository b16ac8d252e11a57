"""Every way in which a restore goes, with unmodified pymobiledevice3 in the real worker process."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from mamd.recovery.causes import Cause
from mamd.recovery.leave import Left
from mamd.recovery.lines import Phase, Stage
from mamd.sim.boot import RestoreFault
from mamd.sim.phone import Mode
from mamd.sim.tss import TssFault
from tests.recovery.restores import CLOCKS, LIMITS, Site, site


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Firmwares are made once."""
    return tmp_path_factory.mktemp("firmware")


@pytest.fixture
async def hub(tmp_path: Path, cache: Path) -> AsyncIterator[Site]:
    """Two phones on one hub."""
    async with site(tmp_path, cache) as made:
        yield made


@pytest.fixture
async def here(hub: Site) -> AsyncIterator[Site]:
    """The same, and whatever happens to the one phone, the other has noticed nothing."""
    yield hub
    assert (hub.neighbour.mode, hub.neighbour.locked) == (Mode.NORMAL, True)
    assert hub.seen("usb.open", hub.neighbour) == 0


async def test_a_locked_phone_is_restored_end_to_end(here: Site) -> None:
    """It ends erased at Setup Assistant, and its neighbour on the hub has noticed nothing."""
    result = await here.restored()
    assert (result.cause, result.is_past_return) == (None, True)
    assert (here.phone.mode, here.phone.passcode_set) == (Mode.SETUP, False)
    assert (here.seen("restore.erase_began"), here.seen("restore.erased")) == (1, 1)


BEFORE = [
    (RestoreFault.IBEC_LOST, Cause.DEVICE_LOST, "went away"),
    (RestoreFault.BOOTX_FALLS_BACK, Cause.NO_RESTORE_MODE, "fell back"),
    (RestoreFault.STATUS_EARLY, Cause.RESTORED_STATUS, "1015"),
    (RestoreFault.DROPS_EARLY, Cause.DEVICE_LOST, "went away"),
    (RestoreFault.UNKNOWN_DATA_TYPE, Cause.OTHER, "DataThatNobodyKnows"),
    (RestoreFault.RESTORED_SILENT, Cause.SILENT, "silent in restoring"),
]
AFTER = [
    (RestoreFault.STATUS_LATE, Cause.RESTORED_STATUS, "1015"),
    (RestoreFault.DROPS_LATE, Cause.DEVICE_LOST, "went away"),
    (RestoreFault.UNKNOWN_COMPONENT, Cause.OTHER, "NoSuchComponent"),
    (RestoreFault.RESTORED_SILENT_LATE, Cause.SILENT, "silent in restoring"),
    (RestoreFault.ASR_STALLS, Cause.SILENT, "silent in restoring"),
]
ELSEWHERE = "2-1.7"
IMPATIENT = replace(CLOCKS, restoring=4)


@pytest.mark.parametrize(("fault", "cause", "why"), BEFORE, ids=[row[0].value for row in BEFORE])
async def test_what_fails_before_the_point_of_no_return_is_put_back(
    here: Site, fault: RestoreFault, cause: Cause, why: str
) -> None:
    """It has a cause, nothing was erased, and the phone starts its old system again, passcode and all."""
    here.fails_by(fault)
    result = await here.restored(IMPATIENT if cause is Cause.SILENT else CLOCKS)
    assert result.cause is cause
    assert why in result.why
    assert not result.is_past_return
    assert here.seen("restore.erase_began") == 0
    if here.phone.boot.hung:
        return  # only its buttons help
    await _put_back(here)
    assert (here.phone.mode, here.phone.passcode_set) == (Mode.NORMAL, True)


@pytest.mark.parametrize(("fault", "cause", "why"), AFTER, ids=[row[0].value for row in AFTER])
async def test_what_fails_after_it_is_finished_by_another_restore(
    here: Site, fault: RestoreFault, cause: Cause, why: str
) -> None:
    """There is no old system any more; the next attempt, from recovery mode, ends at Setup Assistant."""
    here.fails_by(fault)
    result = await here.restored(IMPATIENT if cause is Cause.SILENT else CLOCKS)
    assert result.cause is cause
    assert why in result.why
    assert result.is_past_return
    if here.phone.mode is Mode.RESTORING:
        assert (await here.leaving.reboot_restored(here.phone.ecid, here.phone.udid)).outcome is Left.ASKED
    assert (await here.restored(attempt=2)).cause is None
    assert (here.phone.mode, here.seen("restore.erased")) == (Mode.SETUP, 1)


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (TssFault.REFUSES, Cause.TSS_REFUSED),
        (TssFault.HTML, Cause.TSS_UNREACHABLE),
        (TssFault.HANGS, Cause.TSS_UNREACHABLE),
        (None, Cause.TSS_UNREACHABLE),
    ],
)
async def test_without_a_signature_nothing_is_begun(here: Site, fault: TssFault | None, cause: Cause) -> None:
    """Apple's no, and every way of not hearing from Apple, are told apart, and the phone is as it was."""
    here.tss.fault = fault
    job = {"tss": "http://127.0.0.1:9/TSS/controller?action=2"} if fault is None else {}
    result = await here.restored(**job)
    assert (result.cause, result.is_past_return) == (cause, False)
    assert here.seen("usb.upload") == 0
    await _put_back(here)


async def test_a_slow_phone_is_waited_for(here: Site) -> None:
    """A phone that takes its time after iBEC, and charges before it begins, is not a failed one."""
    here.phone.boot.slow_s = 2.5
    for fault in (RestoreFault.IBEC_SLOW, RestoreFault.BATTERY_WAIT):
        here.fails_by(fault)
    assert (await here.restored(replace(CLOCKS, restoring=8))).cause is None


async def test_a_restore_that_the_phone_calls_finished_is_finished(here: Site) -> None:
    """The phone is the judge; what went wrong on the way is in the lines."""
    here.fails_by(RestoreFault.BASEBAND_REFUSED)
    executors = here.executors()
    attempt = await executors.start(here.job())
    said = [getattr(heard.line, "name", "") async for heard in attempt.events()]
    assert (await attempt.result()).cause is None
    assert any(str(name).startswith("finished in spite of") for name in said)
    await executors.close()


# ------------------------------------------------------------------------------- the right device only


async def test_a_phone_that_is_not_there_is_not_looked_for_elsewhere(hub: Site) -> None:
    """The right phone at another port is not touched by this job; a stranger at its port neither."""
    stranger = hub.neighbour
    stranger.enter_recovery()
    result = await hub.restored(port=hub.pad.port_of(stranger), limits=replace(LIMITS, find_s=1))
    assert result.cause is Cause.NO_DEVICE
    assert hub.seen("usb.command") == hub.seen("usb.command", stranger) == 0
    stranger.boot.auto_boot = True
    stranger.reboot()


@pytest.mark.parametrize("wrong", [{"serial": "F2LOTHER000"}, {"product_type": "iPhone15,2"}])
async def test_a_phone_that_contradicts_its_record_is_not_touched(here: Site, wrong: dict[str, str]) -> None:
    """An ECID alone does not make it the phone of this job."""
    result = await here.restored(**wrong)
    assert result.cause is Cause.WRONG_DEVICE
    assert here.seen("usb.command") == 0


async def test_two_restores_go_on_side_by_side(hub: Site) -> None:
    """Each worker sees its own phone only."""
    other = hub.neighbour
    other.enter_recovery()
    executors = hub.executors()
    mine = hub.job()
    theirs = replace(
        mine,
        op_id="r-0413/2/1",
        ecid=other.ecid,
        udid=other.udid,
        serial=other.serial,
        port=hub.pad.port_of(other),
    )
    attempts = [await executors.start(job) for job in (mine, theirs)]
    assert [(await attempt.result()).cause for attempt in attempts] == [None, None]
    assert (hub.phone.mode, other.mode) == (Mode.SETUP, Mode.SETUP)
    await executors.close()


# ------------------------------------------------------------------------------------------- firmware


async def test_a_firmware_that_does_not_fit_is_found_before_anything(here: Site, tmp_path: Path) -> None:
    """A missing, empty, broken or foreign firmware leaves the phone as it is."""
    empty, broken, foreign = tmp_path / "empty", tmp_path / "broken.ipsw", tmp_path / "foreign"
    empty.mkdir()
    broken.write_bytes(b"not a zip")
    shutil.copytree(here.firmware, foreign)
    manifest = foreign / "BuildManifest.plist"
    manifest.write_bytes(manifest.read_bytes().replace(b"d17ap", b"d99ap").replace(b"D17AP", b"D99AP"))
    for attempt, firmware in enumerate([tmp_path / "none", empty, broken, foreign], start=1):
        result = await here.restored(attempt=attempt, firmware=str(firmware))
        assert result.cause is Cause.BAD_FIRMWARE, firmware
    assert here.seen("usb.command") == 0


# -------------------------------------------------------------------------------- the world goes on


async def test_a_cable_that_is_moved_in_the_middle_ends_the_attempt_and_not_the_phone(here: Site) -> None:
    """After the point of no return the same phone is finished at whatever port it shows up."""
    here.fails_by(RestoreFault.ASR_STALLS)
    executors = here.executors()
    attempt = await executors.start(here.job())
    async for _ in attempt.events():
        if attempt.course.is_past_return:
            break
    here.pad.detach(here.phone)
    result = await attempt.result()
    assert (result.cause, result.is_past_return) == (Cause.DEVICE_LOST, True)
    await executors.close()
    here.phone.reboot()
    here.pad.attach(here.phone, ELSEWHERE)
    assert (await here.restored(attempt=2)).cause is None


async def test_usbmuxd_that_goes_away_ends_it(here: Site) -> None:
    """Without usbmuxd there is no way to a phone in restore mode."""
    here.fails_by(RestoreFault.ASR_STALLS)
    executors = here.executors()
    attempt = await executors.start(here.job())
    async for _ in attempt.events():
        if attempt.course.is_past_return:
            break
    await here.pad.usbmuxd.stop()
    assert (await attempt.result()).cause is Cause.DEVICE_LOST
    await executors.close()


async def test_a_worker_is_adopted_in_the_middle(here: Site) -> None:
    """A restore goes on while one daemon ends and the next begins."""
    first = here.executors()
    attempt = await first.start(here.job())
    async for heard in attempt.events():
        if heard.line == Phase(Stage.WAIT_RESTORE_MODE):
            break
    await first.close()
    second = here.executors()
    adopted = await second.adopt(here.job().op_id)
    assert adopted is not None
    assert (await adopted.result()).cause is None
    assert here.phone.mode is Mode.SETUP
    await second.close()


async def _put_back(here: Site) -> None:
    if here.phone.mode is Mode.RESTORING:
        left = await here.leaving.reboot_restored(here.phone.ecid, here.phone.udid)
        assert left.outcome is Left.ASKED, left.why
    started = asyncio.Event()
    here.phone.on_change(lambda phone, _: started.set() if phone.mode is Mode.NORMAL else None)
    left = await here.leaving.leave_recovery(here.phone.ecid, here.pad.port_of(here.phone))
    assert left.outcome is Left.ASKED, left.why
    async with asyncio.timeout(10):
        await started.wait()
