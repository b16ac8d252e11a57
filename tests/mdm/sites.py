"""One face for the simulated and the real NanoMDM, so that one suite can hold them against each other."""

import json
import plistlib
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mamd.sim.mdm import SimMdm
from mamd.sim.mdm_apns import Apns
from mamd.sim.mdm_device import Manners, MdmDevice
from mamd.sim.mdm_queue import Storage
from mamd.sim.mdm_wire import Client, Response
from mamd.sim.phone import Phone
from tests.canary import API_KEY, HMAC_KEY
from tests.mdm.nanomdm_server import FILEKV, StorageFlags, basic_auth, real_nanomdm
from tests.mdm.receiver import Receiver


class Mdm(Protocol):
    """What both servers can do for a test."""

    apns: Apns

    @property
    def url(self) -> str: ...
    async def enrol(self, phone: Phone, manners: Manners | None = None) -> MdmDevice: ...
    def device(self, phone: Phone, manners: Manners | None = None) -> MdmDevice: ...
    async def stop(self) -> None: ...
    async def start(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the API: status, JSON if it is that, and the exact text."""

    status: int
    json: dict[str, Any]
    text: str
    headers: dict[str, str]


class Site:
    """A NanoMDM, its webhook receiver, and its API as a client with the right key calls it."""

    def __init__(self, mdm: Mdm, receiver: Receiver, storage: Storage) -> None:
        self.mdm, self.receiver, self.storage = mdm, receiver, storage
        self._client = Client()

    @property
    def apns(self) -> Apns:
        """The push service that this server pushes through."""
        return self.mdm.apns

    async def enqueue(self, ids: str, body: bytes, query: str = "") -> Answer:
        """PUT /v1/enqueue."""
        return await self.call("PUT", f"/v1/enqueue/{ids}{query}", body)

    async def push(self, ids: str) -> Answer:
        """GET /v1/push."""
        return await self.call("GET", f"/v1/push/{ids}")

    async def call(self, method: str, path: str, body: bytes = b"", *, auth: str | None = None) -> Answer:
        """Any call; `auth` takes the place of the right Authorization header, "" leaves it out."""
        given = basic_auth(API_KEY) if auth is None else auth
        headers = {"Authorization": given} if given else {}
        return _answer(await self._client.call(method, self.mdm.url + path, body, headers))

    def close(self) -> None:
        """Close the kept connections."""
        self._client.close()


def command(request_type: str, uuid_: str | None = None, **fields: Any) -> tuple[str, bytes]:
    """A command's UUID, a new one unless given, and its plist."""
    uuid_ = uuid_ or str(uuid.uuid4()).upper()
    return uuid_, plistlib.dumps({"CommandUUID": uuid_, "Command": {"RequestType": request_type, **fields}})


def clear_passcode(phone: Phone, uuid_: str | None = None) -> tuple[str, bytes]:
    """The ClearPasscode that fits this phone."""
    return command("ClearPasscode", uuid_, UnlockToken=phone.unlock_token)


@asynccontextmanager
async def simulated_site(storage: Storage) -> AsyncIterator[Site]:
    """The simulated server, without faults."""
    async with (
        Receiver(HMAC_KEY) as receiver,
        SimMdm(API_KEY, webhook_url=receiver.url, hmac_key=HMAC_KEY, storage=storage) as mdm,
    ):
        site = Site(mdm, receiver, storage)
        yield site
        site.close()


@asynccontextmanager
async def real_site(folder: Path, flags: StorageFlags = FILEKV) -> AsyncIterator[Site]:
    """The real server."""
    async with Receiver(HMAC_KEY) as receiver, real_nanomdm(folder, flags, receiver.url) as mdm:
        site = Site(mdm, receiver, Storage(flags.kind))
        yield site
        site.close()


def _answer(response: Response) -> Answer:
    text = response.body.decode()
    is_json = response.headers.get("content-type") == "application/json"
    return Answer(response.status, json.loads(text) if is_json else {}, text, dict(response.headers))
