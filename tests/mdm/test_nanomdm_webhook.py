"""What NanoMDM's webhook may tell us, and what it may not."""

import base64
import json
import plistlib
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from mamd.core.enrollment import NewsKind
from mamd.core.errors import No, Refused
from mamd.core.events import AnswerStatus
from mamd.mdm.nanomdm_webhook import MAX_BODY_BYTES, NanoMdmWebhook
from mamd.mdm.secret import Secret, fingerprint
from mamd.mdm.vault import Vault
from mamd.ports import Delivery, Webhook
from mamd.sim.mdm_webhook import signature
from tests.canary import HMAC_KEY, MARKER, unlock_token
from tests.mdm.leaks import assert_no_leak
from tests.mdm.test_vault import key, vault_key

UDID = "00008110-0011AAAA00000001"
CREATED = "2026-11-22T03:55:14.288367827Z"
COMMAND = "0F2A7C35-6E0B-4C75-9E0C-7F4A5B1C2D3E"

VAULT = Vault([vault_key(key())])
WEBHOOK: Webhook = NanoMdmWebhook("hospital", Secret(HMAC_KEY.encode()), VAULT)


def body(topic: str, said: Any, *, raw: bytes | None = None, outer: Any = None, **event: Any) -> bytes:
    """An event as NanoMDM writes it; `said` is what the device said."""
    payload = plistlib.dumps({"UDID": UDID} | said) if raw is None else raw
    name = "acknowledge_event" if topic == "mdm.Connect" else "checkin_event"
    about = {"ids": {"id": UDID, "type": "Device"}, "udid": UDID, "raw_payload": _b64(payload)} | event
    whole = {
        name: about,
        "created_at": "2026-11-22T03:55:14.288367827Z",
        "event_id": "bd79fea5",
        "topic": topic,
    }
    return json.dumps(whole | (outer or {})).encode()


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def receive(message: bytes) -> Delivery:
    return WEBHOOK.receive({"X-Hmac-Signature": signature(HMAC_KEY.encode(), message)}, message)


def token_update(**said: Any) -> bytes:
    return body("mdm.TokenUpdate", {"MessageType": "TokenUpdate", "PushMagic": "m", "Token": b"t"} | said)


def answered(status: str, **said: Any) -> bytes:
    said |= {"Status": status, "CommandUUID": COMMAND}
    return body("mdm.Connect", said, status=status, command_uuid=COMMAND)


# ------------------------------------------------------------------------- what is heard


def test_an_enrolment_tells_the_serial_number() -> None:
    """Authenticate says which serial number belongs to which UDID."""
    said = {"MessageType": "Authenticate", "SerialNumber": "MAMD000001", "Model": "MPQ03LL"}
    news = receive(body("mdm.Authenticate", said)).news
    assert news is not None
    assert (news.mdm, news.kind, news.enrollment_id) == ("hospital", NewsKind.AUTHENTICATED, UDID)
    assert (news.udid, news.serial) == (UDID, "MAMD000001")
    assert news.sent_at == datetime(2026, 11, 22, 3, 55, 14, 288367, tzinfo=UTC)


def test_a_token_comes_sealed_for_this_enrolment() -> None:
    """An unlock token leaves the receiver encrypted, with a fingerprint for people."""
    token = unlock_token()
    delivery = receive(token_update(UnlockToken=token))
    assert delivery.news is not None
    assert (delivery.news.kind, delivery.news.fingerprint) == (NewsKind.TOKEN_UPDATED, fingerprint(token))
    assert delivery.token is not None
    assert delivery.token.owner == f"hospital/{UDID}"
    assert VAULT.open(delivery.token).reveal() == token
    assert_no_leak(repr(delivery), delivery.token.ciphertext)


@pytest.mark.parametrize("token", [None, b"", "a string", 7, MARKER + bytes(64 * 1024)])
def test_a_token_update_without_a_proper_token_brings_none(token: Any) -> None:
    """What is no token is not kept; that the phone is enrolled is heard all the same."""
    delivery = receive(token_update(**({} if token is None else {"UnlockToken": token})))
    assert delivery.news is not None
    assert (delivery.news.kind, delivery.news.fingerprint, delivery.token) == (
        NewsKind.TOKEN_UPDATED, None, None,
    )  # fmt: skip


