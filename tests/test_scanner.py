"""The scanner that looks for secrets finds them where they hide, and nothing where there is nothing."""

import base64
import json
import plistlib
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.canary import MARKER, unlock_token
from tests.scanner import found_in, scan


def webhook_body(plist: bytes) -> bytes:
    """As NanoMDM posts what a device said."""
    event = {"topic": "mdm.TokenUpdate", "checkin_event": {"raw_payload": base64.b64encode(plist).decode()}}
    return json.dumps(event).encode()


def test_a_token_in_a_property_list_in_a_webhook_is_found() -> None:
    """The token is Base64 with line ends in the list, and the list is Base64 in the body."""
    body = webhook_body(plistlib.dumps({"MessageType": "TokenUpdate", "UnlockToken": unlock_token()}))
    assert MARKER not in body
    assert found_in(body) == ["base64, base64, raw"]


def test_a_body_that_was_logged_as_text_is_found() -> None:
    """JSON in a log line writes a line end as two characters."""
    plist = plistlib.dumps({"UnlockToken": unlock_token()})
    assert found_in(json.dumps({"event": "x", "said": plist.decode()}).encode()) == ["base64, raw"]


@pytest.mark.parametrize(
    ("data", "way"),
    [
        (b"Authorization: " + MARKER, "raw"),
        (MARKER.hex().upper().encode(), "hex"),
        (base64.b64encode(MARKER), "base64, raw"),
        (base64.urlsafe_b64encode(b"\xff\xfe\xfb" + MARKER), "base64, raw"),
        (b"token " + base64.b64encode(b"nanomdm:" + MARKER), "base64, raw"),
        (base64.encodebytes(MARKER.hex().encode()), "base64, hex"),
        (base64.b64encode(base64.b64encode(unlock_token())), "base64, base64, raw"),
    ],
)
def test_each_disguise_is_seen_through(data: bytes, way: str) -> None:
    """Raw, hexadecimal in either case, Base64 of either alphabet, with a word before it, twice over."""
    assert way in found_in(b'{"a": 1}\n' + data + b"\n")


def test_nothing_is_found_where_nothing_is() -> None:
    """A megabyte of noise, and its Base64, hold no marker."""
    noise = random.Random(1).randbytes(1 << 20)
    assert found_in(noise) == []
    assert found_in(base64.encodebytes(noise)) == []


def test_a_value_that_lies_on_several_pages_of_a_database_is_found(tmp_path: Path) -> None:
    """SQLite cuts long values into pages, wherever the cut may fall."""
    path = tmp_path / "some.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("create table vault (ciphertext blob)")
        database.executemany(
            "insert into vault values (?)", [(bytes(n) + MARKER,) for n in range(4040, 4100)]
        )
    found = scan(tmp_path)
    assert [line.rpartition(": ")[2] for line in found] == ["raw"]
