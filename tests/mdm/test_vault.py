"""Unlock tokens at rest: sealed for one owner, under a key that nobody else can read."""

import logging
import pickle
import stat
import traceback
from pathlib import Path

import pytest

from mamd.core.errors import Misconfigured, Refused
from mamd.mdm.keyfile import keys_of_file, keys_of_text, vault_key
from mamd.mdm.secret import Secret, fingerprint
from mamd.mdm.vault import MAX_SECRET_BYTES, Vault
from mamd.ports import Sealed
from tests.canary import MARKER, unlock_token
from tests.mdm.leaks import assert_no_leak

OWNER = "hospital/00008110-0011AAAA00000001"


def key(number: int = 1) -> bytes:
    """A vault key, which holds the mark as all secrets do."""
    return MARKER + number.to_bytes(8, "big")


@pytest.fixture
def vault() -> Vault:
    return Vault([vault_key(key())])


def test_what_is_sealed_opens_again(vault: Vault) -> None:
    """A token that was put away can be used."""
    token = unlock_token()
    assert vault.open(vault.seal(OWNER, token)).reveal() == token


def test_the_same_token_never_looks_the_same(vault: Vault) -> None:
    """Nobody can tell from two rows whether they hold the same token."""
    token = unlock_token()
    one, other = vault.seal(OWNER, token), vault.seal(OWNER, token)
    assert one.nonce != other.nonce
    assert one.ciphertext != other.ciphertext
    assert token not in one.ciphertext


def test_t06_a_row_that_was_moved_to_another_device_does_not_open(vault: Vault) -> None:
    """T06: nobody can clear one phone with the row of another."""
    sealed = vault.seal(OWNER, unlock_token())
    moved = Sealed("hospital/00008110-0011AAAA00000002", sealed.key_id, sealed.nonce, sealed.ciphertext)
    with pytest.raises(Misconfigured, match="does not open"):
        vault.open(moved)


@pytest.mark.parametrize("damage", ["nonce", "short nonce", "ciphertext", "cut", "empty"])
def test_a_row_that_was_changed_does_not_open(vault: Vault, damage: str) -> None:
    """A damaged row is a fault that is named, never a wrong token that is sent."""
    it = vault.seal(OWNER, unlock_token())
    nonce, ciphertext = {
        "nonce": (bytes(12), it.ciphertext),
        "short nonce": (b"123", it.ciphertext),
        "ciphertext": (it.nonce, it.ciphertext[:-1] + bytes([it.ciphertext[-1] ^ 1])),
        "cut": (it.nonce, it.ciphertext[:40]),
        "empty": (it.nonce, b""),
    }[damage]
    with pytest.raises(Misconfigured) as caught:
        vault.open(Sealed(OWNER, it.key_id, nonce, ciphertext))
    assert_no_leak("".join(traceback.format_exception(caught.value)))


@pytest.mark.parametrize("secret", [b"", MARKER + bytes(MAX_SECRET_BYTES)])
def test_what_can_be_no_token_is_refused(vault: Vault, secret: bytes) -> None:
    """Nothing and far too much are no tokens."""
    with pytest.raises(Refused) as caught:
        vault.seal(OWNER, secret)
    assert_no_leak(str(caught.value), repr(caught.value))


def test_the_largest_token_fits(vault: Vault) -> None:
    """64 KiB are taken."""
    assert len(vault.open(vault.seal(OWNER, unlock_token(MAX_SECRET_BYTES))).reveal()) == MAX_SECRET_BYTES


# ---------------------------------------------------------------------- soundness, keys


def test_a_vault_that_failed_to_open_is_not_sound_until_it_is_mended(vault: Vault) -> None:
    """That a token does not open is our fault, and is said until a token opens or a new one comes."""
    other = Vault([vault_key(key(2))])
    lost = other.seal(OWNER, unlock_token())
    assert vault.is_sound()
    with pytest.raises(Misconfigured, match=f"key {lost.key_id}"):
        vault.open(lost)
    assert not vault.is_sound()
    vault.open(vault.seal("hospital/another", unlock_token()))
    assert not vault.is_sound()
    vault.seal(OWNER, unlock_token())
    assert vault.is_sound()


