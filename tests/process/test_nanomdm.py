"""
The real NanoMDM behind the real daemon, on files and on PostgreSQL: tokens, clears, and what goes wrong.

    phones (Apple's protocol) ──▶ NanoMDM ──webhook──▶ line ──▶ daemon ──▶ NanoMDM's API
"""

import asyncio
import csv
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from mamd.sim.launchpad import SimLaunchpad
from mamd.sim.mdm_apns import PushFault
from mamd.sim.mdm_commands import Result
from mamd.sim.phone import Identity, Phone, Trust
from mamd.sim.record import Seen
from tests.canary import unlock_token
from tests.mdm.nanomdm_server import FILEKV, RealNanoMdm, StorageFlags, pgsql, real_nanomdm, schema
from tests.mdm.postgres import postgres
from tests.mdm.relay import Relay
from tests.process.conftest import Life, Lives
from tests.process.house import Ward, daemon_of, free_port, write_site
from tests.process.programs import Daemon, until

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

WAIT: Final = "90s"
"""Longer than this life: nothing here ends because a wait was in vain."""
LOCKED: Final = (
    "plain", "unpushed", "deaf", "not-now", "error", "stale", "re-enrolled", "down",
)  # fmt: skip


class Hospital(Ward):
    """The daemon, the phones in this process, and the real MDM, whose webhook's line can fail."""

    def __init__(self, folder: Path, daemon: Daemon, pad: SimLaunchpad, mdm: RealNanoMdm) -> None:
        super().__init__(folder, daemon)
        self.pad, self.mdm = pad, mdm
        self.phones = {name: _locked(number, name) for number, name in enumerate(LOCKED, 1)}

    async def enrol(self, names: Iterable[str]) -> None:
        """Enrol phones, one after another, and wait until the daemon holds a token of each."""
        for name in names:
            self.pad.meet(self.phones[name])
            await self.mdm.enrol(self.phones[name])

    async def bring(self, name: str) -> None:
        """Attach a phone, and wait until the daemon has understood it."""
        self.pad.attach(self.phones[name])
        await until(partial(self.stands, name), within_s=20, what=f"{name} is understood")

    async def run(self, name: str) -> dict[str, Any]:
        """The newest run of a phone."""
        return next(iter((await self.device(name))["runs"]), {})

    async def ran(self, name: str, **wanted: Any) -> dict[str, Any]:
        """Wait until the newest run of a phone stands like that."""

        async def stands() -> dict[str, Any]:
            run = await self.run(name)
            return run if wanted.items() <= run.items() else {}

        return await until(stands, within_s=60, what=f"{name}'s run is {wanted}: {await self.run(name)}")

    def executed(self, name: str) -> list[Seen]:
        """The clears that a phone dealt with, by the record."""
        path, udid = self.pad.record.path, self.phones[name].udid
        return self.pad.record.read(path, "mdm.executed", device=udid, request_type="ClearPasscode")

    def asked(self, name: str) -> int:
        """How many different clears were ever asked for."""
        device = "select device from devices where udid = ?"
        query = f"select count(*) from mdm_commands where device = ({device})"
        return int(self.rows(query, self.phones[name].udid)[0][0])


def _locked(number: int, name: str) -> Phone:
    identity = Identity.numbered(number, name=name)
    return Phone(identity, passcode_set=True, locked=True, trust=Trust.ACCEPT, unlock_token=unlock_token())


@asynccontextmanager
async def hospital(folder: Path, flags: StorageFlags) -> AsyncIterator[tuple[Hospital, Relay]]:
    """Everything up: the hospital, and the webhook's line."""
    webhooks = free_port()
    write_site(folder, WAIT)
    (folder / "mdm").mkdir()
    async with (
        SimLaunchpad(folder / "sim") as pad,
        Relay(f"http://127.0.0.1:{webhooks}") as line,
        real_nanomdm(folder / "mdm", flags, f"{line.url}/v1/webhooks/hospital", notes=pad.record) as mdm,
    ):
        daemon = daemon_of(folder, mdm.url, webhooks, "", "none")
        here = Hospital(folder, daemon, pad, mdm)
        _write_devices(folder / "sim" / "devices.csv", here.phones.values())
        try:
            daemon.start()
            await daemon.answers()
            yield here, line
        finally:
            daemon.kill()


def _write_devices(path: Path, phones: Iterable[Phone]) -> None:
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("serial", "udid", "name", "status", "ownership", "mdm"))
        for one in phones:
            rows.writerow((one.serial, one.udid, one.name, "active", "shared", "hospital"))


async def whole_day(folder: Path, flags: StorageFlags) -> None:
    """One life with all of it, several phones beside each other."""
    async with hospital(folder, flags) as (here, line):
        await tokens_are_captured(here)
        await bring_phones_with_manners(here)
        await cleared(here, "plain")
        await a_push_that_fails_begins_no_wait(here)
        await not_now_is_no_answer(here)
        await error_calls_a_person(here, "error")
        await a_stale_token_is_replaced(here)
        await re_enrolment_empties_the_queue(here)
        await a_result_that_is_lost_is_no_loss(here, line)
        await a_server_that_is_down_is_asked_later(here)
        assert {name: here.asked(name) for name in LOCKED} == {
            **dict.fromkeys(LOCKED, 1), "stale": 2, "re-enrolled": 2
        }  # fmt: skip


