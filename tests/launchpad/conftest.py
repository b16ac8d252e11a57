"""A simulated Launchpad and a Pad that watches it, for tests that talk over the real protocols."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mamd.launchpad import PadSettings
from mamd.sim.launchpad import SimLaunchpad
from tests.launchpad.watching import BOOT, Watched, watched


@pytest.fixture
async def sim(tmp_path: Path) -> AsyncIterator[SimLaunchpad]:
    """Hubs without cables."""
    async with SimLaunchpad(tmp_path / "sim") as launchpad:
        yield launchpad


@pytest.fixture
def settings(sim: SimLaunchpad, tmp_path: Path) -> PadSettings:
    """A Pad's settings for those hubs."""
    return PadSettings(usbmuxd=str(sim.socket), state=tmp_path / "state", boot=BOOT, sysfs=sim.sysfs)


@pytest.fixture
async def watch(settings: PadSettings) -> AsyncIterator[Watched]:
    """A Pad that watches them."""
    async with watched(settings) as watching:
        yield watching
