"""A simulated Launchpad with Apple's signing server, a firmware, and our own worker in its own process."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mamd.recovery.causes import Result
from mamd.recovery.executor import Attempt, Executors
from mamd.recovery.job import Job, Limits
from mamd.recovery.leave import Leaving
from mamd.recovery.settings import Clocks, ExecutorSettings
from mamd.sim import characters
from mamd.sim.boot import RestoreFault
from mamd.sim.firmware import Recipe, firmware
from mamd.sim.launchpad import SimLaunchpad
from mamd.sim.phone import Phone
from mamd.sim.record import Record
from mamd.sim.tss import Tss
from mamd.sim.usb_bus import UsbBus

BACKEND = "mamd.sim.usb_backend:backend"
LIMITS = Limits(find_s=8, again_s=8, connect_s=5, answer_s=3, restore_mode_s=30, data_port_s=10)
CLOCKS = Clocks(before=60, find_recovery=30, tss_and_ibec=40, wait_restore_mode=60, restoring=60, grace=0.5)


@dataclass
class Site:
    """One phone to be restored, in recovery mode, and its neighbour on the same hub."""

    pad: SimLaunchpad
    bus: UsbBus
    tss: Tss
    phone: Phone
    neighbour: Phone
    folder: Path
    firmware: Path

    @property
    def record(self) -> Path:
        """What was seen on the simulated wires."""
        return self.folder / "sim" / "record.jsonl"

    def seen(self, kind: str, phone: Phone | None = None) -> int:
        """How often something happened to a phone."""
        return len(Record.read(self.record, kind, device=(phone or self.phone).udid))

    def executors(self, clocks: Clocks = CLOCKS) -> Executors:
        """A daemon's executors."""
        passed_on = frozenset({"MAMD_SIM_USB"})
        return Executors(
            self.folder / "state", ExecutorSettings(clocks=clocks, passed_on=passed_on, poll_s=0.05)
        )

    def job(self, attempt: int = 1, **more: Any) -> Job:
        """The job of restoring the phone where it is now."""
        return replace(
            Job(
                op_id=f"r-0412/2/{attempt}",
                ecid=self.phone.ecid,
                udid=self.phone.udid,
                serial=self.phone.serial,
                port=self.pad.port_of(self.phone),
                product_type=self.phone.product_type,
                firmware=str(self.firmware),
                attempt=attempt,
                deadline_s=90,
                usbmux=str(self.pad.socket),
                usb=BACKEND,
                tss=self.tss.url,
                limits=LIMITS,
            ),
            **more,
        )

    async def restored(self, clocks: Clocks = CLOCKS, **more: Any) -> Result:
        """One attempt, to its end."""
        executors = self.executors(clocks)
        try:
            attempt: Attempt = await executors.start(self.job(**more))
            return await attempt.result()
        finally:
            await executors.close()

    def fails_by(self, fault: RestoreFault) -> None:
        """This goes wrong once."""
        self.phone.boot.faults[fault] = 1

    @property
    def leaving(self) -> Leaving:
        """The way out again."""
        environment = {**os.environ, "USBMUXD_SOCKET_ADDRESS": str(self.pad.socket)}
        return Leaving(usb=BACKEND, environment=environment, within_s=30, find_s=8)


@asynccontextmanager
async def site(folder: Path, cache: Path) -> AsyncIterator[Site]:
    """Two locked phones on one hub; the first is in recovery mode."""
    bus, tss = UsbBus(), Tss()
    phone = characters.locked(1, name="ours").phone
    neighbour = characters.locked(2, name="neighbour").phone
    async with SimLaunchpad(folder / "sim", parts=[bus, tss]) as pad:
        pad.attach(phone)
        pad.attach(neighbour)
        phone.enter_recovery()
        made = firmware(Recipe(products=(phone.product_type,)), cache)
        os.environ["MAMD_SIM_USB"] = str(bus.socket)
        try:
            yield Site(pad, bus, tss, phone, neighbour, folder, made)
        finally:
            del os.environ["MAMD_SIM_USB"]
