"""The keeper and its store in one process, with time that is moved by hand: for what needs many events."""

import asyncio
import heapq
import itertools
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench import machine
from bench.ward import RULE, SHIPPED
from mamd.core import commands as do
from mamd.core import events as ev
from mamd.core.facts import (
    Answer,
    Attachment,
    Enrollment,
    Ids,
    Look,
    MdmRecord,
    Ownership,
    PairAnswer,
    Record,
    Status,
    UsbMode,
)
from mamd.core.governor import MdmCan
from mamd.core.rules import RuleSet
from mamd.core.storm import StormLimits, Watch
from mamd.core.time import Now
from mamd.daemon.house import House
from mamd.daemon.keeper import Keeper
from mamd.daemon.ledger import Ledger
from mamd.daemon.turns import Asked, Turns
from mamd.ports import CableEvent, Changes, Fault
from mamd.rulebook.lint import Site
from mamd.rulebook.load import load_all
from mamd.store import SqlStore

MDM = "hospital"
CAN = MdmCan(needs_unlock_token=True, can_push=True, asks_once=True)
START = datetime(2026, 1, 1, tzinfo=UTC)


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self._up = 1000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    def now(self) -> Now:
        """This moment."""
        return Now("boot", self._up, START + timedelta(seconds=self._up))

    async def sleep_until(self, up: float) -> None:
        """Return once it was moved that far."""
        if up > self._up:
            woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            heapq.heappush(self._sleepers, (up, next(self._numbers), woken))
            await woken

    def move(self, seconds: float) -> None:
        """Let that much time pass."""
        self._up += seconds
        while self._sleepers and self._sleepers[0][0] <= self._up:
            _, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)


class Cables:
    """A Launchpad of devices that answer at once: those of odd numbers are locked until they are cleared."""

    def __init__(self) -> None:
        self.looks = 0
        self.cleared: set[str] = set()
        self.cables: dict[Attachment, int] = {}

    async def events(self) -> AsyncIterator[CableEvent]:
        """None of its own: whoever drives it tells the keeper."""
        await asyncio.Event().wait()
        yield ev.UsbmuxdCame()

    async def look(
        self, attachment: Attachment, *, pair: bool, identify: bool, deadline_s: float = 5.0
    ) -> Look:
        """What the device at the end of that cable says."""
        self.looks += 1
        number = self.cables.get(attachment, 0)
        if number % 2 and name_of(number) not in self.cleared:
            answer = PairAnswer.PASSWORD_PROTECTED if pair else PairAnswer.NOT_SENT
            return Look(Answer.PASSWORD_PROTECTED, answer, ids_of(number), spoke=True)
        return Look(Answer.SESSION, ids=ids_of(number), locked=False, spoke=True)

    async def forget(self, attachment: Attachment) -> None:
        """Nothing is kept."""

    def faults(self) -> tuple[Fault, ...]:
        """None."""
        return ()


def name_of(number: int) -> str:
    """A device's name in the registry."""
    return f"d-{number:04d}"


def ids_of(number: int) -> Ids:
    """All of a device's names, agreeing with each other."""
    return Ids(f"00008110-{number:016X}", number, f"SERIAL{number:06d}")


