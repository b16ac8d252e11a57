"""
Speaks to NanoMDM (micromdm/nanomdm v0.9.0: docs/openapi.yaml, http/api, api).

NanoMDM takes commands and pushes; what became of them comes by its webhook only
(`nanomdm_webhook`). Three things about it decide what stands here:

    - Queueing and pushing are two things. A 500 whose body has no `command_error` *is* queued;
      only the push failed. So the fields are read, and never the status.
    - CommandUUID is ours, and a repeated one is refused as "already exists". So a request that was
      lost is asked again under the same id, and that refusal means: it had arrived.
    - Its key-value stores lose commands of one device that are queued side by side. So one at a
      time for each device. (Its deprecated `file` storage queues a repeat twice; do not use that.)
"""

import asyncio
import plistlib
import re
from urllib.parse import quote
from weakref import WeakValueDictionary

import httpx

from mamd.core.enrollment import Enrolled, TokenState
from mamd.core.errors import Busy, Misconfigured, No, Refused, Trouble, Unreachable
from mamd.core.facts import Enrollment, MdmRecord, Record
from mamd.core.time import Now
from mamd.mdm import nanomdm_answers as answers
from mamd.mdm.http import Answer, ask, client_for, refusal, unreadable
from mamd.mdm.nanomdm_answers import Pushing, Queueing
from mamd.mdm.secret import Secret
from mamd.mdm.vault import Vault
from mamd.ports import Capabilities, Fault, Target

USER = "nanomdm"

ENROLLMENT_ID = re.compile(r"[A-Za-z0-9._:-]{1,255}")
"""What an id may look like. A comma in one would make it two devices in NanoMDM's path."""


_NOBODY = "mamd-check"


def token_owner(mdm: str, enrollment_id: str) -> str:
    """Whose a token is, as the vault binds it and the store finds it."""
    return f"{mdm}/{enrollment_id}"


