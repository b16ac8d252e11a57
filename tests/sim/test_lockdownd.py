"""The simulated lockdownd, request by request."""

import asyncio
import contextlib
import plistlib
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from mamd.sim.identity import Identity
from mamd.sim.keys import HostIdentity, shared_host
from mamd.sim.launchpad import SimLaunchpad
from mamd.sim.phone import Fault, Mode, Phone
from mamd.sim.record import Record
from tests.sim.host import LENGTH, Lockdown, Mux

Dial = Callable[[], contextlib.AbstractAsyncContextManager[Lockdown]]


@pytest.fixture
def dial(pad: SimLaunchpad, phone: Phone) -> Dial:
    """Opens a conversation with the phone's lockdownd; the phone is attached and paired."""
    pad.pair(phone)
    pad.attach(phone)

    @contextlib.asynccontextmanager
    async def talk() -> AsyncIterator[Lockdown]:
        mux = await Mux.open(pad.socket)
        try:
            yield await mux.lockdown(phone.udid)
        finally:
            mux.close()

    return talk


async def in_session(lockdown: Lockdown) -> str:
    """Start a session with the shared host's record; its id."""
    host = shared_host()
    answer = await lockdown.ask("StartSession", HostID=host.host_id, SystemBUID="any")
    assert answer["EnableSessionSSL"] is True
    await lockdown.start_tls(host.host_certificate, host.host_key)
    return str(answer["SessionID"])


async def test_a_reply_names_its_request_and_has_no_result(dial: Dial) -> None:
    """As since iOS 5: the request's name, and either a value or an error."""
    async with dial() as lockdown:
        assert await lockdown.ask("QueryType") == {
            "Request": "QueryType",
            "Type": "com.apple.mobile.lockdown",
        }
        assert await lockdown.ask("ValidatePair") == {"Request": "ValidatePair", "Error": "InvalidRequest"}


@pytest.mark.parametrize(
    ("key", "error"),
    [("SerialNumber", "GetProhibited"), ("PasswordProtected", "GetProhibited"), ("Colour", "MissingValue")],
)
async def test_without_a_session_some_keys_are_forbidden(dial: Dial, key: str, error: str) -> None:
    """A stranger's host learns neither the serial number nor whether the phone is locked."""
    async with dial() as lockdown:
        assert (await lockdown.ask("GetValue", Key=key))["Error"] == error
        assert key not in (await lockdown.ask("GetValue"))["Value"]


async def test_a_session_is_encrypted_and_tells_everything(dial: Dial, phone: Phone) -> None:
    """With the record's certificates a session opens; there is one at a time; after it all is plain again."""
    async with dial() as lockdown:
        session = await in_session(lockdown)
        assert (await lockdown.ask("GetValue", Key="SerialNumber"))["Value"] == phone.serial
        assert (await lockdown.ask("StartSession", HostID="x"))["Error"] == "SessionActive"
        assert (await lockdown.ask("StopSession", SessionID="another"))["Error"] == "InvalidSessionID"
        assert await lockdown.ask("StopSession", SessionID=session) == {"Request": "StopSession"}


async def test_whether_it_is_locked_is_about_now(dial: Dial, phone: Phone) -> None:
    """PasswordProtected says whether the phone is locked at this moment, not whether a passcode is set."""
    async with dial() as lockdown:
        await in_session(lockdown)
        phone.set_passcode()
        assert (await lockdown.ask("GetValue", Key="PasswordProtected"))["Value"] is False
        phone.lock()
        assert (await lockdown.ask("GetValue", Key="PasswordProtected"))["Value"] is True


async def test_another_hosts_certificate_fails_the_handshake(dial: Dial, pad: SimLaunchpad) -> None:
    """Knowing a HostID is not enough: the client certificate must be the one that was paired."""
    other = HostIdentity.new()
    async with dial() as lockdown:
        assert "Error" not in await lockdown.ask("StartSession", HostID=shared_host().host_id)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await lockdown.start_tls(other.host_certificate, other.host_key)
    assert [line["answer"] for line in Record.read(pad.record.path, "tls")] == ["failed"]


async def test_services_are_refused_with_the_reason_of_the_state(dial: Dial, phone: Phone) -> None:
    """No service runs in the simulator: without a session, with one, and before the first unlock."""
    async with dial() as lockdown:
        named = {"Service": "com.apple.mobile.MCInstall"}
        assert (await lockdown.ask("StartService", **named))["Error"] == "SessionInactive"
        await in_session(lockdown)
        assert (await lockdown.ask("StartService", **named))["Error"] == "InvalidService"
        phone.first_unlocked = False
        assert (await lockdown.ask("StartService", **named))["Error"] == "PasswordProtected"


