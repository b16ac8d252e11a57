"""The Launchpad tells what is attached, in the right order, whatever usbmuxd does meanwhile."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from mamd.core.errors import Misconfigured
from mamd.core.events import Attached, Detached, UsbmuxdCame, UsbmuxdWent
from mamd.core.facts import Answer, Attachment, Ids, UsbMode
from mamd.launchpad import Pad, PadSettings
from mamd.ports import Launchpad
from mamd.sim.launchpad import SimLaunchpad
from mamd.sim.phone import Fault
from mamd.sim.usbmuxd import UsbmuxdFault
from tests.launchpad.watching import BOOT, Watched, phone, watched

PORT = "2-1.4"


def said(watch: Watched, kind: type) -> int:
    """How many events of a kind there were."""
    return sum(isinstance(event, kind) for event in watch.events)


def faults(watch: Watched) -> list[str]:
    """The names of what is wrong now."""
    return [fault.name for fault in watch.pad.faults()]


async def test_a_pad_is_a_launchpad(settings: PadSettings) -> None:
    """The daemon needs nothing else of it."""
    launchpad: Launchpad = Pad(settings)
    assert launchpad.faults() == ()


async def test_what_is_attached_already_is_told_first(sim: SimLaunchpad, settings: PadSettings) -> None:
    """A daemon that starts learns of every phone, also of those that usbmuxd does not list."""
    one, hidden, recovering = phone(1), phone(2, hidden=True), phone(3)
    recovering.enter_recovery()
    for each, port in ((one, "2-1.1"), (hidden, "2-1.2"), (recovering, "2-1.3")):
        sim.attach(each, port)
    async with watched(settings) as watch:
        await watch.listed("2-1.1")
        hidden_one, in_recovery = watch.now("2-1.2", listed=False), watch.now("2-1.3", listed=False)
    assert hidden_one is not None
    assert (hidden_one.mode, hidden_one.ids) == (UsbMode.NORMAL, Ids(hidden.udid, hidden.ecid))
    assert in_recovery is not None
    assert (in_recovery.mode, in_recovery.ids.ecid) == (UsbMode.RECOVERY, recovering.ecid)


async def test_a_replugged_phone_is_another_attachment(sim: SimLaunchpad, watch: Watched) -> None:
    """The old one has gone before the new one is there: same port, another address."""
    one = phone()
    sim.attach(one, PORT)
    first = await watch.listed(PORT)
    sim.replug(one)
    await watch.until(lambda events: Detached(first) in events)
    second = await watch.listed(PORT)
    assert (second.boot, second.port) == (BOOT, PORT)
    assert second.devnum != first.devnum
    attached = next(i for i, event in enumerate(watch.events) if getattr(event, "attachment", None) == second)
    assert watch.events.index(Detached(first)) < attached


async def test_a_phone_that_goes_to_recovery_comes_back_on_its_port(
    sim: SimLaunchpad, watch: Watched
) -> None:
    """Joined by its ECID, which it shows in every mode."""
    one = phone()
    sim.attach(one, PORT)
    before = await watch.listed(PORT)
    one.enter_recovery()
    await watch.until(
        lambda _: watch.now(PORT, listed=False) is not None and Detached(before) in watch.events
    )
    event = watch.now(PORT, listed=False)
    assert event is not None
    assert (event.mode, event.ids) == (UsbMode.RECOVERY, Ids(ecid=one.ecid, serial=one.serial))


async def test_a_restart_of_usbmuxd_detaches_nobody(sim: SimLaunchpad, watch: Watched) -> None:
    """Went once, came once; the same attachment is listed again, under whatever number."""
    one, two = phone(1), phone(2)
    for each, port in ((one, "2-1.1"), (two, "2-1.2")):
        sim.pair(each)
        sim.attach(each, port)
    before = [await watch.listed("2-1.1"), await watch.listed("2-1.2")]
    await sim.usbmuxd.stop()
    await watch.until(lambda _: said(watch, UsbmuxdWent) == 1)
    assert faults(watch) == ["usbmuxd_absent"]
    look = await watch.pad.look(before[0], pair=True, identify=True)
    assert (look.answer, look.stage) == (Answer.HOST_FAULT, "usbmuxd")
    await sim.usbmuxd.start()
    await watch.until(lambda _: said(watch, UsbmuxdCame) == 2)
    assert [await watch.listed("2-1.1"), await watch.listed("2-1.2")] == before
    assert said(watch, Detached) == 0
    assert faults(watch) == []
    assert (await watch.look("2-1.2", identify=True)).ids.udid == two.udid


async def test_a_look_during_a_restart_of_usbmuxd_says_nothing(sim: SimLaunchpad, watch: Watched) -> None:
    """Its numbers begin anew: what was connected to may be another phone."""
    one = phone(faults={Fault.HANG_START_SESSION})
    sim.pair(one)
    sim.attach(one, PORT)
    place = await watch.listed(PORT)
    looking = asyncio.create_task(watch.pad.look(place, pair=True, identify=True))
    await asyncio.sleep(0)
    await sim.usbmuxd.restart()
    assert (await looking).answer is Answer.HOST_FAULT


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        (UsbmuxdFault.HUNG, "usbmuxd_silent"),
        (UsbmuxdFault.GARBAGE, "usbmuxd_garbled"),
        (UsbmuxdFault.BAD_PLIST, "usbmuxd_garbled"),
        (UsbmuxdFault.STRANGE, "usbmuxd_garbled"),
    ],
    ids=lambda value: getattr(value, "value", ""),
)
async def test_a_usbmuxd_that_has_gone_wrong_is_named(
    sim: SimLaunchpad, settings: PadSettings, fault: UsbmuxdFault, name: str
) -> None:
    """Also one that still takes connections; no phone is blamed, and all is as before once it is well."""
    sim.attach(phone(), PORT)
    async with watched(replace(settings, beat_s=0.3, answer_s=0.5)) as watch:
        place = await watch.listed(PORT)
        sim.usbmuxd.fault = fault
        looking = asyncio.create_task(watch.pad.look(place, pair=True, identify=True, deadline_s=2))
        await watch.until(lambda _: said(watch, UsbmuxdWent) == 1)
        assert faults(watch) == [name]
        assert (await looking).answer is Answer.HOST_FAULT
        sim.usbmuxd.fault = None
        await watch.until(lambda _: said(watch, UsbmuxdCame) == 2)
        assert await watch.listed(PORT) == place
        assert faults(watch) == []
        assert said(watch, Detached) == 0


async def test_a_hidden_phone_is_told_as_such_only_after_a_while(
    sim: SimLaunchpad, watch: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """usbmuxd may list a phone seconds after the kernel shows it; until then its absence says nothing."""
    sim.attach(phone(hidden=True), PORT)
    await watch.until(lambda _: watch.now(PORT, listed=False) is not None and said(watch, UsbmuxdCame) == 1)
    event = watch.now(PORT, listed=False)
    assert event is not None
    look = await watch.pad.look(event.attachment, pair=True, identify=True)
    assert (look.answer, look.stage) == (Answer.HOST_FAULT, "unlisted")
    monkeypatch.setattr("mamd.launchpad.pad.HIDDEN_S", 0.0)
    look = await watch.pad.look(event.attachment, pair=True, identify=True)
    assert (look.answer, look.stage) == (Answer.CONNECT_REFUSED, "unlisted")


async def test_a_phone_in_recovery_is_not_looked_at(sim: SimLaunchpad, watch: Watched) -> None:
    """There is no lockdownd in it."""
    one = phone()
    one.enter_recovery()
    sim.attach(one, PORT)
    await watch.until(lambda _: watch.now(PORT, listed=False) is not None)
    event = watch.now(PORT, listed=False)
    assert event is not None
    look = await watch.pad.look(event.attachment, pair=True, identify=True)
    assert (look.answer, look.stage) == (Answer.HOST_FAULT, "recovery")


async def test_whoever_stops_reading_leaves_nothing_running(sim: SimLaunchpad, settings: PadSettings) -> None:
    """Also in the moment in which usbmuxd ends the connection."""
    sim.attach(phone(), PORT)
    for turns in range(25):
        async with asyncio.timeout(5), watched(settings) as watch:
            await watch.listed(PORT)
            await sim.usbmuxd.restart()
            for _ in range(turns):
                await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1


async def test_a_silent_phone_is_not_mistaken_for_a_silent_usbmuxd(sim: SimLaunchpad, watch: Watched) -> None:
    """usbmuxd is asked at once whether it still answers others."""
    sim.attach(phone(faults={Fault.HANG_CONNECT}), PORT)
    assert (await watch.look(PORT, deadline_s=0.6)).answer is Answer.NO_ANSWER
    assert said(watch, UsbmuxdWent) == 0


async def test_a_usbmuxd_that_ends_with_its_last_phone_is_not_missed(tmp_path: Path) -> None:
    """Debian's does. It has gone, and that is no fault until there is a phone."""
    async with SimLaunchpad(tmp_path / "sim") as sim:
        await sim.usbmuxd.stop()
        settings = PadSettings(f"UNIX:{sim.socket}", tmp_path / "state", BOOT, sim.sysfs)
        async with watched(settings) as watch:
            await watch.until(lambda _: said(watch, UsbmuxdWent) == 1)
            assert faults(watch) == []
            sim.attach(phone(), PORT)
            await watch.until(lambda _: watch.now(PORT, listed=False) is not None)
            assert faults(watch) == ["usbmuxd_absent"]
            await sim.usbmuxd.start()
            await watch.listed(PORT)
            assert faults(watch) == []


