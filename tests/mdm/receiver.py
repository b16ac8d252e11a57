"""Somebody who listens to an MDM's webhook: keeps what comes, checks its signature, and can be down."""

import asyncio
import base64
import json
import plistlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mamd.sim.mdm_webhook import signature
from mamd.sim.mdm_wire import Cut, HttpServer, Request, Response


@dataclass(frozen=True, slots=True)
class Event:
    """One webhook request, taken apart. `raw` is what the device said."""

    topic: str
    id: str
    status: str | None
    command_uuid: str | None
    tally: int | None
    created_at: datetime
    event_id: str
    headers: dict[str, str]
    body: bytes = field(repr=False)
    raw: dict[str, Any] = field(repr=False)


class Receiver:
    """A webhook receiver on loopback. `status` is what it answers; events are kept whatever that is.

    While `deaf` it dies of every event instead of keeping it, and counts them in `missed`, so that a
    test can wait until something has been lost.
    """

    def __init__(self, hmac_key: str) -> None:
        self.status = 200
        self.deaf, self.missed = False, 0
        self.events: list[Event] = []
        self._hmac_key = hmac_key.encode()
        self._came = asyncio.Condition()
        self._http = HttpServer(self._take)

    @property
    def url(self) -> str:
        """Where events are to be posted."""
        return f"{self._http.url}/webhook"

    async def __aenter__(self) -> "Receiver":
        await self._http.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.stop()

    async def go_down(self) -> None:
        """Refuse connections: what is sent now is lost. Nobody learns when; `deaf` tells."""
        await self._http.stop()

    async def come_back(self) -> None:
        """Listen again, at the same address."""
        await self._http.start()

    async def wait_for(self, wanted: Callable[[Event], bool], *, within_s: float = 10) -> Event:
        """The first event that fits, also one that is here already; TimeoutError if none comes."""
        async with asyncio.timeout(within_s), self._came:
            await self._came.wait_for(lambda: any(map(wanted, self.events)))
            return next(event for event in self.events if wanted(event))

    async def has_missed(self, count: int, *, within_s: float = 10) -> None:
        """Wait until so many events were lost on a deaf receiver."""
        async with asyncio.timeout(within_s), self._came:
            await self._came.wait_for(lambda: self.missed >= count)

    async def result(self, command_uuid: str, status: str = "Acknowledged") -> Event:
        """The event of a device's answer to one command."""
        return await self.wait_for(lambda it: (it.command_uuid, it.status) == (command_uuid, status))

    async def _take(self, request: Request) -> Response:
        assert request.headers["x-hmac-signature"] == signature(self._hmac_key, request.body)
        async with self._came:
            self._came.notify_all()
            if self.deaf:
                self.missed += 1
                raise Cut
            self.events.append(_event(request))
        return Response(self.status)


def _event(request: Request) -> Event:
    event = json.loads(request.body)
    about = event.get("acknowledge_event") or event["checkin_event"]
    return Event(
        event["topic"],
        about["ids"]["id"],
        about.get("status"),
        about.get("command_uuid"),
        about.get("token_update_tally"),
        datetime.fromisoformat(event["created_at"]),
        event["event_id"],
        dict(request.headers),
        request.body,
        plistlib.loads(base64.b64decode(about["raw_payload"])),
    )
