"""
The one loop: take what has happened, decide, commit, and only then have it done.

    queue ─▶ up to 200 happenings ─▶ a turn each ─▶ one transaction ─▶ commands ─▶ queue

If the transaction fails, nothing of it has happened: memory is put back, whoever waits for an
answer is told, and the rest is tried again. Nothing is done before its own commit.
"""

import asyncio
import traceback
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

import structlog

from mamd.codec import write
from mamd.core import events as ev
from mamd.core.commands import CallPerson, LookNow, Reason
from mamd.core.errors import Trouble
from mamd.core.facts import Attachment
from mamd.core.link import LookPlan
from mamd.core.storm import Note, Told, Watch
from mamd.core.time import Now
from mamd.core.turn import Situation, plan
from mamd.daemon import news, words_of_people
from mamd.daemon.agenda import Agenda, Key
from mamd.daemon.happening import Happening
from mamd.daemon.ledger import Ledger
from mamd.daemon.turns import Asked, Taken, Turns
from mamd.ports import Clock, Fault, Launchpad, Observer, Store

log = structlog.get_logger()

MOST_AT_ONCE: Final = 200
STALE_LOOK_S: Final = 2.0
"""A look that waited longer than that for its turn is no evidence any more; there will be another."""
AGAIN_S: Final = 1.0
LOOK_DEADLINE_S: Final = 5.0
MISSING_AFTER_S: Final = 10.0
"""Attachments known from before a restart that the bus does not show within that time have gone."""
PLENTY: Final = 10_000
"""More happenings than that waiting means that something floods us; looks are then left out."""