async def test_without_sysfs_everything_works_from_usbmux_alone(
    sim: SimLaunchpad, settings: PadSettings
) -> None:
    """The port is named after bus and address; a restart of usbmuxd still detaches nobody."""
    one = phone()
    sim.pair(one)
    sim.attach(one, PORT)
    async with watched(replace(settings, sysfs=Path("/nonexistent"))) as watch:
        await watch.until(lambda _: said(watch, Attached) == 1)
        (attached,) = (event for event in watch.events if isinstance(event, Attached))
        place = attached.attachment
        assert place == Attachment(BOOT, f"bus-2.{place.devnum}", place.devnum)
        await sim.usbmuxd.restart()
        await watch.until(lambda _: said(watch, UsbmuxdCame) == 2 and watch.now(place.port) is not None)
        assert said(watch, Detached) == 0
        assert (await watch.look(place.port, identify=True)).ids == Ids(one.udid, one.ecid, one.serial)
        sim.detach(one)
        await watch.until(lambda events: events[-1] == Detached(place))


async def test_a_hub_full_of_phones_comes_and_goes(sim: SimLaunchpad, watch: Watched) -> None:
    """All at once, and each is told of."""
    phones = [phone(number) for number in range(1, 11)]
    for number, one in enumerate(phones, 1):
        sim.attach(one, f"2-1.{number}")
    places = [await watch.listed(f"2-1.{number}") for number in range(1, 11)]
    sim.hub_off("2-1")
    await watch.until(lambda events: all(Detached(place) in events for place in places))
    sim.hub_on("2-1")
    again = [await watch.listed(f"2-1.{number}") for number in range(1, 11)]
    assert not set(places) & set(again)


