"""What the kernel shows and what usbmuxd lists become one list of attachments."""

from dataclasses import replace

from mamd.core.facts import Attachment, Ids, UsbMode
from mamd.launchpad.mux import MuxDevice
from mamd.launchpad.sysfs import BusDevice, ids_of_udid
from mamd.launchpad.topology import KEEP_S, UNSEEN_S, Topology

ONE, TWO = "00008110-0011223300010001", "00008110-0011223300020002"
ONE_IDS, TWO_IDS = ids_of_udid(ONE), ids_of_udid(TWO)
BUS_ONE = BusDevice("2-1.4", 2, 5, UsbMode.NORMAL, ONE_IDS)
MUX_ONE = MuxDevice(1, ONE, 2 << 16 | 5)
PLACE_ONE = Attachment("boot", "2-1.4", 5)
NOWHERE = Attachment("boot", "bus-2.5", 5)


def topology(*charge_only: str) -> Topology:
    """A fresh one."""
    return Topology("boot", frozenset(charge_only))


def listed(*devices: MuxDevice) -> dict[int, MuxDevice]:
    """What usbmuxd lists."""
    return {device.device_id: device for device in devices}


def test_a_device_that_both_see_is_one_attachment() -> None:
    """Its port is the kernel's, its number usbmuxd's."""
    ((place, station),) = topology().merged((BUS_ONE,), listed(MUX_ONE), 0).items()
    assert place == PLACE_ONE
    assert station.device == MUX_ONE
    assert (station.told.listed, station.told.ids) == (True, ONE_IDS)


def test_usbmuxds_absence_detaches_nobody_that_the_bus_shows() -> None:
    """Nor does its restart, after which the device has another number."""
    same = topology()
    for devices in (listed(MUX_ONE), None, listed(), listed(replace(MUX_ONE, device_id=9))):
        (place,) = same.merged((BUS_ONE,), devices, 0)
        assert place == PLACE_ONE


def test_a_device_that_usbmuxd_does_not_list_is_there_all_the_same() -> None:
    """It may be hidden; it cannot be reached."""
    station = topology().merged((BUS_ONE,), {}, 0)[PLACE_ONE]
    assert station.device is None
    assert not station.told.listed


def test_where_location_means_something_else_the_udid_joins() -> None:
    """macOS numbers otherwise; it must be the only one with that UDID on either side."""
    elsewhere = replace(MUX_ONE, location=0x14100000)
    assert topology().merged((BUS_ONE,), listed(elsewhere), 0)[PLACE_ONE].device == elsewhere
    twin = replace(BUS_ONE, port="2-1.5", devnum=6)
    twins = topology().merged((BUS_ONE, twin), listed(elsewhere), 0)
    assert [station.device for station in twins.values()] == [None, None]


def test_two_that_claim_one_name_are_told_apart_by_their_place() -> None:
    """Both are shown with that name, each at its own port: who is the right one is judged elsewhere."""
    twin, mux_twin = replace(BUS_ONE, port="2-1.5", devnum=6), MuxDevice(2, ONE, 2 << 16 | 6)
    stations = topology().merged((BUS_ONE, twin), listed(MUX_ONE, mux_twin), 0)
    assert {place.port: station.device for place, station in stations.items()} == {
        "2-1.4": MUX_ONE,
        "2-1.5": mux_twin,
    }


def test_one_that_is_called_differently_by_both_has_no_name() -> None:
    """Nothing is done to a device that is two."""
    station = topology().merged((BUS_ONE,), listed(replace(MUX_ONE, serial=TWO)), 0)[PLACE_ONE]
    assert station.told.ids == Ids()
    assert station.device is not None


def test_a_device_in_recovery_is_not_joined_with_what_usbmuxd_lists() -> None:
    """The address may still be in usbmuxd's list for a moment."""
    recovery = replace(BUS_ONE, mode=UsbMode.RECOVERY, ids=Ids(ecid=5))
    station = topology().merged((recovery,), listed(MUX_ONE), 0)[PLACE_ONE]
    assert (station.device, station.told.ids) == (None, Ids(ecid=5))


def test_a_charge_only_port_has_no_number_and_no_name() -> None:
    """It cannot be reached by mistake."""
    station = topology("2-1.4").merged((BUS_ONE,), listed(MUX_ONE), 0)[PLACE_ONE]
    assert (station.device, station.told.ids, station.told.listed) == (None, Ids(), True)


def test_without_sysfs_usbmuxd_is_believed_alone() -> None:
    """The location stands for the port; what usbmuxd no longer lists has gone at once."""
    alone = topology()
    station = alone.merged(None, listed(MUX_ONE), 0)[NOWHERE]
    assert (station.device, station.told.ids) == (MUX_ONE, ONE_IDS)
    assert alone.merged(None, {}, 1) == {}


def test_without_sysfs_devices_outlive_usbmuxd_for_half_a_minute() -> None:
    """Long enough for a restart; they cannot be reached meanwhile, and are the same ones afterwards."""
    alone = topology()
    before = alone.merged(None, listed(MUX_ONE), 0)
    away = alone.merged(None, None, 100)
    assert list(away) == [NOWHERE]
    assert away[NOWHERE].device is None
    assert not away[NOWHERE].told.listed
    assert list(alone.merged(None, None, 100 + KEEP_S - 1)) == [NOWHERE]
    assert alone.is_waiting
    back = alone.merged(None, listed(replace(MUX_ONE, device_id=9)), 100 + KEEP_S - 1)
    assert back[NOWHERE].told == before[NOWHERE].told
    alone.merged(None, None, 200)
    assert alone.merged(None, None, 200 + KEEP_S) == {}


def test_sysfs_may_lag_behind_usbmuxd_for_a_moment() -> None:
    """No port is invented for a device that the next scan shows; one that sysfs never shows gets one."""
    lagging = topology()
    assert lagging.merged((), listed(MUX_ONE), 0) == {}
    assert lagging.is_waiting
    assert list(lagging.merged((BUS_ONE,), listed(MUX_ONE), 1)) == [PLACE_ONE]
    assert lagging.merged((), listed(MUX_ONE), 10) == {}
    assert list(lagging.merged((), listed(MUX_ONE), 10 + UNSEEN_S)) == [NOWHERE]
