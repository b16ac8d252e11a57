"""Settles for all tests how many lives are tried, by which dice, and whether skipping is allowed."""

import os
import random
from collections.abc import Generator
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings

_PROFILE = os.environ.get("MAMD_HYPOTHESIS_PROFILE", "test")
_STRICT = os.environ.get("MAMD_TEST_STRICT") == "1"

# A loaded machine must not turn a right answer into a failure: no deadline, and slow is not wrong.
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)

settings.register_profile("test", parent=_PATIENT, derandomize=True, max_examples=100)
settings.register_profile(
    "soak",
    parent=_PATIENT,
    max_examples=int(os.environ.get("MAMD_SOAK_EXAMPLES", "5000")),
    print_blob=True,
)
settings.load_profile(_PROFILE)

_Report = TypeVar("_Report", pytest.TestReport, pytest.CollectReport)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Throw the soak's dice once, where they can be read and thrown again (MAMD_SEED, --hypothesis-seed)."""
    if _PROFILE == "soak" and config.getoption("hypothesis_seed", None) is None:
        fresh = str(random.SystemRandom().getrandbits(32))
        config.option.hypothesis_seed = os.environ.get("MAMD_SEED", fresh)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what this run is, so that it can be repeated."""
    seed = config.getoption("hypothesis_seed", None)
    dice = f"seed {seed} (repeat it with MAMD_SEED={seed})" if seed is not None else "derandomized"
    skips = "a skip is a failure" if _STRICT else "skips are allowed"
    return [f"mamd: hypothesis profile {_PROFILE}, {dice}; {skips}"]


@pytest.fixture(scope="session")
def seed(request: pytest.FixtureRequest) -> int:
    """The number that a test's own dice begin with: fixed in `make test`, new and printed in `make soak`."""
    return int(request.config.getoption("hypothesis_seed", None) or 20_261_125)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Under MAMD_TEST_STRICT=1 a test that leaves itself out has failed, for the reason it gives."""
    return _no_skips((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a whole file that leaves itself out."""
    return _no_skips((yield))


def _no_skips(report: _Report) -> _Report:
    expected_to_fail = hasattr(report, "wasxfail")
    if _STRICT and report.skipped and not expected_to_fail:
        report.outcome = "failed"
        report.longrepr = f"left out, which MAMD_TEST_STRICT=1 forbids: {_reason(report)}"
    return report


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    # pytest gives a skip as (file, line, reason).
    return str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
