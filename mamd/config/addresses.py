"""Reads addresses: of listeners, of usbmuxd, of an MDM."""

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

from mamd.config import forms
from mamd.config.mistakes import Mistakes, Place, shown
from mamd.config.settings import HostPort
from mamd.config.strict_yaml import Leaf, Node

_HOST_PORT: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})")


def host_port(node: Node, mistakes: Mistakes) -> HostPort | None:
    """HOST:PORT, with brackets around an IPv6 address."""
    found = forms.text(node, mistakes)
    if found is None:
        return None
    read = split_host_port(found)
    if read is None:
        mistakes.add(node.place, f"{shown(found)} is no HOST:PORT", "write it as 127.0.0.1:8780")
    return read


def split_host_port(text: str) -> HostPort | None:
    """The two parts, or None if it has not exactly those."""
    match = _HOST_PORT.fullmatch(text)
    if match is None or int(match[3]) > 65_535:
        return None
    return HostPort(match[1] or match[2], int(match[3]))


def is_loopback(host: str) -> bool:
    """Only this host can reach it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def usbmuxd_address(node: Node, mistakes: Mistakes) -> str | None:
    """A path, UNIX:/path or HOST:PORT (libusbmuxd, USBMUXD_SOCKET_ADDRESS)."""
    found = forms.text(node, mistakes)
    if found is None:
        return None
    path = found.removeprefix("UNIX:")
    if path.startswith("/") or (path == found and split_host_port(found) is not None):
        return found
    cure = "write a path from the root, UNIX:/path or HOST:PORT"
    mistakes.add(node.place, f"{shown(found)} is no address of usbmuxd", cure)
    return None


def origin(node: Node, mistakes: Mistakes) -> str | None:
    """`https://HOST` or `https://HOST:PORT`: what comes after it is the adapter's."""
    found = forms.text(node, mistakes)
    if found is None:
        return None
    why = _why_no_origin(found)
    if why is None:
        return found.rstrip("/")
    # It may hold a password, so it is not shown.
    mistakes.add(node.place, f"this address {why}", "write it as https://mdm.example.org")
    return None


def _why_no_origin(text: str) -> str | None:
    try:
        parts = urlsplit(text)
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        return "cannot be read"
    if parts.scheme not in ("https", "http") or not parts.hostname or not has_port:
        return "is not of the web"
    if parts.username is not None or parts.password is not None:
        return "holds a name or a password"
    if parts.path not in ("", "/") or parts.query or parts.fragment or not text.isprintable() or " " in text:
        return "has more in it than a host"
    return None


def is_in_clear(url: str) -> bool:
    """What is sent there can be read on the way, and does not stay on this host."""
    parts = urlsplit(url)
    return parts.scheme == "http" and not is_loopback(parts.hostname or "")


def as_node(name: str, value: str) -> Leaf:
    """A variable as a node, so that it is read and judged like what stands in the file."""
    return Leaf(Place(f"${name}"), value, is_quoted=True)
