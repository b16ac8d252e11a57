"""Starts the simulator and the daemon, each in a process of its own, and ends both."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from mamd.cli.demo.site import MDM, Site
from mamd.sim.__main__ import API_KEY, HMAC_KEY

START_S: Final = 60.0
END_S: Final = 10.0


class DidNotStart(Exception):
    """A process of the demo ended before it was there; the text says where its last words are."""


@asynccontextmanager
async def simulator(site: Site) -> AsyncIterator[dict[str, str]]:
    """A Launchpad without cables and its MDM; what it says of where its things are."""
    folder, log = site.folder / "sim", site.folder / "sim.log"
    words = ["--folder", str(folder), "--mdm", "0", "--mdm-name", MDM, "--webhook", site.webhook]
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mamd.sim", *words, "--until-eof"),
            stdin=PIPE,  # when we end, however that is, it ends
            stdout=PIPE,
            stderr=errors,
            env=os.environ | {API_KEY: site.keys.api, HMAC_KEY: site.keys.hmac},
        )
    async with _ended_with(process):
        assert process.stdout is not None, "its standard output is a pipe"
        async with asyncio.timeout(START_S):
            line = await process.stdout.readline()
        if not line:
            raise DidNotStart(f"the simulator did not start; see {log}")
        yield json.loads(line)


@asynccontextmanager
async def daemon(site: Site, pager: str) -> AsyncIterator[Process]:
    """The daemon itself, as an operator would start it, with its log in a file."""
    with site.log.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mamd", "run", "-c", str(site.config)),
            stdin=DEVNULL,
            stdout=log,
            stderr=log,
            env=site.environment(pager),
        )
    async with _ended_with(process):
        yield process


async def export_journal(site: Site) -> None:
    """Write the daemon's journal into a file, as an operator would, for `mamd replay`."""
    with site.journal.open("wb") as journal:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mamd", "journal", "--export", "--socket", str(site.socket)),
            stdin=DEVNULL,
            stdout=journal,
        )
    async with _ended_with(process), asyncio.timeout(START_S):
        await process.wait()


@asynccontextmanager
async def _ended_with(process: Process) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await _end(process)


async def _end(process: Process) -> None:
    """Ask it to end; what does not end in time is killed."""
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(END_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def last_words(log: Path, *, lines: int = 15) -> str:
    """The end of a log, for whoever has to find out why its process ended."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
