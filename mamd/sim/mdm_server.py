"""A NanoMDM without its disk: the same HTTP, the same webhook, the same surprises, and switches for faults.

It stands in for the real server where a test, the demo or a site's rehearsal needs a thousand
devices or a fault on demand. What it answers is held against the real v0.9.0 by one suite for
both.

    mamd ──Basic auth──► /v1/enqueue /v1/push /version      (mdm_api, behind mdm_faults)
    phone ─────────────► /mdm                               (mdm_checkin)
    mamd ◄──HMAC──────── the webhook                        (mdm_webhook)
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

from mamd.sim import mdm_pushcert
from mamd.sim.mdm_api import Api, json_answer
from mamd.sim.mdm_apns import Apns
from mamd.sim.mdm_checkin import DeviceSide
from mamd.sim.mdm_faults import Fault, Faults
from mamd.sim.mdm_queue import Storage, Store
from mamd.sim.mdm_webhook import Notes, Webhook
from mamd.sim.mdm_wire import HttpServer, Request, Response

TOPIC = "com.apple.mgmt.External.7e9c1f52-0b6d-4f7a-9a3e-5d1c2b3a4f60"

_NOT_FOUND = Response(
    404,
    b"404 page not found\n",
    {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"},
)
_UNAUTHORIZED = Response(
    401,
    b"Unauthorized\n",
    {
        "Content-Type": "text/plain; charset=utf-8",
        "X-Content-Type-Options": "nosniff",
        "Www-Authenticate": 'Basic realm="nanomdm"',
    },
)


class Unrecorded:
    """Writes nothing down, where nobody will ask."""

    def note(self, kind: str, *, device: str | None = None, **fields: Any) -> None:
        """Forget it."""


class NanoMdmFake:
    """The server. `async with NanoMdmFake(api_key) as mdm:` listens on `mdm.url` until the end of the block.

    `storage` decides how unknown ids and repeats are refused; `leaky` switches the defects of the
    key-value queue on. Push certificates: one for `TOPIC` is there from the start.
    """

    def __init__(
        self,
        api_key: str,
        *,
        webhook_url: str | None = None,
        hmac_key: str | None = None,
        apns: Apns | None = None,
        notes: Notes | None = None,
        storage: Storage = Storage.FILEKV,
        leaky: bool = False,
        port: int = 0,
    ) -> None:
        notes = notes or Unrecorded()
        self._credentials = b"Basic " + base64.b64encode(f"nanomdm:{api_key}".encode())
        self.apns = apns or Apns()
        self.store = Store(storage, leaky=leaky)
        self.webhook = Webhook(notes, webhook_url, hmac_key.encode() if hmac_key is not None else None)
        self.faults = Faults()
        self._api = Api(self.store, self.apns, notes, {TOPIC})
        self._devices = DeviceSide(self.store, self.webhook, notes)
        self._notes = notes
        self._http = HttpServer(self._answer, port=port)

    @property
    def url(self) -> str:
        """The origin of the API."""
        return self._http.url

    @property
    def device_url(self) -> str:
        """What the ServerURL of the devices' MDM profile would say."""
        return f"{self._http.url}/mdm"

    @property
    def topics(self) -> set[str]:
        """Topics that pushes have a certificate for; take one out to see a push fail."""
        return self._api.topics

    async def __aenter__(self) -> Self:
        await self._http.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.faults.set(None)
        await self._http.stop()
        self.webhook.close()

    async def go_down(self) -> None:
        """Refuse connections from now on; what is queued stays."""
        await self._http.stop()

    async def come_back(self) -> None:
        """Listen again, on the same port."""
        await self._http.start()

    def fail(self, fault: Fault | None) -> None:
        """Put a fault of the API in force, or none."""
        self.faults.set(fault)

    async def _answer(self, request: Request) -> Response:
        if request.path == "/mdm":
            return self._devices.answer(request)
        call = _call(request.path)
        if call is None:
            return _elsewhere(request.path)
        self._notes.note("mdm.request", call=call, method=request.method)
        response = await self.faults.around(call, request, lambda: self._do(call, request))
        self._notes.note("mdm.answer", call=call, status=response.status)
        return response

    async def _do(self, call: str, request: Request) -> Response:
        if call == "version":
            return Response(200, b'{"version":"v0.9.0"}', {"Content-Type": "application/json"})
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, self._credentials):
            return _UNAUTHORIZED
        calls: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "enqueue": self._api.enqueue,
            "push": self._api.push,
            "pushcert": self._push_certificate,
            "escrowkeyunlock": _escrow_key_unlock,
        }
        return await calls[call](request)

    async def _push_certificate(self, request: Request) -> Response:
        try:
            certificate = mdm_pushcert.read(request.body)
        except mdm_pushcert.BadPushCertificate as error:
            return json_answer(400, {"error": str(error)})
        self.topics.add(certificate.topic)
        return json_answer(200, {"not_after": certificate.not_after, "topic": certificate.topic})


def _call(path: str) -> str | None:
    for prefix in ("enqueue", "push"):
        if path.startswith(f"/v1/{prefix}/"):
            return prefix
    exact = {"/version": "version", "/v1/pushcert": "pushcert", "/v1/escrowkeyunlock": "escrowkeyunlock"}
    return exact.get(path)


def _elsewhere(path: str) -> Response:
    if path in ("/v1/enqueue", "/v1/push"):
        return Response(301, b"", {"Location": f"{path}/"})
    return _NOT_FOUND


async def _escrow_key_unlock(_: Request) -> Response:
    """Activation Lock is not simulated; this is what the real one says to a call that lacks something."""
    return json_answer(400, {"error": "invalid or missing parameters"})
