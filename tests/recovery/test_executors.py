"""Any executor, well behaved or not: it ends within its clock, with a cause, and leaves nobody behind."""

import asyncio
import json
import os
import select
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mamd.recovery.attempts import BrokenRecord, Files
from mamd.recovery.causes import Cause, Reason, Result
from mamd.recovery.executor import Attempt, Executors
from mamd.recovery.lines import Device, Done, Garbled, Phase, Stage, Transfer
from mamd.recovery.settings import ExecutorSettings
from tests.recovery.scripts import QUICK, executors, job

WELL = """
say("phase", name="find_recovery"); say("device", ecid=job["ecid"], port=job["port"])
say("phase", name="restoring"); say("transfer", name="filesystem", done=5, total=10)
say("data_request", type="SystemImageData"); say("done")
"""
FORKS = """
child = subprocess.Popen(["sleep", "600"]{}); say("transfer", name="child", done=child.pid, total=0)
"""
HANGS = 'say("phase", name="tss_and_ibec"); time.sleep(600)'


async def _result(state: Path, script: str, **more: object) -> Result:
    async with executors(state, script, **more) as several:  # type: ignore[arg-type]
        return await (await several.start(job())).result()


async def _heard(attempt: Attempt, wanted: object) -> None:
    async for heard in attempt.events():
        if heard.line == wanted:
            return
    raise AssertionError(f"it never said {wanted}")


async def test_success_is_a_done_line_and_exit_code_0(tmp_path: Path) -> None:
    """A restore counts as done by the executor only when it says so twice."""
    result = await _result(tmp_path, WELL)
    assert result == Result(None, "done", is_past_return=True, exit_code=0)


@pytest.mark.parametrize(
    ("script", "cause", "why"),
    [
        ('say("phase", name="find_recovery")', Cause.UNPROVED, "no 'done'"),
        ('say("done"); sys.exit(3)', Cause.UNPROVED, "exit code 3"),
        ('say("failed", why="no device"); sys.exit(10)', Cause.NO_DEVICE, "no device"),
        ('say("failed", why="not eligible"); sys.exit(11)', Cause.TSS_REFUSED, "not eligible"),
        ("sys.exit(13)", Cause.DEVICE_LOST, "exit code 13"),
        ("sys.exit(15)", Cause.TSS_UNREACHABLE, "exit code 15"),
        ("sys.exit(77)", Cause.OTHER, "exit code 77"),
        ('say("done"); os.kill(os.getpid(), signal.SIGSEGV)', Cause.UNPROVED, "exit code 139"),
        ("os.kill(os.getpid(), signal.SIGKILL)", Cause.OTHER, "signal 9"),
        ("os.kill(os.getppid(), signal.SIGKILL); time.sleep(600)", Cause.VANISHED, "without a word"),
        ("raise SystemExit('a traceback')", Cause.OTHER, "exit code 1"),
    ],
)
async def test_every_end_has_a_typed_cause(tmp_path: Path, script: str, cause: Cause, why: str) -> None:
    """However an executor ends, what is known of it is one cause and one line."""
    result = await _result(tmp_path, script)
    assert result.cause is cause
    assert why in result.why
    assert result.lives == ()


async def test_the_device_s_own_number_is_kept(tmp_path: Path) -> None:
    """Numbers that mean broken hardware reach whoever decides about a second attempt."""
    result = await _result(tmp_path, 'say("failed", why="baseband", status=1015); sys.exit(12)')
    assert (result.cause, result.status) == (Cause.RESTORED_STATUS, 1015)


@pytest.mark.parametrize(
    ("stage", "clock"),
    [(stage, stage.value) for stage in Stage] + [(None, "before")],
)
async def test_each_stage_has_its_silence_clock(tmp_path: Path, stage: Stage | None, clock: str) -> None:
    """An executor that hangs is ended by the clock of the stage that it hangs in."""
    script = f'say("phase", name="{stage.value}")\n' if stage is not None else ""
    clocks = replace(QUICK, **{clock: 0.3})
    result = await _result(tmp_path, script + "time.sleep(600)", clocks=clocks)
    assert result.cause is Cause.SILENT
    assert (stage.value if stage is not None else "the beginning") in result.why


async def test_garbage_is_no_sign_of_life(tmp_path: Path) -> None:
    """An executor that prints rubbish for ever is silent."""
    babbles = "while True:\n    sys.stdout.write('rubbish\\n'); sys.stdout.flush(); time.sleep(0.01)"
    result = await _result(tmp_path, babbles, clocks=replace(QUICK, before=0.4))
    assert result.cause is Cause.SILENT


async def test_a_flood_is_bounded(tmp_path: Path) -> None:
    """An executor that writes without end fills neither the disk nor the daemon."""
    floods = "while True:\n    say('transfer', name='x' * 900, done=1, total=2)"
    result = await _result(tmp_path, floods)
    assert result.cause is Cause.FLOODED
    assert Files(tmp_path / "attempts", job().op_id).lines.stat().st_size < 300 * 2**20


