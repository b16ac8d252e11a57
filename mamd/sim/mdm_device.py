"""The MDM client of one simulated phone, speaking Apple's protocol to a real or a simulated server.

It enrols, is woken by pushes, asks for work until there is none, and does what the phone would do.
Its manners say how it falls short of that.

    push ──► wake ──► Idle ──► command ──► result ──► command ──► … ──► nothing more
"""

from __future__ import annotations

import asyncio
import plistlib
from dataclasses import dataclass, field
from typing import Any

from mamd.sim.mdm_apns import Apns
from mamd.sim.mdm_checkin import CHECKIN_TYPE, BadPlist, parse_plist
from mamd.sim.mdm_commands import NOT_NOW, MdmPhone, Result, execute
from mamd.sim.mdm_identity import Identity
from mamd.sim.mdm_webhook import Notes
from mamd.sim.mdm_wire import Client, Response, WireError
from mamd.sim.phone import Mode

REPORT_TYPE = "application/x-apple-aspen-mdm"


class Refused(Exception):
    """The server did not take a message; the device stays as it was."""


@dataclass(slots=True)
class Manners:
    """How a phone deals with its MDM. Counts are of what comes next, and count down."""

    not_now: dict[str, int] = field(default_factory=dict)  # by request type
    fails: dict[str, Result] = field(default_factory=dict)  # answered instead of done, until taken out
    wakes_after_s: float = 0.0  # between a push and the phone's first word
    works_for_s: float = 0.0  # between a command and its result
    lose_results: int = 0  # does it, but the connection breaks before the result is sent
    repeat_results: int = 0  # says the result twice, as after an answer that was lost
    ignores_pushes: bool = False
    cellular: bool = False  # without it, a phone that was not unlocked since it booted has no network


@dataclass(frozen=True, slots=True)
class Done:
    """One command that the phone dealt with in a contact."""

    request_type: str
    command_uuid: str
    status: str


