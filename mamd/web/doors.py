"""
Who may come in, and how far: by the unix socket's file mode, or by a token with a role.

    unix socket ──▶ the peer's user name, every role
    TCP ──▶ Host known? ──▶ token (bearer or cookie) ──▶ its role ──▶ a cookie that writes shows its Origin
"""

import hashlib
import hmac
import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from mamd.web.serve import PEER

COOKIE: Final = "mamd"


class Role(Enum):
    """How far a visitor may go; each may do what the ones before it may."""

    VIEW = "view"
    OPERATE = "operate"
    APPROVE = "approve"

    def covers(self, asked: "Role") -> bool:
        """Whether this role is enough for that one."""
        return _REACH[self] >= _REACH[asked]


_REACH: Final = {Role.VIEW: 0, Role.OPERATE: 1, Role.APPROVE: 2}


@dataclass(frozen=True, slots=True)
class Token:
    """One key to the TCP door: the name that its words carry, how far it opens, and its secret."""

    name: str
    role: Role
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is asking."""

    name: str
    role: Role


@dataclass(eq=False)
class Denied(Exception):
    """Not let in: a status of HTTP, one clear line, and what would be right."""

    status: int
    error: str
    cure: str


class Doors:
    """
    Knows every visitor by socket, token or cookie.

    Args:
        hosts: Further names by which this host may be called in a Host header. Addresses,
            localhost and this host's own name always may: a page of another site can make a
            browser come here by a name of its own only.
    """

    def __init__(self, tokens: Iterable[Token], hosts: Iterable[str] = ()) -> None:
        self._tokens = tuple(tokens)
        own = socket.gethostname()
        self._hosts = frozenset(name.casefold() for name in ("localhost", own, *hosts))

    def by_secret(self, secret: str) -> Token | None:
        """The token of that secret; how long it takes to say no tells nothing."""
        if not secret:
            return None
        given = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
        found = None
        for token in self._tokens:
            if hmac.compare_digest(given, hashlib.sha256(token.secret.encode()).digest()):
                found = token
        return found

    def visitor(self, connection: HTTPConnection, asked: Role) -> Visitor:
        """
        Who this is.

        Raises:
            Denied: Nobody we know (401), from another site or not far enough (403).
        """
        peer = socket_peer(connection)
        if peer is not None:
            return Visitor(peer, Role.APPROVE)
        self.check_host(connection)
        token, by_cookie = self._token(connection)
        if by_cookie and asked is not Role.VIEW:
            _check_origin(connection)
        if not token.role.covers(asked):
            raise Denied(
                403,
                f"the token {token.name} has the role {token.role.value}, and this needs {asked.value}",
                "Use a token with that role, or the command line on the host itself.",
            )
        return Visitor(token.name, token.role)

    def check_host(self, connection: HTTPConnection) -> None:
        """Refuse whoever was led here by a name that is not this host's (DNS rebinding)."""
        if not self._is_ours(connection.headers.get("host", "")):
            raise Denied(
                421,
                "this host is not known by the name that it was called by",
                "Call it by its address, or by its own host name.",
            )

    def _is_ours(self, host: str) -> bool:
        name = _hostname(host)
        return name is not None and (_is_address(name) or name in self._hosts)

    def _token(self, connection: HTTPConnection) -> tuple[Token, bool]:
        scheme, _, secret = connection.headers.get("authorization", "").partition(" ")
        if scheme.casefold() == "bearer":
            token, by_cookie = self.by_secret(secret.strip()), False
        else:
            token, by_cookie = self.by_secret(connection.cookies.get(COOKIE, "")), True
        if token is None:
            raise Denied(
                401,
                "a token is needed",
                "Send `Authorization: Bearer TOKEN`, or open /?token=TOKEN once in this browser.",
            )
        return token, by_cookie


def socket_peer(connection: HTTPConnection) -> str | None:
    """The user at the other end of the unix socket; None for anybody who came over TCP."""
    client = connection.client
    if client is None or not client.host.startswith(PEER):
        return None
    return client.host.removeprefix(PEER)


def is_near(connection: HTTPConnection) -> bool:
    """On this host: by the unix socket, or from a loopback address."""
    if socket_peer(connection) is not None:
        return True
    client = connection.client
    return client is not None and _is_address(client.host) and ipaddress.ip_address(client.host).is_loopback


def _check_origin(connection: HTTPConnection) -> None:
    """A cookie comes along by itself, so what writes with it must come from our own page."""
    origin = connection.headers.get("origin", "")
    if not origin or urlsplit(origin).netloc != connection.headers.get("host"):
        raise Denied(403, "this was sent from the page of another site", "Use this host's own page.")


def _hostname(host: str) -> str | None:
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return None
    return name.casefold() if name else None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