def test_a_device_that_left_is_heard() -> None:
    """CheckOut says that a phone is not managed any more."""
    news = receive(body("mdm.CheckOut", {"MessageType": "CheckOut"})).news
    assert news is not None
    assert news.kind is NewsKind.CHECKED_OUT


def test_a_poll_is_heard() -> None:
    """Idle is a sign of life."""
    news = receive(body("mdm.Connect", {"Status": "Idle"}, status="Idle")).news
    assert news is not None
    assert (news.kind, news.command_id, news.status) == (NewsKind.IDLE, None, None)


@pytest.mark.parametrize(
    ("status", "means"),
    [
        ("Acknowledged", AnswerStatus.ACKNOWLEDGED),
        ("NotNow", AnswerStatus.NOT_NOW),
        ("Error", AnswerStatus.ERROR),
        ("CommandFormatError", AnswerStatus.ERROR),
    ],
)
def test_an_answer_is_heard_with_its_command(status: str, means: AnswerStatus) -> None:
    """What a phone answered to which command."""
    news = receive(answered(status)).news
    assert news is not None
    assert (news.kind, news.command_id, news.status) == (NewsKind.ANSWERED, COMMAND, means)
    assert news.error == (status if means is AnswerStatus.ERROR else "")


def test_an_error_is_one_line_for_people() -> None:
    """The first entry of what the phone says went wrong."""
    chain = [
        {"ErrorCode": 5013, "ErrorDomain": "MCPasscodeErrorDomain", "LocalizedDescription": "Kann nicht",
         "USEnglishDescription": "Cannot clear\npasscode"},
        {"ErrorCode": 1, "ErrorDomain": "OtherErrorDomain"},
    ]  # fmt: skip
    news = receive(answered("Error", ErrorChain=chain)).news
    assert news is not None
    assert news.error == "MCPasscodeErrorDomain 5013: Cannot clear passcode"


@pytest.mark.parametrize("present", [True, False])
def test_security_info_tells_whether_a_passcode_is_set(present: bool) -> None:
    """The phone's own word on its passcode."""
    news = receive(answered("Acknowledged", SecurityInfo={"PasscodePresent": present})).news
    assert news is not None
    assert news.passcode_set is present
    unsure = receive(answered("Acknowledged", SecurityInfo={"PasscodePresent": "yes"})).news
    assert unsure is not None
    assert unsure.passcode_set is None


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("2026-11-22T03:55:14Z", (3, 55, 14, 0)),
        ("2026-11-22T03:55:14.2Z", (3, 55, 14, 200000)),
        ("2026-11-22T05:55:14.123456789+02:00", (3, 55, 14, 123456)),
    ],
)
def test_the_time_is_read_as_go_writes_it(written: str, means: tuple[int, int, int, int]) -> None:
    """Up to nine digits of a second, any zone."""
    news = receive(body("mdm.Connect", {}, status="Idle", outer={"created_at": written})).news
    assert news is not None
    assert news.sent_at == datetime(2026, 11, 22, *means, tzinfo=UTC)


def test_a_binary_plist_is_read_too() -> None:
    """NanoMDM passes on what a phone sent, in either form."""
    token = unlock_token()
    said = {"UDID": UDID, "MessageType": "TokenUpdate", "UnlockToken": token}
    raw = plistlib.dumps(said, fmt=plistlib.FMT_BINARY)
    delivery = receive(body("mdm.TokenUpdate", {}, raw=raw))
    assert delivery.token is not None
    assert VAULT.open(delivery.token).reveal() == token


# ------------------------------------------------------------------- what says nothing


@pytest.mark.parametrize("topic", ["mdm.GetBootstrapToken", "mdm.DeclarativeManagement", "mdm.Future"])
def test_other_topics_say_nothing(topic: str) -> None:
    """Events that are NanoMDM's own business are let pass."""
    assert receive(body(topic, {"MessageType": topic})) == Delivery(None)
    assert receive(json.dumps({"topic": topic}).encode()) == Delivery(None)