class Keeper:
    """
    The daemon's heart. One loop takes turns; another sends out looks and wakes runs.

    Args:
        carry_out: Has one command done; what comes of it is put in as a happening again.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        store: Store,
        launchpad: Launchpad,
        turns: Turns,
        observers: Sequence[Observer] = (),
        carry_out: Callable[[Asked], None],
    ) -> None:
        self.clock = clock
        self.store = store
        self.launchpad = launchpad
        self.turns = turns
        self.observers = tuple(observers)
        self.carry_out = carry_out
        self.agenda = Agenda(clock)
        self.faults: tuple[Fault, ...] = ()
        self.last_look: Now | None = None
        self.turns_taken = 0
        self._queue: asyncio.Queue[Happening] = asyncio.Queue()
        self._again: list[Happening] = []
        self._looking: set[Attachment] = set()
        self._asap: set[Attachment] = set()
        self._unseen: set[Attachment] = set()
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def ledger(self) -> Ledger:
        """Everything remembered."""
        return self.turns.ledger

    # ---------------------------------------------------------------------------- coming in

    def put(self, happening: Happening) -> None:
        """Something happened. Turns are taken in this order."""
        self._queue.put_nowait(happening)

    def tell(
        self, event: ev.Event, *, device: str | None = None, attachment: Attachment | None = None
    ) -> None:
        """An event happened just now."""
        self.put(Happening(self.clock.now(), event, device=device, attachment=attachment))

    async def ask(self, happening: Happening) -> str:
        """Put something in and wait until its turn is committed. Raises Unreachable if it cannot be."""
        assert happening.answer is not None, "who asks wants an answer"
        self.put(happening)
        return await happening.answer

    # ------------------------------------------------------------------------------ running

    async def run(self) -> None:
        """Go on from the ledger, for ever."""
        self._resume()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(), name="listen")
            group.create_task(self._keep(), name="keep")
            group.create_task(self._send_looks(), name="looks")
            group.create_task(self._miss(), name="miss")

    def _resume(self) -> None:
        """Everything that waited before the restart waits on; what was under way is in doubt."""
        boot = self.clock.now().boot
        for link in self.ledger.links:
            if link.attachment.boot == boot:
                self._unseen.add(link.attachment)
            else:
                self.tell(ev.Detached(link.attachment))
        known = {link.attachment for link in self.ledger.links}
        for run in self.ledger.runs:
            if run.is_open:
                self.tell(ev.Resumed(), device=run.device)
                if run.attachment is not None and run.attachment not in known:
                    # A device has one row for its cable: it came back on another before we saw it go.
                    self.tell(ev.Detached(run.attachment))

    async def _listen(self) -> None:
        async for event in self.launchpad.events():
            if isinstance(event, ev.Attached):
                self._unseen.discard(event.attachment)
            self.tell(event)

    async def _miss(self) -> None:
        """Say goodbye to attachments that did not outlive the restart."""
        await self.clock.sleep_until(self.clock.now().up + MISSING_AFTER_S)
        for attachment in sorted(self._unseen):
            self.tell(ev.Detached(attachment))
        self._unseen.clear()

    async def _keep(self) -> None:
        while True:
            batch = await self._next_batch()
            taken = self._take_turns(batch)
            if not await self._commit(batch):
                continue
            self._after(taken)
            self._answer(batch)
            await self._announce()

    async def _next_batch(self) -> list[Happening]:
        """What waits; after a failed transaction first what it was about."""
        batch, self._again = self._again, []
        if not batch:
            batch = [await self._queue.get()]
        while len(batch) < MOST_AT_ONCE and not self._queue.empty():
            batch.append(self._queue.get_nowait())
        return batch

    # -------------------------------------------------------------------------------- turns

    def _take_turns(self, batch: list[Happening]) -> Taken:
        self.turns.taken = Taken()
        for happening in batch:
            try:
                self._take_one(happening)
            except Exception:
                self._broke(happening, traceback.format_exc())
        return self.turns.taken

    def _take_one(self, happening: Happening) -> None:
        event, now = happening.event, happening.at
        if event is not None:
            self._take_event(happening, event, now)
        elif happening.delivery is not None:
            news.told(self.turns, happening.delivery, now)
        elif happening.told is not None:
            self.turns.watched(happening.told, now)
        elif happening.word is not None:
            words_of_people.take(self.turns, happening.word, now)
        for command in happening.commands:
            self.turns.command(command, now)

    def _take_event(self, happening: Happening, event: ev.Event, now: Now) -> None:
        turns = self.turns
        if isinstance(event, ev.Attached):
            turns.attached(event, now)
        elif isinstance(event, ev.Detached):
            turns.detached(event, now)
        elif isinstance(event, ev.UsbmuxdCame | ev.UsbmuxdWent):
            turns.usbmuxd_up = isinstance(event, ev.UsbmuxdCame)
            turns.everybody(ev.WorldChanged("usbmuxd"), now)
        elif happening.attachment is not None:
            self._take_on_link(happening.attachment, event, now)
        elif happening.device is not None:
            turns.on_act(happening.device, event, now)

    def _take_on_link(self, attachment: Attachment, event: ev.Event, now: Now) -> None:
        if isinstance(event, ev.Looked):
            self._looking.discard(attachment)
            self.last_look = now
            age = self.clock.now().since(now)
            if age is None or age > STALE_LOOK_S:
                self.turns.taken.links.add(attachment)
                return
        link = self.ledger.links.get(attachment)
        if link is not None:
            self.turns.on_link(link, event, now)

    def _broke(self, happening: Happening, trace: str) -> None:
        """A bug in one run closes that run, with its traceback in the journal, and no other."""
        log.error("turn.broke", happening=type(happening.event).__name__, traceback=trace)
        device = happening.device
        if device is None and happening.attachment is not None:
            link = self.ledger.links.get(happening.attachment)
            record = self.ledger.owner(link) if link is not None else None
            device = record.device if record is not None else None
        if device is None or isinstance(happening.event, ev.Broke):
            call = CallPerson("bug", Reason.BROKEN_RUN, device, (("traceback", trace.splitlines()[-1]),))
            self.turns.command(call, happening.at)
            return
        self.put(Happening(happening.at, ev.Broke(trace, happening.at.wall), device=device))

    # ------------------------------------------------------------------------------- commit

    async def _commit(self, batch: list[Happening]) -> bool:
        changes = self.ledger.changes(_watch_text)
        if changes is None:
            self.ledger.keep()
            return True
        try:
            await self.store.commit(changes)
        except Trouble as error:
            self.ledger.undo()
            await self._could_not_commit(batch, error)
            return False
        self.ledger.keep()
        self.faults = ()
        return True

    async def _could_not_commit(self, batch: list[Happening], error: Trouble) -> None:
        """Nothing of it has happened. Who waits is told now; the cable's and the clock's word is kept."""
        self.faults = (
            Fault("store_not_writable", str(error), "make room on the disk, or see that it can be written"),
        )
        for happening in batch:
            if happening.answer is not None and not happening.answer.done():
                happening.answer.set_exception(error)
        self._looking.difference_update(
            one.attachment for one in batch if one.attachment is not None and isinstance(one.event, ev.Looked)
        )
        self._again = [one for one in batch if one.answer is None and not isinstance(one.event, ev.Looked)]
        for one in batch:
            if isinstance(one.event, ev.Looked) and one.attachment is not None:
                self.agenda.put(one.attachment, self.clock.now().up + AGAIN_S)
        await self._announce()
        await self.clock.sleep_until(self.clock.now().up + AGAIN_S)

    def _after(self, taken: Taken) -> None:
        """The transaction stands: show it, plan what comes next, and have what was asked for done."""
        self.turns_taken += len(taken.done)
        for done in taken.done:
            for observer in self.observers:
                observer.turned(done.subject, done.was, done.event, done.now, done.turn)
        for asked in taken.asked:
            if isinstance(asked.command, LookNow):
                self._look_now(asked)
            else:
                self.carry_out(asked)
        for attachment in taken.links:
            self._plan_look(attachment)
        for device in taken.devices:
            run = self.ledger.runs.get(device)
            self.agenda.put(device, run.wake_at if run is not None and run.is_open else None)

    def _answer(self, batch: list[Happening]) -> None:
        for happening in batch:
            if happening.answer is not None and not happening.answer.done():
                happening.answer.set_result("")

    async def _announce(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def changed(self, since: int) -> int:
        """Wait until a turn was taken after that many; how many there are now."""
        async with self._changed:
            while self.turns_taken <= since:
                await self._changed.wait()
        return self.turns_taken

    # -------------------------------------------------------------------------------- looks

    def _look_now(self, asked: Asked) -> None:
        if asked.attachment is not None:
            self._asap.add(asked.attachment)
            self.agenda.put(asked.attachment, self.clock.now().up)

    def _plan_look(self, attachment: Attachment) -> None:
        """When this attachment is looked at next; nothing is planned while a look is under way."""
        if attachment in self._looking:
            return
        if attachment in self._asap:
            self.agenda.put(attachment, self.clock.now().up)
            return
        planned = self.plan(attachment)
        self.agenda.put(attachment, planned.at if planned is not None else None)

    def plan(self, attachment: Attachment, *, asked: bool = False) -> LookPlan | None:
        """The next look at an attachment, as the core would have it now."""
        link = self.ledger.links.get(attachment)
        if link is None:
            return None
        now = self.clock.now()
        record = self.ledger.owner(link)
        run = self.ledger.runs.get(record.device) if record is not None else None
        is_on = run is not None and run.is_open
        view = self.turns.view(record, link, now)
        was = Situation(link, run if is_on else None)
        return plan(was, now, view, self.turns.house.rules, asked=asked)

    def replan(self) -> None:
        """Plan every look again, as after a reload or when the sweep comes by."""
        for link in self.ledger.links:
            self._plan_look(link.attachment)

    async def _send_looks(self) -> None:
        while True:
            for key in await self.agenda.due():
                self._is_due(key)

    def _is_due(self, key: Key) -> None:
        if isinstance(key, str):
            self.tell(ev.TimeCame(), device=key)
            return
        link = self.ledger.links.get(key)
        if link is None or key in self._looking or key in self._unseen or self._queue.qsize() > PLENTY:
            return
        is_asap = key in self._asap
        self._asap.discard(key)
        if not link.listed:
            self.tell(ev.TimeCame(), attachment=key)
            return
        planned = self.plan(key, asked=is_asap)
        if planned is None:
            return
        self._looking.add(key)
        identify = planned.decides or planned.pair or is_asap or link.looks < 1 or not link.spoke
        self._start(self._look(key, pair=planned.pair, identify=identify))

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _look(self, attachment: Attachment, *, pair: bool, identify: bool) -> None:
        try:
            look = await self.launchpad.look(
                attachment, pair=pair, identify=identify, deadline_s=LOOK_DEADLINE_S
            )
        except Exception:
            log.exception("look.broke", port=attachment.port)
            self._looking.discard(attachment)
            self.agenda.put(attachment, self.clock.now().up + LOOK_DEADLINE_S)
            return
        self.tell(ev.Looked(attachment, look), attachment=attachment)

    async def heartbeat(self) -> None:
        """Return once the loop has come round: it takes turns, and what it writes is written."""
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        await self.ask(Happening(self.clock.now(), told=Told(Note.TIME_CAME), answer=answer))

    def sweep(self) -> None:
        """Look whether anybody was forgotten; the storm watch is told the time."""
        self.put(Happening(self.clock.now(), told=Told(Note.TIME_CAME)))
        for link in self.ledger.links:
            if self.agenda.at(link.attachment) is None:
                self._plan_look(link.attachment)


def _watch_text(watch: Watch) -> str:
    return write(watch)
