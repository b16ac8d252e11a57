"""Whom a simulated phone trusts: what it answers to Pair, StartSession and EnterRecovery, state by state.

The answers are those that users of libimobiledevice, usbmuxd and go-ios report of real phones; where reports
differ, the phone has a setting (`phone.Locked`).
"""

from __future__ import annotations

import secrets
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from mamd.sim import cms
from mamd.sim.boot import RestoreFault
from mamd.sim.phone import HostTrust, Locked, Mode, Phone, Trust

Reply = dict[str, Any]

NEEDS_A_SESSION_FOR_RECOVERY = (14, 5)  # iOS; libirecovery 6d3b6bb
CERTIFICATES = ("HostCertificate", "RootCertificate", "DeviceCertificate")


def error(name: str, **more: Any) -> Reply:
    """A refusal, as lockdownd words it."""
    return {"Error": name, **more}


# --- Pair


def pair(phone: Phone, request: Reply) -> Reply:
    """The answer to a Pair request. It may show the Trust dialog, and it may make the phone trust a host."""
    host = _host(request.get("PairRecord"))
    options = pairing_options(request)
    if host is None:
        return error("InvalidPairRecord")
    if "ChallengeResponse" in options:
        return _answer_to_challenge(phone, host, options["ChallengeResponse"])
    if phone.supervisor is not None and options.get("SupervisorCertificate") == phone.supervisor:
        return _supervised(phone, host)
    return _ordinary(phone, host, extended=bool(options.get("ExtendedPairingErrors")))


def pairing_options(request: Reply) -> dict[str, Any]:
    """The PairingOptions; none if they are not a dictionary."""
    options = request.get("PairingOptions")
    return options if isinstance(options, dict) else {}


def _supervised(phone: Phone, host: HostTrust) -> Reply:
    if host.system_buid in phone.consented and not phone.locked:
        return _accept(phone, host)
    phone.challenge = secrets.token_bytes(32)
    return error("MCChallengeRequired", ExtendedResponse={"PairingChallenge": phone.challenge})


def _answer_to_challenge(phone: Phone, host: HostTrust, response: object) -> Reply:
    challenge, phone.challenge = phone.challenge, None
    if challenge is None or phone.supervisor is None or not isinstance(response, bytes):
        return error("InvalidPairRecord")
    if not _signed_by(phone.supervisor, response, challenge):
        return error("MCProtected")
    if phone.locked and phone.supervised_pair_when_locked is Locked.NO_ESCROW:
        return {}
    if phone.locked:
        return error(Locked.PASSWORD_PROTECTED.value)
    return _accept(phone, host)


def _ordinary(phone: Phone, host: HostTrust, *, extended: bool) -> Reply:
    if phone.mode is Mode.SETUP:
        return _accept(phone, host)
    if phone.locked:
        return error(_locked_pair(phone))
    if not phone.restrictions.allow_host_pairing:
        return error("MCProtected")
    if host.system_buid in phone.consented:
        return _accept(phone, host)
    return _ask(phone, host, extended=extended)


def _locked_pair(phone: Phone) -> str:
    return Locked.PASSWORD_PROTECTED.value if phone.first_unlocked else phone.pair_before_first_unlock.value


def _ask(phone: Phone, host: HostTrust, *, extended: bool) -> Reply:
    """Show the Trust dialog, or see what became of it."""
    if phone.denied:
        return error("UserDeniedPairing")
    if phone.dialog_since is None:
        phone.dialog_since = phone.clock()
        phone.changed("asked_to_trust")
    answered = phone.trust is not Trust.NOBODY and phone.clock() - phone.dialog_since >= phone.trust_after_s
    if not answered:
        # Without ExtendedPairingErrors an open dialog and a passcode look the same.
        return error("PairingDialogResponsePending" if extended else Locked.PASSWORD_PROTECTED.value)
    if phone.trust is Trust.DENY:
        phone.denied = True
        return error("UserDeniedPairing")
    return _accept(phone, host)


def _accept(phone: Phone, host: HostTrust) -> Reply:
    phone.dialog_since = None
    phone.trusts[host.host_id] = host
    phone.consented.add(host.system_buid)
    phone.changed("trusted")
    return {"EscrowBag": secrets.token_bytes(32)}


def unpair(phone: Phone, request: Reply) -> Reply:
    """Forget a host, its consent included."""
    record = request.get("PairRecord")
    host = phone.trusts.pop(str(record.get("HostID")), None) if isinstance(record, dict) else None
    if host is None:
        return error("InvalidHostID")
    phone.consented.discard(host.system_buid)
    phone.changed("unpaired")
    return {}


def _host(record: object) -> HostTrust | None:
    if not isinstance(record, dict):
        return None
    host_id, buid = record.get("HostID"), record.get("SystemBUID")
    certificates = [record.get(name) for name in CERTIFICATES]
    if not isinstance(host_id, str) or not isinstance(buid, str):
        return None
    if not all(isinstance(certificate, bytes) for certificate in certificates):
        return None
    return HostTrust(host_id, buid, *(bytes(certificate) for certificate in certificates if certificate))


def _signed_by(supervisor: bytes, response: bytes, challenge: bytes) -> bool:
    key = x509.load_der_x509_certificate(supervisor).public_key()
    try:
        signed = cms.signed_data(response)
        if signed.content != challenge or signed.digest_of_content not in (
            None,
            cms.digest(signed.hash, challenge),
        ):
            return False
        _verify(key, signed.signature, signed.covered, signed.hash)
    except (cms.NotCms, InvalidSignature):
        return False
    return True


def _verify(key: object, signature: bytes, covered: bytes, hash_: hashes.HashAlgorithm) -> None:
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, covered, padding.PKCS1v15(), hash_)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, covered, ec.ECDSA(hash_))
    else:
        raise InvalidSignature


# --- StartSession, EnterRecovery


def start_session(phone: Phone, host_id: object) -> Reply | HostTrust:
    """The host whose session may open, or the refusal."""
    host = phone.trusts.get(host_id) if isinstance(host_id, str) else None
    if not isinstance(host_id, str):
        return error("MissingHostID")
    if host is None:
        return error("InvalidHostID")
    if not phone.first_unlocked and phone.session_before_first_unlock is not Locked.SESSION:
        return error(phone.session_before_first_unlock.value)
    return host


def enter_recovery(phone: Phone, *, in_session: bool) -> Reply:
    """Whether the phone would start to recovery mode for this host; an empty reply means that it does now."""
    if phone.boot.strikes(RestoreFault.ENTER_RECOVERY_REFUSED):
        return error("SessionInactive")
    if phone.identity.version < NEEDS_A_SESSION_FOR_RECOVERY:
        return {}
    if in_session:
        return error(Locked.PASSWORD_PROTECTED.value) if phone.locked and phone.recovery_needs_unlock else {}
    if phone.supervisor is not None and phone.restrictions.allow_unpaired_external_boot_to_recovery:
        return {}
    return error("SessionInactive")
