"""
Having things done that a committed turn asked for. What comes of each is a happening again.

Every error of the outer world becomes an event here; none of them decides anything.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog

from mamd.core import commands as do
from mamd.core import events as ev
from mamd.core.errors import (
    Busy,
    Doubtful,
    Lasting,
    Misconfigured,
    No,
    Passing,
    Refused,
    Trouble,
    Unreachable,
)
from mamd.core.facts import Record
from mamd.daemon.happening import Happening, Withdrawn
from mamd.daemon.keeper import Keeper
from mamd.daemon.news import holds_token
from mamd.daemon.turns import Asked
from mamd.ports import Mdm, Target

log = structlog.get_logger()

RETRY_S: Final = 15.0
AT_ONCE: Final = 5
Result = ev.Event | None


class Acts:
    """
    Carries out commands, each in a task of its own, so that no slow server holds up another.

    Every MDM call has a deadline, and one MDM is asked by at most five at a time. The others wait
    here and not in the HTTP client: what never had its turn was certainly not sent, and a client
    that holds a thousand waiting requests looks through all of them for each that it sends.
    """

    def __init__(self, mdms: Mapping[str, Mdm], *, deadline_s: float = 40.0) -> None:
        self.mdms = mdms
        self.keeper: Keeper | None = None
        self._deadline_s = deadline_s
        self._places = {name: asyncio.Semaphore(AT_ONCE) for name in mdms}
        self._tasks: set[asyncio.Task[None]] = set()

    def carry_out(self, asked: Asked) -> None:
        """Start one command. The keeper hears what came of it."""
        handler = _HANDLERS.get(type(asked.command))
        if handler is None or asked.record is None:
            log.error("command.unknown", command=type(asked.command).__name__)
            return
        task = asyncio.create_task(self._report(handler, asked, asked.record))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _report(self, handler: "Handler", asked: Asked, record: Record) -> None:
        """Whatever happens, the run that asked hears of it: no act may be lost in silence."""
        try:
            async with self._place(record.mdm or ""), asyncio.timeout(self._deadline_s):
                event = await handler(self, asked.command, record)
        except Trouble as error:
            event = _event_of(asked.command, record, error)
        except TimeoutError:
            event = _event_of(asked.command, record, Doubtful(record.mdm or "", "no answer in time"))
        except Exception as error:
            log.exception("act.broke", command=type(asked.command).__name__)
            event = _event_of(asked.command, record, Doubtful("mamd", f"a bug: {type(error).__name__}"))
        assert self.keeper is not None, "acts are carried out for a keeper"
        if event is not None:
            self.keeper.tell(event, device=record.device)

    @asynccontextmanager
    async def _place(self, mdm: str) -> AsyncIterator[None]:
        """One of the places before an MDM. Raises Unreachable if there is none for too long."""
        places = self._places.get(mdm)
        if places is None:
            yield  # there is no such MDM, as the handler will say
            return
        try:
            async with asyncio.timeout(self._deadline_s):
                await places.acquire()
        except TimeoutError as error:
            raise Unreachable(mdm, "all connections to it are waiting for answers") from error
        try:
            yield
        finally:
            places.release()

    def _mdm(self, name: str) -> Mdm:
        mdm = self.mdms.get(name)
        if mdm is None:
            raise Misconfigured(name, "there is no such MDM in the configuration", No.NOT_FOUND)
        return mdm

    async def _target(self, record: Record, mdm: Mdm, *, with_token: bool) -> Target:
        """Whom a command is for; the sealed token only if it is needed and may be used."""
        assert self.keeper is not None, "acts are carried out for a keeper"
        enrolled = self.keeper.ledger.enrollment_of(record)
        address = enrolled.enrollment_id if enrolled is not None else (record.ids.udid or "")
        token = None
        if with_token and mdm.capabilities.needs_unlock_token and holds_token(enrolled):
            token = await self.keeper.store.token(f"{mdm.name}/{address}")
        return Target(record.device, address, token)

    async def clear(self, command: do.ClearPasscode, record: Record) -> Result:
        """Ask for a clear, under the id that was stored before."""
        assert self.keeper is not None, "acts are carried out for a keeper"
        row = self.keeper.ledger.commands.get(command.act)
        assert row is not None, "its row was committed before"
        mdm = self._mdm(command.mdm)
        target = await self._target(record, mdm, with_token=True)
        pushed = await mdm.clear_passcode(target, command_id=row.command_id)
        return ev.Accepted(command.act, pushed)

    async def push(self, command: do.Push, record: Record) -> Result:
        """Wake the device once more."""
        mdm = self._mdm(command.mdm)
        await mdm.push(await self._target(record, mdm, with_token=False))
        return ev.Pushed(command.act)

    async def cancel(self, command: do.Cancel, record: Record) -> Result:
        """Withdraw a queued command where that can be done."""
        assert self.keeper is not None, "acts are carried out for a keeper"
        row = self.keeper.ledger.commands.get(command.act)
        mdm = self._mdm(command.mdm)
        if row is None or not mdm.capabilities.can_cancel:
            return None
        target = await self._target(record, mdm, with_token=False)
        if await mdm.cancel(target, command_id=row.command_id):
            self.keeper.put(Happening(self.keeper.clock.now(), word=Withdrawn(command.act)))
        return None

    async def read(self, command: do.ReadMdmRecord, record: Record) -> Result:
        """What the MDM says of the device, afresh."""
        assert self.keeper is not None, "acts are carried out for a keeper"
        mdm = self._mdm(command.mdm)
        enrolled = self.keeper.ledger.enrollment_of(record)
        word = await mdm.read(record, enrolled, now=self.keeper.clock.now())
        return ev.MdmRecordRead(record.device, command.mdm, word)


def _event_of(command: do.Command, record: Record, error: Trouble) -> Result:
    """An error of the outer world, as what happened to the act."""
    if isinstance(command, do.Push):
        return ev.Pushed(command.act, error=error.what or "failed")
    if isinstance(command, do.ReadMdmRecord):
        return ev.MdmRecordUnread(record.device, command.mdm, error.what)
    if not isinstance(command, do.ClearPasscode):
        return None
    if isinstance(error, Passing):
        pause = error.retry_after_s if isinstance(error, Busy) else RETRY_S
        return ev.PutOff(command.act, error.what, pause)
    if isinstance(error, Lasting):
        no = error.why if isinstance(error, Refused | Misconfigured) else No.REJECTED
        return ev.TurnedDown(command.act, no, error.what)
    return ev.LeftInDoubt(command.act, error.what)


Handler = Callable[[Acts, Any, Record], Awaitable[Result]]
_HANDLERS: Final[Mapping[type[do.Command], Handler]] = {
    do.ClearPasscode: Acts.clear,
    do.Push: Acts.push,
    do.Cancel: Acts.cancel,
    do.ReadMdmRecord: Acts.read,
}
