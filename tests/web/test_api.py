"""What programs and the command line are answered."""

import httpx
import pytest

from mamd.core.errors import No, Refused
from mamd.web import Role
from tests.characters import EVERYBODY
from tests.desk import BLIND, STRANGERS_UDID, FakeDesk, stormy
from tests.web.conftest import Visit


async def _get(visit: Visit, path: str) -> httpx.Response:
    async with visit(Role.VIEW) as client:
        return await client.get(path)


async def test_the_launchpad_at_a_glance(visit: Visit, desk: FakeDesk) -> None:
    """Faults with their cures, the storm, holds and calls, and how many could be helped."""
    desk.seen = stormy()
    seen = (await _get(visit, "/v1/launchpads")).json()[0]
    assert seen["faults"] == [{"name": BLIND.name, "what": BLIND.what, "cure": BLIND.cure}]
    assert seen["storm"]["devices"] == ["d-0001", "d-0002", "d-0003", "d-0004"]
    assert seen["holds"][0]["scope"] == "rule:not-pairing"
    assert (seen["devices_helpable"], seen["devices_known"]) == (214, 230)
    assert seen["hindrances"][0]["short"] == "not enrolled"


async def test_a_device_is_found_by_any_name_and_by_its_port(visit: Visit) -> None:
    """By the shelf's label, too."""
    names = ("d-0002", "Ward phone 2", "F2LQ0002Q6L4", "port:2")
    found = {(await _get(visit, f"/v1/devices/{name}")).json()["device"] for name in names}
    assert found == {"d-0002"}


async def test_why_comes_in_words_and_as_data(visit: Visit) -> None:
    """The words are those of `mamd why`."""
    told = (await _get(visit, "/v1/devices/port:2/why")).json()
    assert told["lines"][0] == "Ward phone 2 (d-0002, serial F2LQ0002Q6L4), on port 2"
    assert told["link"]["cause"] == "locked"
    assert told["run"]["state"] == "watching"
    assert told["run"]["waited_s"] == 134.0


@pytest.mark.parametrize(
    "path", ["/v1/ports", "/v1/links", "/v1/devices", "/v1/launchpads", "/v1/devices/port:8"]
)
async def test_of_a_strangers_phone_there_is_only_a_place(visit: Visit, path: str) -> None:
    """Its identity and its state are in no answer."""
    answer = await _get(visit, path)
    assert STRANGERS_UDID not in answer.text
    if path == "/v1/devices/port:8":
        told = answer.json()
        assert {key for key, value in told.items() if value} == {"port", "label", "stranger"}


async def test_open_runs_rules_and_workflows(visit: Visit) -> None:
    """All that the daemon goes by can be read."""
    runs = {one["device"] for one in (await _get(visit, "/v1/runs")).json()}
    assert "d-0002" in runs
    assert (await _get(visit, "/v1/rules")).json()[0]["name"] == "not-pairing"
    assert (await _get(visit, "/v1/workflows")).json()[0]["name"] == "clear-passcode-then-erase"


async def test_every_device_can_be_answered_about(visit: Visit) -> None:
    """Whatever state it is in."""
    for one in EVERYBODY.values():
        if one.record is not None:
            assert (await _get(visit, f"/v1/devices/{one.record.device}/why")).status_code == 200


async def test_readiness_names_each_fault_with_its_cure(visit: Visit, desk: FakeDesk) -> None:
    """A monitor needs no log to say what is wrong."""
    assert (await _get(visit, "/readyz")).status_code == 200
    desk.seen = stormy()
    answer = await _get(visit, "/readyz")
    assert answer.status_code == 503
    assert answer.json()["faults"][0]["cure"] == BLIND.cure


async def test_a_name_that_nobody_has_is_a_clear_no(visit: Visit) -> None:
    """One line that says what would be right."""
    answer = await _get(visit, "/v1/devices/d-9999")
    assert answer.status_code == 404
    assert answer.json()["error"] == "no device is called d-9999; `mamd devices list` shows all"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"nonsense", b"[]", b"{}", b'{"scope": "everything"}', b'{"scope": "everything", "reason": ""}',
        b'{"scope": "everything", "reason": "   "}', b'{"scope": 7, "reason": "why"}',
        b'{"scope": "everything", "reason": "why", "by": "root"}', b'{"scope": "a\\nb", "reason": "why"}',
        b'{"scope": "everything", "reason": "\\u001b[2J"}', b'{"scope": null, "reason": null}',
    ],
)  # fmt: skip
async def test_a_bad_body_is_a_clear_line_and_loses_nothing(
    visit: Visit, desk: FakeDesk, body: bytes
) -> None:
    """Whatever is sent instead of a word with its reason."""
    async with visit(Role.OPERATE) as client:
        answer = await client.post("/v1/holds", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert set(answer.json()) == {"error", "cure"}
    assert desk.told == []


async def test_a_word_that_is_too_long_is_not_read(visit: Visit, desk: FakeDesk) -> None:
    """Neither with its length told nor without."""
    word = b'{"scope": "everything", "reason": "' + b"x" * 70_000 + b'"}'

    async def in_pieces():  # type: ignore[no-untyped-def]
        yield word

    async with visit(Role.OPERATE) as client:
        assert (await client.post("/v1/holds", content=word)).status_code == 413
        assert (await client.post("/v1/holds", content=in_pieces())).status_code == 413
    assert desk.told == []


@pytest.mark.parametrize(
    ("no", "status"), [(No.NOT_FOUND, 404), (No.FORBIDDEN, 403), (No.REJECTED, 400), (No.LOST_MODE, 409)]
)
async def test_a_no_of_the_desk_keeps_its_words(visit: Visit, desk: FakeDesk, no: No, status: int) -> None:
    """Its line is what the person reads."""
    desk.refusal = Refused("mamd", "d-0001 is not at the port labelled 7", no)
    async with visit(Role.APPROVE) as client:
        answer = await client.post("/v1/runs/approve", json={"run": "r", "label": "7", "reason": "why"})
    assert answer.status_code == status
    assert answer.json()["error"] == "d-0001 is not at the port labelled 7"


async def test_what_cannot_be_stored_was_not_taken(visit: Visit, desk: FakeDesk) -> None:
    """With a full disk a word is refused, and the person is told to say it again."""
    desk.is_full = True
    async with visit(Role.OPERATE) as client:
        answer = await client.post("/v1/holds", json={"scope": "everything", "reason": "why"})
    assert answer.status_code == 503
    assert "again" in answer.json()["cure"]


async def test_the_api_describes_itself(visit: Visit) -> None:
    """Every address of the contract is in its description."""
    paths = (await _get(visit, "/openapi.json")).json()["paths"]
    assert {"/v1/launchpads", "/v1/devices/{name}/why", "/v1/events", "/v1/webhooks/{mdm}"} <= set(paths)


async def test_the_journal_comes_in_pages(visit: Visit, desk: FakeDesk) -> None:
    """From after a number on, and no more than asked for."""
    from tests.rows import rows

    desk.rows = rows(5)
    numbers = [one["number"] for one in (await _get(visit, "/v1/journal?after=2&limit=2")).json()]
    assert numbers == [3, 4]
    assert (await _get(visit, "/v1/journal?limit=0")).status_code == 400


async def test_a_changed_row_is_named(visit: Visit, desk: FakeDesk) -> None:
    """The chain is walked on demand."""
    desk.changed_rows = ("row 3 is not what it was",)
    assert (await _get(visit, "/v1/journal/verify")).json() == {
        "sound": False,
        "faults": ["row 3 is not what it was"],
    }
