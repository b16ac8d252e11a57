"""Runs the programs that others wrote against the simulated Launchpad, in a home of their own."""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from mamd.sim.launchpad import SimLaunchpad
from tests.needs import need

PATIENCE_S = 30.0


@dataclass(frozen=True)
class Said:
    """What a program printed (both its outputs) and how it ended."""

    status: int
    text: str


async def libimobiledevice(pad: SimLaunchpad, tool: str, *words: str) -> Said:
    """One of libimobiledevice's tools; its socket address is written UNIX:/path."""
    return await _run(pad, [str(need(tool)), *words], f"UNIX:{pad.socket}")


async def pymobiledevice3(pad: SimLaunchpad, *words: str) -> Said:
    """pymobiledevice3's command line; its socket address is a bare path."""
    command = [sys.executable, "-m", "pymobiledevice3", "--no-color", *words]
    return await _run(pad, command, str(pad.socket))


async def _run(pad: SimLaunchpad, command: list[str], address: str) -> Said:
    home = pad.folder / "home"  # so that no pair record leaks into, or in from, the tester's own
    home.mkdir(exist_ok=True)
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "PYTHON"))
    }
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment | {"HOME": str(home), "USBMUXD_SOCKET_ADDRESS": address},
        cwd=Path(home),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            text, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Said(process.returncode or 0, text.decode())
