"""
Faults of usbmuxd, the MDM and the disk, each met by the real daemon: named, told once, and over when over.

Three sites live side by side, so that their waits cost the time of one. Each lives through its
faults one after another; a test is one fault, and waits for its turn to come.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from tests.process.disk import small_disk
from tests.process.house import House, house
from tests.process.programs import until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

NAMED_S: Final = 30.0
OVER_S: Final = 30.0
FULL_S: Final = 6.5
"""Longer than a rule's 5 s: what a fault has not stopped by then was not stopped."""

Act = Callable[[], Awaitable[None]]
Chapter = Callable[[House], Awaitable[None]]


@asynccontextmanager
async def trouble(
    here: House,
    name: str,
    begin: Act,
    end: Act,
    *,
    locked: str,
    stops: bool = True,
    also: tuple[str, ...] = (),
) -> AsyncIterator[None]:
    """
    A locked phone is brought, and before its 5 s are over a fault begins.

    It is named within 30 s and told in one line; the phone is not cleared meanwhile; and within
    30 s of the end of the block the phone is cleared, once, and everything else is as before.

    Args:
        stops: The fault keeps the request from being taken at all.
        also: What may be named beside it.
    """
    before = await standing(here)
    await here.bring(locked)
    told, began = len(here.daemon.lines("fault.began")), time.monotonic()
    await begin()
    await here.fault(name, within_s=NAMED_S)
    await until(partial(lines_after, here, told), within_s=2, what="a line tells of it")
    yield
    await asyncio.sleep(began + FULL_S - time.monotonic())
    await told_once(here, told, {name, *also})
    if stops:
        assert not await here.asked(locked)
    over = time.monotonic()
    await end()
    await here.sound(within_s=OVER_S)
    await is_cleared(here, locked, within_s=over + OVER_S - time.monotonic())
    assert {name: link for name, link in (await standing(here)).items() if name in before} == before
    await told_once(here, told, {name, *also})


async def told_once(here: House, told: int, names: set[str]) -> None:
    """One line for each fault that began since then, and none for another."""
    found = [line["fault"] for line in await lines_after(here, told)]
    assert len(found) == len(set(found)), found
    assert set(found) <= names, found


async def lines_after(here: House, told: int) -> list[dict[str, Any]]:
    """Lines about a fault that begins, after so many."""
    return here.daemon.lines("fault.began")[told:]


async def standing(here: House) -> dict[str, Any]:
    """How everybody stands, and that there is neither storm nor hold."""
    overview = (await here.daemon.get("/v1/launchpads")).json()[0]
    links = (await here.daemon.get("/v1/links")).json()
    return {
        **{one["name"]: (one["link"]["state"], one["link"]["cause"], one["port"]) for one in links},
        "storm": overview["storm"],
        "holds": overview["holds"],
    }


async def is_cleared(here: House, name: str, *, within_s: float) -> None:
    """It pairs, and its MDM has queued exactly one clear for it."""
    await until(partial(here.is_paired, name), within_s=within_s, what=f"{name} is cleared and pairs")
    queued = here.sim.seen("mdm.queued", device=await here.udid(name))
    assert len(queued) == 1, queued


# -------------------------------------------------------------------------------- usbmuxd


async def usbmuxd_absent(here: House) -> None:
    """While usbmuxd is not there nobody is cleared; when it is back, they are."""
    stop, start = partial(act, here, "usbmuxd_stop"), partial(act, here, "usbmuxd_start")
    async with trouble(here, "usbmuxd_absent", stop, start, locked="ward-2"):
        pass


async def usbmuxd_restarted(here: House) -> None:
    """A restart gives every phone another number, and makes nobody unpaired: no storm, no clear."""
    before, asked = await standing(here), len(here.sim.seen("mdm.enqueue"))
    looked = len(here.sim.seen("lockdown"))
    await act(here, "usbmuxd_restart")

    async def looked_anew() -> bool:
        return len(here.sim.seen("lockdown")) > looked and await here.daemon.faults() == {}

    await until(looked_anew, within_s=OVER_S, what="phones are looked at under their new numbers")
    await asyncio.sleep(FULL_S)
    assert await standing(here) == before
    assert len(here.sim.seen("mdm.enqueue")) == asked


async def usbmuxd_hung(here: House) -> None:
    """A usbmuxd that takes connections and says nothing is told from a quiet one."""
    hang = partial(act, here, "usbmuxd_fault", fault="hung")
    async with trouble(here, "usbmuxd_silent", hang, partial(heal, here), locked="ward-3"):
        pass


async def usbmuxd_sends_garbage(here: House) -> None:
    """Bytes that are no packet are a fault of usbmuxd's, and say nothing about a phone."""
    spoil = partial(act, here, "usbmuxd_fault", fault="garbage")
    async with trouble(here, "usbmuxd_garbled", spoil, partial(heal, here), locked="ward-4"):
        pass


async def act(here: House, name: str, **fields: Any) -> None:
    """One act of the simulator."""
    await here.sim.act({"act": name, **fields})


async def heal(here: House) -> None:
    """usbmuxd is started anew, as a person or systemd would."""
    await here.sim.act({"act": "usbmuxd_fault", "fault": None}, {"act": "usbmuxd_restart"})


