"""
The ladder into recovery mode, for a device that cannot be worked on. Each rung says why it failed.

    record ── a session with a pair record ──▶ unlocked: the ladder ends, that device can be paired
       │                                   └─▶ locked: EnterRecovery
    unpaired ── EnterRecovery without a session (allowUnpairedExternalBootToRecovery since iOS 14.5)
       │
    buttons ── a person; the words for that model

No Pair request is ever sent from here, nor a supervised one: a device that is unlocked enough to be paired
has no business on this ladder. That recovery mode was entered is seen on the bus, not here.
"""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from pymobiledevice3.exceptions import (
    ConnectionFailedToUsbmuxdError,
    DeviceNotFoundError,
    MuxException,
    NoDeviceConnectedError,
    PyMobileDevice3Exception,
)
from pymobiledevice3.service_connection import ServiceConnection

from mamd.recovery.buttons import Sequence, sequence
from mamd.recovery.lines import clipped

LOCKDOWN_PORT: Final = 62078
RUNG_S: Final = 15.0
LABEL: Final = "mamd"

PairRecord = Mapping[str, Any]
Reply = dict[str, Any]


class Rung(Enum):
    """The ways into recovery mode, in the order in which they are tried."""

    RECORD = "record"
    UNPAIRED = "unpaired"
    BUTTONS = "buttons"


class Outcome(Enum):
    """What came of a rung."""

    ACCEPTED = "accepted"
    """The device said yes."""
    DOUBTFUL = "doubtful"
    """It was asked and went away without a word: it may be on its way. Nothing else is asked."""
    CAN_BE_PAIRED = "can_be_paired"
    """Unlocked, and it trusts us: nothing was asked of it."""
    WRONG_DEVICE = "wrong_device"
    """Another device than the one that was meant: nothing was asked of it."""
    SESSION_INACTIVE = "session_inactive"
    LOCKED = "locked"
    """No session before its passcode was entered."""
    NO_RECORD = "no_record"
    STALE_RECORD = "stale_record"
    NOT_THERE = "not_there"
    NO_ANSWER = "no_answer"
    REFUSED = "refused"
    NOT_LOCKDOWN = "not_lockdown"
    HOST_FAULT = "host_fault"
    NEEDS_BUTTONS = "needs_buttons"


ENDS_THE_LADDER: Final = frozenset(
    {
        Outcome.ACCEPTED,
        Outcome.DOUBTFUL,
        Outcome.CAN_BE_PAIRED,
        Outcome.WRONG_DEVICE,
        Outcome.HOST_FAULT,
        Outcome.NOT_LOCKDOWN,
    }
)
"""After these no other rung is tried: it is done, must not be done, or says nothing about the device."""

_WHY: Final = {
    Outcome.ACCEPTED: "the device is going into recovery mode",
    Outcome.DOUBTFUL: "asked, and it went away without an answer",
    Outcome.CAN_BE_PAIRED: "it is unlocked and trusts this host: it needs no recovery mode",
    Outcome.WRONG_DEVICE: "what answers is another device than the one that was meant",
    Outcome.SESSION_INACTIVE: "it wants a session; the restriction 'allow unpaired external boot to "
    "recovery' (allowUnpairedExternalBootToRecovery) is not installed on it",
    Outcome.LOCKED: "no session before its passcode is entered",
    Outcome.NO_RECORD: "no pair record of this device",
    Outcome.STALE_RECORD: "it does not know this pair record any more",
    Outcome.NOT_THERE: "not in usbmux: USB restricted mode, a cable, or it is off",
    Outcome.NO_ANSWER: "no answer",
    Outcome.NOT_LOCKDOWN: "it is in restore mode",
    Outcome.HOST_FAULT: "usbmuxd does not answer",
}
_ERRORS: Final = {
    "SessionInactive": Outcome.SESSION_INACTIVE,
    "PasswordProtected": Outcome.LOCKED,
    "EscrowLocked": Outcome.LOCKED,
    "InvalidHostID": Outcome.STALE_RECORD,
}


@dataclass(frozen=True, slots=True)
class Target:
    """
    Which device is meant.

    Attributes:
        usbmux: A path or HOST:PORT.
        may_be_unlocked: A person asked for recovery mode by name; else only a locked device is sent there.
    """

    udid: str
    ecid: int
    product_type: str | None
    usbmux: str
    may_be_unlocked: bool = False


@dataclass(frozen=True, slots=True)
class RungResult:
    """One rung, what came of it, and why in words."""

    rung: Rung
    outcome: Outcome
    why: str


@dataclass(frozen=True, slots=True)
class Climb:
    """All rungs that were tried. `buttons` is there if nothing else is left."""

    results: tuple[RungResult, ...]
    buttons: Sequence | None = None

    @property
    def outcome(self) -> Outcome:
        """What the ladder came to."""
        return Outcome.NEEDS_BUTTONS if self.buttons is not None else self.results[-1].outcome


class _Stopped(Exception):
    """This rung is over."""

    def __init__(self, outcome: Outcome, why: str | None = None) -> None:
        super().__init__(outcome)
        self.outcome, self.why = outcome, why or _WHY[outcome]


async def climb(target: Target, record: PairRecord | None, rung_s: float = RUNG_S) -> Climb:
    """Try the rungs in their order, until one ends the ladder. Takes at most two times `rung_s` seconds."""
    results = [await with_record(target, record, rung_s)]
    if results[-1].outcome not in ENDS_THE_LADDER:
        results.append(await unpaired(target, rung_s))
    if results[-1].outcome in ENDS_THE_LADDER:
        return Climb(tuple(results))
    buttons = sequence(target.product_type)
    results.append(RungResult(Rung.BUTTONS, Outcome.NEEDS_BUTTONS, f"{results[-1].why}; {buttons}"))
    return Climb(tuple(results), buttons)


