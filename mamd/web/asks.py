"""What may be asked over HTTP: every address that reads, and the stream that says when to read again."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import tzinfo
from typing import Any, Final

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from mamd.core.errors import Refused
from mamd.desk import Desk
from mamd.web import answers
from mamd.web.doors import Denied
from mamd.words import why

STREAMS: Final = 50
"""Event streams open at once; each is one connection that is never finished."""
ALIVE_S: Final = 15.0
"""How often an event stream says that it is alive."""


def make_asks(desk: Desk, zone: tzinfo | None) -> APIRouter:
    """All that only reads."""
    router = APIRouter(prefix="/v1")
    _add_overview(router, desk)
    _add_devices(router, desk, zone)
    _add_journal(router, desk)
    router.add_api_route("/events", _events_of(desk), methods=["GET"], response_class=StreamingResponse)
    return router


def make_health(desk: Desk, metrics: Callable[[], bytes]) -> APIRouter:
    """What a supervisor and a monitor ask: alive, ready, figures."""
    router = APIRouter()

    @router.get("/healthz", response_class=PlainTextResponse)
    async def healthz() -> Response:
        """Alive: the loop answers."""
        return PlainTextResponse("alive\n")

    @router.get("/readyz")
    async def readyz() -> Response:
        """Ready to help: sees USB, can write. 503 names each fault with its cure."""
        found = desk.faults()
        return JSONResponse({"ready": not found, "faults": answers.faults(found)}, 503 if found else 200)

    @router.get("/metrics", response_class=PlainTextResponse)
    async def figures() -> Response:
        """Metrics in the text format of Prometheus."""
        return Response(metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router


def _add_overview(router: APIRouter, desk: Desk) -> None:
    @router.get("/launchpads")
    async def launchpads() -> list[dict[str, Any]]:
        """This Launchpad at a glance; a list, because there may be more than one some day."""
        return [answers.launchpad(desk.overview())]

    @router.get("/ports")
    async def ports() -> list[dict[str, Any]]:
        """Every port as the shelf prints them, with what is on it."""
        seen = desk.overview()
        return [answers.standing(one, seen.now) for one in seen.ports]

    @router.get("/links")
    async def links() -> list[dict[str, Any]]:
        """Every attached device of ours: how it stands, and why."""
        seen = desk.overview()
        linked = (one for one in seen.ports if one.situation.link is not None and one.record is not None)
        return [answers.standing(one, seen.now) for one in linked]

    @router.get("/runs")
    async def runs() -> list[dict[str, Any]]:
        """Every open run."""
        seen = desk.overview()
        return [answers.run(one, seen.now) for one in seen.runs]

    @router.get("/holds")
    async def holds() -> list[dict[str, Any]]:
        """Every hold."""
        return [answers.hold(one) for one in desk.overview().holds]

    @router.get("/calls")
    async def calls() -> list[dict[str, Any]]:
        """Every open call to people."""
        seen = desk.overview()
        return [answers.call(one, seen.launchpad) for one in seen.calls]

    @router.get("/rules")
    async def rules() -> list[dict[str, Any]]:
        """The rules in their order."""
        return answers.rules(desk.overview())

    @router.get("/rule_sets")
    async def rule_sets() -> list[dict[str, Any]]:
        """The rule set in force with its hash."""
        return [answers.rule_set(desk.overview().rules)]

    @router.get("/rule_sets/{rule_set}")
    async def rule_set(rule_set: str) -> dict[str, Any]:
        """A rule set that rows of the journal name, as a replay needs it, in force or not."""
        return answers.rule_set(await desk.rule_set(rule_set))

    @router.get("/workflows")
    async def workflows() -> list[dict[str, Any]]:
        """The workflows."""
        return answers.workflows(desk.overview())


def _add_devices(router: APIRouter, desk: Desk, zone: tzinfo | None) -> None:
    @router.get("/devices")
    async def devices() -> list[dict[str, Any]]:
        """Every device of the registry, attached or not."""
        now = desk.overview().now
        return [answers.standing(one, now) for one in desk.devices()]

    # The longer address first: a device may be called by `port:7`, and names may hold a slash.
    @router.get("/devices/{name:path}/why")
    async def device_why(name: str) -> dict[str, Any]:
        """What happened to a device and what comes next, in words (`lines`) and as data."""
        one, now = await desk.device(name), desk.overview().now
        told = [answers.run(run, now) for run in one.runs]
        return {"lines": list(why(one, now, zone=zone)), **answers.standing(one, now), "runs": told}

    @router.get("/devices/{name:path}")
    async def device(name: str) -> dict[str, Any]:
        """One device by any of its names, or `port:LABEL`."""
        one, now = await desk.device(name), desk.overview().now
        return {**answers.standing(one, now), "runs": [answers.run(run, now) for run in one.runs]}


def _add_journal(router: APIRouter, desk: Desk) -> None:
    @router.get("/journal")
    async def journal(
        device: str | None = Query(None, max_length=200),
        after: int = Query(0, ge=0),
        limit: int = Query(500, ge=1, le=5000),
        newest_first: bool = False,
    ) -> list[dict[str, Any]]:
        """Rows of the journal, from after a number on."""
        named = await _device_of(desk, device)
        rows = await desk.journal(device=named, after=after, limit=limit, newest_first=newest_first)
        return [answers.row(one) for one in rows]

    @router.get("/journal/verify")
    async def verify() -> dict[str, Any]:
        """Walk the journal's chain: one line for each row that is not what it was."""
        changed = await desk.verify()
        return {"sound": not changed, "faults": list(changed)}


async def _device_of(desk: Desk, name: str | None) -> str | None:
    """Our own name for a device that was called by any other; rows of one that left are still found."""
    if name is None:
        return None
    try:
        record = (await desk.device(name)).record
    except Refused:
        return name
    return record.device if record is not None else name


def _events_of(desk: Desk) -> Callable[[Request], Any]:
    """Server-sent events: one `changed` with a number whenever something did (WHATWG HTML, 9.2)."""
    open_streams = 0

    async def told(since: int) -> AsyncIterator[bytes]:
        nonlocal open_streams
        open_streams += 1
        try:
            yield b"retry: 2000\n\n"
            while True:
                try:
                    since = await asyncio.wait_for(desk.changed(since), ALIVE_S)
                except TimeoutError:
                    yield b": alive\n\n"
                else:
                    yield f"id: {since}\nevent: changed\ndata: {since}\n\n".encode()
        finally:
            open_streams -= 1

    async def events(request: Request) -> Response:
        """A stream of `changed` events; read again what is of interest when one comes."""
        if open_streams >= STREAMS:
            raise Denied(503, "too many event streams are open", "Close some pages, or ask again later.")
        last = request.headers.get("last-event-id", "0")
        since = int(last) if last.isdecimal() and len(last) < 19 else 0
        return StreamingResponse(told(since), media_type="text/event-stream")

    return events
