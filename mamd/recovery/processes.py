"""
Processes that outlive the daemon: started behind a gate, found again by pid and start time, ended whole.

    daemon ─ start ─▶ sh at the gate ── "go" ─────────────▶ the command ──▶ its exit code in a file
                       └─── the daemon died before "go": nothing was run

What is kept of a process before it may do anything irreversible is what a later daemon finds it by.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

NOT_LET_THROUGH: Final = 75
LARGEST_FILE_BLOCKS: Final = 2**21
"""No file of an executor grows over 1 GiB (in blocks of 512 bytes): a flood must not fill the disk."""

# The gate is standard input; end of file there means that the daemon is gone. The exit code is read once
# this shell has ended, so that half of it is never read. It needs no program of the host but itself.
_SHELL: Final = f"""
job=$1; exit_file=$2; shift 2
IFS= read -r word || exit {NOT_LET_THROUGH}
[ "$word" = go ] || exit {NOT_LET_THROUGH}
umask 077
ulimit -c 0
ulimit -f {LARGEST_FILE_BLOCKS}
"$@" <"$job"
code=$?
printf '%s\\n' "$code" >"$exit_file"
exit "$code"
"""


@dataclass(frozen=True, slots=True)
class Process:
    """
    One process of one boot; the leader of a session of its own.

    Attributes:
        started: When it was started, in clock ticks since the boot (proc(5), `starttime`).
    """

    pid: int
    started: int
    boot_id: str

    def is_alive(self) -> bool:
        """Whether this very process still runs. A zombie has ended."""
        stat = _stat(self.pid)
        return (
            stat is not None
            and stat.started == self.started
            and stat.state not in "ZX"
            and self.boot_id == boot_id()
        )

    def members(self) -> tuple[int, ...]:
        """The pids that run in its session, itself included, children in groups of their own too."""
        if self.boot_id != boot_id():
            return ()
        return tuple(stat.pid for stat in _stats() if self._is_of_us(stat) and stat.state not in "ZX")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to its whole session. What has ended already is left alone."""
        for pid in self.members():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue  # it ended by itself

    def _is_of_us(self, stat: "_Stat") -> bool:
        # A session id stays taken while anybody is in the session, so it cannot be somebody else's by now,
        # unless all of ours had ended: then its leader, if it is alive, is another, and was started later.
        if stat.session != self.pid or stat.started < self.started:
            return False
        leader = _stat(self.pid)
        return leader is None or leader.started == self.started


@dataclass(frozen=True, slots=True)
class Gated:
    """A process that waits at its gate."""

    process: Process
    popen: "subprocess.Popen[bytes]"

    def go(self) -> None:
        """Let it through. Raises OSError if it has ended meanwhile."""
        assert self.popen.stdin is not None, "its standard input is the gate"
        with self.popen.stdin as gate:
            gate.write(b"go\n")

    def give_up(self) -> None:
        """End it without having let it through, and wait for its end."""
        self.popen.communicate()


@dataclass(frozen=True, slots=True)
class Doors:
    """Where a process reads, writes and lives."""

    stdin: Path
    stdout: Path
    stderr: Path
    exit_file: Path
    cwd: Path


def gated(command: Sequence[str], doors: Doors, environment: Mapping[str, str]) -> Gated:
    """
    Start a command behind a gate, in a session of its own. Blocks for some milliseconds.

    Raises:
        OSError: It cannot be started.
    """
    with _created(doors.stdout) as stdout, _created(doors.stderr) as stderr:
        popen = subprocess.Popen(
            ["/bin/sh", "-c", _SHELL, "mamd-executor", str(doors.stdin), str(doors.exit_file), *command],
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=stderr,
            cwd=doors.cwd,
            env=dict(environment),
            start_new_session=True,
        )
    return Gated(_known(popen.pid), popen)


def python(module: str) -> tuple[str, ...]:
    """The command that runs one of our own modules; the working folder is no place to import from."""
    return (sys.executable, "-P", "-m", module)


def boot_id() -> str:
    """Names this boot of this host (random(4))."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _created(path: Path) -> IO[bytes]:
    """A new file that only we may read. Raises FileExistsError."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600), "wb")


def _known(pid: int) -> Process:
    stat = _stat(pid)
    assert stat is not None, "a child that was not waited for keeps its row in /proc"
    return Process(pid, stat.started, boot_id())


@dataclass(frozen=True, slots=True)
class _Stat:
    pid: int
    state: str
    session: int
    started: int


def _stat(pid: int) -> _Stat | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in brackets may hold anything, brackets and blanks too; the fields go on behind the last one.
    rest = text[text.rindex(")") + 2 :].split()
    return _Stat(pid, rest[0], int(rest[3]), int(rest[19]))


def _stats() -> Iterator[_Stat]:
    for name in os.listdir("/proc"):
        stat = _stat(int(name)) if name.isdigit() else None
        if stat is not None:
            yield stat
