"""
Chores whose only content is "look now": the sweep, orphans, the MDMs' health, pruning.

APScheduler carries them, never a deadline: it drops late timers and hastens them when the wall
clock is stepped. What must not be lost is a row. A step that is noticed plans all of them anew.
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
from mamd.core.time import Now
from mamd.daemon.happening import Expired, Happening
from mamd.daemon.keeper import Keeper
from mamd.daemon.steady import Every, Wall
from mamd.daemon.turns import Asked
from mamd.ports import Fault, Mdm, MdmCommand

log = structlog.get_logger()

SWEEP_S: Final = 30
HEALTH_S: Final = 10
ORPHANS_S: Final = 60
ORPHAN_DAYS: Final = 7
JOURNAL_DAYS: Final = 90
CHECK_DEADLINE_S: Final = 10.0
GLANCE_S: Final = 1.0
CLOCK_QUIET_S: Final = 600.0
"""After a step or a boot the wall clock makes nothing harsh due for so long (promise 4)."""
STEADY_S: Final = 86_400.0
"""For so long after a step nothing is pruned: by a wrong clock the whole journal is old."""


class Chores:
    """Everything that is done by the clock and could be done again without harm."""

    def __init__(self, keeper: Keeper, mdms: Mapping[str, Mdm]) -> None:
        self.keeper = keeper
        self.mdms = mdms
        self._faults: dict[str, tuple[Fault, ...]] = {}
        self._wall = Wall(keeper.clock)
        self._scheduler = AsyncIOScheduler(
            jobstores={"default": MemoryJobStore()},
            timezone="UTC",
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )

    def start(self) -> None:
        """Begin. The event loop must be running."""
        add = self._scheduler.add_job
        add(self.sweep, Every(SWEEP_S))
        add(self.push_orphans, Every(ORPHANS_S))
        add(self.check_mdms, Every(HEALTH_S))
        add(self.prune, "cron", hour=3, minute=30, timezone=self.keeper.turns.house.timezone)
        self._scheduler.start()

    def stop(self) -> None:
        """End; nothing that was begun is waited for."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    async def watch_wall(self) -> None:
        """For ever: if the wall clock is set back, nothing of ours is to wait until it has caught up."""
        while True:
            await self.keeper.clock.sleep_until(self.keeper.clock.now().up + GLANCE_S)
            self._glance()

    def _glance(self) -> None:
        by = self._wall.glance()
        if not by:
            return
        log.warning("clock.stepped", by_s=round(by, 1))
        for job in self._scheduler.get_jobs():
            job.reschedule(job.trigger)

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
        self._glance()
        now = self.keeper.clock.now()
        old: list[str] = []
        for command in self.keeper.ledger.commands:
            if command.state != "orphan":
                continue
            if self._is_too_old(command, now):
                old.append(command.act)
            else:
                self._push(command)
        if old:
            self.keeper.put(Happening(now, word=Expired(tuple(old))))

    def _is_too_old(self, command: MdmCommand, now: Now) -> bool:
        """By the seconds since boot where they tell it; the wall clock is asked only while it is steady."""
        most = timedelta(days=ORPHAN_DAYS)
        passed = now.since(command.asked)
        if passed is not None:
            return passed > most.total_seconds()
        is_unsteady = now.up < CLOCK_QUIET_S or now.is_within(CLOCK_QUIET_S, of=self._wall.stepped)
        return not is_unsteady and now.wall - command.asked.wall > most

    def _push(self, command: MdmCommand) -> None:
        ledger = self.keeper.ledger
        record = ledger.records.get(command.device)
        if record is not None and ledger.link_of(record) is not None:
            push = Push(command.act, command.device, command.mdm)
            self.keeper.carry_out(Asked(push, record))

    async def prune(self) -> None:
        """Drop old rows of the journal; a checkpoint row carries its chain on."""
        self._glance()
        now = self.keeper.clock.now()
        if now.is_within(STEADY_S, of=self._wall.stepped):
            log.warning("journal.not_pruned", why="the clock was set within a day")
            return
        before = now.wall - timedelta(days=JOURNAL_DAYS)
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
