"""The real listeners: sockets, peers, events that arrive, and doors that close."""

import asyncio
import getpass
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from mamd.core.errors import Misconfigured
from mamd.web import Listener, Role, Token, make_app
from tests.desk import FakeDesk


@pytest.fixture
async def socket(tmp_path: Path, desk: FakeDesk) -> AsyncIterator[Path]:
    """The daemon's socket, listened on."""
    listener = Listener(make_app(desk, lambda: b""), path=tmp_path / "run" / "mamd.sock")
    await listener.open()
    yield tmp_path / "run" / "mamd.sock"
    await listener.close()


def client_of(socket: Path) -> httpx.AsyncClient:
    """A client on that socket."""
    return httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(socket)), base_url="http://mamd")


async def test_the_kernel_says_who_is_at_the_other_end(socket: Path, desk: FakeDesk) -> None:
    """A word over the socket carries the name of the user who said it."""
    async with client_of(socket) as client:
        await client.post("/v1/holds", json={"scope": "everything", "reason": "smoke"})
    assert desk.told == [("hold", "everything", getpass.getuser(), "smoke")]


async def test_the_socket_is_for_its_owner_and_group_only(socket: Path) -> None:
    """Its file mode is its lock."""
    assert stat.S_IMODE(os.stat(socket).st_mode) == 0o660


async def test_a_second_daemon_does_not_take_the_socket_of_a_living_one(socket: Path, desk: FakeDesk) -> None:
    """It says so in one line, and the first goes on."""
    with pytest.raises(Misconfigured, match="another mamd listens here"):
        await Listener(make_app(desk, lambda: b""), path=socket).open()
    async with client_of(socket) as client:
        assert (await client.get("/healthz")).status_code == 200


async def test_the_socket_of_a_dead_daemon_is_no_obstacle(tmp_path: Path, desk: FakeDesk) -> None:
    """After a kill -9 the file is still there; the next start takes it over."""
    import socket as sockets

    path = tmp_path / "mamd.sock"
    with sockets.socket(sockets.AF_UNIX) as dead:
        dead.bind(str(path))
    listener = Listener(make_app(desk, lambda: b""), path=path)
    await listener.open()
    async with client_of(path) as client:
        assert (await client.get("/healthz")).status_code == 200
    await listener.close()
    assert not path.exists()


async def test_an_address_that_is_taken_is_said_in_one_line(desk: FakeDesk) -> None:
    """With where to change it."""
    first = Listener(make_app(desk, lambda: b""), host="127.0.0.1", port=0)
    await first.open()
    port = int(first.address.rpartition(":")[2])
    with pytest.raises(Misconfigured, match=r"see http\.listen"):
        await Listener(make_app(desk, lambda: b""), host="127.0.0.1", port=port).open()
    await first.close()


async def test_an_event_arrives_when_something_happens(socket: Path, desk: FakeDesk) -> None:
    """Whoever listens is told at once, and told the number to go on from."""
    async with client_of(socket) as client, client.stream("GET", "/v1/events") as events:
        assert events.headers["content-type"].startswith("text/event-stream")
        lines = events.aiter_lines()
        first = await _event(lines)
        desk.happens()
        second = await _event(lines)
    assert (first, second) == ("1", "2")


async def test_whoever_lost_the_stream_goes_on_from_where_it_was(socket: Path, desk: FakeDesk) -> None:
    """What happened in between is told once, and what was known is not told again."""
    headers = {"last-event-id": "1"}
    async with client_of(socket) as client, client.stream("GET", "/v1/events", headers=headers) as events:
        lines = events.aiter_lines()
        waiting = asyncio.create_task(_event(lines))
        desk.happens()
        assert await waiting == "2"


async def _event(lines: AsyncIterator[str]) -> str:
    async for line in lines:
        if line.startswith("data: "):
            return line.removeprefix("data: ")
    raise AssertionError("the stream ended")


async def test_open_streams_do_not_keep_the_daemon_from_stopping(tmp_path: Path, desk: FakeDesk) -> None:
    """A page that is left open for a week is no reason to wait."""
    listener = Listener(make_app(desk, lambda: b""), path=tmp_path / "mamd.sock")
    await listener.open()
    async with client_of(tmp_path / "mamd.sock") as client, client.stream("GET", "/v1/events") as events:
        await _event(events.aiter_lines())
        async with asyncio.timeout(10):
            await listener.close()
            await listener.close()


async def test_a_peer_over_tcp_cannot_pretend_to_be_one_of_the_socket(desk: FakeDesk) -> None:
    """No header says where somebody comes from."""
    listener = Listener(make_app(desk, lambda: b"", [Token("desk", Role.VIEW, "s")]), host="127.0.0.1")
    await listener.open()
    pretending = {"x-forwarded-for": "unix:root", "forwarded": "for=unix:root"}
    async with httpx.AsyncClient(base_url=f"http://{listener.address}") as client:
        answer = await client.post(
            "/v1/holds", json={"scope": "everything", "reason": "why"}, headers=pretending
        )
        assert (await client.get("/", headers={"authorization": "Bearer s"})).status_code == 200
    assert answer.status_code == 401
    await listener.close()
