"""
Asking a device to trust this host: on purpose only, and only for devices of ours.

    Pair ──▶ EscrowBag ─────────────▶ the record is kept
         ──▶ MCChallengeRequired ───▶ Pair, with the challenge signed by the supervision identity
         ──▶ nothing, or an error ──▶ a PairAnswer; what is stored stays as it was

Written by hand beside pymobiledevice3 11.45.0's `pair()` and `pair_supervised()`, because those make
keys inside the event loop, save records readable by all, take a reply without EscrowBag for success
and overwrite a good record then. Its certificates (`pymobiledevice3.ca`) are used as they are.
"""

import asyncio
import socket
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7Options, PKCS7SignatureBuilder

from mamd.core.errors import Misconfigured
from mamd.core.facts import PairAnswer
from mamd.launchpad import lockdown
from mamd.launchpad.hostkeys import HostKeys, host_keys
from mamd.launchpad.plist import Garbled, Message
from mamd.launchpad.records import PairRecord, Records
from mamd.launchpad.wire import Wire

MOST_PREPARED: Final = 1024


class Pairings(Enum):
    """Which Pair requests may be sent at all."""

    ANY = "any"
    SUPERVISED_ONLY = "supervised_only"


@dataclass(frozen=True, slots=True)
class Supervision:
    """The organisation that supervises our devices: its certificate and key."""

    certificate: x509.Certificate
    key: RSAPrivateKey | EllipticCurvePrivateKey = field(repr=False)

    @classmethod
    def of(cls, certificate: bytes, key: bytes) -> "Supervision":
        """
        Read both from PEM.

        Raises:
            Misconfigured: One cannot be read, or they do not belong together.
        """
        try:
            read = x509.load_pem_x509_certificate(certificate)
            private = load_pem_private_key(key, None)
        except (ValueError, TypeError) as error:
            cure = "give a certificate and its unencrypted private key in PEM"
            raise Misconfigured("supervision_identity", f"cannot be read; {cure}") from error
        if not isinstance(private, RSAPrivateKey | EllipticCurvePrivateKey):
            raise Misconfigured("supervision_identity", "the key is neither RSA nor EC; give the right one")
        if private.public_key() != read.public_key():
            raise Misconfigured("supervision_identity", "key and certificate do not fit; give one export's")
        return cls(read, private)

    @property
    def der(self) -> bytes:
        """The certificate as a Pair request shows it."""
        return self.certificate.public_bytes(Encoding.DER)

    def answer(self, challenge: bytes) -> bytes:
        """The challenge, signed (CMS). Takes milliseconds: call it in a thread."""
        builder = PKCS7SignatureBuilder().set_data(challenge)
        signer = builder.add_signer(self.certificate, self.key, hashes.SHA256())
        return signer.sign(Encoding.DER, [PKCS7Options.Binary])


@dataclass(frozen=True, slots=True)
class Paired:
    """What came of it; `record` is ours from now on if it was accepted."""

    answer: PairAnswer
    record: PairRecord | None = None
    stage: str = "pair"


_NOT_SENT: Final = Paired(PairAnswer.NOT_SENT, stage="")


class Pairing:
    """Sends Pair requests for one host."""

    def __init__(
        self, records: Records, state: Path, pairings: Pairings, supervision: Supervision | None
    ) -> None:
        self._records = records
        self._state = state
        self._pairings = pairings
        self._supervision = supervision
        self._keys: HostKeys | None = None
        self._making = asyncio.Lock()
        self._prepared: dict[bytes, _Prepared] = {}

    @property
    def may_ask(self) -> bool:
        """Whether a Pair request is ever sent on this Launchpad."""
        return self._supervision is not None or self._pairings is Pairings.ANY

    async def keys(self) -> HostKeys:
        """This host's keys, made once. Raises `Unreadable`."""
        async with self._making:
            if self._keys is None:
                self._keys = await asyncio.to_thread(host_keys, self._state)
            return self._keys

    async def pair(self, wire: Wire, udid: str) -> Paired:
        """
        Ask once, over a tunnel without a session. It may show the Trust dialog.

        Raises:
            Closed, Garbled: As the wire does.
            Unreadable: Our keys cannot be read, or the record of an accepted pairing not kept.
        """
        if not self.may_ask:
            return _NOT_SENT
        keys = await self.keys()
        public = lockdown.value(await wire.ask_device(lockdown.PUBLIC_KEY))
        if not isinstance(public, bytes):
            raise Garbled("no DevicePublicKey")
        prepared = self._prepared.get(public) or await self._prepare(keys, public)
        heard = await self._asked(wire, prepared)
        if heard.name is not None:
            answer = lockdown.PAIR_ERRORS.get(heard.name, heard.otherwise)
            return Paired(answer, stage=f"pair: {heard.name}")
        bag = heard.reply.get("EscrowBag")
        if not isinstance(bag, bytes) or not bag:
            return self._without_escrow()
        record = keys.record(prepared.certificate, bag)
        await self._records.keep(udid, record)
        return Paired(PairAnswer.PAIRED, PairRecord.of(record))

    async def _prepare(self, keys: HostKeys, public: bytes) -> "_Prepared":
        """A device that stays unpaired is asked every 15 s: what it is shown is made once."""
        certificate = await asyncio.to_thread(keys.certify, public)
        shown = keys.shown(certificate)
        if self._supervision is None:
            request = _request(shown, HostName=socket.gethostname())
        else:
            request = _request(shown, {"SupervisorCertificate": self._supervision.der})
        if len(self._prepared) >= MOST_PREPARED:
            self._prepared.clear()
        return self._prepared.setdefault(public, _Prepared(certificate, shown, request))

    async def _asked(self, wire: Wire, prepared: "_Prepared") -> "_Heard":
        first = _Heard(await wire.ask_device(prepared.request))
        if self._supervision is None or first.name != "MCChallengeRequired":
            return first
        response = await asyncio.to_thread(self._supervision.answer, _challenge(first.reply))
        reply = await wire.ask_device(_request(prepared.shown, {"ChallengeResponse": response}))
        return _Heard(reply, otherwise=PairAnswer.WRONG_IDENTITY)

    def _without_escrow(self) -> Paired:
        """A locked, supervised device accepts and keeps nothing (go-ios ios/pair.go). Nobody else may."""
        if self._supervision is not None:
            return Paired(PairAnswer.NO_ESCROW)
        return Paired(PairAnswer.NO_ANSWER, stage="pair: no EscrowBag")


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What one device is shown, and the request that shows it."""

    certificate: bytes
    shown: Message = field(repr=False)
    request: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Heard:
    """A reply to Pair, and what an error in it means that has no meaning of its own."""

    reply: Message = field(repr=False)
    otherwise: PairAnswer = PairAnswer.NO_ANSWER

    @property
    def name(self) -> str | None:
        """The name of the error. Raises `Garbled`."""
        return lockdown.error(self.reply)


def _request(shown: Message, options: Message | None = None, **more: str) -> bytes:
    # Without ExtendedPairingErrors a Trust dialog that is open looks like a passcode.
    all_options = {"ExtendedPairingErrors": True, **(options or {})}
    return lockdown.request("Pair", PairRecord=shown, PairingOptions=all_options, ProtocolVersion="2", **more)


def _challenge(reply: Message) -> bytes:
    extended = reply.get("ExtendedResponse")
    challenge = extended.get("PairingChallenge") if isinstance(extended, dict) else None
    if not isinstance(challenge, bytes):
        raise Garbled("a challenge without a challenge")
    return challenge
