"""
A whole site of separate processes: the simulator with its phones and MDM, and the real daemon beside it.

    async with house(tmp_path, {"ward-1": "locked", "ward-2": "healthy"}) as here:
        await here.open()                           # both up, every phone enrolled, tokens stored
        await here.bring("ward-1")
        here.daemon.kill(); here.daemon.start()     # kill -9, and on

All short waits stand in the rule and workflow files that are written here. The devices are named
as the registry numbers them: the first phone is d-0001.
"""

import json
import socket
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import Any, Final

import yaml

from mamd.sim.record import Seen
from tests.canary import API_KEY, HMAC_KEY, MARKER
from tests.mdm.relay import Relay
from tests.process.programs import Daemon, Sim, environment, until

VAULT_KEY: Final = (MARKER + b"eight be").hex()
VIEW_TOKEN: Final = f"view-{MARKER.decode()}-token"

RULES: Final = """
- rule: not-pairing
  because: A device that its last user locked helps nobody.
  mode: auto
  when: {device: unpaired, for: 5s}
  if: {status: [active, retired], cause: locked}
  run: clear-passcode-then-erase
"""

# The waits are shorter than a site's, so that a test sees their ends.
LADDER: Final = """
workflow: clear-passcode-then-erase
kind: rescue
about: The shipped ladder with shorter waits.
ladder:
  - do: mdm.clear_passcode
    until: {link: paired, locked: false}
    wait: WAIT
    outcome: unlocked
    if_impossible: call_a_person
  - do: recovery.erase_and_update
    needs: {docked_for: {at_least: 1s}}
    until: {erased: true}
    wait: WAIT
    outcome: erased
on_failure: {call: on_duty}
"""


class Ward:
    """A daemon, the folder of its site, and what it says of its phones."""

    def __init__(self, folder: Path, daemon: Daemon) -> None:
        self.folder, self.daemon = folder, daemon

    @property
    def state(self) -> Path:
        """The daemon's own folder."""
        return self.folder / "state"

    async def stands(self, name: str) -> bool:
        """The daemon has understood how this phone stands."""
        link = (await self.device(name))["link"]
        return link is not None and link["state"] != "settling"

    async def device(self, name: str) -> dict[str, Any]:
        """How the daemon sees one phone."""
        return (await self.daemon.get(f"/v1/devices/{name}")).json()

    async def link(self, name: str) -> tuple[str | None, str | None]:
        """State and cause of its link."""
        link = (await self.device(name))["link"]
        return (link["state"], link["cause"]) if link is not None else (None, None)

    async def is_paired(self, name: str) -> bool:
        """The daemon sees it paired."""
        return (await self.link(name))[0] == "paired"

    async def fault(self, name: str, *, within_s: float = 30.0) -> str:
        """Wait until /readyz names this fault; its line."""

        async def named() -> str | None:
            return (await self.daemon.faults() or {}).get(name)

        return await until(named, within_s=within_s, what=f"/readyz names {name}") or ""

    async def sound(self, *, within_s: float = 30.0) -> None:
        """Wait until /readyz names nothing any more."""

        async def is_sound() -> bool:
            return await self.daemon.faults() == {}

        await until(is_sound, within_s=within_s, what="/readyz names no fault")

    async def would_be_erased(self, name: str) -> float | None:
        """The second since boot at which an erase was found due, by the journal; None: it was not."""
        device = (await self.device(name))["device"]
        rows = self.rows("select body from journal where subject = ? order by number", device)
        for (body,) in rows:
            turn = json.loads(body)
            run = (turn.get("became") or {}).get("run") or {}
            if run.get("reason") == "would_erase":
                return float(turn["now"]["up"])
        return None

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """What the database holds, read beside the daemon."""
        address = f"file:{self.state / 'mamd.db'}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=5)) as database:
            return database.execute(query, values).fetchall()


class House(Ward):
    """The daemon with a simulator in a process of its own."""

    def __init__(self, folder: Path, daemon: Daemon, sim: Sim, webhook: str) -> None:
        super().__init__(folder, daemon)
        self.sim, self.webhook = sim, webhook

    async def open(self, *, enrol: bool = True) -> None:
        """Start both; have every phone enrolled and its token stored."""
        self.sim.start()
        await self.sim.is_up()
        self.daemon.start()
        await self.daemon.answers()
        if enrol:
            await self.sim.order(do="enrol")
            await until(self._all_enrolled, within_s=30, what="the daemon heard of every enrolment")

    async def _all_enrolled(self) -> bool:
        told = self.sim.seen("mdm.webhook", topic="mdm.TokenUpdate", outcome="delivered")
        phones = await self.sim.phones()
        return {one.device for one in told} >= {one["udid"] for one in phones.values() if one["mdm_enrolled"]}

    async def bring(self, *names: str, settle: bool = True) -> None:
        """Attach phones, each by hand: the next one when the daemon has understood this one."""
        for name in names:
            await self.sim.act({"act": "attach", "phone": name})
            if settle:
                await until(partial(self.stands, name), within_s=20, what=f"{name} is understood")

    async def udid(self, name: str) -> str:
        """As the simulator's record has it."""
        return str((await self.sim.phones())[name]["udid"])

    async def asked(self, name: str) -> list[Seen]:
        """The clears that the MDM was asked for, for one phone."""
        return self.sim.seen("mdm.enqueue", device=await self.udid(name), request_type="ClearPasscode")


