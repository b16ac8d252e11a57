"""
Chores whose only content is "look now": the sweep, orphans, the MDMs' health, pruning.

APScheduler carries them, never a deadline: it drops late timers and hastens them when the wall
clock is stepped. What must not be lost is a row.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import structlog
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from mamd.core.commands import Push
from mamd.core.errors import Trouble
from mamd.daemon.happening import Expired, Happening
from mamd.daemon.keeper import Keeper
from mamd.daemon.turns import Asked
from mamd.ports import Fault, Mdm, MdmCommand

log = structlog.get_logger()

SWEEP_S: Final = 30
HEALTH_S: Final = 10
ORPHANS_S: Final = 60
ORPHAN_DAYS: Final = 7
JOURNAL_DAYS: Final = 90
CHECK_DEADLINE_S: Final = 10.0


class Chores:
    """Everything that is done by the clock and could be done again without harm."""

    def __init__(self, keeper: Keeper, mdms: Mapping[str, Mdm]) -> None:
        self.keeper = keeper
        self.mdms = mdms
        self._faults: dict[str, tuple[Fault, ...]] = {}
        self._named: frozenset[str] = frozenset()
        self._scheduler = AsyncIOScheduler(
            jobstores={"default": MemoryJobStore()},
            timezone="UTC",
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )

    def start(self) -> None:
        """Begin. The event loop must be running."""
        add = self._scheduler.add_job
        add(self.sweep, "interval", seconds=SWEEP_S)
        add(self.push_orphans, "interval", seconds=ORPHANS_S)
        add(self.check_mdms, "interval", seconds=HEALTH_S)
        add(self.prune, "cron", hour=3, minute=30, timezone=self.keeper.turns.house.timezone)
        self._scheduler.start()

    def stop(self) -> None:
        """End; nothing that was begun is waited for."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    async def sweep(self) -> None:
        """Nobody may be forgotten: every attachment has a next look or a reason why not."""
        self.keeper.sweep()

    def faults(self) -> tuple[Fault, ...]:
        """What is wrong with the MDMs, as of the last check."""
        return tuple(fault for faults in self._faults.values() for fault in faults)

    def faults_of(self, mdm: str) -> tuple[Fault, ...]:
        """The same for one of them."""
        return self._faults.get(mdm, ())

    async def check_mdms(self) -> None:
        """Whether each MDM can be reached with what we were given; all at once, each with a deadline."""
        await asyncio.gather(*(self._check(name, mdm) for name, mdm in self.mdms.items()))

    async def _check(self, name: str, mdm: Mdm) -> None:
        try:
            async with asyncio.timeout(CHECK_DEADLINE_S):
                self._faults[name] = await mdm.check()
        except TimeoutError:
            self._faults[name] = (_unreachable(name, "it does not answer"),)
        except Trouble as error:
            self._faults[name] = (_unreachable(name, error.what),)

    async def push_orphans(self) -> None:
        """An orphan whose device is attached here is pushed until it answers; an old one is given up."""
        now = self.keeper.clock.now()
        old: list[str] = []
        for command in self.keeper.ledger.commands:
            if command.state != "orphan":
                continue
            if now.wall - command.asked.wall > timedelta(days=ORPHAN_DAYS):
                old.append(command.act)
            else:
                self._push(command)
        if old:
            self.keeper.put(Happening(now, word=Expired(tuple(old))))

    def _push(self, command: MdmCommand) -> None:
        ledger = self.keeper.ledger
        record = ledger.records.get(command.device)
        if record is not None and ledger.link_of(record) is not None:
            push = Push(command.act, command.device, command.mdm)
            self.keeper.carry_out(Asked(push, record))

    async def prune(self) -> None:
        """Drop old rows of the journal; a checkpoint row carries its chain on."""
        before = self.keeper.clock.now().wall - timedelta(days=JOURNAL_DAYS)
        try:
            dropped = await self.keeper.store.prune(older_than=before)
        except Trouble as error:
            log.error("journal.not_pruned", why=error.what)
        else:
            log.info("journal.pruned", rows=dropped)


def _unreachable(name: str, what: str) -> Fault:
    return Fault(
        "mdm_out_of_reach", f"{name}: {what}", "see that the MDM runs and this host can reach its address"
    )
