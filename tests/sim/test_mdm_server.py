"""The simulated MDM's own switches: faults, lost events, leaky queues, and that it bears a thousand phones.

What it has in common with the real server is in tests/mdm/test_nanomdm_contract.py.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mamd.sim.mdm import SimMdm
from mamd.sim.mdm_apns import PushFault
from mamd.sim.mdm_device import Done
from mamd.sim.mdm_faults import Fault, FaultKind
from mamd.sim.mdm_queue import Storage
from mamd.sim.mdm_wire import Client, WireError
from mamd.sim.record import Record
from tests.canary import API_KEY, HMAC_KEY, MARKER
from tests.mdm.phones import locked_phone
from tests.mdm.receiver import Receiver
from tests.mdm.sites import Site, clear_passcode, command, simulated_site


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """The simulated server on files, with one client."""
    async with simulated_site(Storage.FILEKV) as site:
        yield site


@pytest.fixture
def mdm(site: Site) -> SimMdm:
    """The same, with its switches."""
    assert isinstance(site.mdm, SimMdm)
    return site.mdm


# ----------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize("kind", [FaultKind.HANG_AFTER, FaultKind.RESET_AFTER])
async def test_cut_off_after_the_work_is_done(site: Site, mdm: SimMdm, kind: FaultKind) -> None:
    """A client that got no answer may have queued its command; the same UUID again tells."""
    phone = locked_phone()
    await mdm.enrol(phone)
    mdm.fail(Fault(kind, times=1))
    uuid, body = clear_passcode(phone)
    call = asyncio.ensure_future(site.enqueue(phone.udid, body))
    await site.receiver.result(uuid)
    mdm.fail(None)
    with pytest.raises(ConnectionError):
        await call
    again = await site.enqueue(phone.udid, body)
    assert again.json["command_error"] == f"command already exists: {uuid}"


@pytest.mark.parametrize("kind", [FaultKind.HANG_BEFORE, FaultKind.RESET_BEFORE])
async def test_cut_off_before_anything_was_done(site: Site, mdm: SimMdm, kind: FaultKind) -> None:
    """A client that got no answer may just as well have queued nothing."""
    phone = locked_phone()
    await mdm.enrol(phone)
    mdm.fail(Fault(kind, times=1))
    _, body = clear_passcode(phone)
    call = asyncio.ensure_future(site.enqueue(phone.udid, body))
    await asyncio.sleep(0)
    if kind is FaultKind.HANG_BEFORE:
        _, pending = await asyncio.wait({call}, timeout=0.1)
        assert pending
        mdm.fail(None)
    with pytest.raises(ConnectionError):
        await call
    assert mdm.server.store.waiting(phone.udid) == []
    assert phone.locked


async def test_a_proxy_says_not_so_fast(site: Site, mdm: SimMdm) -> None:
    """429 with Retry-After, as often as asked for, and nothing is queued."""
    mdm.fail(Fault(FaultKind.TOO_MANY, times=2, retry_after="7"))
    _, body = command("SecurityInfo")
    answers = [await site.enqueue("ANY", body, "?nopush=1") for _ in range(3)]
    assert [answer.status for answer in answers] == [429, 429, 200]
    assert [answer.headers.get("retry-after") for answer in answers] == ["7", "7", None]


@pytest.mark.parametrize(
    ("kind", "status", "queued"),
    [
        (FaultKind.HTML_200, 200, False),
        (FaultKind.HTML_502, 502, True),
        (FaultKind.UNAVAILABLE, 503, False),
        (FaultKind.REFUSED, 401, False),
    ],
)
async def test_somebody_else_answers(
    site: Site, mdm: SimMdm, kind: FaultKind, status: int, queued: bool
) -> None:
    """A page instead of JSON says nothing of whether the command was queued."""
    mdm.fail(Fault(kind, times=1))
    uuid, body = command("SecurityInfo")
    answer = await site.enqueue("ANY", body, "?nopush=1")
    assert (answer.status, answer.json) == (status, {})
    assert mdm.server.store.waiting("ANY") == ([uuid] if queued else [])


async def test_an_answer_that_stops_half_way(site: Site, mdm: SimMdm) -> None:
    """Half of the JSON comes, then the connection ends; the command is queued."""
    mdm.fail(Fault(FaultKind.TRUNCATED, times=1))
    uuid, body = command("SecurityInfo")
    with pytest.raises(ConnectionResetError):
        await site.enqueue("ANY", body, "?nopush=1")
    assert mdm.server.store.waiting("ANY") == [uuid]


async def test_a_fault_of_one_call_leaves_the_others_alone(site: Site, mdm: SimMdm) -> None:
    """A fault can be kept to enqueue, and devices are never met by one."""
    mdm.fail(Fault(FaultKind.UNAVAILABLE, calls=frozenset({"enqueue"})))
    phone = locked_phone()
    await mdm.enrol(phone)
    assert (await site.push(phone.udid)).status == 200
    assert (await site.enqueue(phone.udid, command("SecurityInfo")[1])).status == 503


async def test_one_phone_that_apple_has_forgotten(site: Site, mdm: SimMdm) -> None:
    """A push can fail for one phone and reach the next."""
    gone, there = locked_phone(1), locked_phone(2)
    await mdm.enrol_all([gone, there])
    mdm.apns.faults[gone.push_token] = PushFault.UNREGISTERED
    answer = await site.push(f"{gone.udid},{there.udid}")
    assert answer.status == 207
    assert "push_error" in answer.json["status"][gone.udid]
    assert "push_error" not in answer.json["status"][there.udid]


async def test_an_event_that_is_lost_on_its_way(site: Site, mdm: SimMdm) -> None:
    """The next events can be lost although the receiver listens."""
    phone = locked_phone()
    await mdm.enrol(phone)
    await mdm.server.webhook.settled()
    mdm.server.webhook.lose = 2  # Idle, and the result
    uuid, body = clear_passcode(phone)
    await site.enqueue(phone.udid, body, "?nopush=1")
    await mdm.devices[phone.udid].contact()
    await mdm.server.webhook.settled()
    assert not phone.passcode_set
    assert all(event.command_uuid != uuid for event in site.receiver.events)


# ----------------------------------------------------------------------------------------- phones


async def test_a_locked_phone_that_was_restarted_has_no_network(site: Site, mdm: SimMdm) -> None:
    """Before its first unlock a phone does not rejoin its Wi-Fi; one with a SIM still answers."""
    phone, with_sim = locked_phone(1), locked_phone(2)
    for one in (phone, with_sim):
        await mdm.enrol(one)
    mdm.devices[with_sim.udid].manners.cellular = True
    for one in (phone, with_sim):
        one.reboot()
        assert (await site.enqueue(one.udid, clear_passcode(one)[1])).status == 200
    await site.receiver.wait_for(lambda it: it.id == with_sim.udid and it.status == "Acknowledged")
    assert (phone.locked, with_sim.locked) == (True, False)
    with pytest.raises(OSError, match="no network"):
        await mdm.devices[phone.udid].contact()


async def test_a_phone_that_enrols_again_may_have_a_new_push_token(site: Site, mdm: SimMdm) -> None:
    """After a re-enrolment the phone is reached by its new token and no longer by its old one."""
    phone = locked_phone()
    await mdm.enrol(phone)
    old, phone.push_token = phone.push_token, bytes(32)
    await mdm.enrol(phone)
    uuid, body = clear_passcode(phone)
    await mdm.apns.push(old)
    await site.enqueue(phone.udid, body)
    await site.receiver.result(uuid)
    await mdm.server.webhook.settled()
    assert sum(event.status == "Idle" for event in site.receiver.events) == 1


async def test_a_phone_polls_by_itself_after_a_not_now(site: Site, mdm: SimMdm) -> None:
    """A phone whose last word was NotNow calls home as soon as it is unlocked, without a push."""
    phone = locked_phone()
    await mdm.enrol(phone)
    uuid, body = command("SecurityInfo")
    await site.enqueue(phone.udid, body)
    await site.receiver.result(uuid, "NotNow")
    pushes = mdm.apns.pushes
    phone.unlock()
    result = await site.receiver.result(uuid)
    assert result.raw["SecurityInfo"]["PasscodePresent"] is True
    assert mdm.apns.pushes == pushes


async def test_a_phone_answers_what_it_is_asked(site: Site, mdm: SimMdm) -> None:
    """DeviceInformation gives what was asked for; a command that no phone knows is an error."""
    phone = locked_phone()
    device = await mdm.enrol(phone)
    uuid, body = command("DeviceInformation", Queries=["SerialNumber", "Nonsense"])
    await site.enqueue(phone.udid, body, "?nopush=1")
    other, body = command("MakeCoffee")
    await site.enqueue(phone.udid, body, "?nopush=1")
    assert [done.status for done in await device.contact()] == ["Acknowledged", "Error"]
    assert (await site.receiver.result(uuid)).raw["QueryResponses"] == {"SerialNumber": phone.serial}
    assert (await site.receiver.result(other, "Error")).raw["ErrorChain"][0]["ErrorCode"] == 12021


# ------------------------------------------------------------------------- the leaky queue of files


@pytest.fixture
async def leaky() -> AsyncIterator[Site]:
    """The simulated server with the defects of NanoMDM's key-value queue."""
    async with (
        Receiver(HMAC_KEY) as receiver,
        SimMdm(API_KEY, webhook_url=receiver.url, hmac_key=HMAC_KEY, leaky=True) as mdm,
    ):
        site = Site(mdm, receiver, Storage.FILEKV)
        yield site
        site.close()


