"""Whatever usbmuxd and a device say, in whatever order: a look comes back in time, and nothing is raised."""

import asyncio
import plistlib
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mamd.core.events import Detached, UsbmuxdCame, UsbmuxdWent
from mamd.core.facts import Answer, PairAnswer
from mamd.launchpad import PadSettings, Pairings, mux
from mamd.launchpad.findings import Target
from mamd.launchpad.look import Looker, Memory
from mamd.launchpad.mux import MuxDevice
from mamd.launchpad.pairing import Pairing
from mamd.launchpad.records import Records
from mamd.launchpad.wire import Address
from tests.launchpad.watching import BOOT, watched

UDID = "00008110-0011223300010001"
OK = mux.packet(plistlib.dumps({"MessageType": "Result", "Number": 0}))
NONE = mux.packet(plistlib.dumps({"MessageType": "Result", "Number": 2}))


def told(**message: object) -> bytes:
    """A lockdown frame."""
    data = plistlib.dumps(message)
    return struct.pack(">I", len(data)) + data


LOCKDOWN = told(Request="QueryType", Type="com.apple.mobile.lockdown")
RECORD = mux.packet(plistlib.dumps({"PairRecordData": plistlib.dumps({"HostID": "H", "SystemBUID": "B"})}))
SESSION = told(Request="StartSession", SessionID="S", EnableSessionSSL=False)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-9, 1 << 63)
    | st.text("ab,.1", max_size=6)
    | st.binary(max_size=6)
)
words = st.sampled_from(
    ["PasswordProtected", "InvalidHostID", "com.apple.mobile.restored", "MCChallengeRequired"]
)
fields = ["Error", "Type", "Value", "SessionID", "EnableSessionSSL", "EscrowBag", "ExtendedResponse"]
odd_frames = st.dictionaries(
    st.sampled_from(fields), scalars | words | st.dictionaries(st.text("ab", max_size=2), words)
).map(lambda message: told(**{key: value for key, value in message.items() if value is not None}))
well_formed = st.sampled_from([OK, NONE, RECORD, LOCKDOWN, SESSION])
answers = st.lists(well_formed | odd_frames | st.binary(max_size=40), max_size=12)
PLAUSIBLE = [RECORD, OK, LOCKDOWN, *[told(Value="x")] * 4, SESSION]


@asynccontextmanager
async def peer(path: Path, script: list[bytes]) -> AsyncIterator[None]:
    """Something at the end of the socket that answers each request with the next line, then hangs up."""
    lines, open_ones = iter(script), set[asyncio.Transport]()

    class Talk(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self.transport = transport
            open_ones.add(transport)

        def data_received(self, data: bytes) -> None:
            line = next(lines, None)
            if line is None:
                self.transport.close()
            else:
                self.transport.write(line)

    server = await asyncio.get_running_loop().create_unix_server(Talk, path)
    try:
        yield
    finally:
        server.close()
        for each in open_ones:
            each.abort()
        await asyncio.sleep(0)
        path.unlink()


class Well:
    """A usbmuxd that is well."""

    def asked_in_vain(self) -> None:
        """It would be asked."""

    def has_answered_since(self, at: float) -> bool:
        """It does."""
        return True


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(script=answers | st.builds(lambda cut, rest: PLAUSIBLE[:cut] + rest, st.integers(1, 8), answers))
@example(script=PLAUSIBLE)
@example(script=[])
async def test_a_look_survives_any_script(tmp_path: Path, script: list[bytes]) -> None:
    """Wherever the conversation goes wrong, the look says so and no more."""
    path = tmp_path / "usbmuxd"
    records = Records(tmp_path)
    pairing = Pairing(records, tmp_path, Pairings.ANY, None)
    async with peer(path, script):
        looker = Looker(Address.of(str(path)), records, pairing, Well())
        target = Target(MuxDevice(1, UDID, 5), UDID, pair=True, identify=True)
        look = await looker.look(target, Memory(), 0.3)
    assert look.pair is not PairAnswer.PAIRED or look.answer is not Answer.SESSION
    for kept in records.folder.iterdir():
        kept.unlink()


LISTING = {"ConnectionType": "USB", "LocationID": 5, "SerialNumber": UDID}


def listing(device_id: int, **more: object) -> bytes:
    """An Attached message."""
    return mux.packet(
        plistlib.dumps({"MessageType": "Attached", "DeviceID": device_id, "Properties": LISTING | more})
    )


@pytest.mark.parametrize(
    "burst",
    [
        b"\x00" * 64,
        struct.pack("<4I", 2 << 30, 1, 8, 0),
        mux.packet(b"<plist>" + b"<array>" * 5000),
        mux.packet(plistlib.dumps({"MessageType": "Attached", "DeviceID": "one", "Properties": LISTING})),
        b"".join(listing(number, LocationID=number) for number in range(5000)),
    ],
    ids=["zeros", "2 GiB", "deep", "wrong types", "more devices than addresses"],
)
async def test_a_hostile_usbmuxd_is_turned_away_and_tried_again(tmp_path: Path, burst: bytes) -> None:
    """It counts as gone; nothing of it is believed, and a good one in its place is found."""
    path = tmp_path / "usbmuxd"
    pad = PadSettings(str(path), tmp_path / "state", BOOT, tmp_path / "no-sysfs")
    async with watched(pad) as watch:
        async with peer(path, [OK + burst] * 20):
            await watch.until(lambda events: any(isinstance(event, UsbmuxdWent) for event in events))
            await watch.until(
                lambda _: bool(watch.pad.faults()) and watch.pad.faults()[0].name == "usbmuxd_garbled"
            )
        async with peer(path, [OK + listing(1) + listing(1)] * 20):
            await watch.until(lambda events: any(isinstance(event, UsbmuxdCame) for event in events), 15)
            place = await watch.listed("bus-0.5")
    assert place.devnum == 5
    assert not any(isinstance(event, Detached) for event in watch.events)
