"""Just enough HTTP/1.1 over asyncio that one process can play an MDM for a thousand phones.

A framework would cost more CPU than all simulated phones together and would hide the wire,
which is exactly what the faults of a simulator have to reach: a connection that is cut after
the request was understood, a body that stops half way, an answer that never comes.

        Request  ──►  handler  ──►  Response | Cut          (serve)
        call(method, url, …)  ──►  Response                 (Client)
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http.client import responses
from urllib.parse import parse_qs, urlsplit

MAX_HEAD = 1024 * 1024
MAX_BODY = 16 * 1024 * 1024


class WireError(Exception):
    """What came over the wire is not HTTP, or is larger than this simulator reads."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def path(self) -> str:
        """The target without its query, percent signs as they came."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        """The first value of each parameter; parameters without a value are left out."""
        return {name: values[0] for name, values in parse_qs(self.target.partition("?")[2]).items()}


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP answer. `cut_at` sends only so many bytes of the body and then closes."""

    status: int
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_at: int | None = None


class Cut(Exception):
    """Raised by a handler to reset the connection instead of answering."""


Handler = Callable[[Request], Awaitable[Response]]


class HttpServer:
    """A listener on loopback that can go down and come back on the same port."""

    def __init__(self, handler: Handler, host: str = "127.0.0.1", port: int = 0) -> None:
        self._handler, self._host, self.port = handler, host, port
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def url(self) -> str:
        """The origin, without a slash at its end."""
        return f"http://{self._host}:{self.port}"

    async def start(self) -> None:
        """Listen; a second call does nothing. The first start chooses the port for good."""
        if self._server is None:
            self._server = await asyncio.start_server(
                self._accept, self._host, self.port, limit=MAX_HEAD, backlog=256
            )
            self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuse new connections and reset the open ones; a second call does nothing."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        connections = dict(self._connections)
        for task, writer in connections.items():
            writer.transport.abort()
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._connections[task] = writer
        task.add_done_callback(self._connections.pop)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, WireError, asyncio.IncompleteReadError):
            writer.transport.abort()  # the peer left or does not speak HTTP: nothing to tell it
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False when the connection is at its end."""
        request = await read_request(reader)
        if request is None:
            return False
        try:
            response = await self._handler(request)
        except Cut:
            writer.transport.abort()
            return False
        keep = request.headers.get("connection", "").lower() != "close" and response.cut_at is None
        writer.write(response_bytes(response, keep=keep, without_body=request.method == "HEAD"))
        await writer.drain()
        return keep


class Client:
    """Calls over plain HTTP with connections kept open; safe to use from many tasks at once."""

    def __init__(self, timeout_s: float = 30.0) -> None:
        self._timeout_s = timeout_s
        self._idle: dict[tuple[str, int], list[_Connection]] = {}

    async def call(
        self, method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Response:
        """The answer to one request.

        Raises OSError where nobody answers (time-outs included) and WireError for what is not
        HTTP. Nothing is sent twice: a connection that breaks may have done its work.
        """
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname is None:
            raise WireError(f"the simulator calls http:// addresses only, not {parts.scheme}://")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        origin = (parts.hostname, parts.port or 80)
        message = (
            _head(
                f"{method} {target} HTTP/1.1",
                {
                    "Host": parts.netloc,
                    "Content-Length": str(len(body)),
                    **(headers or {}),
                },
            )
            + body
        )
        async with asyncio.timeout(self._timeout_s):
            return await self._send(origin, message)

    async def _send(self, origin: tuple[str, int], message: bytes) -> Response:
        idle = self._idle.setdefault(origin, [])
        connection = None
        while idle and connection is None:
            connection = _still_open(idle.pop())
        if connection is None:
            connection = _Connection(*await asyncio.open_connection(*origin, limit=MAX_HEAD))
        try:
            return await self._on(connection, origin, message)
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError("the answer ended before it was whole") from error

    async def _on(self, connection: _Connection, origin: tuple[str, int], message: bytes) -> Response:
        response = None
        try:
            connection.writer.write(message)
            response = await read_response(connection.reader)
        finally:
            if response is None or response.headers.get("connection", "").lower() == "close":
                connection.writer.close()
            else:
                self._idle[origin].append(connection)
        return response

    def close(self) -> None:
        """Close what is kept open; the client may be used again."""
        for connection in [kept for idle in self._idle.values() for kept in idle]:
            connection.writer.close()
        self._idle.clear()


@dataclass(frozen=True, slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


def _still_open(connection: _Connection) -> _Connection | None:
    if connection.reader.at_eof() or connection.writer.is_closing():
        connection.writer.close()
        return None
    return connection


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request, or None at a clean end of the connection."""
    first, headers = await _read_head(reader)
    if first is None:
        return None
    words = first.split(" ")
    if len(words) != 3:
        raise WireError("not an HTTP request line")
    return Request(words[0], words[1], headers, await _read_body(reader, headers))


async def read_response(reader: asyncio.StreamReader) -> Response:
    """The next answer; raises ConnectionResetError where there is none."""
    first, headers = await _read_head(reader)
    if first is None:
        raise ConnectionResetError("closed without an answer")
    words = first.split(" ", 2)
    if len(words) < 2 or not words[1].isdigit():
        raise WireError("not an HTTP status line")
    return Response(int(words[1]), await _read_body(reader, headers), headers)


async def _read_head(reader: asyncio.StreamReader) -> tuple[str | None, dict[str, str]]:
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError as error:
        raise WireError("the header is too large") from error
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None, {}
    lines = raw.decode("latin-1").split("\r\n")
    pairs = (line.split(":", 1) for line in lines[1:] if ":" in line)
    return lines[0], {name.strip().lower(): value.strip() for name, value in pairs}


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return await _read_chunks(reader)
    length = headers.get("content-length", "0")
    if not length.isdigit() or int(length) > MAX_BODY:
        raise WireError("a body of this length is not read")
    return await reader.readexactly(int(length)) if int(length) else b""


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    parts: list[bytes] = []
    while True:
        line = (await reader.readuntil(b"\r\n")).split(b";")[0].strip()
        try:
            size = int(line, 16)
        except ValueError as error:
            raise WireError("not a chunk length") from error
        if not 0 <= size <= MAX_BODY - sum(map(len, parts)):
            raise WireError("a chunk of this length is not read")
        parts.append((await reader.readexactly(size + 2))[:-2])
        if size == 0:
            return b"".join(parts)


def response_bytes(response: Response, *, keep: bool = True, without_body: bool = False) -> bytes:
    """An answer as it goes over the wire; `without_body` for HEAD."""
    reason = responses.get(response.status, "Status")
    fields = {"Date": formatdate(usegmt=True), **response.headers, "Content-Length": str(len(response.body))}
    if not keep:
        fields["Connection"] = "close"
    body = b"" if without_body else response.body[: response.cut_at]
    return _head(f"HTTP/1.1 {response.status} {reason}", fields) + body


def _head(first: str, headers: Mapping[str, str]) -> bytes:
    lines = [first, *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")
