"""lockdownd's side of one connection: frames, requests, and TLS once a session has begun.

Sans-I/O: bytes come in by `receive`, go out by the `send` that it was given. The wire is a length of four
bytes, big-endian, then a plist; after StartSession the same inside TLS.
"""

from __future__ import annotations

import plistlib
import ssl
import struct
import uuid
from collections.abc import Callable
from typing import Any

from mamd.sim import trust
from mamd.sim.keys import Sessions
from mamd.sim.phone import Fault, HostTrust, Locked, Phone
from mamd.sim.record import Record
from mamd.sim.tls import TlsServer
from mamd.sim.values import get_value

LOCKDOWN_PORT = 62078
LENGTH = struct.Struct(">I")
LONGEST_REQUEST = 1 << 20

Request = dict[str, Any]
Reply = dict[str, Any]


class LockdownConnection:
    """One host's conversation with a phone's lockdownd."""

    def __init__(
        self,
        phone: Phone,
        sessions: Sessions,
        record: Record,
        send: Callable[[bytes], None],
        close: Callable[[], None],
    ) -> None:
        self._phone, self._sessions, self._record = phone, sessions, record
        self._send_raw, self._close = send, close
        self._buffer = bytearray()
        self._tls: TlsServer | None = None
        self._session: str | None = None
        self._host: HostTrust | None = None

    def receive(self, data: bytes) -> None:
        """Take bytes from the host and answer them."""
        if self._tls is not None:
            data = self._decrypted(self._tls, data)
        self._buffer += data
        while (frame := self._frame()) is not None:
            self._serve(frame)

    def lost(self) -> None:
        """The host is gone; nothing of the conversation is kept."""

    def _decrypted(self, tls: TlsServer, data: bytes) -> bytes:
        if Fault.HANG_TLS in self._phone.faults and not tls.established:
            return b""
        was_established = tls.established
        try:
            plain = tls.receive(data)
        except ssl.SSLError:
            self._note("tls", answer="failed")
            self._close()
            return b""
        if tls.established and not was_established:
            self._note("tls", answer="ok")
        if tls.ended:
            self._tls, self._session, self._host = None, None, None
        return plain

    def _frame(self) -> bytes | None:
        if len(self._buffer) < LENGTH.size:
            return None
        (length,) = LENGTH.unpack_from(self._buffer)
        if length > LONGEST_REQUEST:
            self._buffer.clear()
            self._close()
            return None
        end = LENGTH.size + length
        if len(self._buffer) < end:
            return None
        frame = bytes(self._buffer[LENGTH.size : end])
        del self._buffer[:end]
        return frame

    def _serve(self, frame: bytes) -> None:
        request = _parsed(frame)
        if request is None:
            self._close()
            return
        name = str(request.get("Request"))
        if self._misbehaves(name):
            return
        reply = self._answer(name, request)
        self._note(
            "lockdown",
            request=name,
            answer=reply.get("Error", "ok"),
            **_of_interest(name, request, self._session),
        )
        self._send({"Request": name, **reply})
        self._afterwards(name, reply)

    def _answer(self, name: str, request: Request) -> Reply:
        answer = _ANSWERS.get(name)
        return trust.error("InvalidRequest") if answer is None else answer(self, request)

    def _afterwards(self, name: str, reply: Reply) -> None:
        """What a request changes once its reply is out: the encryption, the connection, the mode."""
        if "Error" in reply:
            return
        if name == "StartSession" and self._host is not None:
            self._tls = TlsServer(self._sessions.context(self._host), self._send_raw)
        elif name == "Goodbye":
            self._close()
        elif name == "EnterRecovery":
            self._phone.enter_recovery()

    def _send(self, reply: Reply) -> None:
        payload = plistlib.dumps(reply)
        frame = LENGTH.pack(len(payload)) + payload
        if self._tls is not None and self._tls.established:
            self._tls.send(frame)
        else:
            self._send_raw(frame)

    def _note(self, kind: str, **fields: Any) -> None:
        self._record.note(kind, device=self._phone.udid, **fields)

    # The requests.

    def _query_type(self, request: Request) -> Reply:
        return {"Type": "com.apple.mobile.lockdown"}

    def _get_value(self, request: Request) -> Reply:
        return get_value(self._phone, request, in_session=self._session is not None)

    def _pair(self, request: Request) -> Reply:
        return trust.pair(self._phone, request)

    def _unpair(self, request: Request) -> Reply:
        return trust.unpair(self._phone, request)

    def _start_session(self, request: Request) -> Reply:
        if self._session is not None:
            return trust.error("SessionActive")
        answer = trust.start_session(self._phone, request.get("HostID"))
        if not isinstance(answer, HostTrust):
            return answer
        try:
            self._sessions.context(answer)
        except ValueError:
            return trust.error("InvalidPairRecord")
        self._session, self._host = str(uuid.uuid4()).upper(), answer
        return {"EnableSessionSSL": True, "SessionID": self._session}

    def _stop_session(self, request: Request) -> Reply:
        if self._session is None:
            return trust.error("SessionInactive")
        if request.get("SessionID") != self._session:
            return trust.error("InvalidSessionID")
        return {}  # TLS ends when the host says so

    def _start_service(self, request: Request) -> Reply:
        """No service runs here; the reason given is the one that the phone's state would have."""
        if not isinstance(request.get("Service"), str):
            return trust.error("MissingService")
        service = {"Service": request["Service"]}
        if self._session is None:
            return trust.error("SessionInactive", **service)
        if not self._phone.first_unlocked:
            return trust.error(Locked.PASSWORD_PROTECTED.value, **service)
        return trust.error("InvalidService", **service)

    def _set_value(self, request: Request) -> Reply:
        return trust.error("SetProhibited")

    def _enter_recovery(self, request: Request) -> Reply:
        return trust.enter_recovery(self._phone, in_session=self._session is not None)

    def _goodbye(self, request: Request) -> Reply:
        return {}

    # What goes wrong.

    def _misbehaves(self, name: str) -> bool:
        """Whether a fault took the place of the answer."""
        faults = self._phone.faults
        if not faults:
            return False
        if _HANGS.get(name) in faults:
            self._note("lockdown", request=name, answer="none")
            return True
        fault = next((fault for fault in _RUBBISH if fault in faults), None)
        if fault is None:
            return False
        self._note("lockdown", request=name, answer=fault.value)
        self._send_raw(_RUBBISH[fault])
        if fault is Fault.DROP:
            self._close()
        return True


