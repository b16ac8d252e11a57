"""What an operator decides about executors: which one, and how long each may be silent."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final

from mamd.recovery.job import Job
from mamd.recovery.lines import Stage
from mamd.recovery.processes import python


class Ours(Enum):
    """The executors that mamd brings."""

    PYMOBILEDEVICE3 = "pymobiledevice3"
    IDEVICERESTORE = "idevicerestore"


_MODULES: Final = {
    Ours.PYMOBILEDEVICE3: "mamd.recovery.worker",
    Ours.IDEVICERESTORE: "mamd.recovery.idevicerestore",
}

PASSED_ON: Final = frozenset(
    {
        "PATH", "HOME", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "LD_LIBRARY_PATH",
        "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
        "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
    }
)  # fmt: skip
"""What an executor gets of our environment. Ours may hold secrets; an executor needs none of them."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """
    How long an executor may say nothing, by stage, in seconds. Garbled lines are no sign of life.

    Attributes:
        before: Until it names its first stage.
        grace: Between asking it to end and ending it.
    """

    before: float = 90.0
    find_recovery: float = 90.0
    tss_and_ibec: float = 180.0
    wait_restore_mode: float = 330.0
    restoring: float = 900.0
    grace: float = 5.0

    def silence_s(self, stage: Stage | None) -> float:
        """For this stage."""
        return float(self.before if stage is None else getattr(self, stage.value))


@dataclass(frozen=True, slots=True)
class ExecutorSettings:
    """
    Which executor, and its bounds.

    Attributes:
        tool: One of ours, or the words of a command; see `Job.words`.
        passed_on: Further names of environment variables that it gets, for simulators' USB backends.
        poll_s: How often its file is looked at.
        most_bytes: Of lines; an executor that says more is ended.
    """

    tool: Ours | tuple[str, ...] = Ours.PYMOBILEDEVICE3
    clocks: Clocks = field(default_factory=Clocks)
    passed_on: frozenset[str] = frozenset()
    poll_s: float = 0.25
    most_bytes: int = 32 * 2**20

    def command(self, job: Job) -> tuple[str, ...]:
        """What is run for this job."""
        return python(_MODULES[self.tool]) if isinstance(self.tool, Ours) else job.words(self.tool)

    def environment(self, job: Job, work: Path) -> Mapping[str, str]:
        """What it sees of the world."""
        names = PASSED_ON | self.passed_on
        kept = {name: value for name, value in os.environ.items() if name in names}
        return {**kept, "USBMUXD_SOCKET_ADDRESS": job.usbmux, "TMPDIR": str(work), "PYTHONUNBUFFERED": "1"}
