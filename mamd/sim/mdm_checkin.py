"""The side of the simulated NanoMDM that devices talk to: check-ins, command reports, the next command.

An answer of 401 would make a device forget its MDM, so whatever is wrong here is 400 or 500
(nanomdm v0.9.0, http/mdm).
"""

from __future__ import annotations

import plistlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from xml.parsers.expat import ExpatError

from mamd.sim.mdm_queue import Enrolment, PushInfo, StorageError, Store
from mamd.sim.mdm_webhook import DeviceMessage, Notes, Webhook
from mamd.sim.mdm_wire import Request, Response

CHECKIN_TYPE = "application/x-apple-aspen-mdm-checkin"
SHARED_IPAD_USER = "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"

_TEXT = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}
_BAD_REQUEST = Response(400, b"Bad Request\n", _TEXT)
_SERVER_ERROR = Response(500, b"Internal Server Error\n", _TEXT)
_GONE = Response(410, b"Gone\n", _TEXT)
_EMPTY = Response(200)


class BadPlist(Exception):
    """The body is not a property list with a dictionary at its top."""


@dataclass(frozen=True, slots=True)
class Who:
    """Which enrolment a message speaks for."""

    id: str
    type: str
    udid: str | None
    enrollment_id: str | None
    parent_id: str | None


class DeviceSide:
    """Answers PUT /mdm."""

    def __init__(self, store: Store, webhook: Webhook, notes: Notes) -> None:
        self._store, self._webhook, self._notes = store, webhook, notes

    def answer(self, request: Request) -> Response:
        """Take one message of a device; what it waits for comes back in the same answer."""
        try:
            message = parse_plist(request.body)
        except BadPlist:
            return _BAD_REQUEST
        if not all(isinstance(message.get(name, kind()), kind) for name, kind in _TYPES.items()):
            return _BAD_REQUEST
        who = identify(message)
        if who is None:
            return _SERVER_ERROR
        checks_in = request.headers.get("content-type", "").startswith(CHECKIN_TYPE)
        kind = str(message.get("MessageType" if checks_in else "Status", ""))
        self._notes.note("mdm.device", device=who.id, said=kind, command_uuid=message.get("CommandUUID"))
        return (self._check_in if checks_in else self._report)(kind, who, message, request)

    def _check_in(self, kind: str, who: Who, message: dict[str, Any], request: Request) -> Response:
        enrolment = self._store.enrolment(who.id)
        if kind == "UserAuthenticate":
            return _GONE
        if kind not in _CHECK_INS:
            return _BAD_REQUEST
        if kind != "Authenticate" and not enrolment.known:
            return _SERVER_ERROR
        _CHECK_INS[kind](enrolment, message)
        tally = enrolment.tally if kind == "TokenUpdate" else None
        self._webhook.send(_message(f"mdm.{kind}", who, request, tally=tally))
        return _EMPTY

    def _report(self, status: str, who: Who, message: dict[str, Any], request: Request) -> Response:
        if not status:
            return _BAD_REQUEST
        if not self._store.enrolment(who.id).known:
            return _SERVER_ERROR
        uuid = str(message.get("CommandUUID", ""))
        # The event goes out even where storing fails: the webhook is a second service beside the store.
        self._webhook.send(_message("mdm.Connect", who, request, status=status, command_uuid=uuid))
        try:
            self._store.report(who.id, status, uuid)
        except StorageError:
            return _SERVER_ERROR
        command = self._store.next_command(who.id, skip_not_now=status == "NotNow")
        if command is None:
            return _EMPTY
        self._notes.note(
            "mdm.handed_out", device=who.id, request_type=command.request_type, command_uuid=command.uuid
        )
        return Response(200, command.raw, {"Content-Type": "text/xml; charset=utf-8"})


def parse_plist(body: bytes) -> dict[str, Any]:
    """The dictionary at the top of an XML or binary property list; raises BadPlist otherwise."""
    try:
        value = plistlib.loads(body)
    except (
        plistlib.InvalidFileException,
        ExpatError,
        ValueError,
        TypeError,
        AttributeError,
        IndexError,
        KeyError,
        OverflowError,
        RecursionError,
    ) as error:
        raise BadPlist(type(error).__name__) from error
    if not isinstance(value, dict):
        raise BadPlist(f"{type(value).__name__} at the top")
    return value


def identify(message: dict[str, Any]) -> Who | None:
    """Whom a message speaks for, by NanoMDM's rules for enrolment ids; None without any id."""
    udid, enrollment_id, user = (message.get(key) for key in ("UDID", "EnrollmentID", "UserID"))
    device = udid or enrollment_id
    if not device:
        return None
    if user == SHARED_IPAD_USER:
        return Who(f"{device}:{message.get('UserShortName', '')}", "Shared iPad", udid, enrollment_id, device)
    if user:
        kind = "User" if udid else "User Enrollment"
        return Who(f"{device}:{user}", kind, udid, enrollment_id, device)
    return Who(device, "Device" if udid else "User Enrollment (Device)", udid, enrollment_id, None)


def _authenticate(enrolment: Enrolment, _: dict[str, Any]) -> None:
    """A new enrolment: what was queued for the old one ends without a word."""
    enrolment.queue.clear()
    enrolment.known, enrolment.enabled, enrolment.tally = True, False, 0


def _token_update(enrolment: Enrolment, message: dict[str, Any]) -> None:
    enrolment.push = PushInfo(
        str(message.get("Topic", "")), str(message.get("PushMagic", "")), message.get("Token", b"")
    )
    enrolment.enabled, enrolment.tally = True, enrolment.tally + 1


def _check_out(enrolment: Enrolment, _: dict[str, Any]) -> None:
    enrolment.enabled = False  # a flag only: the queue stays, and later reports are answered as before


_CHECK_INS: dict[str, Callable[[Enrolment, dict[str, Any]], None]] = {
    "Authenticate": _authenticate,
    "TokenUpdate": _token_update,
    "CheckOut": _check_out,
}


_TYPES: dict[str, type[str] | type[bytes]] = {
    **dict.fromkeys(("UDID", "EnrollmentID", "UserID", "UserShortName"), str),
    **dict.fromkeys(("MessageType", "Status", "CommandUUID", "Topic", "PushMagic"), str),
    **dict.fromkeys(("Token", "UnlockToken"), bytes),
}


def _message(
    topic: str,
    who: Who,
    request: Request,
    *,
    status: str | None = None,
    command_uuid: str | None = None,
    tally: int | None = None,
) -> DeviceMessage:
    return DeviceMessage(
        topic=topic,
        id=who.id,
        id_type=who.type,
        udid=who.udid,
        enrollment_id=who.enrollment_id,
        raw=request.body,
        status=status,
        command_uuid=command_uuid,
        tally=tally,
        url_params=request.query,
        parent_id=who.parent_id,
    )
