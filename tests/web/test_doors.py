"""Who may come in, and how far."""

import pytest

from mamd.web import Role, Token
from tests.desk import FakeDesk
from tests.web.conftest import SECRETS, Visit

READS = (
    "/", "/v1/launchpads", "/v1/ports", "/v1/devices", "/v1/devices/d-0001", "/v1/devices/d-0001/why",
    "/v1/links", "/v1/runs", "/v1/journal", "/v1/journal/verify", "/v1/holds", "/v1/calls", "/v1/rules",
    "/v1/workflows", "/v1/rule_sets", "/openapi.json", "/page.css", "/page.js",
)  # fmt: skip
WORDS = {
    "/v1/holds": ({"scope": "everything", "reason": "why"}, Role.OPERATE),
    "/v1/runs/start": ({"workflow": "w", "device": "d-0001", "reason": "why"}, Role.OPERATE),
    "/v1/runs/retry": ({"run": "r-0001", "reason": "why"}, Role.OPERATE),
    "/v1/calls/ack": ({"key": "all"}, Role.OPERATE),
    "/v1/rules/reload": ({}, Role.OPERATE),
    "/v1/holds/release": ({"scope": "everything", "reason": "why"}, Role.APPROVE),
    "/v1/runs/approve": ({"run": "r-0001", "label": "1", "reason": "why"}, Role.APPROVE),
    "/v1/devices/set": ({"device": "d-0001", "field": "name", "value": "x"}, Role.APPROVE),
}


@pytest.mark.parametrize("path", READS)
async def test_over_tcp_nothing_is_shown_without_a_token(visit: Visit, path: str) -> None:
    """Whoever merely reaches the port sees neither the page nor the API, nor how it looks."""
    async with visit() as client:
        assert (await client.get(path)).status_code == 401
    async with visit(headers={"authorization": "Bearer wrong"}) as client:
        assert (await client.get(path)).status_code == 401


@pytest.mark.parametrize("path", READS)
async def test_a_token_to_view_shows_everything(visit: Visit, path: str) -> None:
    """Every address that reads is open to every role."""
    async with visit(Role.VIEW) as client:
        assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize("path", WORDS)
@pytest.mark.parametrize("role", [None, *Role], ids=str)
async def test_each_word_needs_its_role(visit: Visit, desk: FakeDesk, path: str, role: Role | None) -> None:
    """Who may view cannot act, and who may act cannot approve."""
    word, needed = WORDS[path]
    async with visit(role) as client:
        answer = await client.post(path, json=word)
    is_enough = role is not None and role.covers(needed)
    assert answer.status_code == (200 if is_enough else 401 if role is None else 403)
    assert bool(desk.told) is is_enough


@pytest.mark.parametrize("path", WORDS)
async def test_the_sockets_peer_may_do_everything_under_its_own_name(
    visit: Visit, desk: FakeDesk, path: str
) -> None:
    """Who may write to the socket file is let in by that, and is named by the kernel."""
    word, _ = WORDS[path]
    async with visit(peer="unix:anna") as client:
        assert (await client.post(path, json=word)).status_code == 200
    assert "anna" in desk.told[0]


async def test_a_word_over_tcp_carries_the_tokens_name(visit: Visit, desk: FakeDesk) -> None:
    """Nobody can say for themselves who they are."""
    async with visit(Role.OPERATE) as client:
        await client.post("/v1/holds", json={"scope": "everything", "reason": "smoke"})
    assert desk.told == [("hold", "everything", "operateer", "smoke")]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_health_and_figures_need_no_token_on_this_host_only(visit: Visit, path: str) -> None:
    """A monitor on the host needs no secret; one from elsewhere does."""
    async with visit() as client:
        assert (await client.get(path)).status_code == 200
    async with visit(peer="192.0.2.7") as client:
        assert (await client.get(path)).status_code == 401
    async with visit(Role.VIEW, peer="192.0.2.7") as client:
        assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize("base", ["http://evil.example", "http://127.0.0.1.evil.example:8780", "http://"])
async def test_a_page_of_another_site_cannot_lead_a_browser_here_by_its_own_name(
    visit: Visit, base: str
) -> None:
    """A name that is not this host's is refused, token or not (DNS rebinding)."""
    async with visit(Role.APPROVE, base="http://127.0.0.1", headers={"host": base[7:]}) as client:
        for path in ("/", "/healthz", "/?token=view-secret"):
            assert (await client.get(path)).status_code == 421


@pytest.mark.parametrize("host", ["localhost:8780", "127.0.0.1", "[::1]:8780", "10.1.2.3:8780"])
async def test_this_host_is_known_by_its_addresses(visit: Visit, host: str) -> None:
    """Addresses can be had by nobody else's name."""
    async with visit(Role.VIEW, headers={"host": host}) as client:
        assert (await client.get("/v1/holds")).status_code == 200


async def test_a_token_in_the_address_goes_into_a_cookie_and_out_of_the_address(visit: Visit) -> None:
    """The link is opened once; scripts cannot read the cookie, and other sites cannot send it."""
    async with visit() as client:
        answer = await client.get("/?token=view-secret")
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert (await client.get("/")).status_code == 200


@pytest.mark.parametrize("token", ["", "wrong", "\x00", "view-secret2"])
async def test_a_wrong_token_in_the_address_opens_nothing(visit: Visit, token: str) -> None:
    """And no cookie is set."""
    async with visit() as client:
        answer = await client.get("/", params={"token": token})
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://127.0.0.1:8780", 200), ("http://evil.example", 403), ("null", 403), (None, 403)],
)
async def test_a_cookie_writes_only_from_our_own_page(
    visit: Visit, desk: FakeDesk, origin: str | None, status: int
) -> None:
    """A browser sends cookies by itself, so another site's page must not be able to use them."""
    headers = {"cookie": f"mamd={SECRETS[Role.OPERATE]}"} | ({"origin": origin} if origin else {})
    async with visit(headers=headers) as client:
        assert (await client.post("/v1/calls/ack", json={"key": "all"})).status_code == status
    assert bool(desk.told) is (status == 200)


async def test_a_person_in_a_browser_is_refused_in_words(visit: Visit) -> None:
    """Who opens the page without a token reads what to do, and not a piece of JSON."""
    async with visit(headers={"accept": "text/html"}) as client:
        answer = await client.get("/")
    assert answer.status_code == 401
    assert "open /?token=TOKEN once" in answer.text


async def test_an_address_that_nobody_listed_is_shut(visit: Visit) -> None:
    """What a later version adds is closed until somebody decides how far it is open."""
    async with visit() as client:
        assert (await client.get("/v1/something-new")).status_code == 401
    async with visit(Role.OPERATE) as client:
        assert (await client.post("/v1/something-new")).status_code == 403


async def test_every_answer_tells_the_browser_to_trust_nothing_else(visit: Visit) -> None:
    """Refusals included."""
    async with visit() as client:
        headers = (await client.get("/")).headers
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"


def test_a_token_does_not_show_its_secret() -> None:
    """Not even to a traceback."""
    assert "sesame" not in repr(Token("desk", Role.VIEW, "sesame"))