class MdmDevice:
    """One phone's MDM client. Call `start` to have it woken by pushes, or `contact` to have it poll once."""

    def __init__(
        self,
        phone: MdmPhone,
        url: str,
        *,
        topic: str,
        apns: Apns,
        notes: Notes,
        identity: Identity | None = None,
        manners: Manners | None = None,
        client: Client | None = None,
    ) -> None:
        self.phone, self.manners = phone, manners or Manners()
        self._url, self._topic, self._apns, self._notes = url, topic, apns, notes
        self._identity, self._shares_client = identity, client is not None
        self._client = client or Client()
        self._contact_lock = asyncio.Lock()
        self._polling: asyncio.Task[None] | None = None
        self._started = self._woken = self._postponed = False
        self._connected: bytes | None = None  # the push token that Apple knows it by now

    @property
    def reachable(self) -> bool:
        """Whether its MDM client can call home now.

        After a restart a locked phone does not rejoin its Wi-Fi; in recovery mode nothing of iOS runs.
        """
        phone = self.phone
        runs = phone.mdm_enrolled and phone.mode in (Mode.NORMAL, Mode.SETUP)
        before_first_unlock = phone.passcode_set and not phone.first_unlocked
        return runs and phone.online and (self.manners.cellular or not before_first_unlock)

    async def enrol(self) -> None:
        """Enrol, or enrol again: Authenticate, then TokenUpdate. Raises Refused or OSError."""
        phone = self.phone
        await self._check_in(
            "Authenticate",
            {
                "SerialNumber": phone.serial,
                "DeviceName": phone.name,
                "OSVersion": phone.product_version,
                "BuildVersion": "21F90",
                "Model": "MPQ03LL",
                "ModelName": "iPhone",
                "ProductName": "iPhone14,5",
            },
        )
        await self.update_token()
        phone.mdm_enrolled = True

    async def update_token(self, *, with_unlock_token: bool = True) -> None:
        """Send a TokenUpdate; later ones may lack the unlock token, which does not take it back."""
        phone = self.phone
        message: dict[str, Any] = {
            "Token": phone.push_token,
            "PushMagic": phone.push_magic,
            "AwaitingConfiguration": False,
        }
        if with_unlock_token:
            message["UnlockToken"] = phone.unlock_token
        await self._check_in("TokenUpdate", message)

    async def check_out(self) -> None:
        """Leave the MDM, as a removed profile does; best effort on a real device."""
        await self._check_in("CheckOut", {})
        self.phone.mdm_enrolled = False
        self.phone_changed()

    def start(self) -> None:
        """Be woken by pushes from now on; a second call does nothing."""
        self._started = True
        self.phone_changed()

    async def stop(self) -> None:
        """Stop polling and listening."""
        self._started = False
        self.phone_changed()
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.gather(self._polling, return_exceptions=True)
        if not self._shares_client:
            self._client.close()

    def phone_changed(self) -> None:
        """Look at the phone again: it may have gone online or offline, or have been unlocked."""
        wants = self._started and self.reachable
        token = self.phone.push_token if wants else None
        if token != self._connected:
            before, self._connected = self._connected, token
            if before is not None:
                self._apns.disconnect(before)
            if token is not None:
                self._apns.connect(token, self.wake)
        if wants and self._postponed and not self.phone.locked:
            self.wake()  # after a last NotNow a device polls by itself once it can

    def wake(self) -> None:
        """A push has come: poll in the background, once more if a poll is under way."""
        if self.manners.ignores_pushes:
            return
        self._woken = True
        if self._polling is None or self._polling.done():
            self._polling = asyncio.get_running_loop().create_task(self._poll())

    async def _poll(self) -> None:
        while self._woken:
            if self.manners.wakes_after_s:
                await asyncio.sleep(self.manners.wakes_after_s)
            self._woken = False
            try:
                await self.contact()
            except (OSError, WireError, Refused, BadPlist) as error:
                self._notes.note("mdm.contact_failed", device=self.phone.udid, why=type(error).__name__)

    async def contact(self) -> list[Done]:
        """Poll once: Idle, then one command after the other until there is none. Returns what was done.

        Raises OSError where the server cannot be reached, Refused where it answers with an error.
        """
        if not self.reachable:
            raise OSError("the phone has no network")
        done: list[Done] = []
        async with self._contact_lock:
            self._postponed = False
            command = await self._say({"Status": "Idle"})
            while command:
                entry, command = await self._deal_with(parse_plist(command))
                done.append(entry)
            self._postponed = bool(done) and done[-1].status == "NotNow"
        return done

    async def _deal_with(self, message: dict[str, Any]) -> tuple[Done, bytes]:
        """Do one command and report it; the server's next command, or nothing."""
        command, uuid = message["Command"], message["CommandUUID"]
        result = self._perform(command)
        if self.manners.works_for_s:
            await asyncio.sleep(self.manners.works_for_s)
        entry = Done(command["RequestType"], uuid, result.status)
        self._notes.note(
            "mdm.executed",
            device=self.phone.udid,
            request_type=entry.request_type,
            command_uuid=uuid,
            status=entry.status,
        )
        return entry, await self._report(uuid, result)

    def _perform(self, command: dict[str, Any]) -> Result:
        kind = command["RequestType"]
        if self.manners.not_now.get(kind, 0) > 0:
            self.manners.not_now[kind] -= 1
            return NOT_NOW
        return self.manners.fails.get(kind) or execute(self.phone, command)

    async def _report(self, uuid: str, result: Result) -> bytes:
        if self.manners.lose_results > 0:
            self.manners.lose_results -= 1
            raise ConnectionResetError("the result was lost on its way")
        message = {"Status": result.status, "CommandUUID": uuid, **result.fields}
        if self.manners.repeat_results > 0:
            self.manners.repeat_results -= 1
            await self._say(message)
        return await self._say(message)

    async def _say(self, message: dict[str, Any]) -> bytes:
        return (await self._send(message, REPORT_TYPE)).body

    async def _check_in(self, kind: str, message: dict[str, Any]) -> None:
        await self._send({"MessageType": kind, "Topic": self._topic, **message}, CHECKIN_TYPE)

    async def _send(self, message: dict[str, Any], content_type: str) -> Response:
        body = plistlib.dumps({"UDID": self.phone.udid, **message})
        headers = {"Content-Type": content_type, "User-Agent": "MDM/1.0"}
        if self._identity is not None:
            headers["Mdm-Signature"] = self._identity.sign(body)
        answer = await self._client.call("PUT", self._url, body, headers)
        if answer.status != 200:
            raise Refused(f"the MDM answered {answer.status}")
        return answer
