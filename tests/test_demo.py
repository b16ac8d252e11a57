"""Plays the whole demo once, as a person would, and reads what it says at its end."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from mamd.cli.demo.cast import Fate, cast
from mamd.sim.record import Record
from tests.golden import assert_golden

# It takes eighty seconds by its story, and half a minute more where the machine is slow.
pytestmark = pytest.mark.timeout(200)


@dataclass(frozen=True, slots=True)
class Played:
    """A demo that has come to its end. `folder` is where everything of it lies."""

    status: int
    said: str
    folder: Path


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """One demo for all tests of this file."""
    environment = os.environ | {"TMPDIR": str(tmp_path_factory.mktemp("demo"))}
    demo = subprocess.run(
        [sys.executable, "-m", "mamd", "demo", "--headless"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    found = re.search(r"everything of it is in (\S+)", demo.stdout)
    assert found is not None, demo.stdout + demo.stderr
    return Played(demo.returncode, demo.stdout, Path(found[1]))


def test_the_story_comes_true_by_the_wire(played: Played) -> None:
    """`make demo` ends with status 0: everything that it tells was seen by the simulator."""
    assert played.status == 0, played.said


def test_the_table_names_every_phone(played: Played) -> None:
    """The table at the end says of each phone what happened and why, and each is a yes."""
    table = played.said[played.said.index("What became of each") :]
    for role in cast():
        assert re.search(rf"│ yes +│ +{role.label} │ {role.name} ", table), role.name
    assert "│ NO" not in table


def test_nobody_was_erased_and_only_the_locked_were_cleared(played: Played) -> None:
    """Seven phones were asked to clear, by one request each; the others are as they came."""
    asked = Record.read(played.folder / "sim" / "record.jsonl", "mdm.enqueue")
    wanted = [role.udid for role in cast() if role.fate in (Fate.CLEARED, Fate.UNLOCKED, Fate.ERASE_DUE)]
    assert sorted(str(one.device) for one in asked) == sorted(wanted)
    assert {one["request_type"] for one in asked} == {"ClearPasscode"}


def test_the_page_and_its_address_are_shown(played: Played) -> None:
    """The address of the status page is printed, with the token that opens it."""
    assert re.search(r"status page is at http://127\.0\.0\.1:\d+/\?token=\S+", played.said)


def test_no_secret_of_the_demo_is_left_on_the_disk(played: Played) -> None:
    """Keys and the page's token live in the processes' environment only."""
    found = re.search(r"/\?token=(\S+)", played.said)
    assert found is not None
    token = found[1].encode()
    files = [path for path in played.folder.rglob("*") if path.is_file()]
    assert [path.name for path in files if token in path.read_bytes()] == []


def test_all_turns_can_be_taken_again(played: Played) -> None:
    """`mamd replay` decides every turn of the demo's journal anew, and each comes out the same."""
    replay = subprocess.run(
        [sys.executable, "-m", "mamd", "replay", str(played.folder / "journal.jsonl")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert replay.returncode == 0, replay.stdout + replay.stderr
    found = re.search(r"(\d+) turns taken again, 0 differences", replay.stdout)
    assert found is not None
    assert int(found[1]) > 100


@pytest.mark.parametrize("name", [role.name for role in cast()])
def test_why_reads_as_it_was_reviewed(played: Played, name: str) -> None:
    """What `mamd why` says of each phone of the demo was read by a person and is the same today."""
    text = (played.folder / "why" / f"{name}.txt").read_text()
    assert_golden(f"demo_why/{name}", without_times(text).strip())


def without_times(text: str) -> str:
    """The same text whenever it is written: moments and ages are taken out, waits stay."""
    plain = re.sub(r"\b\d\d:\d\d:\d\d\b", "HH:MM:SS", text)
    aged = re.sub(r"\b((\d+ h )?(\d+ min )?\d+ s|\d+ min|\d+ h) ago\b|\bjust now\b", "AGO", plain)
    return re.sub(r"comes (any moment now|at HH:MM:SS)", "comes at HH:MM:SS", aged)
