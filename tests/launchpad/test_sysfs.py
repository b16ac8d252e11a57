"""The bus is read as the kernel writes it, and whatever comes and goes meanwhile does no harm."""

from pathlib import Path

import pytest

from mamd.core.facts import Ids, UsbMode
from mamd.launchpad.sysfs import BusDevice, BusScan, ids_in, ids_of_udid
from mamd.sim.launchpad import SimLaunchpad
from mamd.sim.phone import Mode
from tests.launchpad.watching import phone

OLD_UDID = "00008030-001A35E40212345A"


def device(root: Path, port: str, **attributes: str) -> Path:
    """A directory of the tree."""
    folder = root / "bus" / "usb" / "devices" / port
    folder.mkdir(parents=True)
    for name, value in attributes.items():
        (folder / name).write_text(f"{value}\n")
    return folder


def only(scan: BusScan) -> BusDevice:
    """The one device that the scan shows."""
    (seen,) = scan.scan() or ()
    return seen


async def test_phones_are_found_in_each_mode(sim: SimLaunchpad) -> None:
    """Port, address and names of a phone; of hubs and other makers' devices, nothing."""
    one = phone(1)
    sim.attach(one, "2-1.4")
    scan = BusScan(sim.sysfs)
    normal = only(scan)
    assert (normal.port, normal.hub, normal.busnum, normal.mode) == ("2-1.4", "2-1", 2, UsbMode.NORMAL)
    assert normal.ids == Ids(udid=one.udid, ecid=one.ecid)
    one.enter_recovery()
    recovery = only(scan)
    assert recovery.mode is UsbMode.RECOVERY
    assert recovery.ids == Ids(ecid=one.ecid, serial=one.serial)
    assert recovery.devnum != normal.devnum
    one.enter_mode(Mode.DFU)
    dfu = only(scan)
    assert (dfu.mode, dfu.ids) == (UsbMode.DFU, Ids(ecid=one.ecid))
    sim.detach(one)
    assert scan.scan() == ()


def test_where_there_is_no_sysfs_nobody_can_tell(tmp_path: Path) -> None:
    """None is not the same as an empty bus."""
    assert BusScan(tmp_path).scan() is None


@pytest.mark.parametrize("missing", ["idVendor", "idProduct", "busnum", "devnum"])
def test_a_device_that_vanishes_while_it_is_read_is_not_there(tmp_path: Path, missing: str) -> None:
    """The next scan sees what has become of it."""
    attributes = {"idVendor": "05ac", "idProduct": "12a8", "busnum": "1", "devnum": "5"}
    folder = device(tmp_path, "1-2", **{name: value for name, value in attributes.items() if name != missing})
    scan = BusScan(tmp_path)
    assert scan.scan() == ()
    (folder / missing).write_text(attributes[missing])
    assert only(scan) == BusDevice("1-2", 1, 5, UsbMode.NORMAL, Ids())


def test_a_device_directly_at_the_host_hangs_on_the_root_hub(tmp_path: Path) -> None:
    """And a keyboard of the same maker is no phone."""
    device(tmp_path, "1-2", idVendor="05ac", idProduct="12ab", busnum="1", devnum="5", serial="f" * 40)
    device(tmp_path, "1-3", idVendor="05ac", idProduct="024f", busnum="1", devnum="6")
    device(tmp_path, "1-2:1.0", bInterfaceNumber="00")
    assert only(BusScan(tmp_path)).hub == "usb1"
    assert only(BusScan(tmp_path)).ids == Ids(udid="F" * 40)


@pytest.mark.parametrize(
    ("serial", "ids"),
    [
        (
            "CPID:8110 ECID:00F42A40AAEE651E IBFL:3C SRNM:[F2LXXXXXXX]",
            Ids(ecid=0xF42A40AAEE651E, serial="F2LXXXXXXX"),
        ),
        ("ECID:XYZ SRNM:[../../etc]", Ids()),
        ("ECID:" + "F" * 17, Ids()),
        ("", Ids()),
        ("::: ECID: SRNM:[] \x00", Ids()),
    ],
)
def test_what_a_device_in_recovery_says_is_taken_only_if_it_can_be_true(serial: str, ids: Ids) -> None:
    """Everything in the string is the device's own word."""
    assert ids_in(serial, UsbMode.RECOVERY) == ids


@pytest.mark.parametrize("text", ["", "..", "../../x", "F" * 41, "0" * 24 + "/", "G" * 24])
def test_what_cannot_be_a_udid_is_none(text: str) -> None:
    """It would name files of ours."""
    assert ids_of_udid(text) == Ids()


def test_a_udid_is_the_same_with_and_without_its_dash() -> None:
    """usbmuxd writes it with, the bus without."""
    assert ids_of_udid(OLD_UDID) == ids_of_udid(OLD_UDID.replace("-", "").lower())
    assert ids_of_udid(OLD_UDID).ecid == 0x1A35E40212345A
