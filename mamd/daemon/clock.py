"""The one place where time is read."""

import asyncio
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

from mamd.core.time import Now

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """
    This host's clocks, as ports.Clock.

    `up` is CLOCK_BOOTTIME, which goes on while the host sleeps and cannot be set. Where the
    kernel tells no boot id, every start of the daemon counts as a boot: waits begin again,
    which only delays.
    """

    def __init__(self) -> None:
        self._boot = _boot_id()

    def now(self) -> Now:
        """This moment."""
        return Now(self._boot, time.clock_gettime(_CLOCK), datetime.now(UTC))

    async def sleep_until(self, up: float) -> None:
        """Return at or after that second since boot."""
        while (left := up - time.clock_gettime(_CLOCK)) > 0:  # noqa: ASYNC110  a clock is not an event
            await asyncio.sleep(left)


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return str(uuid.uuid4())