@pytest.mark.parametrize(
    "message",
    [
        body("mdm.Connect", {"Status": "Strange"}, status="Strange", command_uuid=COMMAND),
        body("mdm.Connect", {"Status": "Acknowledged"}, status="Acknowledged"),
        body("mdm.Connect", {"Status": "Acknowledged"}, status="Acknowledged", command_uuid="x" * 128),
        body("mdm.Connect", {"Status": "Acknowledged"}, status=["Acknowledged"], command_uuid=COMMAND),
    ],
)
def test_an_answer_that_cannot_be_told_says_nothing(message: bytes) -> None:
    """A status that nobody knows, or an answer to nothing, is no answer."""
    assert receive(message) == Delivery(None)


@pytest.mark.parametrize("kind", ["User", "Shared iPad", "User Enrollment (Device)", "User Enrollment"])
def test_t05_a_token_from_elsewhere_is_ignored_with_a_warning(kind: str) -> None:
    """T05: a token on a user channel or of a personal enrolment is not kept, and the log says so."""
    ids = {"id": f"{UDID}:A B", "type": kind, "parent_id": UDID}
    said = {"MessageType": "TokenUpdate", "UserID": "A B", "UnlockToken": unlock_token()}
    with capture_logs() as logs:
        assert receive(body("mdm.TokenUpdate", said, ids=ids)) == Delivery(None)
    assert [(line["event"], line["log_level"]) for line in logs] == [("token.ignored", "warning")]
    assert_no_leak(repr(logs))


@pytest.mark.parametrize("name", ["UserID", "EnrollmentID"])
def test_a_device_message_that_names_a_user_is_no_device_message(name: str) -> None:
    """What the phone says of itself counts too: no token from its user channel."""
    assert receive(token_update(UnlockToken=unlock_token(), **{name: "A"})) == Delivery(None)


# -------------------------------------------------------------------------- what is refused


def refusal(message: bytes, headers: dict[str, str] | None = None) -> Refused:
    signed = {"x-hmac-signature": signature(HMAC_KEY.encode(), message)}
    with pytest.raises(Refused) as caught:
        WEBHOOK.receive(signed if headers is None else headers, message)
    assert_no_leak(str(caught.value), repr(caught.value), "".join(traceback.format_exception(caught.value)))
    return caught.value


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Hmac-Signature": ""},
        {"X-Hmac-Signature": "not Base64 at all, \udcff"},
        {"X-Hmac-Signature": signature(b"another key", token_update())},
        {"X-Hmac-Signature": signature(HMAC_KEY.encode(), b"another body")},
    ],
)
def test_what_is_not_signed_is_not_heard(headers: dict[str, str]) -> None:
    """Nobody without the key can make us believe anything."""
    assert refusal(token_update(), headers).why is No.FORBIDDEN


def test_one_changed_byte_is_not_heard() -> None:
    """The signature covers every byte."""
    message = token_update(UnlockToken=unlock_token())
    headers = {"X-Hmac-Signature": signature(HMAC_KEY.encode(), message)}
    assert refusal(message.replace(b"TokenUpdate", b"TokenUpdatE", 1), headers).why is No.FORBIDDEN


def test_a_message_without_end_is_not_even_checked() -> None:
    """More than 10 MB is no message."""
    assert refusal(b" " * (MAX_BODY_BYTES + 1), {}).why is No.REJECTED


