"""What people get to read about files that are wrong, as golden output: reviewed as text."""

import os
from pathlib import Path

import pytest

from mamd.rulebook import load_all

HERE = Path(__file__).parent
WRONG = sorted((HERE / "wrong").glob("*.yaml"))
RIGHT = HERE / "right.yaml"
GOLDEN = HERE / "wrong.txt"


def _said(file: Path) -> str:
    loaded = load_all([RIGHT, file])
    assert loaded.rules is None, f"{file.name} loads"
    # Where the checkout lies is nobody's business.
    lines = [str(mistake).replace(str(file), file.name) for mistake in loaded.mistakes]
    return "\n".join([f"== {file.name}", *lines, ""])


def test_every_wrong_file_is_answered_with_all_its_mistakes_and_their_cures() -> None:
    """A person reads every mistake of a file at once, each with its place and what would be right."""
    said = "\n".join(_said(file) for file in WRONG)
    if os.environ.get("MAMD_GOLDEN") == "write":
        GOLDEN.write_text(said)
    assert said == GOLDEN.read_text()


def test_there_are_twenty_wrong_files_at_least() -> None:
    """The ways in which people go wrong are many, and each is tried."""
    assert len(WRONG) >= 20


@pytest.mark.parametrize("file", WRONG, ids=lambda file: file.stem)
def test_each_mistake_is_one_line_with_a_place_in_the_file(file: Path) -> None:
    """An editor can jump to each mistake."""
    lines = file.read_bytes().count(b"\n") + 2
    for mistake in load_all([RIGHT, file]).mistakes:
        assert "\n" not in str(mistake)
        assert 1 <= mistake.line <= lines
        assert mistake.col >= 1
        assert mistake.what
        assert mistake.cure