@asynccontextmanager
async def house(
    folder: Path,
    phones: Mapping[str, str],
    *,
    wait: str = "8s",
    storm: str = "{share: 30%, at_least: 3, within: 10 min}",
    people: str = "[]",
    proxy: Relay | None = None,
    sim_words: tuple[str, ...] = (),
    **daemon_environment: str,
) -> AsyncIterator[House]:
    """Everything written, nothing started; whatever was started is ended with the block."""
    mdm, webhooks = free_port(), free_port()
    write_site(folder, wait)
    _write_cast(folder, phones)
    sim = Sim(
        folder / "sim",
        [
            *("--scenario", str(folder / "phones.yaml"), "--mdm", str(mdm), "--mdm-name", "hospital"),
            *("--webhook", f"http://127.0.0.1:{webhooks}/v1/webhooks/hospital", "--mark", MARKER.decode()),
            *sim_words,
        ],
        environment(MAMD_SIM_API_KEY=API_KEY, MAMD_SIM_HMAC_KEY=HMAC_KEY),
    )
    if proxy is not None:
        proxy.target = f"http://127.0.0.1:{mdm}"
    url = proxy.url if proxy is not None else f"http://127.0.0.1:{mdm}"
    daemon = daemon_of(folder, url, webhooks, SUPERVISED, storm, **daemon_environment)
    with daemon.config.open("a") as config:
        config.write(f"people: {{on_duty: {people}}}\n")
    try:
        yield House(folder, daemon, sim, f"http://127.0.0.1:{webhooks}/v1/webhooks/hospital")
    finally:
        daemon.kill()
        sim.kill()


def free_port() -> int:
    """A port of loopback on which nobody listens now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def write_secrets(folder: Path) -> None:
    """The secrets of the house, each with the marker in it, in files that only we may read."""
    folder.mkdir(mode=0o700)
    secrets = {"api-key": API_KEY, "hook": HMAC_KEY, "vault": VAULT_KEY, "view": VIEW_TOKEN}
    secrets["teams"] = f"http://127.0.0.1:9/{MARKER.decode()}"
    for name, secret in secrets.items():
        path = folder / name
        path.touch(0o600)
        path.write_text(secret + "\n")


def write_site(folder: Path, wait: str) -> None:
    """Rules, workflows and secrets."""
    for name in ("rules", "workflows", "sim", "run"):
        (folder / name).mkdir()
    write_secrets(folder / "secrets")
    (folder / "rules" / "not-pairing.yaml").write_text(RULES)
    (folder / "workflows" / "ladder.yaml").write_text(LADDER.replace("WAIT", wait))


def _write_cast(folder: Path, phones: Mapping[str, str]) -> None:
    cast = [
        {"name": name, "character": character, "number": number, "at": "never"}
        for number, (name, character) in enumerate(phones.items(), 1)
    ]
    (folder / "phones.yaml").write_text(yaml.safe_dump({"about": "for tests", "phones": cast}))


SUPERVISED: Final = (
    "  supervision_identity: {certificate: sim/organisation.crt, key: {file: sim/organisation.key}}"
)


def daemon_of(folder: Path, mdm: str, webhooks: int, supervision: str, storm: str, **more: str) -> Daemon:
    """A daemon that is not started, and its mamd.yaml."""
    config, run = folder / "mamd.yaml", folder / "run"
    config.write_text(_config(folder, mdm, webhooks, supervision, storm))
    return Daemon(
        config, socket=run / "mamd.sock", said=folder / "daemon.log", environment=environment(**more)
    )


def _config(folder: Path, mdm: str, webhooks: int, supervision: str, storm: str) -> str:
    return f"""
mode: auto
launchpad:
  name: ward-3
  timezone: UTC
  usbmuxd: {folder / "sim" / "usbmuxd"}
  sysfs: {folder / "sim" / "sys"}
{supervision}
state: {folder / "state"}
rules: [rules]
workflows: [workflows]
devices: {folder / "sim" / "devices.csv"}
mdm:
  - name: hospital
    kind: nanomdm
    url: {mdm}
    api_key: {{file: secrets/api-key}}
    webhook_hmac_key: {{file: secrets/hook}}
vault: {{key: {{file: secrets/vault}}}}
governor: {{storm: {storm}}}
http:
  listen: none
  socket: {folder / "run" / "mamd.sock"}
  webhooks: 127.0.0.1:{webhooks}
  tokens: [{{name: desk, role: view, token: {{file: secrets/view}}}}]
"""