@pytest.mark.parametrize("address", ["host:port", "localhost:99999", "localhost:"])
def test_an_address_that_is_none_is_refused_with_a_cure(tmp_path: Path, address: str) -> None:
    """The line says what would be right."""
    with pytest.raises(Misconfigured, match="HOST:PORT"):
        Pad(PadSettings(address, tmp_path, BOOT))


async def test_usbmuxd_behind_a_tcp_port(sim: SimLaunchpad, settings: PadSettings) -> None:
    """As a container or another host offers it; one that is not there is absent, and nothing worse."""

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward, out = await asyncio.open_unix_connection(sim.socket)

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(4096):
                sink.write(data)
            sink.close()

        await asyncio.gather(pump(reader, out), pump(onward, writer), return_exceptions=True)

    server = await asyncio.start_server(forward, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    one = phone()
    sim.pair(one)
    sim.attach(one, PORT)
    async with server, watched(replace(settings, usbmuxd=f"127.0.0.1:{port}")) as watch:
        assert (await watch.look(PORT, identify=True)).ids == Ids(one.udid, one.ecid, one.serial)
    async with watched(replace(settings, usbmuxd="127.0.0.1:1")) as watch:
        await watch.until(lambda _: said(watch, UsbmuxdWent) == 1)
        assert faults(watch) == ["usbmuxd_absent"]
