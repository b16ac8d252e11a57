"""A stepped wall clock and a stopped process make nothing due: only seconds with somebody looking count."""

import asyncio
import signal
import time
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Final

import pytest

from tests.needs import need
from tests.process.conftest import Life, Lives
from tests.process.house import House, house
from tests.process.programs import until

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

FOR_S: Final = 5.0
WAIT_S: Final = 7.0
STOPPED_S: Final = 3 * WAIT_S + 1.0
STEPS: Final = ("+1h", "-1h", "+10y", "-10y")
EVERY_S: Final = 0.7
SLOW_S: Final = 0.1
"""The record is written a little after what it tells of, and a look takes a moment."""
PHONES: Final = {"ward-1": "healthy", "ward-2": "never_clears", "ward-3": "locked", "ward-4": "locked"}


class Wall:
    """The wall clock of the daemon alone: a file that libfaketime reads at every call."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "wall"
        self.step("+0")
        self.environment = {
            "LD_PRELOAD": str(need("libfaketimeMT.so.1")),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            # CLOCK_MONOTONIC and CLOCK_BOOTTIME cannot be set on a real host either.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def step(self, to: str) -> None:
        """Set it, that far from what it really is. In one move: a file half written is no time."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{to}\n")
        fresh.rename(self._file)

    async def stagger(self) -> None:
        """Step it by an hour and by ten years both ways, again and again."""
        for to in cycle((*STEPS, "+0")):
            self.step(to)
            await asyncio.sleep(EVERY_S)


async def wall_clock_stepped(folder: Path) -> None:
    """
    While the wall clock is stepped by an hour and by ten years both ways, a locked phone is cleared
    after 5 s and not before, and the whole wait is given before an erase is found due. Afterwards
    the chores still come round: an MDM that goes down is named.
    """
    wall = Wall(folder)
    async with house(folder, PHONES, wait=f"{WAIT_S:.0f}s", **wall.environment) as here:
        await here.open()
        await here.bring("ward-1")
        staggering = asyncio.create_task(wall.stagger())
        try:
            await here.bring("ward-2", "ward-3")
            await until(partial(here.asked, "ward-3"), within_s=40, what="the locked phone is cleared")
            await the_way_is_open(here)
            due = await until(
                partial(here.would_be_erased, "ward-2"), within_s=40, what="an erase is found due"
            )
        finally:
            staggering.cancel()
        for name in ("ward-2", "ward-3"):
            assert await asked_after(here, name) >= FOR_S - SLOW_S
        assert due - await told_at(here, "ward-2") >= WAIT_S - SLOW_S
        assert was_stepped(here)
        await here.sim.order(do="down")
        await here.fault("mdm_unreachable")


async def process_stopped(folder: Path) -> None:
    """
    The process is stopped for three times its longest wait, one phone in the middle of its 5 s and
    another in the middle of its wait: neither is due because of it.
    """
    async with house(folder, PHONES, wait=f"{WAIT_S:.0f}s") as here:
        await here.open()
        await here.bring("ward-1", "ward-2")
        await until(partial(here.asked, "ward-2"), within_s=20, what="one phone's wait begins")
        await here.bring("ward-3")
        await the_way_is_open(here)
        stopped, went_on = await stop_for(here, STOPPED_S)
        await until(partial(here.asked, "ward-3"), within_s=20, what="the other is cleared after all")
        due = await until(partial(here.would_be_erased, "ward-2"), within_s=30, what="an erase is found due")
        assert (await here.asked("ward-3"))[0].at - went_on >= FOR_S - SLOW_S
        before, after = booted(stopped) - await told_at(here, "ward-2"), due - booted(went_on)
        assert 0.0 < before < WAIT_S, "it was stopped in the middle of the wait"
        assert before + after >= WAIT_S - SLOW_S


async def stop_for(here: House, seconds: float) -> tuple[float, float]:
    """Stop the process for so long; when it stopped and when it went on, on CLOCK_MONOTONIC."""
    here.daemon.signal(signal.SIGSTOP)
    stopped = time.monotonic()
    await asyncio.sleep(seconds)
    went_on = time.monotonic()
    here.daemon.signal(signal.SIGCONT)
    return stopped, went_on


async def the_way_is_open(here: House) -> None:
    """Some other phone of the MDM is heard, so that only the wait is in the way of an erase."""
    await here.sim.order(do="enrol", phone="ward-4")


async def asked_after(here: House, name: str) -> float:
    """How long after it was plugged in a phone's clear was asked for, by the record."""
    plugged = here.sim.seen("launchpad", device=await here.udid(name), what="attached")
    return (await here.asked(name))[0].at - plugged[-1].at


async def told_at(here: House, name: str) -> float:
    """The second since boot at which the phone's first push went out, by the record."""
    pushes = here.sim.seen("mdm.push", device=await here.udid(name), ok=True)
    return booted(pushes[0].at)


def booted(monotonic: float) -> float:
    """The same moment on CLOCK_BOOTTIME, which counts a host's sleep too."""
    return monotonic + time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()


def was_stepped(here: House) -> bool:
    """The daemon did see other years: its rows say so."""
    years = {wall[:4] for (wall,) in here.rows("select wall from journal")}
    return len(years) >= 3


@pytest.mark.parametrize("life", [wall_clock_stepped, process_stopped])
async def test_no_act_comes_earlier_than_observed_seconds_allow(lives: Lives, life: Life) -> None:
    """Neither a clock that is set nor a process that stands still makes anything due."""
    await lives.end_of(life)
