"""Looks for the mark of the tests' secrets in what was written, in whatever coat it may have come."""

import base64
import re

from tests.canary import MARKER

_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{32,}={0,2}")


def assert_no_leak(*written: str | bytes) -> None:
    """None of these holds a secret: raw, as hex, or in Base64, twice over, white space or none."""
    for text in written:
        data = text.encode() if isinstance(text, str) else text
        assert not holds_secret(data), "a secret has leaked"


def holds_secret(data: bytes, depth: int = 2) -> bool:
    """Whether the mark is in there."""
    if MARKER in data or MARKER.hex().encode() in data.lower():
        return True
    if repr(MARKER)[2:-1].encode() in data:
        return True
    runs = _BASE64.findall(re.sub(rb"\s+", b"", data)) if depth else []
    return any(holds_secret(decoded, depth - 1) for run in runs for decoded in _decodings(run))


def _decodings(run: bytes) -> list[bytes]:
    """All that a run may mean, since what stands before it may belong to it, or not."""
    plain = run.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    cuts = (plain[start:] for start in range(4))
    return [base64.b64decode(cut[: len(cut) // 4 * 4]) for cut in cuts]
