"""A daemon's socket with a ward behind it, and the command line as a person types it."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from mamd.cli.app import app
from mamd.web import Listener, make_app
from tests.desk import FakeDesk

MAMD = Path(sys.executable).with_name("mamd")


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str


Typed = Callable[..., Awaitable[Ended]]


@pytest.fixture
def desk() -> FakeDesk:
    """The ward."""
    return FakeDesk()


@pytest.fixture
async def socket(tmp_path: Path, desk: FakeDesk) -> AsyncIterator[Path]:
    """The daemon's socket."""
    path = tmp_path / "mamd.sock"
    listener = Listener(make_app(desk, lambda: b"", zone=ZoneInfo("Europe/Berlin")), path=path)
    await listener.open()
    yield path
    await listener.close()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which commands are typed."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def alone(here: Path) -> Typed:
    """Type a command where no daemon runs: `await alone("status")`. Runs in a thread of this process."""

    async def type_(*words: str, **environ: str) -> Ended:
        settings = {"COLUMNS": "200", "MAMD_SOCKET": None, "MAMD_CONFIG": None, **environ}
        ended = await asyncio.to_thread(CliRunner().invoke, app, list(words), env=settings)
        if ended.exception is not None and not isinstance(ended.exception, SystemExit):
            raise ended.exception
        return Ended(ended.exit_code, ended.stdout, ended.stderr)

    return type_


@pytest.fixture
def mamd(alone: Typed, socket: Path) -> Typed:
    """Type a command beside a running daemon: `await mamd("why", "port:7")`."""

    async def type_(*words: str, **more: str) -> Ended:
        return await alone(*words, MAMD_SOCKET=str(socket), **more)

    return type_


@pytest.fixture
def program(here: Path, socket: Path) -> Typed:
    """The same as the real program, in a process of its own, in Berlin."""

    async def type_(*words: str) -> Ended:
        process = await asyncio.create_subprocess_exec(
            MAMD,
            *words,
            cwd=here,
            env={
                "PATH": "/usr/bin:/bin",
                "TZ": "Europe/Berlin",
                "LANG": "C.UTF-8",
                "MAMD_SOCKET": str(socket),
            },
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode is not None
        return Ended(process.returncode, out.decode(), err.decode())

    return type_
