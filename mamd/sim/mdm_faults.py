"""The ways in which an MDM, or the proxy before it, lets its clients down.

Each is something that a site has met. Those *after processing* are the treacherous ones: the
command is queued, and the client is told nothing, or something else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum

from mamd.sim.mdm_wire import Cut, Request, Response


class FaultKind(Enum):
    """What the client of the API meets."""

    TOO_MANY = "429, with Retry-After if there is one"
    UNAVAILABLE = "503 of a proxy, HTML"
    HANG_BEFORE = "no answer, nothing done"
    HANG_AFTER = "no answer, everything done"
    RESET_BEFORE = "connection reset, nothing done"
    RESET_AFTER = "connection reset, everything done"
    HTML_200 = "200 with a login page, nothing done"
    HTML_502 = "502 with HTML, everything done"
    TRUNCATED = "half of the JSON, everything done"
    REFUSED = "401, as if the key had been changed"


@dataclass(slots=True)
class Fault:
    """One fault in force: of which calls, how many times (None: until it is lifted)."""

    kind: FaultKind
    calls: frozenset[str] = frozenset({"enqueue", "push", "pushcert", "version"})
    times: int | None = None
    retry_after: str | None = None  # seconds or an HTTP date, as a proxy would write it
    lifted: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def take(self, call: str) -> bool:
        """Whether this call meets the fault; counts it if so."""
        if call not in self.calls or self.times == 0:
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Faults:
    """The one fault that the API has now. Setting another lifts the one before."""

    def __init__(self) -> None:
        self._fault: Fault | None = None

    def set(self, fault: Fault | None) -> None:
        """Put a fault in force, or none; whoever hangs in the old one is let go, cut off."""
        if self._fault is not None:
            self._fault.lifted.set()
        self._fault = fault

    async def around(self, call: str, request: Request, do: Callable[[], Awaitable[Response]]) -> Response:
        """The answer to one call as its client gets it; may raise Cut instead."""
        fault = self._fault
        if fault is None or not fault.take(call):
            return await do()
        if fault.kind in _INSTEAD:
            return _INSTEAD[fault.kind](fault)
        if fault.kind not in _BEFORE:
            response = await do()
            if fault.kind in _INTO:
                return _INTO[fault.kind](response)
        if fault.kind in (FaultKind.HANG_BEFORE, FaultKind.HANG_AFTER):
            await fault.lifted.wait()
        raise Cut


_HTML = {"Content-Type": "text/html; charset=utf-8"}
_PAGE = b"<!DOCTYPE html><html><head><title>%s</title></head><body><h1>%s</h1></body></html>\n"


def _too_many(fault: Fault) -> Response:
    after = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
    return Response(429, b"Too Many Requests\n", {"Content-Type": "text/plain", **after})


def _unauthorized(_: Fault) -> Response:
    return Response(
        401,
        b"Unauthorized\n",
        {
            "Content-Type": "text/plain; charset=utf-8",
            "Www-Authenticate": 'Basic realm="nanomdm"',
        },
    )


def _page(status: int, title: bytes) -> Response:
    return Response(status, _PAGE % (title, title), _HTML)


_INSTEAD: dict[FaultKind, Callable[[Fault], Response]] = {
    FaultKind.TOO_MANY: _too_many,
    FaultKind.UNAVAILABLE: lambda _: _page(503, b"Service Unavailable"),
    FaultKind.HTML_200: lambda _: _page(200, b"Please sign in"),
    FaultKind.REFUSED: _unauthorized,
}
_BEFORE = (FaultKind.HANG_BEFORE, FaultKind.RESET_BEFORE)
_INTO: dict[FaultKind, Callable[[Response], Response]] = {
    FaultKind.HTML_502: lambda _: _page(502, b"Bad Gateway"),
    FaultKind.TRUNCATED: lambda whole: Response(
        whole.status, whole.body, whole.headers, cut_at=len(whole.body) // 2
    ),
}
