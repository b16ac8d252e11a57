"""Out of recovery mode again, with the data that was there before, and out of a restore that hangs."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from mamd.recovery.lines import clipped
from mamd.recovery.processes import python

WITHIN_S: Final = 30.0
FIND_S: Final = 20.0
LEFT, FAILED, NOT_THERE = 0, 1, 10
"""Exit codes of the process that does it."""


class Mode(Enum):
    """Out of which mode."""

    RECOVERY = "recovery"
    RESTORE = "restore"


class Left(Enum):
    """What came of it. That the device is where it should be is seen on the bus."""

    ASKED = "asked"
    NOT_THERE = "not_there"
    NO_ANSWER = "no_answer"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class LeaveResult:
    """What came of it, and why in words."""

    outcome: Left
    why: str


@dataclass(frozen=True, slots=True)
class Leaving:
    """
    How this host reaches devices.

    Attributes:
        usb: `module:function` that gives a pyusb backend; None is libusb.
        environment: What the process sees of the world, USBMUXD_SOCKET_ADDRESS with it.
    """

    usb: str | None
    environment: Mapping[str, str]
    within_s: float = WITHIN_S
    find_s: float = FIND_S

    async def leave_recovery(self, ecid: int, port: str) -> LeaveResult:
        """
        Have a device in recovery mode start its system, now and whenever it starts.

        Only before the point of no return: after it there is no system, and it comes back to recovery mode.
        Twice does no harm.
        """
        return await self._ask(Mode.RECOVERY, {"ecid": hex(ecid), "port": port})

    async def reboot_restored(self, ecid: int, udid: str | None) -> LeaveResult:
        """Have a device that hangs in restore mode start anew. It comes up in recovery mode."""
        return await self._ask(Mode.RESTORE, {"ecid": hex(ecid), "udid": udid})

    async def _ask(self, mode: Mode, device: Mapping[str, str | None]) -> LeaveResult:
        job = {"mode": mode.value, "usb": self.usb, "find_s": self.find_s, **device}
        process = await asyncio.create_subprocess_exec(
            *python("mamd.recovery.leaver"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=dict(self.environment),
        )
        try:
            async with asyncio.timeout(self.within_s):
                said, _ = await process.communicate(json.dumps(job).encode() + b"\n")
        except TimeoutError:
            return LeaveResult(Left.NO_ANSWER, f"no answer within {self.within_s:.0f} s")
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode is not None, "it was waited for"
        known = {LEFT: Left.ASKED, NOT_THERE: Left.NOT_THERE}
        outcome = known.get(process.returncode, Left.FAILED)
        return LeaveResult(outcome, clipped(said.decode("utf-8", "replace")) or "it ended without a word")
