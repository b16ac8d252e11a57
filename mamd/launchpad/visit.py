"""
One look at one device, step by step; nothing is changed unless Pair was allowed.

    connect ─▶ type ─▶ names ─▶ session ─▶ tls ─▶ values          (session: usually the end)
                                  └─ no record | InvalidHostID | no tls ─▶ pair ─▶ values

Written by hand: a client of pymobiledevice3 opens eight connections, lists all devices, has no
deadlines and costs ten times as much for each look.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from mamd.core.facts import Answer, Ids, PairAnswer
from mamd.launchpad import lockdown, mux
from mamd.launchpad.doors import Place, Rank
from mamd.launchpad.findings import Findings, Means, Target
from mamd.launchpad.mux import Result
from mamd.launchpad.plist import Garbled
from mamd.launchpad.records import PairRecord, Unreadable
from mamd.launchpad.wire import Absent, Closed, TlsFailed, Wire, opened

DOOR_S: Final = 0.2
"""After this an unanswered Connect waits for its device, and no longer in usbmuxd's backlog."""

CURED_BY_PAIRING: Final = (Answer.NO_RECORD, Answer.INVALID_HOST_ID, Answer.TLS_FAILED)


class Visit:
    """The steps, each leaving what it learnt in the findings. Made once."""

    def __init__(self, means: Means, target: Target, rank: Rank) -> None:
        self._means, self._target, self._rank = means, target, rank
        self._loop = asyncio.get_running_loop()
        self._found = Findings()
        self._wire: Wire | None = None
        self._record: PairRecord | None = None
        self._asked = 0.0

    async def made(self, deadline_s: float) -> Findings:
        """All steps, or as many as the deadline and the device allow."""
        try:
            async with self._means.opening.place(self._rank) as place, asyncio.timeout(deadline_s):
                await self._guarded(lambda: self._quiet(place))
                if self._may_pair():
                    self._found.pair = PairAnswer.NO_ANSWER  # until there is another one
                    await self._guarded(lambda: self._pair(place))
        except TimeoutError:
            self._failed(self._whose_silence())
        finally:
            self._hang_up()
        return self._found

    def _may_pair(self) -> bool:
        is_allowed = self._target.pair and self._target.udid is not None and self._means.pairing.may_ask
        return is_allowed and self._found.answer in CURED_BY_PAIRING

    def _whose_silence(self) -> Answer:
        """A device that does not answer, or usbmuxd? Its answers to others tell."""
        is_devices = self._found.stage != "connect" or self._means.usbmuxd.has_answered_since(self._asked)
        return Answer.NO_ANSWER if is_devices else Answer.HOST_FAULT

    async def _guarded(self, steps: Callable[[], Awaitable[None]]) -> None:
        """Turn what a peer does into what it means."""
        try:
            await steps()
        except Absent:
            self._failed(Answer.HOST_FAULT)
        except Unreadable as error:
            self._means.faults[self._target.udid or ""] = str(error)
            self._found.answer = Answer.HOST_FAULT  # whatever it was before: what we lack is no cause
        except TlsFailed:
            self._failed(Answer.TLS_FAILED)
        except Garbled:
            self._failed(Answer.HOST_FAULT if self._found.stage == "connect" else Answer.GARBLED)
        except Closed:
            self._failed(Answer.HOST_FAULT if self._found.stage == "connect" else Answer.NO_ANSWER)

    def _failed(self, answer: Answer) -> None:
        """The quiet part ends with this; if it has ended already, what comes after changes nothing."""
        if self._found.answer is None:
            self._found.answer = answer

    # ------------------------------------------------------------------ through usbmuxd

    async def _connect(self, place: Place) -> Wire | None:
        """A tunnel to the device's lockdownd; None if usbmuxd says no."""
        self._found.stage, self._asked = "connect", self._loop.time()
        patience = self._loop.call_later(DOOR_S, self._waits_for_device, place)
        try:
            self._hang_up()
            self._wire = await opened(self._means.address)
            self._record = await self._find_record(self._wire)
            result = await self._wire.ask(mux.connect(self._target.device.device_id))
        finally:
            patience.cancel()
            place.leave()
        return self._wire if self._is_through(result) else None

    def _waits_for_device(self, place: Place) -> None:
        place.leave()
        self._means.usbmuxd.asked_in_vain()

    def _is_through(self, result: mux.Heard) -> bool:
        if not isinstance(result, Result):
            raise Garbled("no Result of Connect")
        if result.number == mux.REFUSED:
            self._failed(Answer.CONNECT_REFUSED)
        elif result.number != mux.OK:
            # Above all BAD_DEVICE: usbmuxd was started anew, and its numbers mean other devices now.
            self._failed(Answer.HOST_FAULT)
        return result.number == mux.OK

    async def _find_record(self, wire: Wire) -> PairRecord | None:
        """Our own record, else usbmuxd's, asked for on the way. Raises `Unreadable`."""
        udid = self._target.udid
        if udid is None:
            return None
        record = self._means.records.own(udid)
        if record is None and self._target.is_let_in:
            record = self._means.records.proven(udid)
        if record is None:
            await wire.send(mux.read_pair_record(self._target.device.serial))
            record = self._means.records.foreign(udid, await wire.payload())
        self._means.faults.pop(udid, None)
        return record

    # -------------------------------------------------------------- with the device itself

    async def _quiet(self, place: Place) -> None:
        """Everything that leaves no trace on the device."""
        wire = await self._connect(place)
        if wire is None or await self._is_restoring(wire):
            return
        if self._target.name:
            await self._names(wire)
        if self._record is None:
            self._failed(Answer.NO_RECORD)
            return
        await self._session(wire, self._record)

    async def _is_restoring(self, wire: Wire) -> bool:
        self._found.stage = "type"
        reply = await wire.ask_device(lockdown.QUERY_TYPE, repeated=True)
        answer = lockdown.kind(reply)
        self._found.spoke = True
        if answer is not None:
            self._failed(answer)
        return answer is not None

    async def _names(self, wire: Wire) -> None:
        found = self._found
        found.stage = "names"
        udid, ecid = await self._value(wire, lockdown.UDID), await self._value(wire, lockdown.ECID)
        found.ids = lockdown.ids(udid, ecid)
        found.product_type = lockdown.product_type(await self._value(wire, lockdown.PRODUCT_TYPE))
        found.os_version = lockdown.os_version(await self._value(wire, lockdown.OS_VERSION))
        found.is_named = True

    async def _session(self, wire: Wire, record: PairRecord) -> None:
        self._found.stage = "session"
        answer, has_tls = lockdown.session(await wire.ask_device(record.start_session))
        if answer is Answer.SESSION and self._target.tls:
            await self._tls(wire, record, has_tls)
        self._failed(answer)
        if answer is Answer.SESSION:
            self._found.stage = ""
        if self._found.had_tls:
            await self._values(wire)

    async def _tls(self, wire: Wire, record: PairRecord, has_tls: bool) -> None:
        if has_tls:
            self._found.stage = "tls"
            if record.context is None:
                raise TlsFailed("the record's certificates are none")
            await wire.start_tls(record.context)
        self._found.had_tls = True

    async def _values(self, wire: Wire) -> None:
        """What is only said in a session. It may stop at any of them: it is a session all the same."""
        found = self._found
        found.stage = "values"
        found.locked = lockdown.flag(await self._value(wire, lockdown.LOCKED))
        if found.ids.serial is None:
            serial = lockdown.serial(await self._value(wire, lockdown.SERIAL))
            found.ids = found.ids.joined(Ids(serial=serial))
        found.battery_percent = lockdown.percent(await self._value(wire, lockdown.BATTERY))
        found.stage = ""

    async def _value(self, wire: Wire, request: bytes) -> object:
        return lockdown.value(await wire.ask_device(request))

    # ------------------------------------------------------------------------------ Pair

    async def _pair(self, place: Place) -> None:
        """Ask to be trusted; if it is granted, look inside at once."""
        has_spoilt_wire = self._found.answer is Answer.TLS_FAILED
        wire = await self._connect(place) if has_spoilt_wire else self._wire
        if wire is None:
            return
        assert self._target.udid is not None, "_may_pair has seen to it"
        if not await self._is_who_it_should_be(wire):
            self._found.pair = PairAnswer.NOT_SENT
            return
        self._found.stage = "pair"
        paired = await self._means.pairing.pair(wire, self._target.udid)
        self._found.pair, self._found.stage = paired.answer, paired.stage
        if paired.record is not None:
            await self._see_inside(wire, paired.record)

    async def _is_who_it_should_be(self, wire: Wire) -> bool:
        """After a restart of usbmuxd a number may be another device's, and strangers are asked nothing."""
        self._found.stage = "identity"
        said = lockdown.ids(await self._value(wire, lockdown.UDID), None).udid
        return said is None or said == self._target.udid

    async def _see_inside(self, wire: Wire, record: PairRecord) -> None:
        """It has accepted, and the record is kept; what is said inside is a bonus."""
        answer, has_tls = lockdown.session(await wire.ask_device(record.start_session))
        if answer is Answer.SESSION:
            await self._tls(wire, record, has_tls)
            await self._values(wire)

    def _hang_up(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None