BEFORE_TIME = "0001-01-01T00:00:00+14:00"
_GOOD = {"MessageType": "TokenUpdate", "UnlockToken": unlock_token()}


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(MARKER, id="no JSON"),
        pytest.param(b"[" * 100_000, id="deep JSON"),
        pytest.param(b'"' + MARKER + b'"', id="no object"),
        pytest.param(b"{}", id="no topic"),
        pytest.param(body("mdm.TokenUpdate", _GOOD, outer={"checkin_event": "x"}), id="no event"),
        pytest.param(body("mdm.TokenUpdate", _GOOD, ids={}), id="no ids"),
        pytest.param(body("mdm.TokenUpdate", _GOOD, ids=[]), id="ids are no object"),
        pytest.param(body("mdm.TokenUpdate", _GOOD, ids={"id": "a,b", "type": "Device"}), id="two ids"),
        pytest.param(body("mdm.TokenUpdate", _GOOD, ids={"id": "A", "type": "Device"}), id="another id"),
        pytest.param(body("mdm.TokenUpdate", _GOOD, raw_payload=7), id="payload is no text"),
        pytest.param(body("mdm.TokenUpdate", _GOOD, raw_payload="***"), id="no Base64"),
        pytest.param(body("mdm.TokenUpdate", {}, raw=MARKER), id="no plist"),
        pytest.param(body("mdm.TokenUpdate", {}, raw=plistlib.dumps([MARKER])), id="plist is no dictionary"),
        pytest.param(body("mdm.TokenUpdate", {"MessageType": "CheckOut"}), id="another message"),
        pytest.param(body("mdm.TokenUpdate", _GOOD, outer={"created_at": None}), id="no time"),
        pytest.param(
            body("mdm.TokenUpdate", _GOOD, outer={"created_at": "2026-11-22T03:55:14"}), id="no zone"
        ),
        pytest.param(
            body("mdm.TokenUpdate", _GOOD, outer={"created_at": "0001-01-01T00:00:00+14:00"}),
            id="before time",
        ),
    ],
)
def test_a_signed_message_that_is_none_of_nanomdms_is_refused(message: bytes) -> None:
    """A body that is broken or contradicts itself changes nothing, and nothing of it is shown."""
    assert refusal(message).why is No.REJECTED


@given(st.binary(max_size=300))
def test_no_bytes_break_the_receiver(noise: bytes) -> None:
    """Whatever is posted is news or refused; the receiver lives on."""
    as_plist = body("mdm.TokenUpdate", {}, raw=noise)
    as_binary = body("mdm.Connect", {}, raw=b"bplist00" + noise)
    for message in (noise, as_plist, as_binary):
        with suppress(Refused):
            receive(message)


# ----------------------------------------------------------------------------- redaction


@pytest.mark.parametrize("where", ["USEnglishDescription", "LocalizedDescription", "ErrorDomain"])
@pytest.mark.parametrize(
    "coat",
    [
        lambda token: token.decode("latin-1"),
        lambda token: token.hex(),
        lambda token: _b64(token),
        lambda token: base64.encodebytes(token).decode(),
        lambda token: "<" + " ".join(token.hex()[at : at + 8] for at in range(0, 64, 8)) + ">",
        lambda token: "{length = 1300, bytes = 0x" + token.hex()[:32] + " ... }",
    ],
)
def test_t07_a_token_that_is_echoed_is_struck_out(where: str, coat: Any) -> None:
    """T07: a phone that repeats its token in an error does not get it into our journal."""
    token = unlock_token()
    entry = {"ErrorCode": 5013, where: f"Bad token {_printable(coat(token))} given"}
    delivery = receive(answered("Error", ErrorChain=[entry], UnlockToken=token))
    assert delivery.news is not None
    assert delivery.news.error.startswith("5013")
    assert_no_leak(repr(delivery))
    for start in range(0, 48, 8):
        assert token.hex()[start : start + 8] not in delivery.news.error
    if where != "ErrorDomain":
        assert "<redacted sha256:" in delivery.news.error


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() or char == "\n" else "?" for char in text)


@pytest.mark.parametrize("chain", ["x", [], ["x"], [{}], [{"ErrorCode": True}], [{"ErrorCode": 10**30}], {}])
def test_an_error_without_a_proper_chain_has_its_status(chain: Any) -> None:
    """A phone that says nothing useful of its error still has one."""
    said = {"ErrorChain": chain} if chain != [{"ErrorCode": 10**30}] else {}
    news = receive(answered("Error", **said)).news
    assert news is not None
    assert news.error == "Error"
