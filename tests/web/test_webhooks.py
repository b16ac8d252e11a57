"""The door for MDMs: let in by signature, thanked when it is stored."""

from collections.abc import AsyncIterator

import httpx
import pytest

from mamd.web.webhooks import MOST_BYTES
from tests.desk import FakeDesk
from tests.web.conftest import Visit


async def test_a_webhook_is_thanked_for_once_it_is_stored(
    from_mdm: httpx.AsyncClient, desk: FakeDesk
) -> None:
    """It comes without a token: its signature lets it in."""
    answer = await from_mdm.post("/v1/webhooks/hospital", content=b"{}")
    assert answer.status_code == 200
    assert desk.webhooks == [("hospital", b"{}")]


async def test_what_cannot_be_stored_is_not_thanked_for(from_mdm: httpx.AsyncClient, desk: FakeDesk) -> None:
    """The sender will not repeat what it was thanked for."""
    desk.is_full = True
    assert (await from_mdm.post("/v1/webhooks/hospital", content=b"{}")).status_code == 503


async def test_a_wrong_signature_is_refused(from_mdm: httpx.AsyncClient, desk: FakeDesk) -> None:
    """Anybody could post in its name."""
    answer = await from_mdm.post("/v1/webhooks/hospital", headers={"x-hmac-signature": "wrong"})
    assert answer.status_code in (401, 403)
    assert desk.webhooks == []


async def test_an_mdm_that_nobody_set_up_is_not_known(from_mdm: httpx.AsyncClient) -> None:
    """A clear no, and nothing is kept."""
    assert (await from_mdm.post("/v1/webhooks/elsewhere")).status_code == 404


@pytest.mark.parametrize("with_length", [True, False])
async def test_a_webhook_without_an_end_is_not_read_to_it(
    from_mdm: httpx.AsyncClient, desk: FakeDesk, with_length: bool
) -> None:
    """More than 10 MB is no message of an MDM."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 3 * MOST_BYTES:
            sent += 1_000_000
            yield b"x" * 1_000_000

    headers = {"content-length": str(3 * MOST_BYTES)} if with_length else {}
    answer = await from_mdm.post("/v1/webhooks/hospital", content=endless(), headers=headers)
    assert answer.status_code == 413
    assert desk.webhooks == []


async def test_nothing_else_comes_with_the_webhooks(from_mdm: httpx.AsyncClient) -> None:
    """Whoever reaches that listener reaches neither the page, nor the API, nor an approval."""
    for path in ("/", "/v1/launchpads", "/healthz", "/metrics", "/openapi.json"):
        assert (await from_mdm.get(path)).status_code == 404
    assert (await from_mdm.post("/v1/runs/approve", json={})).status_code == 404


async def test_an_mdm_that_does_not_sign_gets_nothing_in_over_the_network(
    visit: Visit, desk: FakeDesk
) -> None:
    """Over the socket it may: whoever can write there is let in by that."""
    from dataclasses import replace

    unsigned = replace(desk.seen.mdms[0], name="school")
    desk.seen = replace(desk.seen, mdms=(*desk.seen.mdms, unsigned))
    async with visit() as client:
        assert (await client.post("/v1/webhooks/school", content=b"{}")).status_code == 403
        assert (await client.post("/v1/webhooks/hospital", content=b"{}")).status_code == 200
    async with visit(peer="unix:mdm") as client:
        assert (await client.post("/v1/webhooks/school", content=b"{}")).status_code == 200
    assert [name for name, _ in desk.webhooks] == ["hospital", "school"]
