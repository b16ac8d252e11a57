"""What stands for Apple's servers while phones are restored: TSS, which signs, and two addresses to read.

    POST /TSS/controller?action=2   a request as a plist; STATUS=0&MESSAGE=SUCCESS&REQUEST_STRING=<plist>
    GET  /asset, /fdr               a few bytes

It signs for every phone, and every build whose UniqueBuildID is not in `unsigned`.
"""

from __future__ import annotations

import asyncio
import plistlib
import secrets
from enum import Enum
from typing import Any

from mamd.sim import image4
from mamd.sim.acts import Act, choice
from mamd.sim.firmware import LETTERS
from mamd.sim.launchpad import SimLaunchpad
from mamd.sim.mdm_wire import HttpServer, Request, Response
from mamd.sim.phone import Phone

CONTROLLER = "/TSS/controller"
SUCCESS = b"STATUS=0&MESSAGE=SUCCESS&REQUEST_STRING="
REFUSAL = b"STATUS=94&MESSAGE=This device isn't eligible for the requested build."
BAD_REQUEST = b"STATUS=5&MESSAGE=The request is not understood."


class TssFault(Enum):
    """How TSS can fail; that it cannot be reached is `stop()`."""

    REFUSES = "refuses"  # as it does for a build that is signed no more
    HTML = "html"  # 502 and a page for people
    HANGS = "hangs"  # takes the request and never answers


class Tss:
    """A part of the Launchpad. `url` is what `tss.TSS_CONTROLLER_ACTION_URL` is set to in a worker."""

    def __init__(self, port: int = 0) -> None:
        self.fault: TssFault | None = None
        self.unsigned: set[bytes] = set()
        self._http = HttpServer(self._answer, "127.0.0.1", port)
        self._launchpad: SimLaunchpad | None = None

    @property
    def url(self) -> str:
        """Where requests for tickets go."""
        return f"{self._http.url}{CONTROLLER}?action=2"

    async def start(self, launchpad: SimLaunchpad) -> None:
        """Listen, and be what the phones know as Apple."""
        self._launchpad = launchpad
        await self._http.start()
        launchpad.apple = self._http.url
        launchpad.acts["tss"] = _act(self)

    async def stop(self) -> None:
        """Listen no more."""
        await self._http.stop()

    async def down(self) -> None:
        """Refuse all connections, until `up`."""
        await self._http.stop()

    async def up(self) -> None:
        """Be there again, on the same port."""
        await self._http.start()

    def met(self, phone: Phone) -> None:
        """Nothing to do: the ECID is in each request."""

    async def _answer(self, request: Request) -> Response:
        if request.path != CONTROLLER:
            return Response(200, b"simulated", {"Content-Type": "application/octet-stream"})
        wanted = _wanted(request.body)
        answer = self._decide(wanted)
        self._note(wanted, answer)
        if self.fault is TssFault.HANGS:
            await asyncio.Event().wait()
        if self.fault is TssFault.HTML:
            return Response(502, b"<html><h1>Bad Gateway</h1></html>", {"Content-Type": "text/html"})
        return Response(200, answer, {"Content-Type": "text/html"})

    def _decide(self, wanted: dict[str, Any]) -> bytes:
        if self.fault is TssFault.REFUSES or wanted.get("UniqueBuildID") in self.unsigned:
            return REFUSAL
        if not isinstance(wanted.get("ApECID"), int):
            return BAD_REQUEST
        return SUCCESS + plistlib.dumps(sign(wanted))

    def _note(self, wanted: dict[str, Any], answer: bytes) -> None:
        assert self._launchpad is not None, "it listens only after it has started"
        ecid = wanted.get("ApECID")
        udid = next((phone.udid for phone in self._launchpad.phones.values() if phone.ecid == ecid), None)
        said = self.fault.value if self.fault else "signed" if answer.startswith(SUCCESS) else "refused"
        tickets = sorted(name for name in wanted if name.startswith("@") and name.endswith("Ticket"))
        self._launchpad.record.note("restore.tss", device=udid, answer=said, tickets=tickets)


def sign(wanted: dict[str, Any]) -> dict[str, Any]:
    """The tickets that a request asks for by name: the phone's own, and those of its chips."""
    signed: dict[str, Any] = {"@ServerVersion": "simulated"}
    if wanted.get("@ApImg4Ticket"):
        signed["ApImg4Ticket"] = image4.ticket(_allowed(wanted))
    if wanted.get("@BBTicket") and "BbChipID" in wanted:
        signed |= {"BBTicket": secrets.token_bytes(64), "BasebandFirmware": {}}
    for name, asked in wanted.items():
        if name.startswith("@") and name.endswith(",Ticket") and asked is True:
            signed[name[1:]] = secrets.token_bytes(64)
    return signed


def _allowed(wanted: dict[str, Any]) -> image4.Ticket:
    digests = {
        LETTERS[name]: bytes(entry["Digest"])
        for name, entry in wanted.items()
        if name in LETTERS and isinstance(entry, dict) and entry.get("Digest")
    }
    return image4.Ticket(
        ecid=int(wanted["ApECID"]),
        chip=int(wanted.get("ApChipID", 0)),
        board=int(wanted.get("ApBoardID", 0)),
        nonce=bytes(wanted.get("ApNonce", b"")),
        digests=digests,
    )


def _wanted(body: bytes) -> dict[str, Any]:
    try:
        wanted = plistlib.loads(body)
    except Exception:  # plistlib raises whatever the parser below it raises
        return {}
    return wanted if isinstance(wanted, dict) else {}


def _act(tss: Tss) -> Act:
    async def act(pad: SimLaunchpad, *, fault: str | None = None, up: bool = True) -> None:
        """From now on TSS has this fault, or none; or cannot be reached."""
        tss.fault = None if fault is None else choice(TssFault, fault)
        await (tss.up() if up else tss.down())

    return act
