"""A host that speaks usbmux and lockdown by hand, so that tests see each answer as it came."""

import asyncio
import plistlib
import socket
import ssl
import struct
import tempfile
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7Options, PKCS7SignatureBuilder

from mamd.sim.keys import HostIdentity, Supervision

HEADER = struct.Struct("<4I")
LENGTH = struct.Struct(">I")
PATIENCE_S = 5.0  # no answer in this time is a broken test, not a slow machine
BUID = "30142955-444094379208051516"


class Mux:
    """One connection to usbmuxd."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Connect to the socket there."""
        return cls(*await asyncio.open_unix_connection(path))

    async def ask(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Send a message and take the next packet."""
        self.say(plistlib.dumps({"MessageType": kind, **fields}))
        return await self.hear()

    def say(self, payload: bytes, *, version: int = 1, message: int = 8, tag: int = 7) -> None:
        """Send a packet, however wrong."""
        self.writer.write(HEADER.pack(HEADER.size + len(payload), version, message, tag) + payload)

    async def hear(self) -> dict[str, Any]:
        """The next packet."""
        async with asyncio.timeout(PATIENCE_S):
            length, _, _, _ = HEADER.unpack(await self.reader.readexactly(HEADER.size))
            return dict(plistlib.loads(await self.reader.readexactly(length - HEADER.size)))

    async def closed(self) -> bool:
        """Whether the other side closes the connection, after what it still had to say."""
        async with asyncio.timeout(PATIENCE_S):
            await self.reader.read(-1)
        self.close()
        return True

    async def lockdown(self, udid: str) -> "Lockdown":
        """Turn the connection into a tunnel to that phone's lockdownd."""
        devices = (await self.ask("ListDevices"))["DeviceList"]
        number = next(one["DeviceID"] for one in devices if one["Properties"]["SerialNumber"] == udid)
        answer = await self.ask("Connect", DeviceID=number, PortNumber=socket.htons(62078))
        assert answer["Number"] == 0, answer
        return Lockdown(self.reader, self.writer)

    def close(self) -> None:
        """Hang up."""
        self.writer.close()


class Lockdown:
    """One conversation with lockdownd."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, request: str, **fields: Any) -> dict[str, Any]:
        """Send a request and take its reply."""
        payload = plistlib.dumps({"Request": request, "Label": "test", **fields})
        self.writer.write(LENGTH.pack(len(payload)) + payload)
        async with asyncio.timeout(PATIENCE_S):
            (length,) = LENGTH.unpack(await self.reader.readexactly(LENGTH.size))
            return dict(plistlib.loads(await self.reader.readexactly(length)))

    async def start_tls(self, certificate: bytes, key: bytes) -> None:
        """Begin the encrypted part of a session, showing that certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with tempfile.NamedTemporaryFile() as file:
            Path(file.name).write_bytes(certificate + key)
            context.load_cert_chain(file.name)
        await self.writer.start_tls(context, server_hostname="", ssl_handshake_timeout=PATIENCE_S)

    def close(self) -> None:
        """Hang up."""
        self.writer.close()


def pair_request(host: HostIdentity, buid: str = BUID, **options: Any) -> dict[str, Any]:
    """The fields of a Pair request, as libimobiledevice sends them."""
    record = {
        "DeviceCertificate": host.device_certificate,
        "HostCertificate": host.host_certificate,
        "HostID": host.host_id,
        "RootCertificate": host.root_certificate,
        "SystemBUID": buid,
    }
    options = {"ExtendedPairingErrors": True} | options
    return {"PairRecord": record, "ProtocolVersion": "2", "PairingOptions": options}


def answer_challenge(supervision: Supervision, challenge: bytes, *options: PKCS7Options) -> bytes:
    """The challenge, signed as a supervision host signs it."""
    certificate = x509.load_pem_x509_certificate(supervision.certificate)
    key = load_pem_private_key(supervision.key, None)
    builder = PKCS7SignatureBuilder().set_data(challenge)
    signed = builder.add_signer(certificate, key, hashes.SHA256())  # type: ignore[arg-type]
    return signed.sign(Encoding.DER, [PKCS7Options.Binary, *options])
