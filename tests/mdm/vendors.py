"""What the suite for all vendors needs of each: an adapter on a wire of our own, and that wire's words."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import httpx

from mamd.core.enrollment import Enrolled, TokenState
from mamd.core.facts import Enrollment, Ids, Record
from mamd.core.time import Now
from mamd.mdm.keyfile import vault_key
from mamd.mdm.nanomdm import NanoMdm, client
from mamd.mdm.vault import Vault
from mamd.ports import Mdm, Target
from tests.canary import API_KEY, MARKER, unlock_token

Answers = Callable[[httpx.Request], httpx.Response]

UDID = "00008110-0011AAAA00000001"
OTHER = "00008110-0011AAAA00000002"
COMMAND = "0F2A7C35-6E0B-4C75-9E0C-7F4A5B1C2D3E"
WALL = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
NOW = Now("boot-1", 100.0, WALL)
RECORD = Record("d-0001", Ids(udid=UDID))


class Vendor(Protocol):
    """One adapter under test."""

    name: str

    def made(self, answers: Answers) -> Mdm:
        """The adapter, its server played by a function."""
        ...

    def target(self) -> Target:
        """A device that can be cleared."""
        ...

    def accepted(self, request: httpx.Request) -> httpx.Response:
        """What a healthy server answers."""
        ...

    def enrolled(self) -> Enrolled | None:
        """What our own books say of that device, where the vendor needs them."""
        ...


@dataclass
class NanoMdmVendor:
    """NanoMDM: a vault of our own, Basic authentication, one path for each call."""

    name: str = "nanomdm"

    def __post_init__(self) -> None:
        self.vault = Vault([vault_key(MARKER + bytes(8))])
        self.token = unlock_token()

    def made(self, answers: Answers) -> NanoMdm:
        http = client("https://mdm.example.org", API_KEY, transport=httpx.MockTransport(answers))
        return NanoMdm("hospital", http, self.vault)

    def target(self) -> Target:
        return Target("d-0001", UDID, self.vault.seal(f"hospital/{UDID}", self.token))

    def accepted(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/version":
            return httpx.Response(200, json={"version": "v0.9.0"})
        id = request.url.path.rsplit("/", 1)[-1]
        if id == "mamd-check":
            return go_json(500, {"status": {id: {"push_error": "push data missing for id"}}})
        status = {"status": {id: {"push_result": "533956D5-151A-46C5-A4E6-C5C22600E9E4"}}}
        about = {"command_uuid": COMMAND, "request_type": "ClearPasscode"} if request.content else {}
        return go_json(200, status | about)

    def enrolled(self, enrollment_id: str = UDID, token: TokenState = TokenState.CURRENT) -> Enrolled:
        return Enrolled(
            "hospital", enrollment_id, Enrollment.ENROLLED, WALL, udid=enrollment_id, token=token,
            last_contact=WALL,
        )  # fmt: skip


def go_json(status: int, value: object) -> httpx.Response:
    """JSON as NanoMDM writes it."""
    text = json.dumps(value, indent="\t") + "\n"
    return httpx.Response(status, text=text, headers={"Content-Type": "application/json"})


VENDORS: list[Callable[[], Vendor]] = [NanoMdmVendor]
