"""The simulated usbmuxd answers as usbmuxd 1.1.1 does."""

import asyncio
import errno
import plistlib
import socket
from pathlib import Path

import pytest

from mamd.sim.identity import Identity
from mamd.sim.launchpad import SimLaunchpad
from mamd.sim.mux_client import UsbmuxdFault
from mamd.sim.phone import Fault, Mode, Phone
from mamd.sim.record import Record
from tests.sim.host import HEADER, Mux


def a_phone(number: int, **state: object) -> Phone:
    return Phone(Identity.numbered(number, name=f"ward-{number}"), **state)  # type: ignore[arg-type]


async def test_lists_what_is_attached_with_bus_and_address_as_location(pad: SimLaunchpad) -> None:
    """A host learns of each phone its UDID and where on the USB bus it is."""
    pad.attach(a_phone(1), "2-1.4")
    mux = await Mux.open(pad.socket)
    (entry,) = (await mux.ask("ListDevices"))["DeviceList"]
    devnum = int((pad.sysfs / "bus/usb/devices/2-1.4/devnum").read_text())
    assert entry["Properties"] == {
        "ConnectionSpeed": 480_000_000,
        "ConnectionType": "USB",
        "DeviceID": entry["DeviceID"],
        "LocationID": 2 << 16 | devnum,
        "ProductID": 0x12A8,
        "SerialNumber": "00008110-0011223300010001",
    }
    mux.close()


async def test_a_listener_hears_of_all_that_come_and_go(pad: SimLaunchpad, phone: Phone) -> None:
    """Whoever listens is told of the phones there and of each change; a replug kills the DeviceID."""
    pad.attach(phone)
    mux = await Mux.open(pad.socket)
    assert (await mux.ask("Listen"))["Number"] == 0
    first = await mux.hear()
    pad.replug(phone)
    gone, again = await mux.hear(), await mux.hear()
    assert (first["MessageType"], gone["MessageType"], again["MessageType"]) == (
        "Attached",
        "Detached",
        "Attached",
    )
    assert gone["DeviceID"] == first["DeviceID"] != again["DeviceID"]
    assert first["Properties"]["LocationID"] != again["Properties"]["LocationID"]
    mux.close()


async def test_a_listener_may_ask_nothing_more(pad: SimLaunchpad) -> None:
    """A connection that listens is closed at the next request."""
    mux = await Mux.open(pad.socket)
    await mux.ask("Listen")
    assert (await mux.ask("ListDevices"))["Number"] == 1
    assert await mux.closed()


async def test_saving_a_record_is_announced(pad: SimLaunchpad, phone: Phone) -> None:
    """A pair record is kept, given back as it was, announced to listeners, and can be deleted once."""
    pad.attach(phone)
    listener, mux = await Mux.open(pad.socket), await Mux.open(pad.socket)
    await listener.ask("Listen")
    number = (await listener.hear())["DeviceID"]
    named = {"PairRecordID": phone.udid}
    assert (await mux.ask("ReadPairRecord", **named))["Number"] == errno.ENOENT
    saved = await mux.ask("SavePairRecord", PairRecordData=b"<plist/>", DeviceID=number, **named)
    assert saved["Number"] == 0
    assert await listener.hear() == {"MessageType": "Paired", "DeviceID": number}
    assert (await mux.ask("ReadPairRecord", **named))["PairRecordData"] == b"<plist/>"
    assert (await mux.ask("DeletePairRecord", **named))["Number"] == 0
    assert (await mux.ask("DeletePairRecord", **named))["Number"] == errno.ENOENT
    listener.close()
    mux.close()


@pytest.mark.parametrize("udid", ["../../etc/passwd", "", 5, "a/b"])
async def test_a_record_stays_in_its_folder(pad: SimLaunchpad, udid: object) -> None:
    """No name of a record leads out of the folder of records."""
    mux = await Mux.open(pad.socket)
    answer = await mux.ask("SavePairRecord", PairRecordID=udid, PairRecordData=b"x")
    assert answer["Number"] == errno.EINVAL
    mux.close()


async def test_answers_what_it_does_not_know_with_bad_command(pad: SimLaunchpad, phone: Phone) -> None:
    """Unknown messages, phones, ports and versions each have their number."""
    pad.attach(phone)
    mux = await Mux.open(pad.socket)
    number = (await mux.ask("ListDevices"))["DeviceList"][0]["DeviceID"]
    assert (await mux.ask("Dance"))["Number"] == 1
    assert (await mux.ask("Connect", DeviceID=99, PortNumber=socket.htons(62078)))["Number"] == 2
    assert (await mux.ask("Connect", PortNumber=1, DeviceID=number))["Number"] == 3
    mux.say(b"", version=9)
    length, version, message, _ = HEADER.unpack(await mux.reader.readexactly(HEADER.size))
    assert (length, version, message) == (20, 0, 1)
    assert int.from_bytes(await mux.reader.readexactly(4), "little") == 6
    mux.close()


async def test_what_is_no_plist_gets_no_answer_and_the_connection_stays(pad: SimLaunchpad) -> None:
    """A client that sends rubbish and waits without a deadline waits for ever, as with the real one."""
    mux = await Mux.open(pad.socket)
    for rubbish in (b"rubbish", b"", plistlib.dumps(["a", "list"]), plistlib.dumps({"no": "type"})):
        mux.say(rubbish)
    assert (await mux.ask("ReadBUID"))["BUID"] == pad.usbmuxd.pairings.system_buid
    mux.close()