async def with_record(target: Target, record: PairRecord | None, within_s: float = RUNG_S) -> RungResult:
    """Open a session with a pair record, see that the device is locked, and send it to recovery mode."""

    if record is None:
        return RungResult(Rung.RECORD, Outcome.NO_RECORD, _WHY[Outcome.NO_RECORD])
    kept = record

    async def ask(device: _Device) -> None:
        await device.start_session(kept)
        if not target.may_be_unlocked and await device.value("PasswordProtected") is not True:
            raise _Stopped(Outcome.CAN_BE_PAIRED)
        await device.enter_recovery()

    return await _bounded(Rung.RECORD, target, within_s, ask)


async def unpaired(target: Target, within_s: float = RUNG_S) -> RungResult:
    """Send a device to recovery mode that has no session with us."""
    return await _bounded(Rung.UNPAIRED, target, within_s, _Device.enter_recovery)


async def _bounded(
    rung: Rung, target: Target, within_s: float, ask: Callable[["_Device"], Awaitable[None]]
) -> RungResult:
    """One rung on a connection of its own, whatever becomes of it."""
    device: _Device | None = None
    try:
        async with asyncio.timeout(within_s), _opened(target) as device:
            await device.check(target)
            await ask(device)
        outcome, why = Outcome.ACCEPTED, _WHY[Outcome.ACCEPTED]
    except _Stopped as stop:
        outcome, why = stop.outcome, stop.why
    except (PyMobileDevice3Exception, OSError, TimeoutError, ValueError) as error:
        outcome = _outcome(error)
        why = _WHY[outcome]
    if device is not None and device.was_asked and outcome in (Outcome.NO_ANSWER, Outcome.NOT_THERE):
        outcome, why = Outcome.DOUBTFUL, _WHY[Outcome.DOUBTFUL]
    return RungResult(rung, outcome, why)


def _outcome(error: Exception) -> Outcome:
    if isinstance(error, ConnectionFailedToUsbmuxdError):
        return Outcome.HOST_FAULT
    if isinstance(error, ssl.SSLError):
        return Outcome.STALE_RECORD
    if isinstance(error, DeviceNotFoundError | NoDeviceConnectedError | MuxException):
        return Outcome.NOT_THERE
    return Outcome.NO_ANSWER


@asynccontextmanager
async def _opened(target: Target) -> AsyncIterator["_Device"]:
    service = await ServiceConnection.create_using_usbmux(
        target.udid, LOCKDOWN_PORT, connection_type="USB", usbmux_address=target.usbmux
    )
    try:
        yield _Device(service)
    finally:
        with suppress(PyMobileDevice3Exception, OSError):
            await service.close()


class _Device:
    """lockdownd over one connection; the few requests that this ladder needs."""

    def __init__(self, service: ServiceConnection) -> None:
        self._service = service
        self.was_asked = False

    async def check(self, target: Target) -> None:
        """That it is lockdownd of the device that is meant, as far as it tells without a session."""
        if (await self._ask("QueryType")).get("Type") != "com.apple.mobile.lockdown":
            raise _Stopped(Outcome.NOT_LOCKDOWN)
        ecid, udid = await self.value("UniqueChipID"), await self.value("UniqueDeviceID")
        is_other_chip = isinstance(ecid, int) and ecid % 2**64 != target.ecid
        is_other_udid = isinstance(udid, str) and udid.lower() != target.udid.lower()
        if is_other_chip or is_other_udid:
            raise _Stopped(Outcome.WRONG_DEVICE)

    async def start_session(self, record: PairRecord) -> None:
        """Open a session, inside TLS where the device wants it."""
        host_id, buid = record.get("HostID"), record.get("SystemBUID")
        if not isinstance(host_id, str) or not isinstance(buid, str):
            raise _Stopped(Outcome.STALE_RECORD, "the pair record has no HostID or SystemBUID")
        reply = self._accepted(await self._ask("StartSession", HostID=host_id, SystemBUID=buid))
        if reply.get("EnableSessionSSL"):
            try:
                await self._service.start_tls(_context(record))
            except (PyMobileDevice3Exception, OSError) as error:
                raise _Stopped(Outcome.STALE_RECORD, "no TLS with this pair record") from error

    async def value(self, key: str) -> object:
        """A value of the device; None if it does not tell."""
        return (await self._ask("GetValue", Key=key)).get("Value")

    async def enter_recovery(self) -> None:
        """Send it to recovery mode."""
        self.was_asked = True
        self._accepted(await self._ask("EnterRecovery"))

    async def _ask(self, request: str, **more: str) -> Reply:
        reply = await self._service.send_recv_plist({"Label": LABEL, "Request": request, **more})
        if not isinstance(reply, dict):
            raise ValueError("an answer that is no dictionary")
        return reply

    def _accepted(self, reply: Reply) -> Reply:
        error = reply.get("Error")
        if error is None:
            return reply
        known = _ERRORS.get(str(error))
        raise (
            _Stopped(known)
            if known
            else _Stopped(Outcome.REFUSED, f"the device says {clipped(str(error), 60)}")
        )


def _context(record: PairRecord) -> ssl.SSLContext:
    """TLS as pymobiledevice3 does it: the host's certificate, and no questions to the device's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:!aNULL:!eNULL:@SECLEVEL=0")  # old devices sign with SHA-1 and 1,024 bits
    pem = b"\n".join(bytes(record.get(name, b"")) for name in ("HostCertificate", "HostPrivateKey"))
    # OpenSSL takes keys from files only; this one has no name.
    with open(os.memfd_create("pair-record", os.MFD_CLOEXEC), "wb") as file:
        file.write(pem)
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
    return context
