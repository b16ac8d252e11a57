"""Servers for the tests of the MDM side: simulated ones, and real ones where their programs are."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mamd.sim.mdm_queue import Storage
from tests.mdm.nanomdm_server import FILEKV, StorageFlags, pgsql, schema
from tests.mdm.postgres import Postgres, postgres
from tests.mdm.sites import Site, real_site, simulated_site


@pytest.fixture(scope="session")
def cluster() -> Iterator[Postgres]:
    """One PostgreSQL for all tests; each takes a database of its own."""
    with postgres() as running:
        yield running


@pytest.fixture(params=["filekv", "pgsql"])
def flags(request: pytest.FixtureRequest) -> StorageFlags:
    """Both storages of the real server, one after the other."""
    return _flags(request.param, request)


@pytest.fixture
async def real(flags: StorageFlags, tmp_path: Path) -> AsyncIterator[Site]:
    """The real NanoMDM, on either storage."""
    async with real_site(tmp_path, flags) as site:
        yield site


@pytest.fixture(params=["simulated-filekv", "simulated-pgsql", "real-filekv", "real-pgsql"])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    """The simulated and the real NanoMDM, on either storage: what holds for one has to hold for all."""
    which, kind = request.param.split("-")
    made = (
        simulated_site(Storage(kind)) if which == "simulated" else real_site(tmp_path, _flags(kind, request))
    )
    async with made as site:
        yield site


def _flags(kind: str, request: pytest.FixtureRequest) -> StorageFlags:
    if kind == "filekv":
        return FILEKV
    cluster: Postgres = request.getfixturevalue("cluster")
    return pgsql(cluster.database(schema()))
