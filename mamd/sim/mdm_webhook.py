"""NanoMDM's webhook: each event is sent once, in the background, and forgotten.

Whoever does not answer exactly 200 has lost the event for good, so a client has to live with
gaps; the switches here make them. The shape is that of nanomdm v0.9.0, service/webhook.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from mamd.sim.mdm_wire import Client, WireError


class Notes(Protocol):
    """Where the simulator writes down what it saw (`mamd.sim.record.Record` is one)."""

    def note(self, kind: str, *, device: str | None = None, **fields: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class DeviceMessage:
    """What a device reported, as the webhook tells it."""

    topic: str  # mdm.Authenticate, mdm.Connect, …
    id: str
    id_type: str
    udid: str | None
    enrollment_id: str | None
    raw: bytes = field(repr=False)  # may hold the unlock token
    status: str | None = None  # of a command report; None: a check-in
    command_uuid: str | None = None
    tally: int | None = None
    url_params: Mapping[str, str] = field(default_factory=dict)
    parent_id: str | None = None


class Webhook:
    """Sends events to one address. Without an address nothing is sent.

    `lose` drops that many of the next events as if the receiver were down (-1: all of them until
    set otherwise); `delay_s` holds each one back.
    """

    def __init__(self, notes: Notes, url: str | None, hmac_key: bytes | None) -> None:
        self._notes, self.url, self._hmac_key = notes, url, hmac_key
        self.lose, self.delay_s = 0, 0.0
        self._client = Client()
        self._under_way: set[asyncio.Task[None]] = set()

    def send(self, message: DeviceMessage) -> None:
        """Send one event in the background; the device is not kept waiting."""
        if self.url is None:
            return
        task = asyncio.get_running_loop().create_task(self._deliver(self.url, message))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def settled(self) -> None:
        """Wait until nothing is under way."""
        while self._under_way:
            await asyncio.wait(set(self._under_way))

    def close(self) -> None:
        """Drop what is under way, as a killed server does."""
        for task in self._under_way:
            task.cancel()
        self._client.close()

    async def _deliver(self, url: str, message: DeviceMessage) -> None:
        body = event_body(message)
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        outcome = "lost" if self._drops() else await self._post(url, body)
        self._notes.note(
            "mdm.webhook",
            device=message.id,
            topic=message.topic,
            status=message.status,
            command_uuid=message.command_uuid,
            outcome=outcome,
        )

    def _drops(self) -> bool:
        if self.lose > 0:
            self.lose -= 1
            return True
        return self.lose < 0

    async def _post(self, url: str, body: bytes) -> str:
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Go-http-client/1.1",
            "Accept-Encoding": "gzip",
        }
        if self._hmac_key is not None:
            headers["X-Hmac-Signature"] = signature(self._hmac_key, body)
        try:
            answer = await self._client.call("POST", url, body, headers)
        except (OSError, WireError) as error:
            return f"failed: {type(error).__name__}"
        return "delivered" if answer.status == 200 else f"refused: {answer.status}"


def signature(key: bytes, body: bytes) -> str:
    """The value of X-Hmac-Signature: Base64 of HMAC-SHA256 over the exact body."""
    return base64.b64encode(hmac.new(key, body, hashlib.sha256).digest()).decode()


def event_body(message: DeviceMessage) -> bytes:
    """The event as one line of JSON with sorted keys; empty fields are left out."""
    about = _present(
        {
            "ids": _present({"id": message.id, "parent_id": message.parent_id, "type": message.id_type}),
            "raw_payload": base64.b64encode(message.raw).decode(),
            "udid": message.udid,
            "enrollment_id": message.enrollment_id,
            "status": message.status,
            "command_uuid": message.command_uuid or None,
            "token_update_tally": message.tally,
            "url_params": dict(message.url_params) or None,
        }
    )
    event = {
        "checkin_event" if message.status is None else "acknowledge_event": about,
        "created_at": _now(),
        "event_id": secrets.token_hex(8),
        "topic": message.topic,
    }
    return json.dumps(event, sort_keys=True, separators=(",", ":")).encode()


def _present(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _now() -> str:
    """RFC 3339 with up to nine fractional digits, their trailing zeros cut, as Go writes it."""
    seconds, nanos = divmod(time.time_ns(), 1_000_000_000)
    fraction = f".{nanos:09d}".rstrip("0").rstrip(".")
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + fraction + "Z"
