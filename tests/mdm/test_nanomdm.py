"""What is particular to NanoMDM: its answers by their fields, its ids, and what our own books say."""

import asyncio
import plistlib
from dataclasses import replace

import httpx
import pytest

from mamd.core.enrollment import TokenState
from mamd.core.errors import Busy, Doubtful, Misconfigured, No, Refused, Trouble, Unreachable
from mamd.core.facts import Enrollment
from mamd.mdm.vault import Vault
from mamd.ports import Sealed, Target
from tests.mdm.leaks import assert_no_leak
from tests.mdm.test_vault import key, vault_key
from tests.mdm.vendors import COMMAND, NOW, OTHER, RECORD, UDID, WALL, Answers, NanoMdmVendor, go_json

VENDOR = NanoMdmVendor()
APNS_ID = {"push_result": "533956D5-151A-46C5-A4E6-C5C22600E9E4"}
ABOUT = {"command_uuid": COMMAND, "request_type": "ClearPasscode"}


def says(code: int, /, **fields: object) -> Answers:
    return lambda _: go_json(code, fields)


async def clear(answers: Answers, target: Target | None = None) -> bool:
    return await VENDOR.made(answers).clear_passcode(target or VENDOR.target(), command_id=COMMAND)


# ------------------------------------------------------------------------------ queueing


@pytest.mark.parametrize("status", [200, 207, 500])
@pytest.mark.parametrize(
    ("fields", "pushed"),
    [
        ({"status": {UDID: APNS_ID}}, True),
        ({"status": {UDID: APNS_ID | {"push_error": "push HTTP status: 410: Unregistered"}}}, False),
        ({"status": {UDID: {"push_error": "push data missing for id"}}}, False),
        ({"push_error": "retrieving push cert for topic"}, False),
        ({"push_error": "x", "status": {UDID: APNS_ID}}, False),
        ({"no_push": True}, False),
        ({"status": {OTHER: APNS_ID}}, False),
        ({"status": "odd"}, False),
        ({"status": {UDID: "odd"}}, False),
        ({}, False),
    ],
)
async def test_without_a_command_error_it_is_queued_whatever_the_status(
    status: int, fields: dict[str, object], pushed: bool
) -> None:
    """A 500 for a push that failed is a command that is queued, and a device that was not told."""
    assert await clear(says(status, **fields, **ABOUT)) is pushed


@pytest.mark.parametrize(
    ("error", "kind", "why"),
    [
        ('pq: insert … violates foreign key constraint "enrollment_queue_id_fkey"', Refused, No.NOT_FOUND),
        ("Error 1452 (23000): Cannot add or update a child row", Refused, No.NOT_FOUND),
        ("decoding command: invalid command", Refused, No.REJECTED),
        ("decoding command: raw content: already exists duplicate key", Refused, No.REJECTED),
        ("pq: the database system is shutting down", Doubtful, None),
        ("write dbkv/queue: no space left on device", Doubtful, None),
    ],
)
@pytest.mark.parametrize("where", ["top", "id"])
async def test_a_command_error_is_no_queue(
    error: str, kind: type[Trouble], why: No | None, where: str
) -> None:
    """What kept a command out of the queue, in our words."""
    fields = {"command_error": error} if where == "top" else {"status": {UDID: {"command_error": error}}}
    with pytest.raises(kind) as caught:
        await clear(says(500, **fields, **ABOUT))
    assert getattr(caught.value, "why", None) is why
    assert error not in str(caught.value)


@pytest.mark.parametrize("about", [{}, {"command_uuid": "another"}, {"command_uuid": 7}])
async def test_an_answer_about_another_command_is_none_of_ours(about: dict[str, object]) -> None:
    """Only an answer that names our command is an answer to it."""
    with pytest.raises(Misconfigured, match="not to what we asked"):
        await clear(says(200, status={UDID: APNS_ID}, **about))
    with pytest.raises(Doubtful):
        await clear(says(500, command_error=f"command already exists: {COMMAND}", **about))


@pytest.mark.parametrize(
    "error",
    [
        f"command already exists: {COMMAND}",
        'pq: duplicate key value violates unique constraint "commands_pkey"',
        "Error 1062 (23000): Duplicate entry",
    ],
)
@pytest.mark.parametrize("push_fails", [False, True])
async def test_a_repeated_command_had_arrived_and_is_pushed(error: str, push_fails: bool) -> None:
    """Asking again after a lost answer asks once; the device is woken, for the first try may not have."""
    calls: list[str] = []

    def answers(request: httpx.Request) -> httpx.Response:
        calls.append(f"{request.method} {request.url.path}")
        if request.method == "PUT":
            return go_json(500, {"command_error": error} | ABOUT)
        return httpx.Response(502) if push_fails else VENDOR.accepted(request)

    assert await clear(answers) is not push_fails
    assert calls == [f"PUT /v1/enqueue/{UDID}", f"GET /v1/push/{UDID}"]


