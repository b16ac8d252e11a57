"""
Listens with uvicorn inside the daemon's own loop, without its signals and without its ticking.

uvicorn wakes ten times a second to ask whether it should stop; a Launchpad idles for hours, so
here it waits for an event instead. A peer on the unix socket is known by the kernel's word.
"""

import asyncio
import os
import pwd
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from mamd.core.errors import Misconfigured

PEER: Final = "unix:"
"""What the client's host begins with for a peer on the unix socket; no address of TCP does."""
GOODBYE_S: Final = 1
"""How long open requests may take to end when the listener closes; event streams never end."""


class Listener:
    """
    One address that is listened on: `Listener(app, path=…)` or `Listener(app, host=…, port=…)`.

    `open` returns when connections are accepted, `close` when all are gone. Closing twice is fine.

    Raises:
        Misconfigured: The address cannot be had; the line says what to do.
    """

    def __init__(self, app: ASGIApp, *, path: Path | None = None, host: str = "", port: int = 0) -> None:
        assert (path is None) is bool(host), "a path or a host, not both"
        self._path, self._host, self._port = path, host, port
        self._server = _Server(_config(app))
        self._serving: asyncio.Task[None] | None = None
        self.address = ""

    async def open(self) -> None:
        """Begin to listen; `address` then says where, with the port that was given for port 0."""
        listening = _unix(self._path) if self._path is not None else _tcp(self._host, self._port)
        self.address = _named(listening)
        self._serving = asyncio.create_task(self._server.serve([listening]), name=f"http {self.address}")
        await self._server.accepting.wait()

    async def close(self) -> None:
        """Stop listening, and let go of every connection."""
        if self._serving is None:
            return
        self._server.leave()
        await self._serving
        self._serving = None
        if self._path is not None:
            self._path.unlink(missing_ok=True)


class PeerProtocol(H11Protocol):
    """HTTP/1.1 that knows who is at the other end of a unix socket (SO_PEERCRED, unix(7))."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, and ask the kernel for the peer's name where it knows it."""
        assert isinstance(transport, asyncio.Transport)
        super().connection_made(transport)
        peer = transport.get_extra_info("socket")
        if peer is not None and peer.family == socket.AF_UNIX:
            uid = _uid(peer)
            self.client = (f"{PEER}{_user(uid)}", uid)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.accepting = asyncio.Event()
        self._leaving = asyncio.Event()

    def leave(self) -> None:
        self.should_exit = True
        self._leaving.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the daemon's."""
        yield

    async def main_loop(self) -> None:
        self.server_state.default_headers = self.config.encoded_headers
        self.accepting.set()
        await self._leaving.wait()


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=PeerProtocol,
        ws="none",
        lifespan="off",
        loop="none",
        access_log=False,  # a request's line can hold a token
        log_config=None,
        proxy_headers=False,  # nobody may say for themselves where they come from
        server_header=False,
        date_header=False,
        limit_concurrency=200,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=GOODBYE_S,
    )


def _unix(path: Path) -> socket.socket:
    """A fresh socket file, for its owner and group only. One left by a dead daemon is replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if _is_served(path):
        raise Misconfigured(str(path), "another mamd listens here already; stop it first")
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o117)
    try:
        listening.bind(str(path))
    except OSError as error:
        listening.close()
        raise Misconfigured(str(path), f"cannot listen here: {error.strerror}; see http.socket") from error
    finally:
        os.umask(before)
    return listening


def _is_served(path: Path) -> bool:
    if not path.is_socket():
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trying:
        trying.settimeout(1.0)
        return trying.connect_ex(str(path)) == 0


def _tcp(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        why = f"cannot listen here: {error.strerror}; see http.listen and http.webhooks"
        raise Misconfigured(f"{host}:{port}", why) from error
    return listening


def _named(listening: socket.socket) -> str:
    where = listening.getsockname()
    if isinstance(where, str):
        return where
    return f"[{where[0]}]:{where[1]}" if ":" in where[0] else f"{where[0]}:{where[1]}"


_CREDENTIALS: Final = struct.Struct("3i")


def _uid(peer: socket.socket) -> int:
    packed = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(packed)
    return int(uid)


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid-{uid}"
