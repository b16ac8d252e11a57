"""What can be said of a secret without showing it. The wrapper itself is the configuration's."""

import hashlib

from mamd.config.secret import Secret

__all__ = ["Secret", "fingerprint"]


def fingerprint(secret: bytes) -> str:
    """The first 8 hex digits of a secret's SHA-256: enough to tell two apart, too little to find one."""
    return hashlib.sha256(secret).hexdigest()[:8]