async def test_a_leaky_queue_loses_what_was_postponed(leaky: Site) -> None:
    """A ClearPasscode that is postponed with a command behind it is lost for good."""
    phone = locked_phone()
    device = await leaky.mdm.enrol(phone)
    device.manners.not_now["ClearPasscode"] = 3
    first, body = clear_passcode(phone)
    await leaky.enqueue(phone.udid, body, "?nopush=1")
    second, body = command("ProfileList")
    await leaky.enqueue(phone.udid, body, "?nopush=1")
    assert await device.contact() == [
        Done("ClearPasscode", first, "NotNow"),
        Done("ProfileList", second, "Acknowledged"),
        Done("ClearPasscode", first, "NotNow"),
        Done("ProfileList", second, "Acknowledged"),
    ]
    assert await device.contact() == []
    assert phone.locked


async def test_a_leaky_queue_is_emptied_by_a_repeated_result(leaky: Site) -> None:
    """A result that is said again takes all that waits with it."""
    device = await leaky.mdm.enrol(locked_phone())
    device.manners.repeat_results = 1
    for _ in range(3):
        await leaky.enqueue(device.phone.udid, command("ProfileList")[1], "?nopush=1")
    assert len(await device.contact()) == 1
    assert await device.contact() == []


async def test_a_leaky_queue_loses_commands_that_come_at_once(leaky: Site) -> None:
    """Two commands queued for one phone at the same moment are both answered 200, and one is gone."""
    device = await leaky.mdm.enrol(locked_phone())
    bodies = [command("ProfileList")[1] for _ in range(12)]
    answers = await asyncio.gather(*(leaky.enqueue(device.phone.udid, body, "?nopush=1") for body in bodies))
    assert {answer.status for answer in answers} == {200}
    assert len(await device.contact()) < len(bodies)


