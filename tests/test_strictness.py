"""Proves that a test run cannot pass by leaving tests out, and that a missing program comes with its cure."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.needs import find, need

Run = Callable[[str], pytest.RunResult]

CONFTEST = Path(__file__).with_name("conftest.py")

LEFT_OUT = """
import pytest

@pytest.mark.skip(reason="no idevice_id here")
def test_marked(): ...

def test_asks():
    pytest.skip("no nanomdm here")

@pytest.mark.xfail(reason="known")
def test_known():
    assert False
"""
FILE_LEFT_OUT = 'import pytest\npytest.skip("no postgres here", allow_module_level=True)'


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the tests above under our own conftest, in a process of its own."""
    pytester.makeconftest(CONFTEST.read_text())
    pytester.makepyfile(test_some=LEFT_OUT, test_file=FILE_LEFT_OUT)

    def run(strict: str) -> pytest.RunResult:
        monkeypatch.setenv("MAMD_TEST_STRICT", strict)
        return pytester.runpytest_subprocess("-rs", "--continue-on-collection-errors")

    return run


def test_a_skip_is_a_failure_with_its_reason_where_skips_are_forbidden(run: Run) -> None:
    """In CI a test that leaves itself out counts as failed, and says why it did."""
    result = run("1")
    result.assert_outcomes(failed=1, errors=2, xfailed=1)
    result.stdout.fnmatch_lines(["*MAMD_TEST_STRICT=1 forbids*no idevice_id here*"])
    result.stdout.fnmatch_lines(["*MAMD_TEST_STRICT=1 forbids*no nanomdm here*"])
    result.stdout.fnmatch_lines(["*MAMD_TEST_STRICT=1 forbids*no postgres here*"])


def test_a_skip_is_named_where_skips_are_allowed(run: Run) -> None:
    """On a bare machine the tests pass, and the end says what was left out and why."""
    result = run("0")
    result.assert_outcomes(skipped=3, xfailed=1)
    result.stdout.fnmatch_lines(["SKIPPED*no nanomdm here"])


def test_a_missing_program_comes_with_its_cure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever lacks a program reads one line that says how to install it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(pytest.skip.Exception, match=r"idevice_id is not on this machine \(apt-get install"):
        need("idevice_id")


def test_a_program_in_the_path_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A program of one's own, earlier in PATH, is the one that is used."""
    mine = tmp_path / "idevice_id"
    mine.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find("idevice_id") == mine
