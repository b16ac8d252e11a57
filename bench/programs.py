"""Simulator and daemon as processes of their own, as on a real host, started and ended by hand."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import httpx

Found = TypeVar("Found")


def until(look: Callable[[], Found | None], *, within_s: float, what: str, every_s: float = 0.1) -> Found:
    """The first thing that `look` finds. Raises TimeoutError, saying what was waited for."""
    ends = time.monotonic() + within_s
    while (found := look()) is None:
        if time.monotonic() > ends:
            raise TimeoutError(f"not within {within_s:.0f} s: {what}")
        time.sleep(every_s)
    return found


class Program:
    """One process, with all that it says in a file. It can be started again after it has ended."""

    def __init__(self, words: Sequence[str], said: Path, environment: Mapping[str, str]) -> None:
        self._words, self.said, self._environment = list(words), said, dict(environment)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the running process."""
        return self._running().pid

    def start(self) -> None:
        """Start it."""
        with self.said.open("ab") as said:
            self._process = subprocess.Popen(
                self._words, env=self._environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self._running().kill()
        self._running().wait()

    def end(self) -> None:
        """Have it end in order; kill it if it will not. One that was not started is no matter."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()

    def check(self) -> None:
        """Raise RuntimeError, with its last words, if it has ended by itself."""
        if self._running().poll() is not None:
            raise RuntimeError(f"{self._words[:4]} ended: {self.said.read_text()[-2000:]}")

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "it was started"
        return self._process


class Sim(Program):
    """The simulator, told what to do over its control API and read by its record of the wire."""

    QUIET = ("lockdown", "usbmux", "tls", "mdm.request", "mdm.answer", "mdm.device")

    def __init__(self, folder: Path, words: Sequence[str], environment: Mapping[str, str]) -> None:
        quiet = [word for kind in self.QUIET for word in ("--quiet", kind)]
        program = [sys.executable, "-m", "mamd.sim", "--folder", str(folder), *words, *quiet]
        super().__init__(program, folder.parent / "sim.said", environment)
        self.record = folder / "record.jsonl"
        self._control = ""

    def is_up(self) -> None:
        """Wait until it has said where everything is."""

        def told() -> dict[str, Any] | None:
            self.check()
            first = self.said.read_text().partition("\n")
            return json.loads(first[0]) if first[1] else None

        self._control = until(told, within_s=120, what="the simulator says where it is")["control"]

    def act(self, *steps: Mapping[str, Any]) -> None:
        """Do these steps, one right after the other."""
        answer = httpx.post(f"{self._control}/acts", json=list(steps), timeout=300)
        answer.raise_for_status()

    def udids(self) -> list[str]:
        """Of all phones, in the order of the cast."""
        answer = httpx.get(f"{self._control}/state", timeout=60)
        return [phone["udid"] for phone in answer.raise_for_status().json()["phones"]]

    def seen(self, kind: str, **fields: Any) -> list[dict[str, Any]]:
        """What was seen on the wire, oldest first. Times in seconds of CLOCK_MONOTONIC."""
        text = f'"kind":"{kind}"'
        whole = self.record.read_text().rpartition("\n")[0]
        lines = [json.loads(line) for line in whole.splitlines() if text in line]
        return [line for line in lines if fields.items() <= line.items()]


def environment(**more: str) -> dict[str, str]:
    """Ours, without what would lead a daemon elsewhere."""
    led_astray = ("MAMD_CONFIG", "USBMUXD_SOCKET_ADDRESS", "NOTIFY_SOCKET", "CREDENTIALS_DIRECTORY")
    return {name: value for name, value in os.environ.items() if name not in led_astray} | more