async def tokens_are_captured(here: Hospital) -> None:
    """Every phone's unlock token comes by webhook, and lies sealed in the vault."""
    await here.enrol(LOCKED)

    async def all_held() -> bool:
        return here.rows("select count(*) from vault") == [(len(LOCKED),)]

    await until(all_held, within_s=20, what="a token of each phone is held")


async def bring_phones_with_manners(here: Hospital) -> None:
    """All of these come at once; each meets something else."""
    here.mdm.apns.faults[here.phones["unpushed"].push_token] = PushFault.UNREGISTERED
    here.mdm.device(here.phones["not-now"]).manners.not_now["ClearPasscode"] = 1
    refusal = Result.error("MCPasscodeErrorDomain", 5010, "The passcode cannot be cleared.")
    here.mdm.device(here.phones["error"]).manners.fails["ClearPasscode"] = refusal
    here.phones["stale"].unlock_token = unlock_token()
    here.phones["re-enrolled"].online = False
    here.phones["re-enrolled"].changed("offline")
    for name in ("plain", "unpushed", "not-now", "error", "stale", "re-enrolled"):
        await here.bring(name)


async def cleared(here: Hospital, name: str) -> dict[str, Any]:
    """It was cleared by one clear, which is proven by pairing unlocked."""
    run = await here.ran(name, end="proven", outcome="unlocked")
    phone = here.phones[name]
    assert not phone.passcode_set
    assert await here.is_paired(name)
    assert [one["status"] for one in here.executed(name)].count("Acknowledged") == 1
    return run


async def a_push_that_fails_begins_no_wait(here: Hospital) -> None:
    """NanoMDM says 500, and has it queued: the phone was not told, so not a second counts."""
    run = await here.ran("unpushed", state="watching")
    assert (run["told"], run["waited_s"]) == (None, 0.0)
    assert run["accepted"] is not None
    assert not here.executed("unpushed")
    del here.mdm.apns.faults[here.phones["unpushed"].push_token]
    await cleared(here, "unpushed")


async def not_now_is_no_answer(here: Hospital) -> None:
    """A phone that says NotNow keeps the command, and does it when it polls again."""
    await here.ran("not-now", state="watching")
    assert [one["status"] for one in here.executed("not-now")] == ["NotNow"]
    await here.mdm.device(here.phones["not-now"]).contact()
    await cleared(here, "not-now")


async def error_calls_a_person(here: Hospital, name: str) -> None:
    """The phone's own Error ends the run; a person is called, and nothing harsher follows."""
    run = await here.ran(name, state="closed")
    assert run["end"] == "failed"
    calls = (await here.daemon.get("/v1/calls")).json()
    device = (await here.device(name))["device"]
    assert "cannot_clear" in {call["code"] for call in calls if call["device"] == device}
    assert [one["status"] for one in here.executed(name)] == ["Error"]


async def a_stale_token_is_replaced(here: Hospital) -> None:
    """A token that fits no more is an Error; once the phone has enrolled anew, its new one clears it."""
    await error_calls_a_person(here, "stale")
    phone = here.phones["stale"]
    await here.mdm.enrol(phone)
    here.pad.replug(phone)
    await cleared(here, "stale")


async def re_enrolment_empties_the_queue(here: Hospital) -> None:
    """A clear was queued for a phone that is offline; it enrols anew, and with that the clear is gone."""
    await here.ran("re-enrolled", state="watching")
    phone = here.phones["re-enrolled"]
    phone.online = True
    await here.mdm.enrol(phone)
    await cleared(here, "re-enrolled")


async def a_result_that_is_lost_is_no_loss(here: Hospital, line: Relay) -> None:
    """The receiver is down when the phone answers: that it pairs unlocked is proof enough."""
    here.mdm.device(here.phones["deaf"]).manners.works_for_s = 1.0
    await here.bring("deaf")
    await here.ran("deaf", state="watching")
    line.deaf = True
    missed = line.missed
    await line.has_missed(missed + 1, within_s=20)
    line.deaf = False
    await cleared(here, "deaf")


async def a_server_that_is_down_is_asked_later(here: Hospital) -> None:
    """Down and back: nothing is concluded from it, and the phone is cleared by one clear."""
    await here.mdm.stop()
    await here.bring("down")
    await here.fault("mdm_unreachable")
    await here.ran("down", state="waiting")
    assert not here.executed("down")
    await here.mdm.start()
    await here.sound()
    await cleared(here, "down")


async def on_files(folder: Path) -> None:
    """NanoMDM keeps its data in files."""
    await whole_day(folder, FILEKV)


async def on_postgresql(folder: Path) -> None:
    """NanoMDM keeps its data in PostgreSQL, a cluster of its own."""
    async with AsyncExitStack() as stack:
        cluster = postgres()
        running = await asyncio.to_thread(cluster.__enter__)
        stack.push_async_callback(asyncio.to_thread, cluster.__exit__, None, None, None)
        dsn = await asyncio.to_thread(lambda: running.database(schema()))
        await whole_day(folder, pgsql(dsn))


@pytest.mark.parametrize("life", [on_files, on_postgresql])
async def test_a_real_nanomdm_is_understood_in_all_that_it_does(lives: Lives, life: Life) -> None:
    """Tokens by webhook, a clear end to end, and each way in which it goes otherwise."""
    await lives.end_of(life)
