"""Just enough of CMS (RFC 5652) to check the signature on a supervised pairing challenge.

The cryptography package signs CMS but does not read it. Only what a host sends here is read: one signer, the
content inside, signed attributes or none. Anything else is `NotCms`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes

SEQUENCE, SET, OCTETS, OID, CONTEXT_0 = 0x30, 0x31, 0x04, 0x06, 0xA0
MESSAGE_DIGEST = bytes.fromhex("2a864886f70d010904")  # 1.2.840.113549.1.9.4
HASHES: dict[bytes, hashes.HashAlgorithm] = {
    bytes.fromhex("2b0e03021a"): hashes.SHA1(),
    bytes.fromhex("608648016503040201"): hashes.SHA256(),
    bytes.fromhex("608648016503040202"): hashes.SHA384(),
    bytes.fromhex("608648016503040203"): hashes.SHA512(),
}


class NotCms(Exception):
    """These bytes are no signed data of the kind that a supervision host sends."""


@dataclass(frozen=True, slots=True)
class Signed:
    """What was signed, and what must be checked: `signature` over `covered`, made with `hash`.

    `digest_of_content` is what the signed attributes say about the content; None if there are no attributes.
    """

    content: bytes
    covered: bytes
    signature: bytes
    hash: hashes.HashAlgorithm
    digest_of_content: bytes | None


def signed_data(data: bytes) -> Signed:
    """Read a ContentInfo that holds SignedData. Raises `NotCms`."""
    try:
        return _signed_data(data)
    except (IndexError, ValueError, StopIteration, KeyError) as mistake:
        raise NotCms("not signed data of a supervision host") from mistake


def digest(hash_: hashes.HashAlgorithm, content: bytes) -> bytes:
    """The digest that a signed attribute should name."""
    digester = hashes.Hash(hash_)
    digester.update(content)
    return digester.finalize()


def _signed_data(data: bytes) -> Signed:
    (_, info, _) = _one(data)
    _, (_, wrapped, _) = _children(info)
    (_, body, _) = _one(wrapped)
    parts = _children(body)
    content = _content(next(part[1] for part in parts if part[0] == SEQUENCE))
    signers = [part for part in parts if part[0] == SET][-1]
    (_, signer, _) = _one(signers[1])
    return _signer(_children(signer), content)


def _content(info: bytes) -> bytes:
    _, (_, wrapped, _) = _children(info)
    (tag, octets, _) = _one(wrapped)
    if tag != OCTETS:
        raise ValueError("the content is not inside")
    return octets


def _signer(parts: list[tuple[int, bytes, bytes]], content: bytes) -> Signed:
    algorithm = HASHES[_children(parts[2][1])[0][1]]
    signature = next(part[1] for part in parts[3:] if part[0] == OCTETS)
    if parts[3][0] != CONTEXT_0:
        return Signed(content, content, signature, algorithm, None)
    # RFC 5652 section 5.4: the signature covers the attributes tagged as the SET that they are.
    covered = bytes([SET]) + parts[3][2][1:]
    return Signed(content, covered, signature, algorithm, _message_digest(parts[3][1]))


def _message_digest(attributes: bytes) -> bytes:
    for _, attribute, _ in _children(attributes):
        (_, name, _), (_, values, _) = _children(attribute)
        if name == MESSAGE_DIGEST:
            return _one(values)[1]
    raise ValueError("no message digest among the attributes")


def _one(data: bytes) -> tuple[int, bytes, bytes]:
    return next(_walk(data))


def _children(data: bytes) -> list[tuple[int, bytes, bytes]]:
    return list(_walk(data))


def _walk(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Each element in turn: its tag, its content, and the whole of it."""
    at = 0
    while at < len(data):
        tag, length, head = data[at], data[at + 1], 2
        if length & 0x80:
            head += length & 0x7F
            length = int.from_bytes(data[at + 2 : at + head])
        if at + head + length > len(data):
            raise ValueError("cut short")
        yield tag, data[at + head : at + head + length], data[at : at + head + length]
        at += head + length