async def test_the_command_is_apples_with_the_token_as_data() -> None:
    """A ClearPasscode as Apple wants it: the token as bytes, under our own command id."""
    sent: list[bytes] = []

    def answers(request: httpx.Request) -> httpx.Response:
        sent.append(request.content)
        return VENDOR.accepted(request)

    await clear(answers)
    assert sent[0].startswith(b"<?xml")
    assert plistlib.loads(sent[0]) == {
        "Command": {"RequestType": "ClearPasscode", "UnlockToken": VENDOR.token},
        "CommandUUID": COMMAND,
    }


async def test_commands_of_one_device_go_one_after_the_other() -> None:
    """NanoMDM's files lose commands that are queued side by side for one device; others do not wait."""
    under_way: list[str] = []
    most: dict[str, int] = {}

    async def answers(request: httpx.Request) -> httpx.Response:
        id = request.url.path.rsplit("/", 1)[-1]
        under_way.append(id)
        most[id] = max(most.get(id, 0), under_way.count(id))
        most["all"] = max(most.get("all", 0), len(under_way))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        under_way.remove(id)
        return go_json(200, {"status": {id: APNS_ID}} | ABOUT)

    mdm = VENDOR.made(answers)  # type: ignore[arg-type]  # httpx takes a coroutine as well
    other = Target("d-0002", OTHER, VENDOR.vault.seal(f"hospital/{OTHER}", VENDOR.token))
    targets = [VENDOR.target(), other] * 4
    await asyncio.gather(*(mdm.clear_passcode(it, command_id=COMMAND) for it in targets))
    assert most == {UDID: 1, OTHER: 1, "all": 2}


# ---------------------------------------------------------------- who is asked, with what


@pytest.mark.parametrize("id", ["", "a,b", "a/b", "../push", "a b", "a%2Cb", "x" * 256, "ä"])
async def test_an_id_that_could_mean_another_device_is_not_asked(id: str) -> None:
    """NanoMDM takes several ids in one path, so nothing that could be two is sent."""
    mdm = VENDOR.made(_nothing_is_sent)
    target = Target("d-0001", id, VENDOR.vault.seal(f"hospital/{id}", VENDOR.token))
    with pytest.raises(Refused):
        await mdm.clear_passcode(target, command_id=COMMAND)
    with pytest.raises(Refused):
        await mdm.push(target)


async def test_a_token_of_another_device_is_not_used() -> None:
    """A token goes to the device that it came from, and to no other."""
    mixed_up = Target("d-0001", UDID, VENDOR.vault.seal(f"hospital/{OTHER}", VENDOR.token))
    with pytest.raises(Misconfigured, match="another device's"):
        await clear(_nothing_is_sent, mixed_up)


async def test_a_token_that_does_not_open_is_our_fault() -> None:
    """A lost vault key stops clears, is named by the check, and is never a reason to erase."""
    vendor = NanoMdmVendor()
    lost = Vault([vault_key(key(9))]).seal(f"hospital/{UDID}", vendor.token)
    mdm = vendor.made(vendor.accepted)
    with pytest.raises(Misconfigured):
        await mdm.clear_passcode(Target("d-0001", UDID, lost), command_id=COMMAND)
    assert [fault.name for fault in await mdm.check()] == ["vault_shut"]
    await mdm.read(RECORD, vendor.enrolled(OTHER), now=NOW)
    with pytest.raises(Misconfigured):
        await mdm.clear_passcode(Target("d-0003", "A"), command_id=COMMAND)


def _nothing_is_sent(_: httpx.Request) -> httpx.Response:
    raise AssertionError("nothing was to be sent")


# ------------------------------------------------------------------------------ pushing


@pytest.mark.parametrize(
    ("error", "kind", "why"),
    [
        ("push data missing for id", Refused, No.NOT_ENROLLED),
        ("push HTTP status: 410: APNs push error: Unregistered: timestamp 1", Refused, No.NOT_ENROLLED),
        ("push HTTP status: 400: APNs push error: BadDeviceToken", Refused, No.NOT_ENROLLED),
        ('retrieving push cert for topic "x": key not found', Misconfigured, No.FORBIDDEN),
        ("push HTTP status: 403: APNs push error: BadCertificate", Misconfigured, No.FORBIDDEN),
        ("push HTTP status: 429: APNs push error: TooManyRequests", Busy, None),
        ("push HTTP status: 503: APNs push error: ServiceUnavailable", Unreachable, None),
        ('Post "https://api.push.apple.com/3/device/00": network is unreachable', Unreachable, None),
    ],
)
@pytest.mark.parametrize("where", ["top", "id"])
async def test_a_push_that_failed_says_what_to_do(
    error: str, kind: type[Trouble], why: No | None, where: str
) -> None:
    """Whether to wait, to renew the certificate, or to enrol the device again."""
    fields = {"push_error": error} if where == "top" else {"status": {UDID: APNS_ID | {"push_error": error}}}
    with pytest.raises(kind) as caught:
        await VENDOR.made(says(500, **fields)).push(VENDOR.target())
    assert getattr(caught.value, "why", None) is why
    assert "/3/device/" not in str(caught.value)