def client(url: str, api_key: str, *, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """A client for NanoMDM's API with the key that it was started with (`-api`)."""
    return client_for(url, user=USER, password=api_key, transport=transport)


class NanoMdm:
    """
    `mamd.ports.Mdm` for one NanoMDM.

    What it says of a device is what the device's own check-ins said: NanoMDM has no inventory, and no
    say about whose a device is.
    """

    def __init__(self, name: str, http: httpx.AsyncClient, vault: Vault) -> None:
        self.name = name
        self.capabilities = Capabilities(
            needs_unlock_token=True, knows_ownership=False, can_push=True, asks_once=True
        )
        self._http, self._vault = http, vault
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._has_token: dict[str, bool] = {}  # of each enrollment that was read

    async def read(self, record: Record, enrolled: Enrolled | None, *, now: Now) -> MdmRecord | None:
        """
        What the check-ins of this enrollment amount to; None unless it is enrolled here. Asks nobody.

        `last_contact` carries NanoMDM's wall time for people, and no boot, so that nothing subtracts it.
        `vault_sound` needs another enrollment that was read with a token here: reading all that are
        known once at the start costs nothing, and a vault that is empty proves nothing about a device.
        """
        if enrolled is None or enrolled.mdm != self.name:
            return None
        if enrolled.state is not Enrollment.ENROLLED:
            self._has_token.pop(enrolled.enrollment_id, None)
            return None
        has_token = enrolled.token is TokenState.CURRENT
        self._has_token[enrolled.enrollment_id] = has_token
        heard_at = enrolled.last_contact
        return MdmRecord(
            mdm=self.name,
            at=now,
            command_id=enrolled.enrollment_id,
            enrollment=enrolled.state,
            passcode_set=enrolled.passcode_set,
            has_token=has_token,
            vault_sound=self._is_vault_sound(enrolled.enrollment_id),
            last_contact=None if heard_at is None else Now(boot="", up=0.0, wall=heard_at),
        )

    async def clear_passcode(self, target: Target, *, command_id: str) -> bool:
        """
        Queue a ClearPasscode with this device's token, and have it pushed. True if the push went out.

        Asked again under the same id it queues nothing new, and pushes.
        """
        path = f"/v1/enqueue/{self._quoted(target)}"
        async with self._turn_of(target.command_id):
            answer = await self._ask("PUT", path, self._command(target, command_id))
        result = answers.result(self.name, answer, changes=True)
        queueing = answers.queueing(result, command_id)
        if queueing is Queueing.BEFORE:
            return await self._was_pushed(target)
        if queueing is not Queueing.QUEUED:
            raise answers.not_queued(self.name, queueing)
        return answers.pushing(result, target.command_id) is Pushing.SENT

    async def push(self, target: Target) -> None:
        """Wake the device. Pushes coalesce, so any number of them does no harm."""
        pushing = await self._push(self._quoted(target))
        if pushing is not Pushing.SENT:
            raise answers.not_pushed(self.name, pushing)

    async def cancel(self, target: Target, *, command_id: str) -> bool:
        """NanoMDM's API withdraws nothing."""
        return False

    async def check(self) -> tuple[Fault, ...]:
        """
        What is wrong with it, if anything: its version, our key, its storage, our vault.

        The key is tried on a push to an id that nobody has, which changes nothing.
        """
        vault = () if self._vault.is_sound() else (_VAULT_SHUT,)
        try:
            await self._check()
        except Trouble as trouble:
            return (_fault(trouble), *vault)
        return vault

    async def close(self) -> None:
        """Let go of connections. Twice is once."""
        await self._http.aclose()

    async def _check(self) -> None:
        version = await self._ask("GET", "/version")
        if (trouble := refusal(self.name, version, changes=False)) is not None:
            raise trouble
        if not isinstance((version.json() or {}).get("version"), str):
            raise unreadable(self.name, version, changes=False)
        if await self._push(_NOBODY) is not Pushing.NO_SUCH_ID:
            raise Unreachable(self.name, "it answers, but cannot read its own storage")

    async def _push(self, enrollment_id: str) -> Pushing:
        answer = await self._ask("GET", f"/v1/push/{enrollment_id}")
        return answers.pushing(answers.result(self.name, answer, changes=False), enrollment_id)

    async def _ask(self, method: str, path: str, command: Secret | None = None) -> Answer:
        return await ask(self._http, self.name, method, path, body=command, changes=command is not None)

    def _command(self, target: Target, command_id: str) -> Secret:
        """The command, token in clear and all: for one request, and never kept."""
        if target.token is None:
            raise self._no_token(target.command_id)
        if target.token.owner != token_owner(self.name, target.command_id):
            raise Misconfigured(self.name, "the token at hand is another device's: not used", No.FORBIDDEN)
        token = self._vault.open(target.token).reveal()
        command = {"RequestType": "ClearPasscode", "UnlockToken": token}
        return Secret(plistlib.dumps({"Command": command, "CommandUUID": command_id}))

    def _no_token(self, enrollment_id: str) -> Trouble:
        """Certain only of a device that is enrolled without one; what we have lost is our own fault."""
        is_without = self._has_token.get(enrollment_id) is False
        if not is_without or not self._is_vault_sound(enrollment_id):
            return Misconfigured(self.name, "its unlock token should be here and is not", No.FORBIDDEN)
        return Refused(
            self.name, "there is no unlock token for it; it must enrol again, or be erased", No.NO_TOKEN
        )

    def _is_vault_sound(self, enrollment_id: str) -> bool:
        holds_others = any(held for id, held in self._has_token.items() if id != enrollment_id)
        return holds_others and self._vault.is_sound()

    async def _was_pushed(self, target: Target) -> bool:
        """The command is queued already, so whatever the push says, only the push can have failed."""
        try:
            await self.push(target)
        except Trouble:
            return False
        return True

    def _turn_of(self, enrollment_id: str) -> asyncio.Lock:
        return self._turns.setdefault(enrollment_id, asyncio.Lock())

    def _quoted(self, target: Target) -> str:
        if not ENROLLMENT_ID.fullmatch(target.command_id):
            raise Refused(self.name, "this is no enrollment id of NanoMDM", No.REJECTED)
        return quote(target.command_id, safe="")


_VAULT_SHUT = Fault(
    "vault_shut",
    "an unlock token that we hold does not open; its key is missing, or its row was changed",
    "put the old key back into the vault's key file as a further line, or enrol the device again",
)


def _fault(trouble: Trouble) -> Fault:
    """How a failed check is shown; by kind, so that the name stays the same from check to check."""
    if isinstance(trouble, Misconfigured):
        wrong_key = trouble.why in (No.AUTH_FAILED, No.FORBIDDEN)
        name = "mdm_wrong_key" if wrong_key else "mdm_wrong_address"
        return Fault(name, str(trouble), "mend it in mamd.yaml under `mdm`, then reload")
    if isinstance(trouble, Busy):
        return Fault("mdm_busy", str(trouble), "wait; if it lasts, raise the limit of the proxy before it")
    return Fault("mdm_unreachable", str(trouble), "see that it runs and that this host reaches it")
