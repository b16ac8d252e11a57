"""A simulated Launchpad for each test, and keys that are made once."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mamd.sim.identity import Identity
from mamd.sim.keys import HostIdentity, Supervision
from mamd.sim.launchpad import SimLaunchpad
from mamd.sim.phone import Phone


@pytest.fixture
async def pad(tmp_path: Path) -> AsyncIterator[SimLaunchpad]:
    """A Launchpad with no phone on it."""
    async with SimLaunchpad(tmp_path / "pad") as launchpad:
        yield launchpad


@pytest.fixture(scope="session")
def supervision() -> Supervision:
    """The organisation that supervises the phones of the tests."""
    return Supervision.new("Ward 3")


@pytest.fixture(scope="session")
def host() -> HostIdentity:
    """A host that asks to be trusted."""
    return HostIdentity.new()


@pytest.fixture
def phone() -> Phone:
    """A phone as it leaves the box: no passcode, trusts nobody."""
    return Phone(Identity.numbered(1, name="ward-1"))
