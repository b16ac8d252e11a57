"""Programs that a test starts, asks, kills and ends: simulator and daemon, each a process of its own."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx

from mamd.sim.record import Record, Seen

POLL_S: Final = 0.05
RUN: Final = (sys.executable, "-m", "mamd", "run", "-c")
Found = TypeVar("Found")


async def until(
    look: Callable[[], Awaitable[Found]], *, within_s: float, what: str, every_s: float = POLL_S
) -> Found:
    """The first thing that `look` finds to be true. Another process rings no bell, so it is asked again."""
    ends = time.monotonic() + within_s
    while True:
        found = await look()
        if found:
            return found
        assert time.monotonic() < ends, f"not within {within_s} s: {what}"
        await asyncio.sleep(every_s)


class Program:
    """One process, with all that it says in a file. It can be started again after it has ended."""

    def __init__(self, words: Sequence[str], *, said: Path, environment: Mapping[str, str]) -> None:
        self.words, self.said, self.environment = list(words), said, dict(environment)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None, "it was not started"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """It was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it. What it says is added to its file."""
        assert not self.is_running, "it runs already"
        with self.said.open("ab") as said:
            self._process = subprocess.Popen(
                self.words, env=self.environment, stdin=subprocess.PIPE, stdout=said, stderr=said
            )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self._process is not None, "it was not started"
        self._process.send_signal(number)

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._close()

    async def end(self, *, within_s: float = 15.0) -> int:
        """Ask it to end, and kill it if it does not; its exit status."""
        if self.is_running:
            self.signal(signal.SIGTERM)
            self.signal(signal.SIGCONT)
        try:
            return await self.wait(within_s=within_s)
        finally:
            self.kill()

    async def wait(self, *, within_s: float = 20.0) -> int:
        """Wait until it ends by itself; its exit status."""

        async def has_ended() -> bool:
            return not self.is_running

        await until(has_ended, within_s=within_s, what=f"{self.words[2]} ends")
        return self._close() if self._process is not None else 0

    def _close(self) -> int:
        assert self._process is not None
        if self._process.stdin is not None:
            self._process.stdin.close()
        return self._process.wait()


class Daemon(Program):
    """`mamd run`, asked over its unix socket and read by its log."""

    def __init__(self, config: Path, *, socket: Path, said: Path, environment: Mapping[str, str]) -> None:
        super().__init__([*RUN, str(config)], said=said, environment=environment)
        self.config, self.socket = config, socket

    async def get(self, path: str) -> httpx.Response:
        """Ask it something. Raises httpx.TransportError while nobody answers."""
        way = httpx.AsyncHTTPTransport(uds=str(self.socket))
        async with httpx.AsyncClient(transport=way, base_url="http://localhost", timeout=5.0) as client:
            return await client.get(path)

    async def faults(self) -> dict[str, str] | None:
        """What /readyz names, each with its line; None while nobody answers."""
        try:
            told = (await self.get("/readyz")).json()
        except httpx.TransportError:
            return None
        return {one["name"]: one["what"] for one in told["faults"]}

    async def answers(self, *, within_s: float = 20.0) -> None:
        """Wait until it answers."""

        async def answered() -> bool:
            assert self.is_running, f"it ended by itself: {self.said.read_text()[-3000:]}"
            return await self.faults() is not None

        await until(answered, within_s=within_s, what="the daemon answers")

    def lines(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        """Its log lines of this event with these values, oldest first."""
        wanted = {"event": event, **fields}
        return [line for line in _json_lines(self.said) if wanted.items() <= line.items()]


class Sim(Program):
    """`python -m mamd.sim`, told what to do over its control API and read by its record of the wire."""

    def __init__(self, folder: Path, words: Sequence[str], environment: Mapping[str, str]) -> None:
        words = [sys.executable, "-m", "mamd.sim", "--folder", str(folder), "--until-eof", *words]
        super().__init__(words, said=folder.parent / "sim.said", environment=environment)
        self.folder = folder
        self.places: dict[str, str] = {}

    async def is_up(self, *, within_s: float = 20.0) -> None:
        """Wait until it has said where everything is."""

        async def told() -> dict[str, Any] | None:
            assert self.is_running, self.said.read_text()[-3000:]
            return next(iter(_json_lines(self.said)), None)

        self.places = await until(told, within_s=within_s, what="the simulator says where it is")

    async def act(self, *steps: Mapping[str, Any]) -> None:
        """Do these steps, one after the other."""
        async with httpx.AsyncClient(base_url=self.places["control"], timeout=20.0) as client:
            answer = await client.post("/acts", json=list(steps))
        assert answer.status_code == 200, answer.text

    async def order(self, **order: Any) -> None:
        """Give the simulated MDM an order."""
        await self.act({"act": "mdm", "order": order})

    async def phones(self) -> dict[str, dict[str, Any]]:
        """How its phones stand, by name."""
        async with httpx.AsyncClient(base_url=self.places["control"], timeout=20.0) as client:
            state = (await client.get("/state")).json()
        return {phone["name"]: phone for phone in state["phones"]}

    def seen(self, kind: str, *, after: float = 0.0, **fields: Any) -> list[Seen]:
        """What was seen on the wire, oldest first; `after` on CLOCK_MONOTONIC."""
        path = self.folder / "record.jsonl"
        return [one for one in Record.read(path, kind, **fields) if one.at > after]


def _json_lines(path: Path) -> list[dict[str, Any]]:
    """The lines that are JSON objects; the last may be half written, and a traceback is none."""
    if not path.exists():
        return []
    found = []
    for text in path.read_text(errors="replace").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict):
            found.append(line)
    return found


def environment(**more: str) -> dict[str, str]:
    """Ours, without what would lead a daemon elsewhere."""
    led_astray = ("MAMD_CONFIG", "USBMUXD_SOCKET_ADDRESS", "NOTIFY_SOCKET", "CREDENTIALS_DIRECTORY")
    return {name: value for name, value in os.environ.items() if name not in led_astray} | more
