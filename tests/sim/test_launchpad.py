"""Ports, hubs and the USB tree of the simulated Launchpad."""

from pathlib import Path

import pytest

from mamd.sim.acts import BadStep, NoSuchPhone, PortTaken
from mamd.sim.identity import MODELS, Identity
from mamd.sim.launchpad import SimLaunchpad, port_number
from mamd.sim.phone import Mode, Phone
from mamd.sim.record import Record
from mamd.sim.sysfs import BusFull


def seen(pad: SimLaunchpad, path: str) -> dict[str, str]:
    folder = pad.sysfs / "bus/usb/devices" / path
    return {file.name: file.read_text().strip() for file in folder.iterdir()} if folder.is_dir() else {}


async def test_a_phone_is_seen_with_the_hubs_on_its_way(pad: SimLaunchpad, phone: Phone) -> None:
    """A directory for each hub and for the phone, with what the kernel says of them."""
    pad.attach(phone, "2-1.4.3")
    assert {path: seen(pad, path)["bDeviceClass"] for path in ("usb2", "2-1", "2-1.4", "2-1.4.3")} == {
        "usb2": "09",
        "2-1": "09",
        "2-1.4": "09",
        "2-1.4.3": "00",
    }
    assert seen(pad, "2-1.4.3") == {
        "idVendor": "05ac",
        "idProduct": "12a8",
        "serial": "000081100011223300010001",
        "manufacturer": "Apple Inc.",
        "product": "iPhone",
        "bDeviceClass": "00",
        "speed": "480",
        "busnum": "2",
        "devnum": "4",
    }
    assert (pad.sysfs / "bus/usb/devices/2-1.4.3:1.0").is_dir()


@pytest.mark.parametrize(
    ("mode", "product", "serial"),
    [
        (Mode.RECOVERY, "1281", "IBFL:3C SRNM:[F2L0000001MD]"),
        (Mode.DFU, "1227", "IBFL:3C SRTG:[iBoot-6338.0.0.200.19]"),
    ],
)
async def test_a_phone_in_recovery_shows_its_chip(
    pad: SimLaunchpad, phone: Phone, mode: Mode, product: str, serial: str
) -> None:
    """The product id and the serial string are those of iBoot and of the boot ROM."""
    port = pad.attach(phone)
    phone.enter_mode(mode)
    shown = seen(pad, port)
    chip = "CPID:8110 CPRV:11 CPFM:03 SCEP:01 BDID:0A ECID:0011223300010001"
    assert (shown["idProduct"], shown["serial"]) == (product, f"{chip} {serial}")


async def test_each_enumeration_has_an_address_of_its_own(pad: SimLaunchpad, phone: Phone) -> None:
    """Addresses go up at each replug and mode change, come round after 127, and are never in use twice."""
    other = Phone(Identity.numbered(2))
    pad.attach(other, "1-1.1")
    port = pad.attach(phone, "1-1.2")
    addresses = []
    for _ in range(200):
        pad.replug(phone)
        addresses.append(int(seen(pad, port)["devnum"]))
    assert addresses[:3] == [5, 6, 7]
    assert set(addresses) == set(range(1, 128)) - {1, 2, 3}  # root hub, hub, the other phone


async def test_a_bus_has_room_for_127(pad: SimLaunchpad) -> None:
    """The next one is refused, in words that say what to do."""
    for number in range(125):
        pad.attach(Phone(Identity.numbered(number)), f"3-1.{number + 1}")
    with pytest.raises(BusFull, match="use another bus"):
        pad.attach(Phone(Identity.numbered(500)), "3-1.200")
    assert len(pad.attached) == 125


async def test_a_phone_that_leaves_is_nowhere(pad: SimLaunchpad, phone: Phone) -> None:
    """Its directory is gone; the hub stays."""
    port = pad.attach(phone)
    assert pad.detach(phone) == port
    assert seen(pad, port) == {}
    assert seen(pad, port.rpartition(".")[0]) != {}
    with pytest.raises(NoSuchPhone):
        pad.detach(phone)


