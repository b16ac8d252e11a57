"""
Takes one event of NanoMDM's webhook apart (nanomdm v0.9.0: service/webhook/event.json), within bounds.

Errors are raised outside of `except`, so that none leads back to a parser's error, which holds the body.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from mamd.mdm import plist
from mamd.mdm.nanomdm import ENROLLMENT_ID

TOPICS = frozenset({"mdm.Authenticate", "mdm.TokenUpdate", "mdm.CheckOut", "mdm.Connect"})
"""Events that say something to us. Others are NanoMDM's business with the device."""


class NoMessage(Exception):
    """The text names the part that is wrong, in our words."""


@dataclass(frozen=True, slots=True)
class Message:
    """One event, its plist read."""

    topic: str
    sent_at: datetime
    id: str
    kind: str
    event: Mapping[str, Any] = field(repr=False)
    said: Mapping[str, Any] = field(repr=False)
    """What the device said, token and all."""

    @property
    def is_of_device(self) -> bool:
        """On the device's own channel, and not a user enrollment: both by NanoMDM's word and the device's."""
        return self.kind == "Device" and "UserID" not in self.said and "EnrollmentID" not in self.said


def message_of(body: bytes) -> Message | None:
    """The message in a body; None for an event without a device's message. Raises NoMessage."""
    outer = _json(body)
    topic, event = outer.get("topic"), outer.get("checkin_event") or outer.get("acknowledge_event")
    if not isinstance(topic, str):
        raise NoMessage("topic")
    if topic not in TOPICS or event is None:
        return None
    if not isinstance(event, dict):
        raise NoMessage("event")
    id, kind = _ids(event)
    return _agreeing(Message(topic, _sent_at(outer), id, kind, event, _said(event)))


def _agreeing(message: Message) -> Message:
    """A message whose parts contradict each other is not NanoMDM's, which makes the one from the other."""
    said, expected = message.said, message.topic.removeprefix("mdm.")
    if message.kind == "Device" and said.get("UDID") != message.id:
        raise NoMessage("UDID")
    if expected != "Connect" and said.get("MessageType") != expected:
        raise NoMessage("MessageType")
    return message


def _json(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise NoMessage("JSON")
    return value


def _ids(event: Mapping[str, Any]) -> tuple[str, str]:
    ids = event.get("ids")
    id, kind = (ids.get("id"), ids.get("type")) if isinstance(ids, dict) else (None, None)
    if not (isinstance(id, str) and isinstance(kind, str)):
        raise NoMessage("ids")
    if kind == "Device" and not ENROLLMENT_ID.fullmatch(id):  # nothing could be addressed to it
        raise NoMessage("ids")
    return id, kind


def _sent_at(outer: Mapping[str, Any]) -> datetime:
    """RFC 3339 with up to nine digits of a second; what is beyond microseconds is cut off."""
    try:
        at = datetime.fromisoformat(str(outer.get("created_at")))
        if at.tzinfo is not None:
            return at.astimezone(UTC)
        trouble = NoMessage("created_at without a zone")
    except (ValueError, OverflowError):
        trouble = NoMessage("created_at")
    raise trouble


def _said(event: Mapping[str, Any]) -> dict[str, Any]:
    raw = event.get("raw_payload")
    try:
        return plist.read(base64.b64decode(raw if isinstance(raw, str) else "", validate=True))
    except (ValueError, plist.NoPlist):
        trouble = NoMessage("raw_payload")
    raise trouble