def rules() -> RuleSet:
    """The shipped workflows, with the bench's rule."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "not-pairing.yaml"
        path.write_text(RULE)
        loaded = load_all([SHIPPED, path], Site(mdms=(MDM,), launchpad="bench", switched_mdms=()))
    assert loaded.rules is not None, loaded.mistakes
    return loaded.rules


def turns_for(count: int, rule_set: RuleSet, ledger: Ledger) -> Turns:
    """Turns over a ledger with so many devices of ours."""
    for number in range(1, count + 1):
        record = Record(
            name_of(number), ids_of(number), f"phone-{number}", Status.ACTIVE, "", Ownership.SHARED, MDM
        )
        ledger.put_record(record)
    house = House("bench", UTC, rule_set, storm=StormLimits(is_on=False))
    return Turns(ledger, house, {MDM: CAN})


class Inside:
    """A keeper with a real store and so many devices, to be moved through time."""

    def __init__(self, keeper: Keeper, clock: HandClock, cables: Cables, count: int) -> None:
        self.keeper, self.clock, self.cables, self.count = keeper, clock, cables, count
        self.told = 0
        self._devnums = itertools.count(1)

    @property
    def events(self) -> int:
        """How much has happened so far."""
        return self.cables.looks + self.told

    def carry_out(self, asked: Asked) -> None:
        """An MDM that has everything queued and pushed at once, and whose devices obey."""
        command, device = asked.command, asked.record.device if asked.record is not None else ""
        now = self.clock.now()
        if isinstance(command, do.ReadMdmRecord):
            word = MdmRecord(MDM, now, device, Enrollment.ENROLLED, has_token=True)
            self.tell(ev.MdmRecordRead(device, MDM, word), device)
        elif isinstance(command, do.ClearPasscode):
            self.cables.cleared.add(device)
            self.tell(ev.Accepted(command.act, True), device)

    def tell(self, event: ev.Event, device: str | None = None) -> None:
        """Something happens."""
        self.told += 1
        self.keeper.tell(event, device=device)

    def attach(self, number: int) -> None:
        """A device is put on its port."""
        attachment = Attachment("boot", f"1-{number}", next(self._devnums))
        self.cables.cables[attachment] = number
        self.tell(ev.Attached(attachment, UsbMode.NORMAL, ids_of(number)))

    def detach(self, attachment: Attachment) -> None:
        """A device is taken away; its next user sets a passcode."""
        self.cables.cleared.discard(name_of(self.cables.cables.pop(attachment)))
        self.tell(ev.Detached(attachment))

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, and all that comes of it be committed."""
        self.clock.move(seconds)
        for _ in range(3):
            await self.keeper.heartbeat()


@asynccontextmanager
async def inside(folder: Path, count: int) -> AsyncIterator[Inside]:
    """Everything made and running, with no device attached yet."""
    store, clock, cables, rule_set = SqlStore(folder / "mamd.db"), HandClock(), Cables(), rules()
    ledger = Ledger(await store.open(), Watch())
    await store.commit(Changes(rule_sets=(rule_set,)))
    turns, asked = turns_for(count, rule_set, ledger), list[Asked]()
    keeper = Keeper(clock=clock, store=store, launchpad=cables, turns=turns, carry_out=asked.append)
    made = Inside(keeper, clock, cables, count)
    keeper.carry_out = made.carry_out
    running = asyncio.create_task(keeper.run())
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await store.close()


async def grow(count: int, events: int) -> tuple[float, float]:
    """
    Bytes of resident memory an event, from the first fifth of so many events on, and events a second.

    Every 10 s of its own time each device is looked at; every half minute one comes back.
    """
    with tempfile.TemporaryDirectory(prefix="mamd-bench-") as folder:
        async with inside(Path(folder), count) as here:
            for number in range(1, count + 1):
                here.attach(number)
            before: tuple[int, int] | None = None
            begun = asyncio.get_running_loop().time()
            for step in itertools.count(1):
                await here.pass_time(0.5)
                if step % 60 == 0:
                    attachment, number = next(iter(here.cables.cables.items()))
                    here.detach(attachment)
                    here.attach(number)
                if before is None and here.events >= events / 5:
                    before = (machine.resident_bytes(), here.events)
                if here.events >= events:
                    break
            assert before is not None
            slope = (machine.resident_bytes() - before[0]) / (here.events - before[1])
            return slope, here.events / (asyncio.get_running_loop().time() - begun)


if __name__ == "__main__":
    print(*asyncio.run(grow(int(sys.argv[1]), int(sys.argv[2]))))