# ------------------------------------------------------------------------------------ MDM


async def mdm_down(here: House) -> None:
    """An MDM that cannot be reached says nothing about the phone: it is asked when it is back."""
    down, up = partial(order, here, do="down"), partial(order, here, do="up")
    async with trouble(here, "mdm_unreachable", down, up, locked="ward-2"):
        pass


async def mdm_says_429(here: House) -> None:
    """Whoever asks us to come back later is not asked for a clear before that."""
    busy = partial(order, here, do="fail", how="TOO_MANY", retry_after="12")
    async with trouble(here, "mdm_busy", busy, partial(order, here, do="fail"), locked="ward-3"):
        refused = await until(partial(enqueues, here), within_s=15, what="it is asked for a clear")
    later = await enqueues(here)
    gaps = [b - a for a, b in pairwise(later) if a >= refused[-1]]
    assert min(gaps) >= 12.0, gaps


async def mdm_hangs_after_processing(here: House) -> None:
    """A clear that was taken without an answer is not sent as another one."""
    before = len(await enqueues(here))
    hang = partial(order, here, do="fail", how="HANG_AFTER")
    lift = partial(order, here, do="fail")
    async with trouble(here, "mdm_out_of_reach", hang, lift, locked="ward-4", stops=False):

        async def taken() -> bool:
            return len(await enqueues(here)) > before

        await until(taken, within_s=15, what="the clear is taken")
    assert len({one["command_uuid"] for one in await here.asked("ward-4")}) == 1


async def order(here: House, **fields: Any) -> None:
    """One order to the simulated MDM."""
    await here.sim.order(**fields)


async def enqueues(here: House) -> list[float]:
    """When requests for a clear reached the MDM or what stands before it."""
    return [one.at for one in here.sim.seen("mdm.request", call="enqueue")]


# ----------------------------------------------------------------------------------- disk

CABLE: Final = (usbmuxd_absent, usbmuxd_restarted, usbmuxd_hung, usbmuxd_sends_garbage)
MDM: Final = (mdm_down, mdm_says_429, mdm_hangs_after_processing)
PHONES: Final = {"ward-1": "healthy", **{f"ward-{number}": "locked" for number in range(2, 5)}}


async def disk_full(here: House, disk: Any) -> None:
    """What cannot be written down is not done; when there is room, it goes on without a restart."""

    async def fill() -> None:
        disk.fill(here)

    async def make_room() -> None:
        disk.make_room(here)

    # A pair record that is about to be written meets the same disk.
    also = ("pair_records",)
    async with trouble(here, "store_not_writable", fill, make_room, locked="ward-2", also=also):
        assert (await here.daemon.get("/healthz")).status_code == 200
    assert here.rows("select count(*) from journal") > [(0,)]


# ---------------------------------------------------------------------------------- lives


class Lives:
    """What came of each chapter, or will."""

    def __init__(self) -> None:
        self.outcomes: dict[str, asyncio.Future[None]] = {}
        self.tasks: list[asyncio.Task[None]] = []

    def begin(self, folder: Path, *chapters: Chapter, names: tuple[str, ...]) -> None:
        """Live through chapters in a house of their own."""
        for name in names:
            self.outcomes[name] = asyncio.get_running_loop().create_future()
        self.tasks.append(asyncio.create_task(self._live(folder, dict(zip(names, chapters, strict=True)))))

    async def _live(self, folder: Path, chapters: dict[str, Chapter]) -> None:
        try:
            async with house(folder, PHONES) as here:
                await here.open()
                await here.bring("ward-1")
                for name, chapter in chapters.items():
                    await chapter(here)
                    self.outcomes[name].set_result(None)
        except (Exception, asyncio.CancelledError) as error:
            # The chapters after one that failed cannot be told; each says why.
            for name in chapters:
                if not self.outcomes[name].done():
                    self.outcomes[name].set_exception(AssertionError(f"{type(error).__name__}: {error}"))
            raise


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lives(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lives]:
    """Three sites, side by side."""
    found, base = Lives(), tmp_path_factory.mktemp("f")
    for name in ("c", "m", "d"):
        (base / name).mkdir()
    with small_disk(base / "d" / "state") as disk:
        found.begin(base / "c", *CABLE, names=tuple(one.__name__ for one in CABLE))
        found.begin(base / "m", *MDM, names=tuple(one.__name__ for one in MDM))
        found.begin(base / "d", partial(disk_full, disk=disk), names=("disk_full",))
        yield found
        for task in found.tasks:
            task.cancel()
        await asyncio.gather(*found.tasks, return_exceptions=True)
        for outcome in found.outcomes.values():
            outcome.cancelled() or outcome.exception()


@pytest.mark.parametrize("fault", ["disk_full", *(one.__name__ for one in (*MDM, *CABLE))])
async def test_a_fault_is_named_delays_and_is_over_when_it_is_over(lives: Lives, fault: str) -> None:
    """Within 30 s it is named, in one line; nothing is sent that must not be; then all is as before."""
    await asyncio.wait_for(asyncio.shield(lives.outcomes[fault]), 230)
