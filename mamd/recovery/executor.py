"""
Executors, started so that they outlive the daemon, and followed by whichever daemon there is.

    start ─▶ files laid out ─▶ process at its gate ─▶ record on the disk ─▶ "go" ─▶ followed ─▶ Result
    adopt ──────────────────────────────────────────▶ record read ────────────────▶ followed ─▶ Result

An id is let through once for ever: starting it again, in this life or the next, follows what was started.
"""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Final

from mamd.recovery.attempts import Files, Record, recorded
from mamd.recovery.causes import Cause, Reason, Result, judged
from mamd.recovery.job import Job
from mamd.recovery.lines import Done, Failed, Garbled, Heard, Line, Phase, Splitter
from mamd.recovery.processes import Gated, gated
from mamd.recovery.progress import Course
from mamd.recovery.settings import ExecutorSettings

CHUNK: Final = 262_144
LAST_GRACE_S: Final = 10.0
"""How long a process may outlive SIGKILL (in a system call that does not end) before we say so."""


def up_s() -> float:
    """Seconds since this host was booted, suspends included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Executors:
    """Starts and finds executors. Each attempt is followed by a task of its own until `close`."""

    def __init__(self, state: Path, settings: ExecutorSettings, up: Callable[[], float] = up_s) -> None:
        self._folder = state / "attempts"
        self._settings = settings
        self._up = up
        self._attempts: dict[str, Attempt] = {}
        self._lock = asyncio.Lock()

    async def start(self, job: Job) -> "Attempt":
        """
        Start an executor, or follow the one that was started under this id before.

        Raises:
            OSError: It could not be started or recorded; nothing was run.
            BrokenRecord: This id was started once, and which process that was cannot be read.
        """
        return await asyncio.shield(asyncio.ensure_future(self._start(job)))

    async def adopt(self, op_id: str) -> "Attempt | None":
        """
        Follow what was started under this id, whether or not it still runs; None if nothing ever was.

        Raises:
            BrokenRecord: As `start` does.
        """
        async with self._lock:
            return await self._adopted(op_id)

    async def known(self) -> tuple[str, ...]:
        """The ids of all attempts whose files are here."""
        return tuple(sorted(await asyncio.to_thread(lambda: tuple(recorded(self._folder)))))

    async def forget(self, op_id: str) -> bool:
        """
        Remove the files of an attempt that has ended; whether there were any. Twice does no harm.

        From then on the id counts as never started: only for attempts that the store has closed.
        """
        attempt = await self.adopt(op_id)
        if attempt is None:
            return False
        await attempt.result()
        async with self._lock:
            self._attempts.pop(op_id, None)
            await asyncio.to_thread(Files(self._folder, op_id).remove)
        return True

    async def close(self) -> None:
        """Stop following. The executors go on; whoever waits for a result here is cancelled."""
        for attempt in self._attempts.values():
            await attempt.leave()
        self._attempts.clear()

    async def _start(self, job: Job) -> "Attempt":
        async with self._lock:
            before = await self._adopted(job.op_id)
            if before is not None:
                return before
            files = Files(self._folder, job.op_id)
            record, popen = await asyncio.to_thread(self._begun, job, files)
            return self._followed(files, record, popen)

    async def _adopted(self, op_id: str) -> "Attempt | None":
        if op_id in self._attempts:
            return self._attempts[op_id]
        files = Files(self._folder, op_id)
        record = await asyncio.to_thread(files.read)
        return self._followed(files, record, None) if record is not None else None

    def _followed(self, files: Files, record: Record, popen: "subprocess.Popen[bytes] | None") -> "Attempt":
        attempt = Attempt(files, record, self._settings, self._up, popen)
        self._attempts[files.op_id] = attempt
        return attempt

    def _begun(self, job: Job, files: Files) -> "tuple[Record, subprocess.Popen[bytes]]":
        """Blocks until the record is on the disk."""
        files.prepare(job.line())
        environment = self._settings.environment(job, files.work)
        waiting = gated(self._settings.command(job), files.doors(), environment)
        try:
            record = self._recorded(job, files, waiting)
        except BaseException:
            waiting.give_up()
            raise
        waiting.go()
        return record, waiting.popen

    def _recorded(self, job: Job, files: Files, waiting: Gated) -> Record:
        record = Record(job.op_id, waiting.process, self._up(), job.deadline_s, time.time())
        files.keep(record)
        return record


class Attempt:
    """
    One executor at work, or what is left of it.

    Attributes:
        op_id: Its name.
        course: How far it is. Kept up to date while it is followed.
        garbled: How many lines were none of the contract's.
    """

    def __init__(
        self,
        files: Files,
        record: Record,
        settings: ExecutorSettings,
        up: Callable[[], float],
        popen: "subprocess.Popen[bytes] | None",
    ) -> None:
        self.op_id = record.op_id
        self.course = Course()
        self.garbled = 0
        self._files, self._record, self._settings, self._up = files, record, settings, up
        self._popen = popen
        self._process = record.process
        self._splitter = Splitter()
        self._failed: Failed | None = None
        self._is_done = False
        self._heard_at = up()
        self._ending: tuple[Reason, str] | None = None
        self._end_by = 0.0
        self._was_ended_by_force = False
        self._is_unkillable = False
        self._is_over = False
        self._news = asyncio.Event()
        self._result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._follow(), name=f"attempt {self.op_id}")
        self._task.add_done_callback(self._ended)

    @property
    def pid(self) -> int:
        """The leader of its session."""
        return self._process.pid

    @property
    def log(self) -> Path:
        """What it wrote on standard error."""
        return self._files.log

    async def result(self) -> Result:
        """How it ended, once it has and nobody of its session lives any more."""
        return await asyncio.shield(self._result)

    async def events(self, offset: int = 0) -> AsyncIterator[Heard]:
        """Its lines from this offset on (a `Heard.end`), until it has ended."""
        splitter = Splitter(offset)
        with self._files.lines.open("rb") as file:
            file.seek(offset)
            while True:
                news, is_over = self._news, self._is_over
                data = file.read(CHUNK)
                for heard in splitter.feed(data):
                    yield heard
                if not data and is_over:
                    break
                await asyncio.sleep(0) if data else await news.wait()
        for heard in splitter.last():
            yield heard

    async def kill(self, reason: Reason, why: str) -> Result:
        """End it with all that it has started; how it ended. The first reason counts."""
        await self._end(reason, why)
        return await self.result()

    async def leave(self) -> None:
        """Stop following; it goes on by itself."""
        self._task.cancel()
        await asyncio.wait([self._task])

    # --------------------------------------------------------------------------------- following

    async def _follow(self) -> None:
        with self._files.lines.open("rb") as file:
            while True:
                is_alive = self._lives()
                data = file.read(CHUNK)
                self._take(data)
                if not data and not is_alive:
                    break
                await self._check_clocks(file.tell())
                if self._is_unkillable:
                    break
                await asyncio.sleep(0 if data else self._settings.poll_s)
        await self._clear_away()
        self._conclude()

    def _lives(self) -> bool:
        if self._popen is not None:
            return self._popen.poll() is None  # which also takes it out of the process table
        return self._process.is_alive()

    def _take(self, data: bytes) -> None:
        for heard in self._splitter.feed(data):
            self._hear(heard.line)
        if data:
            self._tell()

    def _hear(self, line: Line) -> None:
        if isinstance(line, Garbled):
            self.garbled += 1
            return
        self._heard_at = self._up()
        self.course = self.course.after(line)
        if isinstance(line, Failed):
            self._failed = self._failed or line
        elif isinstance(line, Done):
            self._is_done = True
        elif isinstance(line, Phase):
            self._failed, self._is_done = None, False  # it began anew, and only its last word counts

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    # ------------------------------------------------------------------------------------ clocks

    async def _check_clocks(self, size: int) -> None:
        now = self._up()
        if self._ending is not None:
            if now >= self._end_by:
                self._end_by_force(now)
        elif now >= self._record.began_up_s + self._record.deadline_s:
            await self._end(Reason.OVER_TIME, f"not done within {self._record.deadline_s:.0f} s")
        elif now >= self._heard_at + self._silence_s():
            stage = self.course.stage
            where = stage.value if stage is not None else "the beginning"
            await self._end(Reason.SILENT, f"silent in {where} for {self._silence_s():.0f} s")
        elif size > self._settings.most_bytes:
            await self._end(Reason.FLOODED, f"more than {self._settings.most_bytes} bytes of lines")

    def _silence_s(self) -> float:
        return self._settings.clocks.silence_s(self.course.stage)

    def _end_by_force(self, now: float) -> None:
        self._is_unkillable = self._was_ended_by_force
        self._process.signal(SIGKILL)
        self._was_ended_by_force = True
        self._end_by = now + LAST_GRACE_S

    async def _end(self, reason: Reason, why: str) -> None:
        if self._ending is not None or self._is_over:
            return
        self._ending = reason, why
        self._end_by = self._up() + self._settings.clocks.grace
        await asyncio.to_thread(self._files.note_kill, reason, why)
        self._process.signal(SIGTERM)

    # --------------------------------------------------------------------------------------- end

    async def _clear_away(self) -> None:
        """Whoever it has left behind may still hold the device."""
        latest = self._up() + LAST_GRACE_S
        while self._process.members() and self._up() < latest:
            self._process.signal(SIGKILL)
            await asyncio.sleep(0.02)

    def _conclude(self) -> None:
        for heard in self._splitter.last():
            self._hear(heard.line)
        exit_code = self._files.exit_code()
        cause, why = judged(
            exit_code=exit_code, is_done=self._is_done, failed=self._failed, killed=self._files.kill()
        )
        self._is_over = True
        status = self._failed.status if cause is Cause.RESTORED_STATUS and self._failed else None
        lives = self._process.members()
        self._result.set_result(Result(cause, why, self.course.is_past_return, status, exit_code, lives))
        self._tell()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        """A fault of ours while following is the result's, so that it is seen by whoever waits."""
        self._is_over = True
        self._tell()
        if self._result.done():
            return
        if task.cancelled() or task.exception() is None:
            self._result.cancel()
        else:
            self._result.set_exception(task.exception() or AssertionError("an exception a moment ago"))
