"""A Launchpad of so many simulated phones with the daemon beside it, for one measurement."""

import json
import secrets
import shutil
import socket
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.programs import Program, Sim, environment, until

LOCKDOWN_PORT = 62078
AT_ONCE = 50
"""Enrolments at a time: each is two webhooks, and one that is refused is not said again."""

CONFIG = """
mode: auto
launchpad:
  name: bench
  usbmuxd: {folder}/sim/usbmuxd
  sysfs: {folder}/sim/sys
  supervision_identity: {{certificate: sim/organisation.crt, key: {{file: sim/organisation.key}}}}
state: state
rules: [rules]
workflows: [workflows]
devices: sim/devices.csv
mdm:
  - name: hospital
    kind: nanomdm
    url: http://127.0.0.1:{mdm}
    api_key: {{file: api-key}}
    webhook_hmac_key: {{file: hook}}
governor: {{storm: none}}
http: {{listen: none, socket: run/mamd.sock, webhooks: "127.0.0.1:{webhooks}"}}
"""
RULE = """
- rule: not-pairing
  because: A device that its last user locked helps nobody.
  mode: auto
  when: {device: unpaired, for: 5s}
  if: {status: [active, retired], cause: locked}
  run: clear-passcode-then-erase
"""
FOR_S = 5.0
SHIPPED = Path(__file__).parent.parent / "workflows"


@dataclass(frozen=True, slots=True)
class Opening:
    """The look that filled the 5 s: when it came back, and so long after they were full, in seconds."""

    up: float
    late: float


@dataclass(frozen=True, slots=True)
class Ward:
    """Both programs and the folder that they share."""

    folder: Path
    sim: Sim
    daemon: Program
    names: tuple[str, ...]
    mdm: str
    api_key: str

    def open(self) -> None:
        """Start both, and have every phone enrolled and its unlock token stored."""
        self.sim.start()
        self.sim.is_up()
        self.start_daemon()
        udids = self.sim.udids()
        for done in range(0, len(udids), AT_ONCE):
            self._enrol(udids[done : done + AT_ONCE], done)

    def _enrol(self, udids: Sequence[str], before: int) -> None:
        self.sim.act(*({"act": "mdm", "order": {"do": "enrol", "phone": udid}} for udid in udids))
        wanted = before + len(udids)
        until(lambda: self._has_tokens(wanted), within_s=120, what=f"{wanted} tokens are stored")

    def _has_tokens(self, wanted: int) -> bool | None:
        ((count,),) = self.rows("select count(*) from vault")
        return True if count >= wanted else None

    def start_daemon(self) -> None:
        """Start the daemon, and wait until it answers."""
        self.daemon.start()
        until(self._answers, within_s=60, what="the daemon answers")

    def _answers(self) -> bool | None:
        self.daemon.check()
        with socket.socket(socket.AF_UNIX) as one:
            return True if one.connect_ex(str(self.folder / "run" / "mamd.sock")) == 0 else None

    def attach(self, *names: str) -> None:
        """Put phones on their ports, one right after the other."""
        self.sim.act(*({"act": "attach", "phone": name} for name in names))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the database holds, read beside the daemon."""
        address = f"file:{self.folder / 'state' / 'mamd.db'}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=20)) as database:
            return database.execute(query).fetchall()

    def states(self) -> Mapping[str, int]:
        """How many links stand in which state."""
        return dict(self.rows("select state, count(*) from attachments group by state"))

    def openings(self) -> dict[str, "Opening"]:
        """For each phone by its UDID, the look that its run was opened on."""
        bodies = self.rows("select body from journal where kind = 'Looked' order by number")
        found: dict[str, Opening] = {}
        for body in (json.loads(text) for (text,) in bodies):
            run, link = body["became"].get("run"), body["became"].get("link")
            if run is not None:
                opening = Opening(body["now"]["up"], link["counts"]["unpaired_s"] - FOR_S)
                found.setdefault(body["view"]["record"]["ids"]["udid"], opening)
        return found

    def asked(self) -> dict[str, float]:
        """When the MDM was first asked to clear each phone, on CLOCK_MONOTONIC, by the simulator's record."""
        asked: dict[str, float] = {}
        for line in self.sim.seen("mdm.enqueue", request_type="ClearPasscode"):
            asked.setdefault(line["device"], line["at"])
        return asked

    def looks(self, after: float = 0.0) -> int:
        """How often a device was connected to after that moment, by the simulator's record."""
        return sum(1 for _ in self.look_times(after))

    def look_times(self, after: float = 0.0) -> Iterator[float]:
        """When devices were connected to, on CLOCK_MONOTONIC."""
        times = (one["at"] for one in self.sim.seen("connect", port=LOCKDOWN_PORT))
        return (at for at in times if at > after)

    def stand(self, state: str, *, within_s: float = 120) -> None:
        """Wait until every phone stands like that."""
        until(
            lambda: True if self.states().get(state) == len(self.names) else None,
            within_s=within_s,
            what=f"all are {state}",
            every_s=0.5,
        )


@contextmanager
def ward(cast: Mapping[str, str]) -> Iterator[Ward]:
    """Everything written, nothing started. `cast` is names with characters. All is ended and removed."""
    folder = Path(tempfile.mkdtemp(prefix="mamd-bench-"))
    made = _written(folder, cast)
    try:
        yield made
    finally:
        made.daemon.end()
        made.sim.end()
        shutil.rmtree(folder)


def _written(folder: Path, cast: Mapping[str, str]) -> Ward:
    mdm, webhooks = _free_port(), _free_port()
    api_key, hook = _secret(folder / "api-key"), _secret(folder / "hook")
    for name in ("sim", "run", "rules"):
        (folder / name).mkdir()
    shutil.copytree(SHIPPED, folder / "workflows")
    (folder / "rules" / "not-pairing.yaml").write_text(RULE)
    (folder / "mamd.yaml").write_text(CONFIG.format(folder=folder, mdm=mdm, webhooks=webhooks))
    (folder / "phones.yaml").write_text(_scenario(cast))
    words = ["--scenario", str(folder / "phones.yaml"), "--mdm", str(mdm), "--mdm-name", "hospital"]
    words += ["--webhook", f"http://127.0.0.1:{webhooks}/v1/webhooks/hospital"]
    sim = Sim(folder / "sim", words, environment(MAMD_SIM_API_KEY=api_key, MAMD_SIM_HMAC_KEY=hook))
    run = [sys.executable, "-c", "from mamd.cli import main; main()", "run", "-c", str(folder / "mamd.yaml")]
    daemon = Program(run, folder / "daemon.said", environment())
    return Ward(folder, sim, daemon, tuple(cast), f"http://127.0.0.1:{mdm}", api_key)


def _scenario(cast: Mapping[str, str]) -> str:
    phones = [
        {"name": name, "character": character, "number": number, "at": "never"}
        for number, (name, character) in enumerate(cast.items(), 1)
    ]
    return json.dumps({"about": "bench", "phones": phones})  # JSON is YAML


def _secret(path: Path) -> str:
    secret = secrets.token_hex(16)
    path.touch(0o600)
    path.write_text(secret)
    return secret


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def locked(count: int) -> dict[str, str]:
    """So many locked phones whose MDM does not reach them; of every second one there is a pair record."""
    return {f"phone-{n}": "rebooted" if n % 2 else "never_clears" for n in range(1, count + 1)}


def healthy(count: int) -> dict[str, str]:
    """So many phones that pair."""
    return {f"phone-{n}": "healthy" for n in range(1, count + 1)}
