"""What NanoMDM takes for a push certificate: any, if its subject names an MDM topic and the key fits.

Apple alone would refuse a self-made one, so neither chain nor dates are looked at (nanomdm
v0.9.0, cryptoutil).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.x509.oid import NameOID

_BLOCK = re.compile(rb"-----BEGIN ([A-Z ]+)-----.+?-----END \1-----", re.DOTALL)


class BadPushCertificate(Exception):
    """The upload is refused; the text is NanoMDM's."""


@dataclass(frozen=True, slots=True)
class PushCertificate:
    topic: str
    not_after: str


def read(upload: bytes) -> PushCertificate:
    """The certificate in an upload of certificate and key, both PEM, one after the other."""
    blocks = [(found.group(1), found.group(0)) for found in _BLOCK.finditer(upload)]
    certificates = [pem for kind, pem in blocks if kind == b"CERTIFICATE"]
    keys = [pem for kind, pem in blocks if kind.endswith(b"PRIVATE KEY")]
    if not certificates:
        raise BadPushCertificate("tls: failed to find any PEM data in certificate input")
    if not keys:
        raise BadPushCertificate("tls: failed to find any PEM data in key input")
    certificate = _certificate(certificates[0])
    if _public(keys[0]) != _spki(certificate.public_key()):
        raise BadPushCertificate("tls: private key does not match public key")
    ends = certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ")
    return PushCertificate(_topic(certificate), ends)


def _certificate(pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise BadPushCertificate("x509: malformed certificate") from error


def _topic(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(NameOID.USER_ID)
    if not names:
        raise BadPushCertificate("no APNs Topic found")
    topic = str(names[0].value)
    if not topic.startswith("com.apple.mgmt"):
        raise BadPushCertificate(f'invalid APNs Topic: "{topic}"')
    return topic


def _public(pem: bytes) -> bytes:
    try:
        return _spki(serialization.load_pem_private_key(pem, None).public_key())
    except (ValueError, TypeError) as error:
        raise BadPushCertificate("tls: failed to parse private key") from error


def _spki(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