@pytest.mark.parametrize("length", [0, 15, 0x10001, 0xFFFFFFFF])
async def test_a_packet_of_a_wrong_length_closes_the_connection(pad: SimLaunchpad, length: int) -> None:
    """More than 64 KiB, or less than a header, ends the conversation."""
    mux = await Mux.open(pad.socket)
    mux.writer.write(HEADER.pack(length, 1, 8, 1))
    assert await mux.closed()


async def test_a_phone_that_leaves_ends_its_tunnels(pad: SimLaunchpad, phone: Phone) -> None:
    """Pulling a cable ends every conversation with that phone."""
    pad.attach(phone)
    mux = await Mux.open(pad.socket)
    await mux.lockdown(phone.udid)
    pad.detach(phone)
    assert await mux.closed()


async def test_numbers_start_again_with_the_daemon(pad: SimLaunchpad) -> None:
    """After a restart of usbmuxd the same DeviceID may be another phone's: nobody may keep one."""
    first, second = a_phone(1), a_phone(2)
    pad.attach(first)
    pad.attach(second)
    pad.detach(first)
    await pad.usbmuxd.restart()
    mux = await Mux.open(pad.socket)
    (entry,) = (await mux.ask("ListDevices"))["DeviceList"]
    assert (entry["DeviceID"], entry["Properties"]["SerialNumber"]) == (1, second.udid)
    mux.close()


async def test_stopping_takes_the_socket_and_all_connections_away(pad: SimLaunchpad) -> None:
    """An absent usbmuxd has no socket; a client of it reads the end."""
    mux = await Mux.open(pad.socket)
    await mux.ask("Listen")
    await pad.usbmuxd.stop()
    await pad.usbmuxd.stop()
    assert await mux.closed()
    assert not pad.socket.exists()


async def test_exits_with_its_last_phone_and_is_back_with_the_next(tmp_path: Path, phone: Phone) -> None:
    """As Debian runs it, no usbmuxd can mean no phone in normal mode."""
    async with SimLaunchpad(tmp_path / "pad", exits_with_last=True) as pad:
        pad.attach(phone)
        phone.enter_mode(Mode.RECOVERY)
        assert not pad.socket.exists()
        phone.reboot()
        await pad.usbmuxd.settled()
        mux = await Mux.open(pad.socket)
        assert len((await mux.ask("ListDevices"))["DeviceList"]) == 1
        mux.close()


@pytest.mark.parametrize("mode", list(Mode))
async def test_lists_a_phone_if_its_mode_speaks_usbmux(pad: SimLaunchpad, phone: Phone, mode: Mode) -> None:
    """In recovery and DFU mode a phone is on the bus and not in usbmux."""
    pad.attach(phone)
    phone.enter_mode(mode)
    mux = await Mux.open(pad.socket)
    listed = (await mux.ask("ListDevices"))["DeviceList"]
    assert len(listed) == (mode not in (Mode.RECOVERY, Mode.DFU))
    mux.close()


async def test_a_hidden_phone_is_on_the_bus_only(pad: SimLaunchpad, phone: Phone) -> None:
    """What usbmuxd hides can be seen in sysfs."""
    port = pad.attach(phone)
    phone.hide()
    mux = await Mux.open(pad.socket)
    assert (await mux.ask("ListDevices"))["DeviceList"] == []
    assert (pad.sysfs / "bus/usb/devices" / port).is_dir()
    phone.show()
    assert len((await mux.ask("ListDevices"))["DeviceList"]) == 1
    mux.close()


async def test_a_phone_may_refuse_or_never_answer_a_connect(pad: SimLaunchpad, phone: Phone) -> None:
    """Connect is refused with 3, or never answered; both are on record."""
    phone.faults = {Fault.REFUSE_CONNECT}
    pad.attach(phone)
    mux = await Mux.open(pad.socket)
    connect = {"DeviceID": 1, "PortNumber": socket.htons(62078)}
    assert (await mux.ask("Connect", **connect))["Number"] == 3
    phone.faults = {Fault.HANG_CONNECT}
    mux.say(plistlib.dumps({"MessageType": "Connect", **connect}))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await mux.reader.readexactly(1)
    connects = Record.read(pad.record.path, "connect", device=phone.udid)
    assert [seen["answer"] for seen in connects] == ["refused", "none"]
    mux.close()


async def test_a_hung_daemon_accepts_and_says_nothing(pad: SimLaunchpad, phone: Phone) -> None:
    """Hung means: the socket is there, and neither answers nor events come."""
    listener = await Mux.open(pad.socket)
    await listener.ask("Listen")
    pad.usbmuxd.fault = UsbmuxdFault.HUNG
    mux = await Mux.open(pad.socket)
    mux.say(plistlib.dumps({"MessageType": "ReadBUID"}))
    pad.attach(phone)
    for silent in (mux, listener):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await silent.reader.readexactly(1)
        silent.close()


@pytest.mark.parametrize("fault", [UsbmuxdFault.GARBAGE, UsbmuxdFault.BAD_PLIST, UsbmuxdFault.STRANGE])
async def test_a_broken_daemon_answers_rubbish(pad: SimLaunchpad, fault: UsbmuxdFault) -> None:
    """A daemon under fault answers something, and nothing that is right."""
    pad.usbmuxd.fault = fault
    mux = await Mux.open(pad.socket)
    mux.say(plistlib.dumps({"MessageType": "ReadBUID"}))
    async with asyncio.timeout(5):
        assert pad.usbmuxd.pairings.system_buid.encode() not in await mux.reader.read(4096)
    mux.close()