def _of_interest(name: str, request: Request, session: str | None) -> dict[str, Any]:
    """What a judge wants to know of a request besides its name: never a secret, never a certificate."""
    fields: dict[str, Any] = {"session": session is not None}
    if name == "GetValue":
        fields |= {name.lower(): str(request[name]) for name in ("Key", "Domain") if name in request}
    if name == "Pair":
        options = trust.pairing_options(request)
        fields["supervised"] = "SupervisorCertificate" in options or "ChallengeResponse" in options
    return fields


def _parsed(frame: bytes) -> Request | None:
    try:
        request = plistlib.loads(frame)
    except Exception:  # plistlib raises whatever the parser below it raises
        return None
    return request if isinstance(request, dict) else None


_ANSWERS: dict[str, Callable[[LockdownConnection, Request], Reply]] = {
    "QueryType": LockdownConnection._query_type,
    "GetValue": LockdownConnection._get_value,
    "SetValue": LockdownConnection._set_value,
    "Pair": LockdownConnection._pair,
    "Unpair": LockdownConnection._unpair,
    "StartSession": LockdownConnection._start_session,
    "StopSession": LockdownConnection._stop_session,
    "StartService": LockdownConnection._start_service,
    "EnterRecovery": LockdownConnection._enter_recovery,
    "Goodbye": LockdownConnection._goodbye,
}  # ValidatePair is gone since iOS 11 (libimobiledevice issue 510)

_HANGS = {
    "QueryType": Fault.HANG_QUERY_TYPE,
    "StartSession": Fault.HANG_START_SESSION,
    "Pair": Fault.HANG_PAIR,
}


def _framed(payload: bytes) -> bytes:
    return LENGTH.pack(len(payload)) + payload


_XML = b'<?xml version="1.0" encoding="UTF-8"?><plist version="1.0">'
_RUBBISH = {
    Fault.GARBAGE: _framed(b"\x00\xff" * 40),
    Fault.OVERSIZED: LENGTH.pack(0x7FFFFFFF) + b"<plist>",
    Fault.TRUNCATED: LENGTH.pack(400) + _XML + b"<dict>",
    Fault.DEEP: _framed(_XML + b"<array>" * 10_000 + b"</array>" * 10_000 + b"</plist>"),
    Fault.FLOOD: _framed(_XML + b"<array>" + b"<integer>1</integer>" * 100_000 + b"</array></plist>"),
    Fault.DROP: b"",
}
