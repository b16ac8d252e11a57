"""idevicerestore behind the same contract. Its output here is written as its source (405fcd1) writes it."""

import os
from pathlib import Path

import pytest

from mamd.recovery.causes import Cause, Result
from mamd.recovery.executor import Attempt, Executors
from mamd.recovery.lines import DataRequest, Line, Phase, Progress, Stage, Transfer
from mamd.recovery.settings import ExecutorSettings, Ours
from tests.recovery.scripts import QUICK, job

VERSION = "idevicerestore 1.0.0-270-g405fcd1 (libirecovery 1.3.1, libtatsu 1.0.5)"
WELL = """\
14:03:07.101    <Info> idevicerestore 1.0.0-270-g405fcd1 (libirecovery 1.3.1, libtatsu 1.0.5)
progress: 0 0.200000
progress: 1 0.100000
14:03:09.007    <Info> Trying to fetch new SHSH blob
14:03:12.550    <Info> Sending iBEC (1032331 bytes)...
progress: 1 0.900000
14:03:31.220    <Info> About to restore device...
14:03:40.100    <Info> Starting Reverse Proxy
14:03:41.000    <Info> Creating partition map (11)
14:03:42.000    <Info> Creating filesystem (12)
14:03:43.000    <Info> About to send filesystem...
progress: 2 0.000000
progress: 2 0.500000
progress: 2 1.000000
14:10:01.000    <Info> Verifying restore (14)
progress: 3 1.000000
progress: 4 0.500000
14:11:00.000    <Info> Got status message
14:11:00.000    <Info> Status: Restore Finished
14:11:02.000    <Info> DONE
progress: 7 1.000000
"""
AT = "14:03:08.000 "
SHORT = "progress: 0 0.200000\n14:03:07.101    <Info> About to restore device...\n"


def _program(folder: Path, output: str, code: int, version: str = VERSION) -> None:
    (folder / "output").write_text(output)
    program = folder / "idevicerestore"
    program.write_text(
        f'#!/bin/sh\nif [ "$1" = --version ]; then echo "{version}"; exit 0; fi\n'
        f'echo "$@" >{folder}/words\ncat {folder}/output\nexit {code}\n'
    )
    program.chmod(0o755)


async def _said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Line], Result, Attempt]:
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    settings = ExecutorSettings(tool=Ours.IDEVICERESTORE, clocks=QUICK, poll_s=0.05)
    executors = Executors(folder / "state", settings)
    attempt = await executors.start(job())
    lines = [heard.line async for heard in attempt.events()]
    result = await attempt.result()
    await executors.close()
    return lines, result, attempt


async def test_a_restore_that_goes_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its stages, its image and the point of no return come through, and it is done once it says so twice."""
    _program(tmp_path, WELL, 0)
    lines, result, attempt = await _said(tmp_path, monkeypatch)
    assert (result.cause, result.is_past_return, attempt.course.percent) == (None, True, 100)
    assert [line.stage for line in lines if isinstance(line, Phase)] == list(Stage)
    first = next(line for line in lines if isinstance(line, Progress))
    assert (first.operation, first.name) == (11, "CREATING_PARTITION_MAP")
    assert DataRequest("SystemImageData") in lines
    assert Transfer("filesystem", 50, 100) in lines
    words = (tmp_path / "words").read_text().split()
    assert words == ["-e", "-y", "-P", "-i", job().ecid_text, "--logfile=NULL", job().firmware]


@pytest.mark.parametrize(
    ("output", "code", "cause", "why"),
    [
        (SHORT + AT + "  <Error> Unable to discover device mode. Please make sure…",
         1, Cause.NO_DEVICE, "discover device mode"),
        (SHORT + "ERROR: TSS request failed: This device isn't eligible for the requested build.\n"
         "14:03:08.000    <Info> ERROR: Unable to send TSS request", 1, Cause.TSS_REFUSED, "eligible"),
        (SHORT + AT + "   <Info> ERROR: Unable to send TSS request", 1, Cause.TSS_UNREACHABLE, "TSS"),
        (SHORT + AT + "  <Error> Firmware file /x cannot be opened.", 255, Cause.BAD_FIRMWARE, "opened"),
        (SHORT + AT + "  <Error> Device failed to enter restore mode.",
         1, Cause.NO_RESTORE_MODE, "failed"),
        (SHORT + AT + "   <Info> Status: X-Gold Baseband Update Failed. Defective Unit?\n"
         "14:03:08.000   <Error> Unable to restore device", 1, Cause.RESTORED_STATUS, "1015"),
        (SHORT + AT + "   <Info> Unhandled status message (77)", 1, Cause.RESTORED_STATUS, "77"),
        (SHORT + AT + "  <Error> A new kind of trouble", 1, Cause.OTHER, "A new kind of trouble"),
        (SHORT + AT + "   <Info> DONE", 0, Cause.OTHER, "did not say"),
        ("", 139, Cause.OTHER, "139"),
    ],
)  # fmt: skip
async def test_the_cause_is_read_from_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str, code: int, cause: Cause, why: str
) -> None:
    """It ends with 0 or 1; a person is told more than that."""
    _program(tmp_path, output, code)
    _, result, _ = await _said(tmp_path, monkeypatch)
    assert result.cause is cause
    assert why in result.why
    assert not result.is_past_return
    if cause is Cause.RESTORED_STATUS:
        assert str(result.status) in result.why


@pytest.mark.parametrize("version", ["idevicerestore 1.0.0", "idevicerestore 0.9", "something else", ""])
async def test_one_that_is_too_old_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    """Debian's 1.0.0 would fail in the middle of a restore; here it does not begin one."""
    _program(tmp_path, WELL, 0, version)
    _, result, _ = await _said(tmp_path, monkeypatch)
    assert result.cause is Cause.MISCONFIGURED
    assert "idevicerestore" in result.why
    assert not (tmp_path / "words").exists()


async def test_one_that_is_not_there_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An executor that is configured and not installed is a fault of the host."""
    monkeypatch.setenv("PATH", str(tmp_path))
    settings = ExecutorSettings(tool=Ours.IDEVICERESTORE, clocks=QUICK, poll_s=0.05)
    executors = Executors(tmp_path / "state", settings)
    result = await (await executors.start(job())).result()
    await executors.close()
    assert result.cause is Cause.MISCONFIGURED
    assert "cannot be run" in result.why
