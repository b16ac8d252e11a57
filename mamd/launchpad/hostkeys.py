"""
This host as devices know it: one HostID, one SystemBUID and one pair of keys, made once.

A key takes 50 to 130 ms of CPU, so all devices of a Launchpad share the host's; only the
device's certificate differs from record to record. Consent is given to a SystemBUID, so a new
one would ask every person again.
"""

import plistlib
import uuid
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate
from pymobiledevice3 import ca

from mamd.launchpad import plist
from mamd.launchpad.plist import Garbled, Message
from mamd.launchpad.records import Unreadable, write_secret

_BITS: Final = 2048
_FILE: Final = plist.Bounds(size=64 << 10, nodes=50, depth=2)


@dataclass(frozen=True, slots=True)
class HostKeys:
    """Certificates and keys in PEM, as pair records hold them."""

    host_id: str
    system_buid: str
    root_certificate: bytes = field(repr=False)
    root_key: bytes = field(repr=False)
    host_certificate: bytes = field(repr=False)
    host_key: bytes = field(repr=False)

    def shown(self, device_certificate: bytes) -> Message:
        """The part of a record that a Pair request shows the device."""
        return {
            "DeviceCertificate": device_certificate,
            "HostCertificate": self.host_certificate,
            "HostID": self.host_id,
            "RootCertificate": self.root_certificate,
            "SystemBUID": self.system_buid,
        }

    def record(self, device_certificate: bytes, escrow_bag: bytes) -> Message:
        """The whole record, to be kept once the device has accepted."""
        kept = {"EscrowBag": escrow_bag, "HostPrivateKey": self.host_key, "RootPrivateKey": self.root_key}
        return self.shown(device_certificate) | kept

    def certify(self, device_public_key: bytes) -> bytes:
        """
        A certificate for a device's public key. Takes milliseconds: call it in a thread.

        Raises:
            Garbled: It is no RSA key in PEM.
        """
        try:
            public = load_pem_public_key(device_public_key)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise Garbled("a DevicePublicKey that is no key") from error
        if not isinstance(public, rsa.RSAPublicKey):
            raise Garbled("a DevicePublicKey that is not RSA")
        root = _loaded(self.root_key)
        certificate = load_pem_x509_certificate(self.root_certificate)
        made = ca.build_device_certificate(public, certificate, root, ca.select_hash_algorithm(None))
        return ca.serialize_cert_pem(made)


def host_keys(state: Path) -> HostKeys:
    """
    This host's keys, made and kept in `STATE/host_keys.plist` (0600) if there are none.

    Blocks for up to a second: call it in a thread.

    Raises:
        Unreadable: They cannot be read or written; the text says what to do.
    """
    path = state / "host_keys.plist"
    try:
        return _read(path.read_bytes())
    except FileNotFoundError:
        pass
    except (OSError, Garbled) as error:
        raise Unreadable(f"{path}: unreadable; restore it, or remove it and trust anew") from error
    keys = _made()
    try:
        write_secret(path, plistlib.dumps(_message(keys)))
    except OSError as error:
        raise Unreadable(f"{path}: cannot be written ({error.strerror})") from error
    return keys


@lru_cache(maxsize=1)
def _loaded(pem: bytes) -> rsa.RSAPrivateKey:
    """Loading checks the key's primes, 35 ms of it; a hub full of unpaired devices would feel that."""
    key = load_pem_private_key(pem, None)
    assert isinstance(key, rsa.RSAPrivateKey), "we made it"
    return key


def _made() -> HostKeys:
    algorithm = ca.select_hash_algorithm(None)
    root_key, host_key = (rsa.generate_private_key(public_exponent=65537, key_size=_BITS) for _ in range(2))
    root = ca.build_root_certificate(root_key, algorithm)
    host = ca.build_host_certificate(host_key, root, root_key, algorithm)
    return HostKeys(
        host_id=str(uuid.uuid4()).upper(),
        system_buid=str(uuid.uuid4()).upper(),
        root_certificate=ca.serialize_cert_pem(root),
        root_key=ca.serialize_private_key_pkcs8_pem(root_key),
        host_certificate=ca.serialize_cert_pem(host),
        host_key=ca.serialize_private_key_pkcs8_pem(host_key),
    )


_NAMES: Final = {
    "host_id": "HostID",
    "system_buid": "SystemBUID",
    "root_certificate": "RootCertificate",
    "root_key": "RootPrivateKey",
    "host_certificate": "HostCertificate",
    "host_key": "HostPrivateKey",
}


def _message(keys: HostKeys) -> Message:
    return {name: getattr(keys, attribute) for attribute, name in _NAMES.items()}


def _read(data: bytes) -> HostKeys:
    message = plist.message(data, _FILE)
    try:
        return HostKeys(**{attribute: message[name] for attribute, name in _NAMES.items()})
    except KeyError as error:
        raise Garbled("not the keys of a host") from error
