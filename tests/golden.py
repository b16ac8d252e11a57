"""
Compares text with what was reviewed as text: tests/golden/*.txt.

`MAMD_GOLDEN=write` writes what comes out now; whoever commits that has read the difference.
"""

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def assert_golden(name: str, text: str) -> None:
    """The text is the one that was reviewed under that name."""
    file = FOLDER / f"{name}.txt"
    if os.environ.get("MAMD_GOLDEN") == "write":
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")
    assert file.exists(), f"nobody has reviewed {file.name} yet; MAMD_GOLDEN=write writes it"
    assert f"{text}\n" == file.read_text()
