"""People are reached, or it is said that they were not; and the way to them stays a secret."""

import asyncio
import json
import os
import select
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from mamd.core.errors import Busy, Refused, Trouble, Unreachable
from mamd.observe.people import CommandPeople, WebhookPeople
from tests.characters import EVERYBODY

ADDRESS = "https://chat.example.org/hooks/q9Zr4vT1kXw8bN2mC6yD3hJ7"
SECRET = ADDRESS.rpartition("/")[2]
CALLS = EVERYBODY["asks_for_trust"].calls


def people(answer: Callable[[httpx.Request], httpx.Response]) -> WebhookPeople:
    """The people behind an address that answers so."""
    return WebhookPeople(ADDRESS, transport=httpx.MockTransport(answer))


async def test_a_webhook_gets_the_text_and_the_calls() -> None:
    """The text for people, the codes for programs."""
    got: list[httpx.Request] = []
    await people(lambda request: got.append(request) or httpx.Response(200)).call(
        "Port 7: press Trust", CALLS
    )
    assert json.loads(got[0].content) == {
        "text": "Port 7: press Trust",
        "calls": [{"key": "cause/d-0007/trust_pending", "reason": "trust_pending", "device": "d-0007"}],
    }


def _fails(kind: type[httpx.HTTPError]) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        raise kind(f"cannot reach {request.url}")

    return answer


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (lambda request: httpx.Response(404), Refused),
        (lambda request: httpx.Response(302, headers={"location": "https://elsewhere.example"}), Refused),
        (lambda request: httpx.Response(429), Busy),
        (lambda request: httpx.Response(503), Busy),
        (_fails(httpx.ConnectError), Unreachable),
        (_fails(httpx.ReadTimeout), Unreachable),
    ],
)  # fmt: skip
async def test_who_was_not_reached_is_said_without_the_address(
    answer: Callable[[httpx.Request], httpx.Response], kind: type[Trouble]
) -> None:
    """Whoever reads the error, the log or the traceback cannot post in our name."""
    with pytest.raises(kind) as raised:
        await people(answer).call("text", CALLS)
    assert SECRET not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
    assert SECRET not in repr(people(answer))


def words(tmp_path: Path, program: str) -> tuple[str, ...]:
    """A program of the site."""
    file = tmp_path / "tool.py"
    file.write_text(program)
    return (sys.executable, str(file), str(tmp_path / "out"))


async def test_a_program_gets_the_text_on_its_input(tmp_path: Path) -> None:
    """As it stands, whatever signs are in it: no shell reads it."""
    save = "import sys; open(sys.argv[1], 'w').write(sys.stdin.read())"
    await CommandPeople(words(tmp_path, save)).call("$(reboot); `x` – Ward phone", CALLS)
    assert (tmp_path / "out").read_text() == "$(reboot); `x` – Ward phone\n"


async def test_a_program_does_not_inherit_our_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies in the daemon's environment is not handed on."""
    monkeypatch.setenv("MAMD_API_KEY", SECRET)
    save = "import os, sys; open(sys.argv[1], 'w').write(str(dict(os.environ)))"
    await CommandPeople(words(tmp_path, save)).call("text", CALLS)
    assert SECRET not in (tmp_path / "out").read_text()


async def _refused(make: Callable[[], Awaitable[None]], kind: type[Trouble]) -> str:
    with pytest.raises(kind) as raised:
        await make()
    return str(raised.value)


async def test_a_program_that_fails_did_not_reach_anybody(tmp_path: Path) -> None:
    """Its status says so."""
    line = await _refused(
        lambda: CommandPeople(words(tmp_path, "raise SystemExit(3)")).call("t", CALLS), Refused
    )
    assert "ended with status 3" in line


async def test_a_program_that_is_not_there_did_not_reach_anybody() -> None:
    """And nothing else stops because of it."""
    line = await _refused(lambda: CommandPeople(("/no/such/tool",)).call("t", CALLS), Unreachable)
    assert "/no/such/tool cannot be run" in line


async def test_a_program_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    """A pager's tool that never returns does not pile up."""
    hang = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "open(sys.argv[1], 'w').write(str(child.pid))\n"
        "time.sleep(600)\n"
    )
    ways = CommandPeople(words(tmp_path, hang), deadline_s=1.5)
    await _refused(lambda: ways.call("t", CALLS), Unreachable)
    child = int((tmp_path / "out").read_text())
    assert await asyncio.to_thread(_has_ended, child)


def _has_ended(pid: int) -> bool:
    """Within ten seconds; the kernel tells when (pidfd_open(2))."""
    try:
        ending = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    with open(ending, "rb") as file:
        return bool(select.select([file], [], [], 10.0)[0])
