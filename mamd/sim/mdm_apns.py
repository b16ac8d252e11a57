"""Apple's push service, as far as an MDM and its devices can tell.

A push says nothing but "call home". Apple takes it for sleeping devices, too, and keeps the
newest one for each; so a push that was accepted proves nothing, and one that failed leaves the
command queued. Both halves are here: what the MDM is answered, and whom it wakes.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


class PushFault(Enum):
    """How pushes fail, with Apple's status and reason; NO_NETWORK is no answer at all."""

    BAD_TOKEN = (400, "BadDeviceToken")
    WRONG_TOPIC = (400, "DeviceTokenNotForTopic")
    BAD_CERTIFICATE = (403, "BadCertificate")
    UNREGISTERED = (410, "Unregistered")
    TOO_MANY = (429, "TooManyRequests")
    BROKEN = (500, "InternalServerError")
    SHUT_DOWN = (503, "ServiceUnavailable")
    HTML = (502, "")
    NO_NETWORK = (0, "")


@dataclass(frozen=True, slots=True)
class PushAnswer:
    """What the MDM gets for one push: Apple's id for it, the HTTP status and the reason."""

    apns_id: str
    status: int = 200
    reason: str = ""
    timestamp_ms: int = 0

    @property
    def ok(self) -> bool:
        return self.status == 200


class Apns:
    """A push service for simulated devices. `fault` fails every push until it is None again."""

    def __init__(self) -> None:
        self.fault: PushFault | None = None
        self.faults: dict[bytes, PushFault] = {}  # of single devices, by push token
        self.answer_after_s = 0.0  # a device that was woken may be done before the MDM has its answer
        self.pushes = 0
        self._awake: dict[bytes, Callable[[], None]] = {}
        self._kept: set[bytes] = set()

    def connect(self, token: bytes, wake: Callable[[], None]) -> None:
        """A device is online: `wake` is called for each push, and now if one was kept for it."""
        self._awake[token] = wake
        if token in self._kept:
            self._kept.discard(token)
            wake()

    def disconnect(self, token: bytes) -> None:
        """The device is away; what comes for it meanwhile is kept. Twice is once."""
        self._awake.pop(token, None)

    async def push(self, token: bytes) -> PushAnswer:
        """Take one push and wake its device, or answer as the fault in force says."""
        self.pushes += 1
        answer = self._answer(token)
        if answer.ok:
            self._deliver(token)
        if self.answer_after_s:
            await asyncio.sleep(self.answer_after_s)
        return answer

    def _answer(self, token: bytes) -> PushAnswer:
        fault, apns_id = self.faults.get(token, self.fault), str(uuid.uuid4()).upper()
        if fault is None:
            return PushAnswer(apns_id)
        stamp = time.time_ns() // 1_000_000 if fault is PushFault.UNREGISTERED else 0
        return PushAnswer(apns_id, *fault.value, stamp)

    def _deliver(self, token: bytes) -> None:
        wake = self._awake.get(token)
        if wake is None:
            self._kept.add(token)
        else:
            wake()
