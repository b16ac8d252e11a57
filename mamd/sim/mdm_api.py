"""The HTTP API of the simulated NanoMDM: enqueue, push, push certificate, and what each really answers.

A 500 does not mean that a command was not queued: the fields of the answer say so, not its
status (nanomdm v0.9.0, api/ and http/api/).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from mamd.sim.mdm_apns import Apns, PushAnswer
from mamd.sim.mdm_checkin import BadPlist, parse_plist
from mamd.sim.mdm_queue import Command, NotQueued, PushInfo, Store
from mamd.sim.mdm_webhook import Notes
from mamd.sim.mdm_wire import Request, Response


class Api:
    """Answers /v1/enqueue/… and /v1/push/… for one store and one push service."""

    def __init__(self, store: Store, apns: Apns, notes: Notes, topics: set[str]) -> None:
        self._store, self._apns, self._notes = store, apns, notes
        self.topics = topics  # of the push certificates that were uploaded

    async def enqueue(self, request: Request) -> Response:
        """Queue one command for the ids in the path, then push to them unless asked not to."""
        ids = _ids(request.path, "/v1/enqueue/")
        if not ids:
            return _result(500, {"command_error": "getting enrollment ids: empty path"})
        no_push = bool(request.query.get("nopush"))
        if not request.body:
            return await self._only_push(ids, no_push)
        try:
            command = decode_command(request.body)
        except NotQueued as refusal:
            return _result(500, {"command_error": str(refusal)})
        for id in ids:
            self._notes.note(
                "mdm.enqueue", device=id, request_type=command.request_type, command_uuid=command.uuid
            )
        return await self._queue_and_push(ids, command, no_push)

    async def _only_push(self, ids: Sequence[str], no_push: bool) -> Response:
        if no_push:
            return _result(500, {"no_push": True, "command_error": "must enqueue or push"})
        return await self._push_to(ids, {})

    async def _queue_and_push(self, ids: Sequence[str], command: Command, no_push: bool) -> Response:
        about: dict[str, Any] = {"command_uuid": command.uuid, "request_type": command.request_type}
        if no_push:
            about["no_push"] = True
        try:
            await self._store.enqueue(ids, command)
        except NotQueued as refusal:
            return _result(500, about | {"command_error": str(refusal)})
        for id in ids:
            self._notes.note(
                "mdm.queued", device=id, request_type=command.request_type, command_uuid=command.uuid
            )
        return _result(200, about) if no_push else await self._push_to(ids, about)

    async def push(self, request: Request) -> Response:
        """Push to the ids in the path; any method will do."""
        ids = _ids(request.path, "/v1/push/")
        if not ids:
            return _result(500, {"push_error": "getting enrollment ids: empty path"})
        return await self._push_to(ids, {})

    async def _push_to(self, ids: Sequence[str], about: dict[str, Any]) -> Response:
        status: dict[str, dict[str, str]] = {}
        for id in sorted(set(ids)):
            info = self._store.push_info(id)
            if info is not None and info.topic not in self.topics:
                return _result(500, about | {"push_error": _no_certificate(info.topic)})
            status[id] = await self._push_one(id, info)
        failed = sum("push_error" in answer for answer in status.values())
        return _result(500 if failed == len(ids) else 207 if failed else 200, about | {"status": status})

    async def _push_one(self, id: str, info: PushInfo | None) -> dict[str, str]:
        if info is None:
            return {"push_error": "push data missing for id"}
        answer = await self._apns.push(info.token)
        self._notes.note("mdm.push", device=id, ok=answer.ok, reason=answer.reason)
        return _push_fields(info, answer)


def decode_command(body: bytes) -> Command:
    """The command in an enqueued body; raises NotQueued with NanoMDM's words, the body included."""
    try:
        message = parse_plist(body)
    except BadPlist as error:
        # The real server hands the whole body back, an unlock token and all. So must this one: a client has
        # to be tested against it.
        text = body.decode("utf-8", "replace")
        raise NotQueued(f"decoding command: parse error: plist: {error}: raw content: {text}") from error
    uuid, command = message.get("CommandUUID"), message.get("Command")
    kind = command.get("RequestType") if isinstance(command, Mapping) else None
    if not (isinstance(uuid, str) and uuid and isinstance(kind, str) and kind):
        raise NotQueued("decoding command: invalid command")
    return Command(uuid, kind, body)


def json_answer(status: int, value: Mapping[str, Any]) -> Response:
    """JSON as Go's encoder writes it with a tab for indentation."""
    text = json.dumps(value, indent="\t", ensure_ascii=False) + "\n"
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Response(status, text.encode("utf-8", "replace"), {"Content-Type": "application/json"})


_ORDER = ("status", "no_push", "push_error", "command_error", "command_uuid", "request_type")


def _result(status: int, fields: Mapping[str, Any]) -> Response:
    return json_answer(status, {name: fields[name] for name in _ORDER if fields.get(name)})


def _ids(path: str, prefix: str) -> list[str]:
    rest = unquote(path.removeprefix(prefix))
    return rest.split(",") if rest else []


def _no_certificate(topic: str) -> str:
    return f'retrieving push cert for topic "{topic}": key not found: {topic}.pem'


def _push_fields(info: PushInfo, answer: PushAnswer) -> dict[str, str]:
    """What the answer says of one id. Apple's id is there even when the push failed."""
    if answer.ok:
        return {"push_result": answer.apns_id}
    if answer.status == 0:
        where = f"https://api.push.apple.com/3/device/{info.token.hex()}"
        return {"push_error": f'Post "{where}": dial tcp: lookup api.push.apple.com: network is unreachable'}
    error = f"push HTTP status: {answer.status}: {_reason(answer)}"
    return {"push_error": error, "push_result": answer.apns_id}


def _reason(answer: PushAnswer) -> str:
    if not answer.reason:
        return "decoding JSON push error: invalid character '<' looking for beginning of value"
    stamp = f": timestamp {answer.timestamp_ms}" if answer.timestamp_ms else ""
    return f"APNs push error: {answer.reason}{stamp}"
