"""The harness around the real NanoMDM gives tests what they need: faults, restarts, a look inside."""

import re
import signal
import subprocess
from pathlib import Path

import pytest

from mamd.sim.mdm_apns import PushFault
from mamd.sim.mdm_device import Done, Refused
from mamd.sim.mdm_faults import Fault, FaultKind
from mamd.sim.mdm_queue import Storage
from mamd.sim.mdm_wire import Client
from tests.canary import API_KEY, HMAC_KEY, MARKER
from tests.mdm.nanomdm_server import (
    FILEKV,
    RealNanoMdm,
    StorageFlags,
    basic_auth,
    pgsql,
    real_nanomdm,
    schema,
)
from tests.mdm.phones import locked_phone
from tests.mdm.postgres import Postgres
from tests.mdm.receiver import Receiver
from tests.mdm.relay import Relay
from tests.mdm.sites import Site, clear_passcode, command, real_site
from tests.needs import need


def test_it_is_the_release_that_we_speak_of() -> None:
    """What is measured is v0.9.0, unchanged; a program made by `go install` says so to Go alone."""
    told = subprocess.run(
        [need("go"), "version", "-m", need("nanomdm")], capture_output=True, text=True, check=True
    ).stdout
    assert re.search(r"^\s*mod\s+github\.com/micromdm/nanomdm\s+v0\.9\.0\s", told, re.MULTILINE)


async def test_a_whole_clear_over_the_real_server(real: Site) -> None:
    """Enrolled by Apple's protocol, token by webhook, pushed through our Apple, cleared, and told."""
    phone = locked_phone()
    await real.mdm.enrol(phone)
    update = await real.receiver.wait_for(lambda it: it.tally == 1)
    uuid, body = command("ClearPasscode", UnlockToken=update.raw["UnlockToken"])
    assert (await real.enqueue(phone.udid, body)).status == 200
    await real.receiver.result(uuid)
    assert not phone.passcode_set


async def test_a_push_that_fails_and_then_one_that_reaches_the_phone(real: Site) -> None:
    """What was queued without a push runs at the next push."""
    phone = locked_phone()
    await real.mdm.enrol(phone)
    real.apns.fault = PushFault.SHUT_DOWN
    uuid, body = clear_passcode(phone)
    assert (await real.enqueue(phone.udid, body)).status == 500
    assert phone.locked
    real.apns.fault = None
    assert (await real.push(phone.udid)).status == 200
    await real.receiver.result(uuid)


async def test_killed_and_started_again(real: Site) -> None:
    """A server that was killed has its queue and its enrolments when it is back."""
    phone = locked_phone()
    device = await real.mdm.enrol(phone)
    uuid, body = clear_passcode(phone)
    await real.enqueue(phone.udid, body, "?nopush=1")
    assert isinstance(real.mdm, RealNanoMdm)
    await real.mdm.stop(signal.SIGKILL)
    with pytest.raises(ConnectionError):
        await device.contact()
    await real.mdm.start()
    assert await device.contact() == [Done("ClearPasscode", uuid, "Acknowledged")]


async def test_a_phone_with_the_certificate_of_another_is_refused(real: Site) -> None:
    """The server checks who signs: the phones' signatures are real ones."""
    phone = locked_phone()
    device = await real.mdm.enrol(phone)
    other = real.mdm.device(locked_phone(2))
    device._identity = other._identity
    with pytest.raises(Refused, match="500"):
        await device.contact()


async def test_files_lose_what_was_postponed(tmp_path: Path) -> None:
    """The defect that the simulated queue copies is in the real one on files: a postponed command is lost."""
    async with real_site(tmp_path, FILEKV) as site:
        assert await _postponed(site) == ["NotNow", "Acknowledged", "NotNow", "Acknowledged"]