async def test_a_push_that_was_not_tried_is_no_push() -> None:
    """An answer that says nothing of this device did not wake it."""
    with pytest.raises(Unreachable):
        await VENDOR.made(says(200)).push(VENDOR.target())


@pytest.mark.parametrize(
    ("version", "push", "fault"),
    [
        (httpx.Response(200, json={"other": 1}), None, "mdm_wrong_address"),
        (None, go_json(500, {"status": {"mamd-check": {"push_error": "pq: connection refused"}}}),
         "mdm_unreachable"),
        (None, httpx.Response(401, text="Unauthorized\n"), "mdm_wrong_key"),
        (None, httpx.Response(404, text="404 page not found\n"), "mdm_wrong_address"),
    ],
)  # fmt: skip
async def test_a_check_tells_a_wrong_key_from_a_wrong_address_and_a_broken_storage(
    version: httpx.Response | None, push: httpx.Response | None, fault: str
) -> None:
    """The version is there without a key; the key is tried on something that changes nothing."""

    def answers(request: httpx.Request) -> httpx.Response:
        asked = version if request.url.path == "/version" else push
        return VENDOR.accepted(request) if asked is None else asked

    (found,) = await VENDOR.made(answers).check()
    assert found.name == fault


# ------------------------------------------------------------------- what our books say


async def test_what_is_read_comes_from_the_devices_own_check_ins() -> None:
    """NanoMDM has no inventory: ownership is not its to say, and nobody is asked over the network."""
    mdm = VENDOR.made(_nothing_is_sent)
    enrolled = replace(VENDOR.enrolled(), passcode_set=True)
    record = await mdm.read(RECORD, enrolled, now=NOW)
    assert record is not None
    assert (record.mdm, record.command_id, record.enrollment) == ("hospital", UDID, Enrollment.ENROLLED)
    assert (record.ownership, record.lost_mode, record.passcode_set) == (None, None, True)
    assert record.has_token
    assert record.last_contact is not None
    assert record.last_contact.wall == WALL
    assert NOW.since(record.last_contact) is None  # nothing is earned by another clock
    never = await mdm.read(RECORD, replace(enrolled, last_contact=None), now=NOW)
    assert never is not None
    assert never.last_contact is None


@pytest.mark.parametrize("state", [Enrollment.AUTHENTICATED, Enrollment.CHECKED_OUT])
async def test_a_device_that_is_not_enrolled_is_not_known(state: Enrollment) -> None:
    """Half enrolled or gone is not managed."""
    mdm = VENDOR.made(_nothing_is_sent)
    assert await mdm.read(RECORD, replace(VENDOR.enrolled(), state=state), now=NOW) is None
    assert await mdm.read(RECORD, replace(VENDOR.enrolled(), mdm="another"), now=NOW) is None


@pytest.mark.parametrize("token", [TokenState.STALE, TokenState.NONE])
async def test_t04_a_stale_token_is_no_token(token: TokenState) -> None:
    """T04: what belongs to an enrolment that is over is not used."""
    record = await VENDOR.made(_nothing_is_sent).read(RECORD, VENDOR.enrolled(UDID, token), now=NOW)
    assert record is not None
    assert record.has_token is False


async def test_no_token_is_certain_only_if_the_vault_holds_others() -> None:
    """An empty vault proves nothing about a device: that would be our fault."""
    mdm = VENDOR.made(_nothing_is_sent)
    bare = VENDOR.enrolled(UDID, TokenState.NONE)
    alone = await mdm.read(RECORD, bare, now=NOW)
    assert alone is not None
    assert not alone.vault_sound
    with pytest.raises(Misconfigured):
        await mdm.clear_passcode(Target("d-0001", UDID), command_id=COMMAND)
    await mdm.read(RECORD, VENDOR.enrolled(OTHER), now=NOW)
    among_others = await mdm.read(RECORD, bare, now=NOW)
    assert among_others is not None
    assert among_others.vault_sound
    with pytest.raises(Refused, match="enrol again, or be erased") as caught:
        await mdm.clear_passcode(Target("d-0001", UDID), command_id=COMMAND)
    assert caught.value.why is No.NO_TOKEN
    with pytest.raises(Misconfigured):  # nothing was read of this one
        await mdm.clear_passcode(Target("d-0003", "A"), command_id=COMMAND)
    with pytest.raises(Misconfigured):  # its books say that it has one, so the row was lost here
        await mdm.clear_passcode(Target("d-0002", OTHER), command_id=COMMAND)


def test_the_adapter_and_its_targets_show_no_secret() -> None:
    """What is printed for debugging holds no key and no token."""
    mdm, target = VENDOR.made(_nothing_is_sent), VENDOR.target()
    assert isinstance(target.token, Sealed)
    assert_no_leak(repr(mdm), repr(vars(mdm)), repr(target))
