"""
Keeps UnlockTokens encrypted: each is a master passcode of one device, and the MDM sends it once.

    seal(owner, token) ──► Sealed ──► a row        AES-256-GCM, a random nonce,
    open(row) ──► Secret, for one command          bound to owner, field and key

A row that is copied to another owner does not open.
"""

import json
import secrets
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mamd.core.errors import Lasting, Misconfigured, No, Refused
from mamd.mdm.keyfile import VaultKey, keys_of_file, make_key_file
from mamd.mdm.secret import Secret
from mamd.ports import Sealed

MAX_SECRET_BYTES = 64 * 1024
"""Real tokens have 1 to 2 kB; their form is Apple's own, so only their size is checked."""

_FIELD = "UnlockToken"
_NONCE_BYTES = 12  # what GCM is made for (NIST SP 800-38D, 8.2.2)
_WHO = "vault"


class Vault:
    """
    Seals with the first key, opens with all of them.

    There is no way to keep a token in clear, and none to open a token without its owner.
    """

    def __init__(self, keys: Sequence[VaultKey]) -> None:
        assert keys, "a vault without a key keeps nothing"
        self._keys = {key.key_id: AESGCM(key.secret.reveal()) for key in keys}
        self._current = keys[0].key_id
        self._shut: set[str] = set()

    @classmethod
    def from_file(cls, path: Path, *, make: bool = False) -> "Vault":
        """
        A vault with the keys of a file; with `make` the file is made, 0600, if it is not there.

        Raises:
            Misconfigured: The file is not there, others may read it, or it holds no key.
        """
        if make and not path.exists():
            make_key_file(path)
        return cls(keys_of_file(path))

    @property
    def key_id(self) -> str:
        """The key that secrets are sealed with now."""
        return self._current

    def is_sound(self) -> bool:
        """
        True unless a secret that we hold would not open when it was last needed.

        Only a sound vault may say that a device has no token: a lost or wrong key is a fault of ours.
        """
        return not self._shut

    def seal(self, owner: str, secret: bytes) -> Sealed:
        """
        Encrypt a secret for its owner; each call gives another ciphertext.

        Raises:
            Refused: It is empty or has more than 64 KiB.
        """
        if not 0 < len(secret) <= MAX_SECRET_BYTES:
            raise Refused(_WHO, "a token has between 1 byte and 64 KiB; this one is not kept")
        nonce = secrets.token_bytes(_NONCE_BYTES)
        ciphertext = self._keys[self._current].encrypt(nonce, secret, _bound_to(owner, self._current))
        self._shut.discard(owner)  # what would not open has been superseded
        return Sealed(owner, self._current, nonce, ciphertext)

    def open(self, sealed: Sealed) -> Secret:
        """
        Decrypt one secret.

        Raises:
            Misconfigured: Its key is not here, or the row was changed or belongs to another owner.
        """
        try:
            opened = Secret(self._decrypted(sealed))
        except Lasting:
            self._shut.add(sealed.owner)
            raise
        self._shut.discard(sealed.owner)
        return opened

    def reseal(self, sealed: Sealed) -> Sealed:
        """The same secret under the current key; as it is, if that is its key. Raises as `open` does."""
        if sealed.key_id == self._current:
            return sealed
        return self.seal(sealed.owner, self.open(sealed).reveal())

    def _decrypted(self, sealed: Sealed) -> bytes:
        key = self._keys.get(sealed.key_id)
        if key is None:
            raise Misconfigured(_WHO, _lost_key(sealed.key_id), No.FORBIDDEN)
        try:
            return key.decrypt(sealed.nonce, sealed.ciphertext, _bound_to(sealed.owner, sealed.key_id))
        except (InvalidTag, ValueError):
            # Neither names a cause, and neither should the chain: there is nothing to learn from it.
            raise Misconfigured(_WHO, _damaged(sealed.owner), No.FORBIDDEN) from None


def _bound_to(owner: str, key_id: str) -> bytes:
    return json.dumps(["mamd", _FIELD, owner, key_id]).encode()


def _lost_key(key_id: str) -> str:
    return f"the key {key_id} that a token was sealed with is not in the key file; add its line again"


def _damaged(owner: str) -> str:
    return f"the token of {owner} does not open: its row was changed or moved; restore it, or enrol again"
