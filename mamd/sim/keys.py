"""Keys and certificates of the simulated side, made late and seldom, since a thousand phones share two cores.

All phones have one device key: real ones do not, but no host looks whether another phone has it, too. Pair
records that a scenario lays out beforehand share one host identity for the same reason.
"""

from __future__ import annotations

import hashlib
import os
import plistlib
import ssl
import tempfile
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from mamd.sim.phone import HostTrust

NOBODY = x509.Name([])  # pairing certificates name nobody (libimobiledevice common/userpref.c)
LIFE = timedelta(days=3650)


def new_key() -> rsa.RSAPrivateKey:
    """An RSA key as pairing uses them: 2048 bits. About 50 ms of CPU."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def device_key() -> rsa.RSAPrivateKey:
    """The key that all simulated phones of this process have."""
    return new_key()


@cache
def device_public_key() -> bytes:
    """What lockdown says for DevicePublicKey: PEM, "RSA PUBLIC KEY"."""
    return device_key().public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1)


@dataclass(frozen=True, slots=True)
class HostIdentity:
    """A host's keys and certificates for one pair record. Certificates and keys in PEM."""

    host_id: str
    root_certificate: bytes
    root_key: bytes = field(repr=False)
    host_certificate: bytes
    host_key: bytes = field(repr=False)
    device_certificate: bytes

    @classmethod
    def new(cls) -> HostIdentity:
        """Keys of its own; about 100 ms of CPU."""
        root_key, host_key = new_key(), new_key()
        root = _certificate(root_key, root_key.public_key(), authority=True)
        return cls(
            host_id=str(uuid.uuid4()).upper(),
            root_certificate=_pem(root),
            root_key=_key_pem(root_key),
            host_certificate=_pem(_certificate(root_key, host_key.public_key())),
            host_key=_key_pem(host_key),
            device_certificate=_pem(_certificate(root_key, device_key().public_key())),
        )

    def trust(self, system_buid: str) -> HostTrust:
        """How a phone remembers this host."""
        return HostTrust(
            self.host_id, system_buid, self.host_certificate, self.root_certificate, self.device_certificate
        )

    def pair_record(self, system_buid: str, wifi_address: str) -> dict[str, Any]:
        """How the host remembers a phone, as usbmuxd stores it."""
        return {
            "DeviceCertificate": self.device_certificate,
            "EscrowBag": os.urandom(32),
            "HostCertificate": self.host_certificate,
            "HostID": self.host_id,
            "HostPrivateKey": self.host_key,
            "RootCertificate": self.root_certificate,
            "RootPrivateKey": self.root_key,
            "SystemBUID": system_buid,
            "WiFiMACAddress": wifi_address,
        }


@cache
def shared_host() -> HostIdentity:
    """The identity of all pair records that a scenario lays out beforehand."""
    return HostIdentity.new()


class Sessions:
    """TLS contexts for lockdown sessions, one for each set of certificates, made at its first session."""

    def __init__(self) -> None:
        self._contexts: dict[bytes, ssl.SSLContext] = {}

    def context(self, host: HostTrust) -> ssl.SSLContext:
        """A server's context that shows the device certificate and lets in only that host.

        Raises `ValueError` if the certificates of the pairing are none that TLS can use.
        """
        key = hashlib.sha256(host.device_certificate + host.root_certificate + host.host_certificate).digest()
        if key not in self._contexts:
            try:
                self._contexts[key] = _server_context(host)
            except ssl.SSLError as error:
                raise ValueError("the certificates of this pairing cannot be used") from error
        return self._contexts[key]


def _server_context(host: HostTrust) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # TLS 1.2, so that a wrong client certificate fails the client's handshake and not its first read.
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ALL:!aNULL:!eNULL:@SECLEVEL=0")  # pairing certificates may be signed with SHA-1
    context.options |= ssl.OP_NO_TICKET
    context.verify_mode = ssl.CERT_REQUIRED
    # The client shows its host certificate (pymobiledevice3) or its root's (libimobiledevice).
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=(host.root_certificate + b"\n" + host.host_certificate).decode())
    with tempfile.TemporaryDirectory() as folder:
        chain = Path(folder) / "device.pem"
        chain.touch(0o600)
        chain.write_bytes(host.device_certificate + b"\n" + _key_pem(device_key()))
        context.load_cert_chain(chain)
    return context


@dataclass(frozen=True, slots=True)
class Supervision:
    """An organisation that supervises phones: its certificate and key, in PEM."""

    certificate: bytes
    key: bytes = field(repr=False)

    @classmethod
    def new(cls, organisation: str) -> Supervision:
        """A self-signed identity, as Apple Configurator makes one."""
        key = new_key()
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, organisation)])
        return cls(_pem(_certificate(key, key.public_key(), authority=True, name=name)), _key_pem(key))

    @property
    def der(self) -> bytes:
        """The certificate as a Pair request shows it."""
        return x509.load_pem_x509_certificate(self.certificate).public_bytes(Encoding.DER)


def record_plist(record: dict[str, Any]) -> bytes:
    """A pair record as the file that usbmuxd keeps."""
    return plistlib.dumps(record)


def _certificate(
    signer: rsa.RSAPrivateKey, public: rsa.RSAPublicKey, *, authority: bool = False, name: x509.Name = NOBODY
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, public, x509.random_serial_number(), now - LIFE, now + LIFE)
    return builder.add_extension(x509.BasicConstraints(authority, None), critical=True).sign(
        signer, hashes.SHA256()
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def _key_pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
