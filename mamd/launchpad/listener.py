"""
One Listen connection to usbmuxd for ever, and the difference between a quiet usbmuxd and a hung one.

    absent ──connect, Listen──▶ listening ──EOF, garbage, no answer to a ReadBUID──▶ absent
       ▲                                                                               │
       └───────────────────────── 0.2 s … 5 s, with jitter ◀───────────────────────────┘

usbmuxd has hung for days without a word (libimobiledevice issue 771), so it is asked something
cheap every ten seconds on a connection of its own.
"""

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from typing import Final

from mamd.launchpad import mux
from mamd.launchpad.mux import Listed, MuxDevice, Result, Unlisted
from mamd.launchpad.plist import Garbled
from mamd.launchpad.wire import Absent, Address, Closed, Wire, opened

BEAT_S: Final = 10.0
ANSWER_S: Final = 5.0
FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 5.0
STEADY_S: Final = 10.0
"""A connection that lasted this long earns a short first pause again."""
BURST_S: Final = 0.25
"""usbmuxd writes all that it lists right after its answer to Listen (src/client.c); then it is quiet."""
LONGEST_BURST_S: Final = 2.0
MOST_DEVICES: Final = 4096
ASK_AGAIN_S: Final = 1.0


class Trouble(Enum):
    """What is wrong with usbmuxd."""

    ABSENT = "absent"
    SILENT = "silent"
    GARBLED = "garbled"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Went:
    """Why there is no usbmuxd, in the words of an operator."""

    trouble: Trouble
    why: str


class _Ended(Exception):
    """This connection is over."""

    def __init__(self, went: Went) -> None:
        super().__init__(went.why)
        self.went = went


class Listener:
    """
    Keeps the list of devices that usbmuxd shows over USB.

    Attributes:
        devices: By DeviceID. Empty as long as there is no usbmuxd.
        is_up: usbmuxd has answered Listen and said all that it had to say then.
        went: Why it is not up; None before the first attempt, and while it is up.
        came: How many connections have come up so far. DeviceIDs of two are never compared.
    """

    def __init__(
        self,
        address: Address,
        on_change: Callable[[], None],
        *,
        beat_s: float = BEAT_S,
        answer_s: float = ANSWER_S,
    ) -> None:
        self._address = address
        self._on_change = on_change
        self._beat_s, self._answer_s = beat_s, answer_s
        self._ask_now = asyncio.Event()
        self._answered = float("-inf")
        self._asked = float("-inf")
        self.devices: dict[int, MuxDevice] = {}
        self.is_up = False
        self.went: Went | None = None
        self.came = 0

    async def run(self) -> None:
        """Listen until cancelled."""
        pause, loop = FIRST_PAUSE_S, asyncio.get_running_loop()
        while True:
            began = loop.time()
            self._end(await self._connection())
            if loop.time() - began >= STEADY_S:
                pause = FIRST_PAUSE_S
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(LONGEST_PAUSE_S, pause * 2)

    # ------------------------------------------------------------- what a look asks (visit.Mux)

    def asked_in_vain(self) -> None:
        """Ask usbmuxd soon whether it still answers; at most once a second."""
        if asyncio.get_running_loop().time() - self._asked >= ASK_AGAIN_S:
            self._ask_now.set()

    def has_answered_since(self, at: float) -> bool:
        """Whether it has said anything sensible since then."""
        return self._answered >= at

    # ------------------------------------------------------------------------ one connection

    async def _connection(self) -> Went:
        """One connection from its beginning to its end; why it ended."""
        # No TaskGroup: one that fails in the moment in which it is cancelled forgets that it was (3.11).
        tasks = [asyncio.create_task(work) for work in (self._listen(), self._beat())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        return _reason(ends)

    async def _listen(self) -> None:
        settled: asyncio.TimerHandle | None = None
        loop = asyncio.get_running_loop()
        with _translated():
            wire = await self._asked_for(mux.LISTEN)
            try:
                latest = loop.time() + LONGEST_BURST_S
                while True:
                    if not self.is_up:
                        settled = _moved(settled, min(loop.time() + BURST_S, latest), self._settled)
                    self._take(await wire.hear())
            finally:
                wire.close()
                _moved(settled, None, self._settled)

    async def _asked_for(self, request: bytes) -> Wire:
        """A connection on which usbmuxd has said yes to this."""
        async with asyncio.timeout(self._answer_s):
            wire = await opened(self._address)
            try:
                if await wire.ask(request) != Result(mux.OK):
                    raise Garbled("no to Listen")
            except BaseException:
                wire.close()
                raise
        self._answered = asyncio.get_running_loop().time()
        return wire

    def _settled(self) -> None:
        self.is_up, self.went = True, None
        self.came += 1
        self._on_change()

    def _take(self, heard: mux.Heard) -> None:
        if isinstance(heard, Listed):
            if len(self.devices) >= MOST_DEVICES:
                raise Garbled("more devices than USB has addresses for")
            self.devices[heard.device.device_id] = heard.device
        elif isinstance(heard, Unlisted):
            self.devices.pop(heard.device_id, None)
        self._answered = asyncio.get_running_loop().time()
        if self.is_up:
            self._on_change()

    def _end(self, went: Went) -> None:
        self.devices.clear()
        self.is_up, self.went = False, went
        self._on_change()

    async def _beat(self) -> None:
        """Ask something cheap, every ten seconds or when somebody waits for an answer."""
        while True:
            self._ask_now.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._beat_s):
                    await self._ask_now.wait()
            with _translated():
                await self._ask()

    async def _ask(self) -> None:
        loop = asyncio.get_running_loop()
        self._asked = loop.time()
        async with asyncio.timeout(self._answer_s):
            wire = await opened(self._address)
            try:
                await wire.ask(mux.READ_BUID)
            finally:
                wire.close()
        self._answered = loop.time()


def _moved(
    timer: asyncio.TimerHandle | None, at: float | None, callback: Callable[[], None]
) -> asyncio.TimerHandle | None:
    """Cancel a timer and set it anew."""
    if timer is not None:
        timer.cancel()
    return asyncio.get_running_loop().call_at(at, callback) if at is not None else None


def _reason(ends: Sequence[BaseException | None]) -> Went:
    """Why the first of the two ended; whatever else it was is a bug, and raised."""
    first = next(end for end in ends if end is not None and not isinstance(end, asyncio.CancelledError))
    if not isinstance(first, _Ended):
        raise first
    return first.went


@contextmanager
def _translated() -> Iterator[None]:
    """Whatever ends a connection, in the words of an operator. Raises `_Ended`."""
    try:
        yield
    except Absent as error:
        raise _Ended(Went(Trouble.ABSENT, f"usbmuxd is not there ({error})")) from error
    except TimeoutError as error:
        raise _Ended(Went(Trouble.SILENT, "usbmuxd takes connections and does not answer")) from error
    except Garbled as error:
        raise _Ended(Went(Trouble.GARBLED, "what usbmuxd says is not its protocol")) from error
    except Closed as error:
        raise _Ended(Went(Trouble.ENDED, "usbmuxd ended the connection")) from error
