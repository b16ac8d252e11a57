"""The search for leaked secrets finds them, so that its silence means something."""

import base64
import plistlib

import pytest

from tests.canary import unlock_token
from tests.mdm.leaks import assert_no_leak, holds_secret


def _plist_in_json(token: bytes) -> bytes:
    return b'{"raw_payload":"' + base64.b64encode(plistlib.dumps({"UnlockToken": token})) + b'"}'


@pytest.mark.parametrize("gap", [b"", b"x", b"xy", b"xyz"])
@pytest.mark.parametrize(
    "coat",
    [
        bytes,
        lambda token: token.hex().upper().encode(),
        base64.b64encode,
        base64.encodebytes,
        lambda token: base64.b64encode(base64.b64encode(token)),
        _plist_in_json,
        lambda token: repr(token).encode(),
    ],
)
def test_a_secret_is_found_in_every_coat(coat, gap: bytes) -> None:
    """Raw, hex, Base64, Base64 of Base64, and inside a plist in a webhook's body."""
    assert holds_secret(b"log line: " + gap + coat(gap + unlock_token()) + b" end")


def test_what_holds_no_secret_is_let_through() -> None:
    """Fingerprints and other Base64 are no leak."""
    assert_no_leak("sha256:e3b0c442", base64.b64encode(bytes(range(200))), b"MAMD-CANARY")
