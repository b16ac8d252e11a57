"""The certificates by which devices prove to an MDM who they are.

Each request of a device carries a detached CMS signature over its body in `Mdm-Signature`; a real
NanoMDM lets in nobody else, so simulated devices have to sign, too.
"""

from __future__ import annotations

import base64
import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_PEM = serialization.Encoding.PEM
_OPTIONS = [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary]


class Identity:
    """A device's certificate and key."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.certificate, self._key = certificate, key

    def sign(self, body: bytes) -> str:
        """The value of the Mdm-Signature header for exactly this body."""
        builder = pkcs7.PKCS7SignatureBuilder().set_data(body)
        signed = builder.add_signer(self.certificate, self._key, hashes.SHA256())
        return base64.b64encode(signed.sign(serialization.Encoding.DER, _OPTIONS)).decode()


class Authority:
    """A certificate authority made on the spot: it issues device identities and server certificates."""

    def __init__(self, name: str = "mamd simulator CA") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(name)
        self.certificate = (
            _builder(subject, subject, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        """What the MDM's `-ca` file holds."""
        return self.certificate.public_bytes(_PEM)

    def device(self, name: str) -> Identity:
        """A new identity for one device; each call makes another."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        return Identity(self._issue(_name(name), key, usage), key)

    def server(self, host: str) -> tuple[bytes, bytes]:
        """Certificate and key (PEM) of a TLS server of that name."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        certificate = self._issue(_name(host), key, usage, x509.SubjectAlternativeName([x509.DNSName(host)]))
        return certificate.public_bytes(_PEM), key_pem(key)

    def _issue(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *extensions: x509.ExtensionType
    ) -> x509.Certificate:
        builder = _builder(subject, self.certificate.subject, key.public_key())
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(self._key, hashes.SHA256())


def push_certificate(topic: str) -> bytes:
    """A self-made push certificate and its key, PEM one after the other, as /v1/pushcert takes them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.USER_ID, topic)])
    certificate = _builder(name, name, key.public_key()).sign(key, hashes.SHA256())
    return certificate.public_bytes(_PEM) + key_pem(key)


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A private key in PEM, not encrypted."""
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365))
    )
