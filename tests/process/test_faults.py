"""Faults of usbmuxd, the MDM and the disk, met by the real daemon: named, told once, over when over."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from mamd.sim.mdm_faults import Fault, FaultKind
from tests.mdm.relay import Relay
from tests.process.conftest import Life, Lives
from tests.process.disk import Disk, small_disk
from tests.process.house import House, house
from tests.process.programs import until

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

NAMED_S: Final = 30.0
OVER_S: Final = 30.0
RETRY_AFTER_S: Final = 12
FULL_S: Final = 6.5
"""Longer than a rule's 5 s: what a fault has not stopped by then was not stopped."""

Act = Callable[[], Awaitable[None]]


PHONES: Final = {"ward-1": "healthy", "ward-2": "locked"}


def on_a_ward(fault: Callable[[House], Awaitable[None]], **how: Any) -> Life:
    """A life of one house with a phone that pairs, through one fault."""

    async def life(folder: Path) -> None:
        async with house(folder, PHONES, **how) as here:
            await here.open()
            await here.bring("ward-1")
            await fault(here)

    life.__name__ = getattr(fault, "__name__", "life")
    return life


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


@on_a_ward
async def usbmuxd_absent(here: House) -> None:
    """While usbmuxd is not there nobody is cleared; when it is back, they are."""
    stop, start = partial(act, here, "usbmuxd_stop"), partial(act, here, "usbmuxd_start")
    async with trouble(here, "usbmuxd_absent", stop, start, locked="ward-2"):
        pass


@on_a_ward
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


@on_a_ward
async def usbmuxd_hung(here: House) -> None:
    """A usbmuxd that takes connections and says nothing is told from a quiet one."""
    hang = partial(act, here, "usbmuxd_fault", fault="hung")
    healed = ("usbmuxd_absent",)  # the moment between its end and its new start
    async with trouble(here, "usbmuxd_silent", hang, partial(heal, here), locked="ward-2", also=healed):
        pass


@on_a_ward
async def usbmuxd_sends_garbage(here: House) -> None:
    """Bytes that are no packet are a fault of usbmuxd's, and say nothing about a phone."""
    spoil = partial(act, here, "usbmuxd_fault", fault="garbage")
    healed = ("usbmuxd_absent",)
    async with trouble(here, "usbmuxd_garbled", spoil, partial(heal, here), locked="ward-2", also=healed):
        pass


async def act(here: House, name: str, **fields: Any) -> None:
    """One act of the simulator."""
    await here.sim.act({"act": name, **fields})


async def heal(here: House) -> None:
    """usbmuxd is started anew, as a person or systemd would."""
    await here.sim.act({"act": "usbmuxd_fault", "fault": None}, {"act": "usbmuxd_restart"})


# ------------------------------------------------------------------------------------ MDM


@on_a_ward
async def mdm_down(here: House) -> None:
    """An MDM that cannot be reached says nothing about the phone: it is asked when it is back."""
    down, up = partial(order, here, do="down"), partial(order, here, do="up")
    async with trouble(here, "mdm_unreachable", down, up, locked="ward-2"):
        pass


async def proxy_says_429(folder: Path) -> None:
    """Whoever asks us to come back later is not asked for a clear before that."""
    async with Relay("") as proxy:
        await on_a_ward(partial(_proxy_says_429, proxy=proxy), proxy=proxy)(folder)
    asked = [at for at, call in proxy.calls if call == "enqueue"]
    assert len(asked) == 2, asked
    assert asked[1] - asked[0] >= RETRY_AFTER_S


async def _proxy_says_429(here: House, proxy: Relay) -> None:
    async def begin() -> None:
        proxy.faults.set(Fault(FaultKind.TOO_MANY, retry_after=str(RETRY_AFTER_S)))

    async def end() -> None:
        proxy.faults.set(None)

    async def is_asked() -> bool:
        return any(call == "enqueue" for _, call in proxy.calls)

    async with trouble(here, "mdm_busy", begin, end, locked="ward-2"):
        await until(is_asked, within_s=15, what="it is asked for a clear")


@on_a_ward
async def mdm_hangs_after_processing(here: House) -> None:
    """A clear that was taken without an answer is not sent as another one."""
    before = len(await enqueues(here))
    hang = partial(order, here, do="fail", how="HANG_AFTER")
    lift = partial(order, here, do="fail")
    async with trouble(here, "mdm_out_of_reach", hang, lift, locked="ward-2", stops=False):

        async def taken() -> bool:
            return len(await enqueues(here)) > before

        await until(taken, within_s=15, what="the clear is taken")
    assert len({one["command_uuid"] for one in await here.asked("ward-2")}) == 1


async def order(here: House, **fields: Any) -> None:
    """One order to the simulated MDM."""
    await here.sim.order(**fields)


async def enqueues(here: House) -> list[float]:
    """When requests for a clear reached the MDM or what stands before it."""
    return [one.at for one in here.sim.seen("mdm.request", call="enqueue")]


# ----------------------------------------------------------------------------------- disk


async def _disk_full(here: House, disk: Disk) -> None:
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


async def disk_full(folder: Path) -> None:
    """The state lies on a disk of its own."""
    with small_disk(folder / "state") as disk:
        await on_a_ward(partial(_disk_full, disk=disk))(folder)


@pytest.mark.parametrize(
    "life",
    [
        mdm_hangs_after_processing, proxy_says_429, mdm_down, usbmuxd_hung, usbmuxd_absent,
        usbmuxd_restarted, usbmuxd_sends_garbage, disk_full,
    ],
)  # fmt: skip
async def test_a_fault_is_named_delays_and_is_over_when_it_is_over(lives: Lives, life: Life) -> None:
    """Within 30 s it is named, in one line; nothing is sent that must not be; then all is as before."""
    await lives.end_of(life)