# ----------------------------------------------------------------------------------- record, wire


async def test_the_record_tells_all_but_the_secrets(tmp_path: Path) -> None:
    """What went over the wire is written down with its time; no token and no key is."""
    record = Record(tmp_path / "record.jsonl")
    async with SimMdm(API_KEY, notes=record) as mdm:
        phone = locked_phone()
        await mdm.enrol(phone)
        site = Site(mdm, Receiver(HMAC_KEY), Storage.FILEKV)
        uuid, body = clear_passcode(phone)
        await site.enqueue(phone.udid, body, "?nopush=1")
        await mdm.devices[phone.udid].contact()
        site.close()
    record.close()
    seen = Record.read(record.path, device=phone.udid, command_uuid=uuid)
    assert [line.kind for line in seen] == [
        "mdm.enqueue", "mdm.queued", "mdm.handed_out", "mdm.executed", "mdm.device",
    ]  # fmt: skip
    assert MARKER not in record.path.read_bytes()


async def test_noise_is_hung_up_on(mdm: SimMdm) -> None:
    """What is not HTTP ends the connection, and the next caller is served."""
    host, port = mdm.url.removeprefix("http://").split(":")
    for noise in (b"\x00" * 64 + b"\r\n\r\n", b"PUT /mdm HTTP/1.1\r\nContent-Length: many\r\n\r\n"):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(noise)
        with contextlib.suppress(ConnectionResetError):  # a reset is as good as an end
            assert await reader.read() == b""
        writer.close()
    client = Client()
    assert (await client.call("GET", f"{mdm.url}/version")).status == 200
    client.close()


async def test_the_client_speaks_plain_http_only() -> None:
    """An https address is refused with a reason; nothing is sent."""
    with pytest.raises(WireError, match="http:// addresses only"):
        await Client().call("GET", "https://mdm.example.org/")


async def test_a_thousand_phones_are_cleared_over_five_connections(site: Site, mdm: SimMdm) -> None:
    """A thousand locked phones that are due at once are all cleared."""
    phones = [locked_phone(number) for number in range(1000)]
    await mdm.enrol_all(phones)
    lanes = asyncio.Semaphore(5)

    async def clear(number: int) -> int:
        async with lanes:
            return (await site.enqueue(phones[number].udid, clear_passcode(phones[number])[1])).status

    began = time.process_time()
    statuses = await asyncio.gather(*map(clear, range(1000)))
    await site.receiver.wait_for(
        lambda _: sum(event.status == "Acknowledged" for event in site.receiver.events) == 1000, within_s=60
    )
    assert set(statuses) == {200}
    assert not any(phone.passcode_set for phone in phones)
    print(f"{time.process_time() - began:.2f} s of CPU for 1000 clears, all sides together")