async def test_recovery_in_a_session_is_done_at_once(dial: Dial, phone: Phone, pad: SimLaunchpad) -> None:
    """The reply comes, then the phone leaves usbmux and is in recovery mode on the same port."""
    port = pad.port_of(phone)
    async with dial() as lockdown:
        await in_session(lockdown)
        assert await lockdown.ask("EnterRecovery") == {"Request": "EnterRecovery"}
    assert phone.mode is Mode.RECOVERY
    serial = (pad.sysfs / "bus/usb/devices" / port / "serial").read_text()
    assert f"ECID:{phone.ecid:016X} " in serial
    assert f"SRNM:[{phone.serial}]" in serial


async def test_a_phone_being_restored_answers_as_restored(dial: Dial, phone: Phone) -> None:
    """On the bus it looks as ever; only QueryType tells that it must be left alone."""
    phone.enter_mode(Mode.RESTORING)
    async with dial() as lockdown:
        assert (await lockdown.ask("QueryType"))["Type"] == "com.apple.mobile.restored"
        hardware = await lockdown.ask("QueryValue", QueryKey="HardwareInfo")
        assert hardware["HardwareInfo"]["UniqueChipID"] == phone.ecid
        assert "Error" in await lockdown.ask("StartSession", HostID=shared_host().host_id)


async def test_a_phone_can_lie_about_who_it_is(dial: Dial, phone: Phone) -> None:
    """It says another phone's UDID, with a session and without one."""
    phone.lies = {"UniqueDeviceID": Identity.numbered(2).udid, "UniqueChipID": 5}
    async with dial() as lockdown:
        assert (await lockdown.ask("GetValue", Key="UniqueDeviceID"))["Value"] == Identity.numbered(2).udid
        await in_session(lockdown)
        assert (await lockdown.ask("GetValue", Key="UniqueChipID"))["Value"] == 5


@pytest.mark.parametrize(
    ("fault", "request_"),
    [
        (Fault.HANG_QUERY_TYPE, "QueryType"),
        (Fault.HANG_START_SESSION, "StartSession"),
        (Fault.HANG_PAIR, "Pair"),
    ],
)
async def test_a_phone_can_hang_at_one_request(
    dial: Dial, phone: Phone, pad: SimLaunchpad, fault: Fault, request_: str
) -> None:
    """It takes the request, is recorded to have had it, and says nothing."""
    phone.faults = {fault}
    async with dial() as lockdown:
        assert "Value" in await lockdown.ask("GetValue", Key="ProductVersion")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await lockdown.ask(request_)
    assert Record.read(pad.record.path, "lockdown", request=request_, answer="none")


async def test_a_phone_can_hang_in_the_handshake(dial: Dial, phone: Phone) -> None:
    """StartSession is answered, the TLS handshake is not."""
    phone.faults = {Fault.HANG_TLS}
    host = shared_host()
    async with dial() as lockdown:
        assert "SessionID" in await lockdown.ask("StartSession", HostID=host.host_id)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await lockdown.start_tls(host.host_certificate, host.host_key)


@pytest.mark.parametrize(
    ("fault", "length", "whole"),
    [
        (Fault.GARBAGE, 80, True),
        (Fault.OVERSIZED, 0x7FFFFFFF, False),
        (Fault.TRUNCATED, 400, False),
        (Fault.DEEP, 150_067, True),
        (Fault.FLOOD, 2_000_082, True),
    ],
)
async def test_a_phone_can_answer_rubbish(
    dial: Dial, phone: Phone, fault: Fault, length: int, whole: bool
) -> None:
    """Frames that no host should parse: no plist, too long, cut short, too deep, too many."""
    phone.faults = {fault}
    payload = plistlib.dumps({"Request": "QueryType"})
    async with dial() as lockdown:
        lockdown.writer.write(LENGTH.pack(len(payload)) + payload)
        (said,) = LENGTH.unpack(await lockdown.reader.readexactly(4))
        assert said == length
        if whole:
            assert len(await lockdown.reader.readexactly(length)) == length


@pytest.mark.parametrize("sent", [LENGTH.pack(3) + b"abc", LENGTH.pack(1 << 21), LENGTH.pack(0)])
async def test_rubbish_from_the_host_ends_the_conversation(dial: Dial, sent: bytes) -> None:
    """Nothing that a host sends does more than close its own connection."""
    async with dial() as lockdown:
        lockdown.writer.write(sent)
        async with asyncio.timeout(5):
            assert await lockdown.reader.read() == b""
    async with dial() as lockdown:
        assert "Type" in await lockdown.ask("QueryType")


async def test_the_record_has_no_secret(dial: Dial, pad: SimLaunchpad) -> None:
    """What is written down of the wire holds names of requests, and no key, token or certificate."""
    async with dial() as lockdown:
        await in_session(lockdown)
        await lockdown.ask("GetValue")
    text = Path(pad.record.path).read_text()
    assert "StartSession" in text
    assert "BEGIN" not in text
    assert shared_host().host_id not in text