async def test_a_hub_takes_all_its_phones_with_it(pad: SimLaunchpad) -> None:
    """Power off: all gone. Power on: all back on their ports, in order, one right after another."""
    phones = [Phone(Identity.numbered(number)) for number in range(4)]
    for number, phone in enumerate(phones):
        pad.attach(phone, f"1-{1 if number < 3 else 2}.{number + 1}")
    pad.hub_off("1-1")
    assert list(pad.attached.values()) == [phones[3]]
    pad.hub_on("1-1")
    assert pad.attached == {"1-2.4": phones[3]} | {f"1-1.{n + 1}": phones[n] for n in range(3)}
    arrivals = [line["port"] for line in Record.read(pad.record.path, "launchpad", what="attached")]
    assert arrivals[-3:] == ["1-1.1", "1-1.2", "1-1.3"]


async def test_one_cable_one_phone(pad: SimLaunchpad, phone: Phone) -> None:
    """A port that is taken says by whom; a phone is found by each of its names."""
    port = pad.attach(phone)
    with pytest.raises(PortTaken, match=phone.name):
        pad.attach(Phone(Identity.numbered(2)), port)
    assert {pad.phone(name) for name in (phone.name, phone.udid, phone.serial, port)} == {phone}
    with pytest.raises(BadStep, match="no phone is called 'x'; known: ward-1"):
        pad.phone("x")


async def test_an_impostor_is_another_phone(pad: SimLaunchpad, phone: Phone) -> None:
    """Two phones may say the same UDID on two ports; what happens to one does not happen to the other."""
    impostor = Phone(phone.identity, passcode_set=True)
    pad.attach(phone, "1-1.1")
    pad.attach(impostor, "1-1.2")
    impostor.enter_recovery()
    assert pad.phone(phone.udid) is phone
    assert pad.phone("1-1.2") is impostor
    assert (seen(pad, "1-1.1")["idProduct"], seen(pad, "1-1.2")["idProduct"]) == ("12a8", "1281")


async def test_a_phone_takes_its_time_to_start(tmp_path: Path, phone: Phone) -> None:
    """While it starts it is off the bus; pulled meanwhile, it does not come back."""
    async with SimLaunchpad(tmp_path / "pad", boot_s=3600) as pad:
        port = pad.attach(phone)
        phone.reboot()
        assert seen(pad, port) == {}
        assert pad.port_of(phone) == port
        pad.replug(phone)
        assert seen(pad, port)["idProduct"] == "12a8"


def test_ports_are_spread_over_hubs_and_buses() -> None:
    """A thousand ports: ten a hub, ten hubs a bus, each bus below its 127 addresses."""
    ports = [port_number(number) for number in range(1000)]
    assert len(set(ports)) == 1000
    assert (ports[0], ports[99], ports[100], ports[999]) == ("1-1.1", "1-10.10", "2-1.1", "10-10.10")


@pytest.mark.parametrize("product", MODELS)
def test_identities_hold_together(product: str) -> None:
    """The same number is the same phone; from A12 on the UDID is made of chip and ECID."""
    identity = Identity.numbered(7, product_type=product)
    assert identity == Identity.numbered(7, product_type=product)
    assert len(identity.usb_serial) == (40 if product == "iPhone8,1" else 24)
    if product != "iPhone8,1":
        assert identity.udid == f"{identity.model.chip:08X}-{identity.ecid:016X}"


def test_a_record_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    """A line that is half there is not read; lines of several writers come in the order of their time."""
    path = tmp_path / "record.jsonl"
    one, two = Record(path), Record(path, skip=frozenset({"dull"}))
    one.note("a", device="d-1", number=1)
    two.note("dull")
    two.note("b", number=2)
    with path.open("a") as file:
        file.write('{"at": 1, "wall"')
    assert [(line.kind, line.device, line["number"]) for line in Record.read(path)] == [
        ("a", "d-1", 1),
        ("b", None, 2),
    ]
    assert Record.read(path, "a", number=2) == []
    one.close()
    two.close()
    two.close()
