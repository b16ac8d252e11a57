"""The mark that every secret of the tests holds, so that a scanner can find where one has leaked to."""

import secrets
from typing import Final

MARKER: Final = b"MAMD-CANARY-7f3a9c51e2b8"
API_KEY: Final = f"api-{MARKER.decode()}-key"
HMAC_KEY: Final = f"hook-{MARKER.decode()}-key"


def unlock_token(size: int = 1300) -> bytes:
    """A new unlock token of about the size of a real one; each call makes another."""
    return MARKER + secrets.token_bytes(size - len(MARKER))
