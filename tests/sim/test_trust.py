"""What a phone answers in each state to Pair, StartSession and EnterRecovery."""

import contextlib
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7Options
from hypothesis import given, settings
from hypothesis import strategies as st

from mamd.sim import cms, trust
from mamd.sim.identity import Identity
from mamd.sim.keys import HostIdentity, Supervision
from mamd.sim.phone import HostTrust, Locked, Mode, Phone, Restrictions, Trust
from tests.sim.host import BUID, answer_challenge, pair_request


class Clock:
    """Time that passes when the test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def a_phone(**state: Any) -> Phone:
    return Phone(Identity.numbered(1, name="ward-1"), **state)


def supervised_pair(
    phone: Phone, host: HostIdentity, supervision: Supervision, *options: PKCS7Options
) -> dict[str, Any]:
    asked = trust.pair(phone, pair_request(host, SupervisorCertificate=supervision.der))
    if asked.get("Error") != "MCChallengeRequired":
        return asked
    response = answer_challenge(supervision, asked["ExtendedResponse"]["PairingChallenge"], *options)
    return trust.pair(phone, pair_request(host, ChallengeResponse=response))


@pytest.mark.parametrize(
    ("state", "answer"),
    [
        ({}, "PairingDialogResponsePending"),
        ({"trust": Trust.ACCEPT}, None),
        ({"trust": Trust.DENY}, "UserDeniedPairing"),
        ({"mode": Mode.SETUP}, None),
        ({"passcode_set": True, "locked": True}, "PasswordProtected"),
        ({"passcode_set": True, "locked": True, "first_unlocked": False}, "PasswordProtected"),
        (
            {
                "passcode_set": True,
                "locked": True,
                "first_unlocked": False,
                "pair_before_first_unlock": Locked.ESCROW_LOCKED,
            },
            "EscrowLocked",
        ),
        ({"restrictions": Restrictions(allow_host_pairing=False)}, "MCProtected"),
        ({"consented": {BUID}}, None),
        ({"consented": {BUID}, "passcode_set": True, "locked": True}, "PasswordProtected"),
    ],
)
def test_an_ordinary_pair_request(host: HostIdentity, state: dict[str, Any], answer: str | None) -> None:
    """Each state has its answer; only an accepted host gets an escrow bag and is trusted from then on."""
    phone = a_phone(**state)
    reply = trust.pair(phone, pair_request(host))
    assert reply.get("Error") == answer
    assert ("EscrowBag" in reply) == (answer is None) == (host.host_id in phone.trusts)


def test_the_dialog_is_answered_in_its_time(host: HostIdentity) -> None:
    """Somebody needs eight seconds to tap Trust; until then the dialog is pending."""
    clock = Clock()
    phone = a_phone(trust=Trust.ACCEPT, trust_after_s=8.0, clock=clock)
    assert trust.pair(phone, pair_request(host))["Error"] == "PairingDialogResponsePending"
    clock.now = 7.9
    assert trust.pair(phone, pair_request(host))["Error"] == "PairingDialogResponsePending"
    clock.now = 8.0
    assert "EscrowBag" in trust.pair(phone, pair_request(host))


def test_a_denied_host_is_asked_about_again_after_a_replug(host: HostIdentity) -> None:
    """Don't Trust holds until the cable was off."""
    phone = a_phone(trust=Trust.DENY)
    trust.pair(phone, pair_request(host))
    phone.trust = Trust.ACCEPT
    assert trust.pair(phone, pair_request(host))["Error"] == "UserDeniedPairing"
    phone.replugged()
    assert "EscrowBag" in trust.pair(phone, pair_request(host))


def test_without_extended_errors_a_dialog_looks_like_a_passcode(host: HostIdentity) -> None:
    """A host that does not ask for extended errors cannot tell a passcode from an open dialog."""
    reply = trust.pair(a_phone(), pair_request(host, ExtendedPairingErrors=False))
    assert reply["Error"] == "PasswordProtected"


@pytest.mark.parametrize("options", [(), (PKCS7Options.NoAttributes,)])
def test_the_organisation_pairs_without_a_dialog(
    host: HostIdentity, supervision: Supervision, options: tuple[PKCS7Options, ...]
) -> None:
    """A supervised phone trusts whoever signs its challenge with the organisation's key."""
    phone = a_phone(supervisor=supervision.der, restrictions=Restrictions(allow_host_pairing=False))
    assert "EscrowBag" in supervised_pair(phone, host, supervision, *options)
    assert phone.dialog_since is None


def test_a_locked_phone_lets_its_organisation_in_without_keeping_it(
    host: HostIdentity, supervision: Supervision
) -> None:
    """A supervised Pair on a locked phone says yes without an escrow bag, and no session opens after it."""
    phone = a_phone(supervisor=supervision.der, passcode_set=True, locked=True)
    assert supervised_pair(phone, host, supervision) == {}
    assert trust.start_session(phone, host.host_id) == {"Error": "InvalidHostID"}


def test_a_site_may_meet_phones_that_refuse_it_instead(host: HostIdentity, supervision: Supervision) -> None:
    """Where reports differ the phone has a setting."""
    phone = a_phone(
        supervisor=supervision.der,
        passcode_set=True,
        locked=True,
        supervised_pair_when_locked=Locked.PASSWORD_PROTECTED,
    )
    assert supervised_pair(phone, host, supervision)["Error"] == "PasswordProtected"


