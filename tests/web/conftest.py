"""A ward behind the web's doors: over TCP from this host, from elsewhere, and from the unix socket."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from zoneinfo import ZoneInfo

import httpx
import pytest

from mamd.web import Role, Token, make_app, make_webhook_app
from tests.desk import FakeDesk

SECRETS = {Role.VIEW: "view-secret", Role.OPERATE: "operate-secret", Role.APPROVE: "approve-secret"}
TOKENS = tuple(Token(f"{role.value}er", role, secret) for role, secret in SECRETS.items())

Visit = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def desk() -> FakeDesk:
    """The ward."""
    return FakeDesk()


def _client(app: object, peer: str, headers: dict[str, str], base: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, client=(peer, 1234), raise_app_exceptions=True)  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url=base, headers=headers)


@pytest.fixture
def visit(desk: FakeDesk) -> Visit:
    """Come in: `visit(role)` over TCP, `visit(peer="unix:anna")` over the socket."""
    app = make_app(
        desk,
        lambda: b"mamd_holds 0.0\n",
        TOKENS,
        is_signed=lambda mdm: mdm == "hospital",
        zone=ZoneInfo("Europe/Berlin"),
    )

    @asynccontextmanager
    async def come(
        role: Role | None = None,
        *,
        peer: str = "127.0.0.1",
        headers: dict[str, str] | None = None,
        base: str = "http://127.0.0.1:8780",
    ) -> AsyncIterator[httpx.AsyncClient]:
        sent = dict(headers or {})
        if role is not None:
            sent["authorization"] = f"Bearer {SECRETS[role]}"
        async with _client(app, peer, sent, base) as client:
            yield client

    return come


@pytest.fixture
async def from_mdm(desk: FakeDesk) -> AsyncIterator[httpx.AsyncClient]:
    """The webhooks' own listener, asked from another host."""
    app = make_webhook_app(desk, is_signed=lambda mdm: mdm == "hospital")
    async with _client(app, "192.0.2.7", {}, "http://ward-3:8781") as client:
        yield client
