"""Watches a Pad for a test: writes its events down, and waits for what should come of them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from mamd.core.events import Attached, Detached, UsbmuxdCame, UsbmuxdWent
from mamd.core.facts import Attachment, Look
from mamd.launchpad import Pad, PadSettings
from mamd.sim.identity import Identity
from mamd.sim.phone import Phone

BOOT = "boot-1"
CableEvent = Attached | Detached | UsbmuxdCame | UsbmuxdWent


def phone(number: int = 1, **more: object) -> Phone:
    """The same phone for the same number."""
    return Phone(Identity.numbered(number), **more)  # type: ignore[arg-type]


@dataclass
class Watched:
    """A Pad whose events are written down as they come."""

    pad: Pad
    events: list[CableEvent] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self) -> None:
        """Write down events until cancelled."""
        async for event in self.pad.events():
            self.events.append(event)
            self._news.set()

    async def until(self, holds: Callable[[list[CableEvent]], bool], within_s: float = 8.0) -> None:
        """Return once the events so far are as asked; fail if that takes too long."""
        async with asyncio.timeout(within_s):
            while not holds(self.events):
                self._news.clear()
                await self._news.wait()

    async def listed(self, port: str) -> Attachment:
        """The attachment on a port, once usbmuxd lists it."""
        await self.until(lambda _: self.now(port) is not None)
        event = self.now(port)
        assert event is not None
        return event.attachment

    def now(self, port: str, *, listed: bool = True) -> Attached | None:
        """What was said last of the port, if it is attached and listed as asked."""
        last: Attached | None = None
        for event in self.events:
            if isinstance(event, Attached) and event.attachment.port == port:
                last = event
            elif isinstance(event, Detached) and last is not None and event.attachment == last.attachment:
                last = None
        return last if last is not None and last.listed is listed else None

    async def look(self, port: str, *, pair: bool = False, identify: bool = False, **more: float) -> Look:
        """Look at the device on a port."""
        return await self.pad.look(await self.listed(port), pair=pair, identify=identify, **more)


@asynccontextmanager
async def watched(settings: PadSettings) -> AsyncIterator[Watched]:
    """A Pad with somebody reading its events."""
    watching = Watched(Pad(settings))
    reading = asyncio.create_task(watching.read())
    try:
        yield watching
    finally:
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading
