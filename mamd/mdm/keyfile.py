"""
Reads and makes the file with the vault's keys, and refuses one that others could read.

One key a line, as 64 hex digits. The first seals; the others still open, until everything
has been sealed anew.
"""

import hashlib
import os
import re
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path

from mamd.core.errors import Misconfigured, No
from mamd.mdm.secret import Secret

_KEY_BYTES = 32
_MAX_FILE_BYTES = 4096
_LINE = re.compile(rb"[0-9A-Fa-f]{64}")
_WHO = "vault"


@dataclass(frozen=True, slots=True)
class VaultKey:
    """One key of 32 bytes, and the name by which rows know it."""

    key_id: str
    secret: Secret = field(repr=False)


def vault_key(secret: bytes) -> VaultKey:
    """A key with its name, which is made from the key and tells nothing of it."""
    assert len(secret) == _KEY_BYTES, "AES-256 takes 32 bytes"
    name = hashlib.sha256(b"mamd vault key" + secret).hexdigest()[:8]
    return VaultKey(name, Secret(secret))


def keys_of_file(path: Path) -> tuple[VaultKey, ...]:
    """The keys of a file. Raises Misconfigured with what is wrong with it, and the cure."""
    return keys_of_text(_read(path), str(path))


def keys_of_text(text: bytes, where: str) -> tuple[VaultKey, ...]:
    """The keys of a text, such as a credential. Raises Misconfigured naming the line, never the key."""
    lines = [line.strip() for line in text.splitlines()]
    wrong = [number for number, line in enumerate(lines, 1) if line and not _LINE.fullmatch(line)]
    if wrong:
        raise _bad(f"{where}:{wrong[0]}: a key is 64 hex digits on a line of its own (openssl rand -hex 32)")
    keys = tuple(vault_key(bytes.fromhex(line.decode())) for line in lines if line)
    if not keys:
        raise _bad(f"{where}: there is no key in it; put one there with: openssl rand -hex 32")
    return keys


def make_key_file(path: Path) -> None:
    """Make a file with one new key, 0600, on disk before this returns. Raises Misconfigured if it cannot."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_hex(_KEY_BYTES).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        _sync_folder(path.parent)
    except OSError as error:
        what = f"{path}: the key file cannot be made ({error.strerror}); make its folder writable"
        raise _bad(what) from error


def _sync_folder(folder: Path) -> None:
    # Tokens sealed with a key that a power cut takes away would be lost for good.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if mode & 0o077:
                raise _bad(f"{path}: others may read it ({stat.filemode(mode)}); cure: chmod 600 {path}")
            return file.read(_MAX_FILE_BYTES)
    except OSError as error:
        raise _bad(f"{path}: the key file cannot be read ({error.strerror})") from error


def _bad(what: str) -> Misconfigured:
    return Misconfigured(_WHO, what, No.FORBIDDEN)
