"""Small executors, each a few lines of Python, for the contract between daemon and executor."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from mamd.recovery.executor import Executors
from mamd.recovery.job import Job
from mamd.recovery.settings import Clocks, ExecutorSettings

SAY = """
import json, os, signal, subprocess, sys, time
job = json.loads(sys.stdin.readline())
def say(event, **more):
    print(json.dumps({"event": event, **more}), flush=True)
"""
"""Each of them begins with this."""

QUICK = Clocks(before=20, find_recovery=20, tss_and_ibec=20, wait_restore_mode=20, restoring=20, grace=0.3)


def job(op_id: str = "r-0412/2/1", deadline_s: float = 60.0) -> Job:
    """A job for a phone that is nobody's."""
    return Job(
        op_id=op_id,
        ecid=0x000D2C1834E2001E,
        udid="00008110-000D2C1834E2001E",
        serial="F2LXXXXXXX",
        port="2-1.4",
        product_type="iPhone14,5",
        firmware="/var/lib/mamd/firmware/22B83",
        attempt=1,
        deadline_s=deadline_s,
        usbmux="/var/run/usbmuxd",
    )


def settings(script: str, clocks: Clocks = QUICK, most_bytes: int = 2**20) -> ExecutorSettings:
    """An executor that runs this script."""
    command = (sys.executable, "-c", SAY + script, "{ecid}", "{port}", "{firmware}", "{other}")
    return ExecutorSettings(tool=command, clocks=clocks, poll_s=0.02, most_bytes=most_bytes)


@asynccontextmanager
async def executors(
    state: Path, script: str, clocks: Clocks = QUICK, most_bytes: int = 2**20
) -> AsyncIterator[Executors]:
    """One daemon's executors, which all run this script."""
    several = Executors(state, settings(script, clocks, most_bytes))
    try:
        yield several
    finally:
        await several.close()