async def test_postgresql_loses_nothing(tmp_path: Path, cluster: Postgres) -> None:
    """On PostgreSQL a postponed command stays until it is done."""
    async with real_site(tmp_path, pgsql(cluster.database(schema()))) as site:
        assert await _postponed(site) == ["NotNow", "Acknowledged", "NotNow"]


async def _postponed(site: Site) -> list[str]:
    device = await site.mdm.enrol(locked_phone())
    device.manners.not_now["ClearPasscode"] = 2
    await site.enqueue(device.phone.udid, clear_passcode(locked_phone())[1], "?nopush=1")
    await site.enqueue(device.phone.udid, command("ProfileList")[1], "?nopush=1")
    return [done.status for done in await device.contact()]


async def test_a_proxy_before_the_real_server_fails_on_demand(real: Site) -> None:
    """Through the relay the real server hangs after its work, or somebody before it says 429."""
    phone = locked_phone()
    await real.mdm.enrol(phone)
    headers = {"Authorization": basic_auth(API_KEY)}
    uuid, body = clear_passcode(phone)
    client = Client()
    async with Relay(real.mdm.url) as proxy:
        address = f"{proxy.url}/v1/enqueue/{phone.udid}"
        proxy.faults.set(Fault(FaultKind.TOO_MANY, times=1, retry_after="7"))
        assert (await client.call("PUT", address, body, headers)).headers["retry-after"] == "7"
        proxy.faults.set(Fault(FaultKind.RESET_AFTER, times=1))
        with pytest.raises(ConnectionError):
            await client.call("PUT", address, body, headers)
        await real.receiver.result(uuid)
        assert (await client.call("PUT", address, body, headers)).status == 500  # it exists already
    client.close()


async def test_an_event_of_the_real_server_can_be_lost_at_the_right_moment(tmp_path: Path) -> None:
    """A relay before the receiver loses the result, and nobody ever hears of it again."""
    async with Receiver(HMAC_KEY) as receiver, Relay(receiver.url.removesuffix("/webhook")) as line:
        async with real_nanomdm(tmp_path, FILEKV, f"{line.url}/webhook") as mdm:
            phone = locked_phone()
            device = await mdm.enrol(phone)
            await receiver.wait_for(lambda it: it.tally == 1)
            site = Site(mdm, receiver, Storage.FILEKV)
            uuid, body = clear_passcode(phone)
            await site.enqueue(phone.udid, body, "?nopush=1")
            line.deaf = True
            await device.contact()
            await line.has_missed(2)
            site.close()
        assert all(event.command_uuid != uuid for event in receiver.events)
        assert not phone.passcode_set


async def test_a_database_can_be_asked(tmp_path: Path, cluster: Postgres) -> None:
    """A test can look into the server's tables, where the unlock token lies in clear."""
    dsn = pgsql(cluster.database(schema())).dsn
    async with real_site(tmp_path, StorageFlags("pgsql", dsn)) as site:
        phone = locked_phone()
        await site.mdm.enrol(phone)
        rows = cluster.query(dsn, "SELECT id, serial_number, encode(unlock_token, 'hex') FROM devices")
        assert rows == f"{phone.udid}|{phone.serial}|{phone.unlock_token.hex()}\n"


async def test_its_own_log_is_at_hand(real: Site) -> None:
    """What the server wrote can be read; in ordinary work no unlock token is in it."""
    phone = locked_phone()
    await real.mdm.enrol(phone)
    uuid, body = clear_passcode(phone)
    await real.enqueue(phone.udid, body)
    await real.receiver.result(uuid)
    assert isinstance(real.mdm, RealNanoMdm)
    assert uuid in real.mdm.log.read_text()
    assert MARKER not in real.mdm.log.read_bytes()


async def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    """A wrong storage fails the test at once, with the server's own words."""
    async with Receiver(HMAC_KEY) as receiver:
        with pytest.raises(AssertionError, match="unknown storage"):
            async with real_nanomdm(tmp_path, StorageFlags("nosuch", "x"), receiver.url):
                pass