def test_another_organisation_is_an_ordinary_host(host: HostIdentity, supervision: Supervision) -> None:
    """A certificate that does not supervise the phone only brings the Trust dialog."""
    phone = a_phone(supervisor=b"another organisation")
    assert supervised_pair(phone, host, supervision)["Error"] == "PairingDialogResponsePending"


def test_a_challenge_is_good_for_one_answer(host: HostIdentity, supervision: Supervision) -> None:
    """Neither a wrong answer nor a right one to another challenge lets a host in."""
    phone = a_phone(supervisor=supervision.der)
    asked = trust.pair(phone, pair_request(host, SupervisorCertificate=supervision.der))
    challenge = asked["ExtendedResponse"]["PairingChallenge"]
    forged = answer_challenge(Supervision.new("Somebody else"), challenge)
    assert trust.pair(phone, pair_request(host, ChallengeResponse=forged))["Error"] == "MCProtected"
    late = answer_challenge(supervision, challenge)
    assert "Error" in trust.pair(phone, pair_request(host, ChallengeResponse=late))
    assert phone.trusts == {}


@given(st.binary(max_size=200))
def test_rubbish_is_no_signature(data: bytes) -> None:
    """Whatever is sent as a signed challenge, the phone stays up."""
    with pytest.raises(cms.NotCms):
        cms.signed_data(data)


SIGNED: dict[str, bytes] = {}  # made once: a signature costs more than all that is tried with it


@settings(max_examples=30)
@given(st.integers(0, 2000), st.integers(0, 255))
def test_a_changed_signature_is_read_or_refused(supervision: Supervision, at: int, byte: int) -> None:
    """One changed byte in a signed challenge never does anything but fail."""
    signed = bytearray(SIGNED.setdefault("one", answer_challenge(supervision, b"challenge")))
    signed[at % len(signed)] = byte
    with contextlib.suppress(cms.NotCms):
        cms.signed_data(bytes(signed))


@pytest.mark.parametrize("record", [None, [], {}, {"HostID": 5}, {"HostID": "a", "SystemBUID": "b"}])
def test_a_pair_request_without_a_record_is_refused(record: object) -> None:
    """Nothing is trusted that was not fully named."""
    assert trust.pair(a_phone(), {"PairRecord": record})["Error"] == "InvalidPairRecord"


@pytest.mark.parametrize(
    ("setting", "answer"),
    [
        (Locked.PASSWORD_PROTECTED, "PasswordProtected"),
        (Locked.INVALID_HOST, "InvalidHostID"),
        (Locked.SESSION, None),
    ],
)
def test_a_session_before_the_first_unlock(host: HostIdentity, setting: Locked, answer: str | None) -> None:
    """A paired phone that was not unlocked since its start answers in one of three ways."""
    phone = a_phone(passcode_set=True, locked=True, first_unlocked=False, session_before_first_unlock=setting)
    phone.trusts[host.host_id] = host.trust(BUID)
    reply = trust.start_session(phone, host.host_id)
    assert isinstance(reply, HostTrust) if answer is None else reply == {"Error": answer}


@pytest.mark.parametrize(
    ("version", "in_session", "state", "answer"),
    [
        ("14.4", False, {}, None),
        ("14.5", False, {}, "SessionInactive"),
        ("17.5.1", False, {}, "SessionInactive"),
        ("17.5.1", True, {}, None),
        ("17.5.1", True, {"passcode_set": True, "locked": True}, None),
        (
            "17.5.1",
            True,
            {"passcode_set": True, "locked": True, "recovery_needs_unlock": True},
            "PasswordProtected",
        ),
        ("17.5.1", False, {"restrictions": Restrictions(True, True)}, "SessionInactive"),
        ("17.5.1", False, {"restrictions": Restrictions(True, True), "supervisor": b"us"}, None),
    ],
)
def test_recovery_mode(version: str, in_session: bool, state: dict[str, Any], answer: str | None) -> None:
    """Since iOS 14.5 recovery needs a session, or a supervised phone whose MDM allows it without one."""
    phone = Phone(Identity.numbered(1, product_version=version), **state)
    assert trust.enter_recovery(phone, in_session=in_session).get("Error") == answer


def test_a_clear_takes_the_passcode_and_the_lock(host: HostIdentity) -> None:
    """Only the right token clears; then the phone is unlocked, and stays so however often it is locked."""
    phone = a_phone(passcode_set=True, locked=True, first_unlocked=False)
    heard: list[str] = []
    phone.on_change(lambda _, what: heard.append(what))
    assert phone.clear_passcode(b"wrong") is not None
    assert phone.locked
    assert phone.clear_passcode(phone.unlock_token) is None
    phone.lock()
    assert (phone.locked, phone.first_unlocked) == (False, True)
    assert heard == ["passcode_cleared", "locked"]


def test_nothing_secret_is_in_how_a_phone_is_shown(host: HostIdentity) -> None:
    """A phone in a traceback tells neither its unlock token nor anybody's certificate."""
    token = b"a token that nobody may read"
    phone = a_phone(unlock_token=token)
    trust.pair(phone, pair_request(host))
    assert token.decode() not in repr(phone)
    assert "BEGIN" not in repr(phone)
