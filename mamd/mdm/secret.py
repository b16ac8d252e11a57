"""Carries a secret from where it is read to where it is used, and shows it to nobody on the way."""

import hashlib
import hmac
from typing import NoReturn


class Secret:
    """
    Bytes that no log, error or traceback shows; `reveal` is the only way to them.

    Equal to another Secret with the same bytes, compared in constant time. Not hashable, and
    not to be pickled or copied into a file by accident.
    """

    __hash__ = None  # type: ignore[assignment]  # a hash of a secret would be a trace of it
    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = bytes(value)

    def reveal(self) -> bytes:
        """The bytes, for the one who sends them or reckons with them, and holds them no longer."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    def __repr__(self) -> str:
        return "<secret>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled: seal it with the vault")


def fingerprint(secret: bytes) -> str:
    """The first 8 hex digits of a secret's SHA-256: enough to tell two apart, too little to find one."""
    return hashlib.sha256(secret).hexdigest()[:8]