async def test_the_total_ends_even_a_busy_executor(tmp_path: Path) -> None:
    """One that always says something ends at the deadline of its job."""
    busy = "while True:\n    say('transfer', name='x', done=1, total=2); time.sleep(0.05)"
    async with executors(tmp_path, busy) as several:
        attempt = await several.start(job(deadline_s=0.5))
        assert (await attempt.result()).cause is Cause.OVER_TIME


IGNORES = ", preexec_fn=lambda: signal.signal(15, signal.SIG_IGN)"


@pytest.mark.parametrize("how", ["", ", process_group=0", IGNORES])
async def test_an_end_is_the_end_of_all_its_children(tmp_path: Path, how: str) -> None:
    """Nobody whom a killed executor has started goes on talking to the device."""
    forks = FORKS.format(how)
    async with executors(tmp_path, forks + HANGS) as several:
        attempt = await several.start(job())
        await _heard(attempt, Phase(Stage.TSS_AND_IBEC))
        result = await attempt.kill(Reason.CANCELLED, "a person said so")
        (child,) = [heard.line.done async for heard in attempt.events() if isinstance(heard.line, Transfer)]
    assert (result.cause, result.why) == (Cause.CANCELLED, "a person said so")
    assert not _runs(child)
    assert not _runs(attempt.pid)


async def test_children_that_it_leaves_behind_are_ended_too(tmp_path: Path) -> None:
    """An executor that ends by itself takes its children along, whether it wants to or not."""
    async with executors(tmp_path, FORKS.format("") + 'say("done")') as several:
        attempt = await several.start(job())
        assert (await attempt.result()).cause is None
        (child,) = [heard.line.done async for heard in attempt.events() if isinstance(heard.line, Transfer)]
    assert not _runs(child)


async def test_lines_can_be_followed_again_from_where_one_was(tmp_path: Path) -> None:
    """A daemon that has stored how far it had read loses no line and reads none twice."""
    async with executors(tmp_path, WELL) as several:
        attempt = await several.start(job())
        all_of_them = [heard async for heard in attempt.events()]
        for at, heard in enumerate(all_of_them):
            rest = [later async for later in attempt.events(heard.end)]
            assert rest == all_of_them[at + 1 :]
    assert all_of_them[1].line == Device(ecid=job().ecid, port="2-1.4")
    assert all_of_them[-1].line == Done()


async def test_broken_lines_are_kept_as_what_they_are(tmp_path: Path) -> None:
    """What an executor says wrong stops nothing and is shown."""
    broken = "print('a panic'); say('surprise'); print('{\"event\"')\n"
    async with executors(tmp_path, broken + WELL) as several:
        attempt = await several.start(job())
        lines = [heard.line async for heard in attempt.events()]
        assert (await attempt.result()).cause is None
    assert [type(line) for line in lines[:3]] == [Garbled, Garbled, Garbled]
    assert attempt.garbled == 3


async def test_an_id_is_let_through_once(tmp_path: Path) -> None:
    """The same attempt asked for again, at once or by a later daemon, is the same attempt."""
    counts = f"open({str(tmp_path / 'count')!r}, 'a').write('x')\n"
    async with executors(tmp_path, counts + WELL) as several:
        first, second = await asyncio.gather(several.start(job()), several.start(job()))
        assert first is second
        await first.result()
    async with executors(tmp_path, counts + WELL) as later:
        again = await later.start(job())
        assert await again.result() == await first.result()
        assert await later.known() == (job().op_id,)
    assert (tmp_path / "count").read_text() == "x"


async def test_an_attempt_that_is_closed_leaves_nothing_behind(tmp_path: Path) -> None:
    """Logs and leftovers of old attempts do not fill the disk."""
    async with executors(tmp_path, "open('crash', 'w').write('x')\n" + WELL) as several:
        await several.start(job())
        assert await several.forget(job().op_id)
        assert not await several.forget(job().op_id)
        assert await several.known() == ()
    assert list((tmp_path / "attempts").iterdir()) == []


async def test_an_unknown_id_is_none_and_a_broken_record_is_never_repeated(tmp_path: Path) -> None:
    """What cannot be known is asked of a person, and not started once more."""
    async with executors(tmp_path, WELL) as several:
        assert await several.adopt("r-0001/1/1") is None
        Files(tmp_path / "attempts", job().op_id).prepare("")
        Files(tmp_path / "attempts", job().op_id).record.write_text("{")
        with pytest.raises(BrokenRecord, match="cannot be read"):
            await several.start(job())


