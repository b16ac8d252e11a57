"""libimobiledevice's own tools (Debian's 1.3.0) meet each state, and say what they say of real phones.

The expected texts are those of tools/idevicepair.c, ideviceinfo.c and ideviceenterrecovery.c at 1.3.0.
"""

from collections.abc import Callable
from typing import Any

import pytest

from mamd.sim.identity import Identity
from mamd.sim.launchpad import SimLaunchpad
from mamd.sim.phone import Locked, Mode, Phone, Restrictions, Trust
from mamd.sim.record import Record
from tests.needs import need
from tests.sim.tools import libimobiledevice

for tool in ("idevice_id", "ideviceinfo", "idevicepair", "ideviceenterrecovery"):
    need(tool)

LOCKED = {"passcode_set": True, "locked": True}
BEFORE_FIRST_UNLOCK = LOCKED | {"first_unlocked": False}
PASSCODE = "because a passcode is set"
NOT_PAIRED = "is not paired with this host"

Prepare = Callable[[SimLaunchpad, Phone], None]


def nothing(pad: SimLaunchpad, phone: Phone) -> None:
    """No record, no trust."""


def paired(pad: SimLaunchpad, phone: Phone) -> None:
    pad.pair(phone)


def stale(pad: SimLaunchpad, phone: Phone) -> None:
    pad.leave_stale_record(phone)


def spoiled(pad: SimLaunchpad, phone: Phone) -> None:
    pad.spoil_record(phone)


# Each line: how the phone is, what this host has, what `idevicepair validate` says and how it ends. Without a
# record that tool pairs.
STATES: dict[str, tuple[dict[str, Any], Prepare, str, int]] = {
    "paired, unlocked": ({}, paired, "SUCCESS: Validated", 0),
    "paired, locked": (LOCKED, paired, "SUCCESS: Validated", 0),
    "paired, before first unlock": (BEFORE_FIRST_UNLOCK, paired, PASSCODE, 1),
    "paired, before first unlock, gives a session": (
        BEFORE_FIRST_UNLOCK | {"session_before_first_unlock": Locked.SESSION},
        paired,
        "SUCCESS: Validated",
        0,
    ),
    "paired, before first unlock, forgets": (
        BEFORE_FIRST_UNLOCK | {"session_before_first_unlock": Locked.INVALID_HOST},
        paired,
        NOT_PAIRED,
        1,
    ),
    "not paired, unlocked": ({}, nothing, "Please accept the trust dialog", 1),
    "not paired, Trust tapped": ({"trust": Trust.ACCEPT}, nothing, "SUCCESS: Validated", 0),
    "not paired, Don't Trust tapped": ({"trust": Trust.DENY}, nothing, "the user denied the trust dialog", 1),
    "not paired, locked": (LOCKED, nothing, PASSCODE, 1),
    "setup assistant": ({"mode": Mode.SETUP}, nothing, "SUCCESS: Validated", 0),
    "forgot the host": ({}, stale, NOT_PAIRED, 1),
    "forgot the host, locked": (LOCKED, stale, NOT_PAIRED, 1),
    "wrong certificates": ({}, spoiled, "unhandled error code -5", 1),
    "pairing prohibited": (
        {"restrictions": Restrictions(allow_host_pairing=False)},
        nothing,
        "unhandled error code -38",
        1,
    ),
    "restoring": (
        {"mode": Mode.RESTORING},
        nothing,
        "QueryType request returned 'com.apple.mobile.restored'",
        1,
    ),
}


@pytest.mark.parametrize("state", STATES)
async def test_validate_says_of_each_state_what_it_is(pad: SimLaunchpad, state: str) -> None:
    """`idevicepair validate` tells the states apart as well as it can tell real ones."""
    how, prepare, text, status = STATES[state]
    phone = Phone(Identity.numbered(1, name="ward-1"), **how)
    prepare(pad, phone)
    pad.attach(phone)
    said = await libimobiledevice(pad, "idevicepair", "-u", phone.udid, "validate")
    assert text in said.text
    assert said.status == status


async def test_lists_those_that_speak_usbmux(pad: SimLaunchpad) -> None:
    """`idevice_id -l` shows new phones (a dash in the UDID) and old ones, none hidden or in recovery."""
    phones = [
        Phone(Identity.numbered(1)),
        Phone(Identity.numbered(2, product_type="iPhone8,1", product_version="15.8")),
        Phone(Identity.numbered(3), hidden=True),
        Phone(Identity.numbered(4), mode=Mode.RECOVERY),
        Phone(Identity.numbered(5), mode=Mode.RESTORING),
    ]
    for phone in phones:
        pad.attach(phone)
    said = await libimobiledevice(pad, "idevice_id", "-l")
    assert said.text.split() == [phones[0].udid, phones[1].udid, phones[4].udid]
    assert [len(udid) for udid in said.text.split()] == [25, 40, 25]
    unseen = await libimobiledevice(pad, "ideviceinfo", "-u", phones[2].udid)
    assert (unseen.status, unseen.text) == (255, f"ERROR: Device {phones[2].udid} not found!\n")


