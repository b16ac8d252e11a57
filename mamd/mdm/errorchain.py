"""
Makes one line for people out of a device's ErrorChain (Apple, MDM protocol: ErrorChainItem).

A device may say anything there, an echo of the command with its token included, so whatever could be
one is struck out.
"""

import re
from collections.abc import Mapping
from typing import Any

from mamd.mdm.secret import fingerprint

_LONGEST = 160

# Base64 or hex without a gap; or, as NSData describes itself, groups of hex digits with gaps.
_COULD_BE_SECRET = re.compile(r"[A-Za-z0-9+/=_-]{16,}|(?:\b[0-9A-Fa-f]{4,}\b[\s,]*){2,}")
_DOMAIN = re.compile(r"[A-Za-z]{1,40}Domain")


def first_error(answer: Mapping[str, Any], status: str) -> str:
    """The first entry, such as `MCPasscodeErrorDomain 5013: Cannot clear passcode`; else the status."""
    chain = answer.get("ErrorChain")
    entry = chain[0] if isinstance(chain, list) and chain else None
    if not isinstance(entry, dict):
        return status
    where = " ".join(part for part in (_domain(entry), _code(entry)) if part)
    text = redacted(_text(entry))
    return ": ".join(part for part in (where, text) if part) or status


def redacted(text: str) -> str:
    """One line of at most 160 characters, in which whatever could be a secret is only a fingerprint."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return _COULD_BE_SECRET.sub(_struck_out, line)[:_LONGEST].strip()


def _struck_out(found: re.Match[str]) -> str:
    return f"<redacted sha256:{fingerprint(found.group().encode())}> "


def _domain(entry: Mapping[str, Any]) -> str:
    domain = entry.get("ErrorDomain")
    return domain if isinstance(domain, str) and _DOMAIN.fullmatch(domain) else ""


def _code(entry: Mapping[str, Any]) -> str:
    code = entry.get("ErrorCode")
    is_code = isinstance(code, int) and not isinstance(code, bool) and abs(code) < 1_000_000
    return str(code) if is_code else ""


def _text(entry: Mapping[str, Any]) -> str:
    for name in ("USEnglishDescription", "LocalizedDescription"):
        if isinstance(text := entry.get(name), str) and text:
            return text
    return ""
