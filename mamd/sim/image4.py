"""Image4, as far as a restore moves it about: components, tickets, and a component with its ticket.

    IM4P  a component, named by four letters         IM4M  a ticket: who may run what
    IMG4  both together, as a host uploads them      (theapplewiki.com, "IMG4 File Format")

Tickets here carry no signature that means anything: checked are for whom, for which nonce, which digests.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mamd.sim import der


class NotImage4(Exception):
    """Bytes that are no Image4 of the kind asked for."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a ticket allows: this chip, this nonce, and of each component only the one with this SHA-384."""

    ecid: int
    chip: int
    board: int
    nonce: bytes
    digests: Mapping[str, bytes]  # by four letters


@dataclass(frozen=True, slots=True)
class Image:
    """A component with its ticket, as it came over the wire."""

    letters: str
    digest: bytes
    ticket: Ticket


def component(letters: str, payload: bytes, about: str = "simulated") -> bytes:
    """An IM4P."""
    return der.element(
        der.SEQUENCE,
        der.text("IM4P"),
        der.text(letters),
        der.text(about),
        der.element(der.OCTETS, payload),
    )


def digest(im4p: bytes | memoryview) -> bytes:
    """What a ticket and a BuildManifest say of a component."""
    return hashlib.sha384(im4p).digest()


def ticket(allowed: Ticket) -> bytes:
    """An IM4M."""
    about_device = {
        "BNCH": der.element(der.OCTETS, allowed.nonce),
        "BORD": der.integer(allowed.board),
        "CHIP": der.integer(allowed.chip),
        "ECID": der.integer(allowed.ecid),
    }
    components = [
        _named(letters, [_property("DGST", der.element(der.OCTETS, value))])
        for letters, value in allowed.digests.items()
    ]
    properties = _named("MANP", [_property(name, value) for name, value in about_device.items()])
    body = der.element(der.SET, _named("MANB", [properties, *components]))
    signature = der.element(der.OCTETS, bytes(96))
    certificates = der.element(der.SEQUENCE, der.element(der.OCTETS, b"no certificate"))
    return der.element(der.SEQUENCE, der.text("IM4M"), der.integer(0), body, signature, certificates)


def read_ticket(data: bytes | memoryview) -> Ticket:
    """What an IM4M allows. Raises `NotImage4`."""
    try:
        _, _, body, *_ = _children(_sequence(data, "IM4M"))
        groups = _group(_group(body)["MANB"])
        about, digests = _group(groups.pop("MANP")), {}
        for letters, group in groups.items():
            if (value := _group(group).get("DGST")) is not None:
                digests[letters] = bytes(value)
        numbers = {name: der.number(about[name]) for name in ("ECID", "CHIP", "BORD")}
        return Ticket(
            numbers["ECID"], numbers["CHIP"], numbers["BORD"], bytes(about.get("BNCH", b"")), digests
        )
    except (der.NotDer, KeyError, ValueError) as error:
        raise NotImage4("not a ticket") from error


def read_image(data: bytes | bytearray) -> Image:
    """A component with its ticket. Raises `NotImage4`."""
    try:
        _, im4p, *rest = der.elements(_sequence(data, "IMG4"))
        manifest = next(content for tag, content, _ in rest if tag == der.CONTEXT_0)
        letters = bytes(_children(_sequence(im4p[2], "IM4P"))[1]).decode("ascii")
        return Image(letters, digest(im4p[2]), read_ticket(manifest))
    except (der.NotDer, StopIteration, ValueError, IndexError) as error:
        raise NotImage4("not a component with its ticket") from error


def _named(letters: str, members: Iterable[bytes]) -> bytes:
    return der.element(
        der.private(letters),
        der.element(der.SEQUENCE, der.text(letters), der.element(der.SET, *members)),
    )


def _property(letters: str, value: bytes) -> bytes:
    return der.element(der.private(letters), der.element(der.SEQUENCE, der.text(letters), value))


def _sequence(data: bytes | bytearray | memoryview, letters: str) -> memoryview:
    """The content of a SEQUENCE that begins with these letters."""
    tag, content, _ = next(der.elements(memoryview(data)))
    if tag != der.SEQUENCE or bytes(_children(content)[0]) != letters.encode("ascii"):
        raise ValueError(f"no {letters}")
    return content


def _children(content: memoryview) -> list[memoryview]:
    return [inner for _, inner, _ in der.elements(content)]


def _group(members: memoryview) -> dict[str, memoryview]:
    """The members of a SET by their letters; of each the value beside its letters."""
    named = {}
    for wrapped in _children(members):
        letters, value = _children(_children(wrapped)[0])
        named[bytes(letters).decode("ascii")] = value
    return named