async def test_tells_anybody_who_it_is_and_only_hosts_it_trusts_the_rest(pad: SimLaunchpad) -> None:
    """`ideviceinfo -s` has no session: no serial number, no lock state. With one it has both."""
    phone = Phone(Identity.numbered(1, name="ward-1"), passcode_set=True, locked=True)
    pad.pair(phone)
    pad.attach(phone)
    simple = await libimobiledevice(pad, "ideviceinfo", "-s", "-u", phone.udid)
    whole = await libimobiledevice(pad, "ideviceinfo", "-u", phone.udid)
    assert f"UniqueDeviceID: {phone.udid}\n" in simple.text
    assert f"UniqueChipID: {phone.ecid}\n" in simple.text
    assert "SerialNumber" not in simple.text
    assert "PasswordProtected" not in simple.text
    assert f"SerialNumber: {phone.serial}\n" in whole.text
    assert "PasswordProtected: true\n" in whole.text
    forbidden = await libimobiledevice(pad, "ideviceinfo", "-s", "-u", phone.udid, "-k", "SerialNumber")
    assert (forbidden.status, forbidden.text) == (0, "")  # 1.3.0 says nothing of GetProhibited
    battery = await libimobiledevice(pad, "ideviceinfo", "-u", phone.udid, "-q", "com.apple.mobile.battery")
    assert "BatteryCurrentCapacity: 80\n" in battery.text


async def test_a_locked_phone_refuses_the_whole_and_tells_the_simple(pad: SimLaunchpad) -> None:
    """Without a record `ideviceinfo` tries to pair: -17 of a locked phone; `-s` works all the same."""
    phone = Phone(Identity.numbered(1), passcode_set=True, locked=True)
    pad.attach(phone)
    whole = await libimobiledevice(pad, "ideviceinfo", "-u", phone.udid)
    assert (whole.status, "(-17)" in whole.text) == (255, True)
    simple = await libimobiledevice(pad, "ideviceinfo", "-s", "-u", phone.udid, "-k", "ProductVersion")
    assert (simple.status, simple.text) == (0, "17.5.1\n")


async def test_pairs_validates_and_unpairs(pad: SimLaunchpad) -> None:
    """A phone that is trusted once stays paired until it is unpaired, locked or not."""
    phone = Phone(Identity.numbered(1), trust=Trust.ACCEPT)
    pad.attach(phone)
    pair = await libimobiledevice(pad, "idevicepair", "-u", phone.udid, "pair")
    assert pair.text == f"SUCCESS: Paired with device {phone.udid}\n"
    phone.set_passcode()
    phone.lock()
    validate = await libimobiledevice(pad, "idevicepair", "-u", phone.udid, "validate")
    assert validate.status == 0
    again = await libimobiledevice(pad, "idevicepair", "-u", phone.udid, "pair")
    assert (again.status, PASSCODE in again.text) == (1, True)
    unpair = await libimobiledevice(pad, "idevicepair", "-u", phone.udid, "unpair")
    assert unpair.text == f"SUCCESS: Unpaired with device {phone.udid}\n"
    assert phone.trusts == {}
    requests = [line["request"] for line in Record.read(pad.record.path, "lockdown", device=phone.udid)]
    assert requests.count("Pair") == 2


@pytest.mark.parametrize(
    ("version", "state", "mode"),
    [
        ("14.4", {}, Mode.RECOVERY),
        ("17.5.1", {}, Mode.NORMAL),
        ("17.5.1", LOCKED, Mode.NORMAL),
        (
            "17.5.1",
            BEFORE_FIRST_UNLOCK
            | {
                "supervisor": b"us",
                "restrictions": Restrictions(allow_unpaired_external_boot_to_recovery=True),
            },
            Mode.RECOVERY,
        ),
    ],
)
async def test_recovery_mode_by_version_and_restriction(
    pad: SimLaunchpad, version: str, state: dict[str, Any], mode: Mode
) -> None:
    """`ideviceenterrecovery` 1.3.0 has no session and always says that it worked; USB tells the truth."""
    phone = Phone(Identity.numbered(1, product_version=version), **state)
    port = pad.attach(phone)
    said = await libimobiledevice(pad, "ideviceenterrecovery", phone.udid)
    assert said.status == 0
    assert "successfully switching" in said.text
    assert ("Failed to enter recovery mode" in said.text) == (mode is Mode.NORMAL)
    product = (pad.sysfs / "bus/usb/devices" / port / "idProduct").read_text().strip()
    assert product == ("1281" if mode is Mode.RECOVERY else "12a8")