def test_t10_after_a_change_of_keys_all_rows_can_move_to_the_new_one() -> None:
    """T10: tokens sealed with the old key open, are sealed anew, and need the old key no more."""
    token = unlock_token()
    old = Vault([vault_key(key(1))])
    row = old.seal(OWNER, token)
    rotating = Vault([vault_key(key(2)), vault_key(key(1))])
    fresh = rotating.reseal(row)
    assert fresh.key_id == rotating.key_id != row.key_id
    assert Vault([vault_key(key(2))]).open(fresh).reveal() == token
    assert rotating.reseal(fresh) is fresh


def test_a_key_file_is_made_once_and_only_we_can_read_it(tmp_path: Path) -> None:
    """At first start there is a key, at the second the same one."""
    path = tmp_path / "vault.key"
    sealed = Vault.from_file(path, make=True).seal(OWNER, unlock_token())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Vault.from_file(path, make=True).open(sealed)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_a_key_file_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    """The daemon does not work with a key that others may have read, and says how to mend that."""
    path = tmp_path / "vault.key"
    path.write_text(key().hex())
    path.chmod(mode)
    with pytest.raises(Misconfigured, match="chmod 600"):
        Vault.from_file(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "no key in it"),
        (b"\n\n", "no key in it"),
        (key().hex().encode() + b"\n" + MARKER, ":2: a key is 64 hex digits"),
        (key(), ":1: a key is 64 hex digits"),
    ],
)
def test_a_key_file_without_a_key_says_where_and_what_would_be_right(
    tmp_path: Path, text: bytes, says: str
) -> None:
    """A key file that cannot be used is named with its line, and nothing of it is shown."""
    path = tmp_path / "vault.key"
    path.write_bytes(text)
    path.chmod(0o600)
    with pytest.raises(Misconfigured, match=says) as caught:
        keys_of_file(path)
    assert_no_leak(str(caught.value))


def test_a_key_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Without its key the vault does not begin, and no new key is made over a lost one unasked."""
    with pytest.raises(Misconfigured, match=r"vault\.key: the key file cannot be read"):
        Vault.from_file(tmp_path / "vault.key")
    with pytest.raises(Misconfigured, match="Is a directory"):
        Vault.from_file(tmp_path)
    with pytest.raises(Misconfigured, match="cannot be made"):
        Vault.from_file(tmp_path / "nowhere" / "vault.key", make=True)


def test_keys_come_from_a_credential_too() -> None:
    """Several keys, one a line: the first seals."""
    text = f"{key(1).hex()}\n{key(2).hex()}\n".encode()
    keys = keys_of_text(text, "credential vault-key")
    assert Vault(keys).key_id == vault_key(key(1)).key_id
    assert len({it.key_id for it in keys}) == 2


# ------------------------------------------------------------------------------ secrets


def test_a_secret_shows_itself_to_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """However a secret gets into a text, it is not in it."""
    secret = Secret(unlock_token())
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").warning("%s %r", secret, [secret])
    assert_no_leak(str(secret), repr(secret), f"{secret}", repr(vault_key(key())), caplog.text)
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        hash(secret)


def test_secrets_are_compared_whole() -> None:
    """Two secrets are the same only if all of their bytes are."""
    token = unlock_token()
    assert Secret(token) == Secret(bytes(token))
    assert Secret(token) != Secret(token[:-1])
    assert Secret(token) != token


def test_a_fingerprint_tells_two_tokens_apart() -> None:
    """People compare tokens by 8 digits of their SHA-256."""
    assert fingerprint(b"") == "e3b0c442"
    assert fingerprint(unlock_token()) != fingerprint(unlock_token())
