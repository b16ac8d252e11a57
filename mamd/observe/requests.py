"""Stands before an MDM's adapter and counts what is asked of it, how it ended and how long it took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from mamd.core.enrollment import Enrolled
from mamd.core.errors import Busy, Doubtful, Misconfigured, Refused, Trouble, Unreachable
from mamd.core.facts import MdmRecord, Record
from mamd.core.time import Now
from mamd.observe.metrics import Metrics
from mamd.ports import Capabilities, Fault, Mdm, Target

_OUTCOMES = (
    (Busy, "busy"),
    (Unreachable, "unreachable"),
    (Doubtful, "doubtful"),
    (Misconfigured, "misconfigured"),
    (Refused, "refused"),
)


class CountedMdm:
    """The same MDM, counted. Decides nothing and changes no answer."""

    def __init__(self, mdm: Mdm, metrics: Metrics) -> None:
        self._mdm = mdm
        self._metrics = metrics
        self.name: str = mdm.name
        self.capabilities: Capabilities = mdm.capabilities

    async def read(self, record: Record, enrolled: Enrolled | None, *, now: Now) -> MdmRecord | None:
        """What it says of a device. Not counted: an MDM without an inventory is not asked for this."""
        return await self._mdm.read(record, enrolled, now=now)

    async def clear_passcode(self, target: Target, *, command_id: str) -> bool:
        """Queue a clear."""
        with self._counted():
            return await self._mdm.clear_passcode(target, command_id=command_id)

    async def push(self, target: Target) -> None:
        """Wake the device."""
        with self._counted():
            await self._mdm.push(target)

    async def cancel(self, target: Target, *, command_id: str) -> bool:
        """Withdraw a queued command."""
        with self._counted():
            return await self._mdm.cancel(target, command_id=command_id)

    async def check(self) -> tuple[Fault, ...]:
        """Whether it can be reached."""
        return await self._mdm.check()

    async def close(self) -> None:
        """Let go of connections."""
        await self._mdm.close()

    @contextmanager
    def _counted(self) -> Iterator[None]:
        began, outcome = time.monotonic(), "cut_off"
        try:
            yield
            outcome = "done"
        except Trouble as error:
            outcome = next((name for kind, name in _OUTCOMES if isinstance(error, kind)), "failed")
            raise
        finally:
            self._metrics.mdm_asked(self.name, outcome, time.monotonic() - began)
