"""Pair records are kept from others, and a store that cannot be read is never taken for an empty one."""

import os
import plistlib
import stat
from pathlib import Path

import pytest

from mamd.launchpad.hostkeys import host_keys
from mamd.launchpad.plist import Garbled
from mamd.launchpad.records import PairRecord, Records, Unreadable, write_secret
from mamd.sim import keys

UDID = "00008110-0011223300010001"


def record(host_id: str = "H") -> dict[str, object]:
    """A record with certificates and keys."""
    return keys.shared_host().pair_record("BUID", "02:00:00:00:00:01") | {"HostID": host_id}


async def test_a_record_is_for_our_eyes_only(tmp_path: Path) -> None:
    """0600 in a folder 0700, and not a word of it in a repr."""
    records = Records(tmp_path)
    await records.keep(UDID, record())
    assert stat.S_IMODE(records.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((records.folder / f"{UDID}.plist").stat().st_mode) == 0o600
    assert [path.name for path in records.folder.iterdir()] == [f"{UDID}.plist"]
    assert "PRIVATE" not in repr(records.own(UDID))


async def test_a_new_record_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    """From its writing on, sessions use the new one; so they do if somebody lays another one there."""
    records = Records(tmp_path)
    assert records.own(UDID) is None
    await records.keep(UDID, record("one"))
    first = records.own(UDID)
    assert first is not None
    assert first.host_id == "one"
    assert first.context is not None
    assert records.own(UDID) is first
    write_secret(records.folder / f"{UDID}.plist", plistlib.dumps(record("other")))
    second = records.own(UDID)
    assert second is not None
    assert second.host_id == "other"


async def test_a_store_that_is_gone_is_not_an_empty_store(tmp_path: Path) -> None:
    """That there is no record would be our fault then, and never the device's."""
    records = Records(tmp_path)
    records.folder.rmdir()
    with pytest.raises(Unreadable, match="gone"):
        records.own(UDID)


@pytest.mark.parametrize(
    "content", [b"", b"rubbish", plistlib.dumps({"HostID": 5}), plistlib.dumps({"a": {}})]
)
def test_a_spoilt_record_is_not_a_missing_one(tmp_path: Path, content: bytes) -> None:
    """The operator is told which file it is."""
    records = Records(tmp_path)
    path = records.folder / f"{UDID}.plist"
    path.write_bytes(content)
    with pytest.raises(Unreadable, match=f"{UDID}.plist"):
        records.own(UDID)
    with pytest.raises(Unreadable):
        records.foreign(UDID, plistlib.dumps({"PairRecordData": content}))


def test_a_record_without_usable_certificates_still_starts_a_session() -> None:
    """The device is asked; the handshake is what fails then."""
    assert PairRecord.of({"HostID": "H", "SystemBUID": "B"}).context is None
    spoilt = PairRecord.of(
        {"HostID": "H", "SystemBUID": "B", "HostCertificate": b"x", "HostPrivateKey": b"y"}
    )
    assert spoilt.context is None


def test_a_text_that_no_request_could_carry_is_no_record() -> None:
    """A binary plist can hold control characters; XML cannot."""
    with pytest.raises(Garbled):
        PairRecord.of({"HostID": "\x00", "SystemBUID": "B"})


def test_a_half_written_file_is_never_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails in the middle leaves the old file, and nothing beside it."""

    def fails(_: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "secret"
    write_secret(path, b"old")
    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="No space"):
        write_secret(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_keys_of_a_host_are_made_once(tmp_path: Path) -> None:
    """Devices trust a host by its SystemBUID: a new one would ask every person again."""
    made = host_keys(tmp_path)
    assert host_keys(tmp_path) == made
    assert stat.S_IMODE((tmp_path / "host_keys.plist").stat().st_mode) == 0o600
    assert "PRIVATE" not in repr(made)


def test_spoilt_keys_of_a_host_are_not_replaced(tmp_path: Path) -> None:
    """Somebody may have a copy of them."""
    (tmp_path / "host_keys.plist").write_bytes(plistlib.dumps({"HostID": "H"}))
    with pytest.raises(Unreadable, match="host_keys"):
        host_keys(tmp_path)


def test_a_public_key_that_is_none_is_garbled(tmp_path: Path) -> None:
    """A device may say anything for its key."""
    keys_ = host_keys(tmp_path)
    assert b"CERTIFICATE" in keys_.certify(keys.device_public_key())
    with pytest.raises(Garbled):
        keys_.certify(b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