async def test_nothing_of_an_attempt_can_be_read_by_others(tmp_path: Path) -> None:
    """What an executor says about a device is for the daemon alone, and it works in a room of its own."""
    where = "say('transfer', name=os.getcwd(), done=0, total=0); open('x', 'w').close()\n"
    async with executors(tmp_path, where + WELL) as several:
        attempt = await several.start(job())
        await attempt.result()
        lines = [heard.line async for heard in attempt.events()]
    folder = tmp_path / "attempts"
    assert isinstance(lines[0], Transfer)
    assert Path(lines[0].name).parent == folder
    for path in (folder, *folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


async def test_a_command_is_told_which_device_in_its_words_and_on_its_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A site's own tool gets the device where it wants it, and none of the daemon's secrets."""
    monkeypatch.setenv("JAMF_PASSWORD", "canary")
    tells = (
        "say('device', ecid=sys.argv[1], port=sys.argv[2], serial=sys.argv[4])\n"
        "say('checkpoint', name=os.environ['USBMUXD_SOCKET_ADDRESS'] + os.environ.get('JAMF_PASSWORD', ''))\n"
        "say('data_request', type=job['firmware'] + ' ' + sys.argv[3])\n"
    )
    async with executors(tmp_path, tells) as several:
        attempt = await several.start(job())
        device, environment, firmware = [heard.line async for heard in attempt.events()]
    assert device == Device(ecid=job().ecid, port="2-1.4", serial="{other}")
    assert environment.name == "/var/run/usbmuxd"  # type: ignore[union-attr]
    assert firmware.kind == f"{job().firmware} {job().firmware}"  # type: ignore[union-attr]


async def test_a_program_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    """A wrong word in the configuration is told as one."""
    several = Executors(tmp_path, ExecutorSettings(tool=("/no/such/tool",), poll_s=0.02))
    result = await (await several.start(job())).result()
    await several.close()
    assert result.cause is Cause.MISCONFIGURED
    assert "recovery.executor" in result.why


# ------------------------------------------------------------------------------ the daemon is killed

DAEMON = """
import asyncio, sys
from pathlib import Path
from tests.recovery.scripts import executors, job
async def main():
    async with executors(Path(sys.argv[1]), sys.argv[2]) as several:
        attempt = await several.start(job())
        print(attempt.pid, flush=True)
        await attempt.result()
asyncio.run(main())
"""


def _daemon(state: Path, script: str) -> "subprocess.Popen[str]":
    words = [sys.executable, "-c", DAEMON, str(state), script]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


async def test_a_running_executor_is_adopted_after_the_daemon_was_killed(tmp_path: Path) -> None:
    """kill -9 of the daemon neither ends a restore nor loses it."""
    go_on = tmp_path / "go-on"
    os.mkfifo(go_on)
    waits = f'say("phase", name="restoring"); open({str(go_on)!r}).read(); say("done")'
    daemon = _daemon(tmp_path, waits)
    assert daemon.stdout is not None
    pid = int(daemon.stdout.readline())
    daemon.kill()
    daemon.communicate()
    async with executors(tmp_path, "sys.exit(99)") as later:
        attempt = await later.adopt(job().op_id)
        assert attempt is not None
        assert attempt.pid == pid
        await _heard(attempt, Phase(Stage.RESTORING))
        await asyncio.to_thread(go_on.write_text, "go on")
        result = await attempt.result()
    assert (result.cause, result.exit_code) == (None, 0)


async def test_one_that_ended_while_there_was_no_daemon_has_its_cause(tmp_path: Path) -> None:
    """The exit code is not lost with the daemon that would have waited for it."""
    daemon = _daemon(tmp_path, "time.sleep(0.3); say('failed', why='cable'); sys.exit(13)")
    assert daemon.stdout is not None
    pid = int(daemon.stdout.readline())
    daemon.kill()
    daemon.communicate()
    async with executors(tmp_path, "sys.exit(99)") as later:
        attempt = await later.adopt(job().op_id)
        assert attempt is not None
        result = await attempt.result()
    assert (result.cause, result.why, attempt.pid) == (Cause.DEVICE_LOST, "cable", pid)


def test_what_stands_at_the_gate_does_nothing_when_the_daemon_dies(tmp_path: Path) -> None:
    """An executor whose process is not on record yet has not begun, and never will."""
    touched = tmp_path / "touched"
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom mamd.recovery.attempts import Files\n"
        "from mamd.recovery.processes import gated\n"
        "files = Files(Path(sys.argv[1]), 'r-1'); files.prepare('{}')\n"
        "waiting = gated(['touch', sys.argv[2]], files.doors(), os.environ)\n"
        "print(waiting.process.pid, flush=True)\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    words = [sys.executable, "-c", code, str(tmp_path), str(touched)]
    died = subprocess.run(words, stdout=subprocess.PIPE, check=False)
    assert _gone(int(died.stdout))
    assert not touched.exists()
    assert not Files(tmp_path, "r-1").record.exists()


async def test_a_pid_that_is_somebody_else_s_by_now_is_left_alone(tmp_path: Path) -> None:
    """After a boot, or when numbers come round again, no stranger is taken for our executor, or killed."""
    async with executors(tmp_path, WELL) as several:
        await (await several.start(job())).result()
    stranger = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        files = Files(tmp_path / "attempts", job().op_id)
        plain = json.loads(files.record.read_text())
        plain["process"]["pid"] = stranger.pid
        files.record.write_text(json.dumps(plain))
        async with executors(tmp_path, WELL) as later:
            attempt = await later.adopt(job().op_id)
            assert attempt is not None
            assert (await attempt.result()).exit_code == 0
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _gone(pid: int) -> bool:
    """Whether that process ends, if it is there at all."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    ended, _, _ = select.select([watched], [], [], 30)
    os.close(watched)
    return bool(ended)
