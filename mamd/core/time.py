"""
Time as the core sees it: a value that is handed in, never read.

Only `up` of one boot is ever subtracted: a wall clock can be stepped by ten years, and
CLOCK_MONOTONIC stops while the host sleeps. `wall` is for people and for cron.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Now:
    """
    One moment on one host.

    Attributes:
        boot: The kernel's boot id. Times of two boots are never compared.
        up: Seconds since boot, sleep included (CLOCK_BOOTTIME).
        wall: What a person's watch says, in UTC. Never used to earn anything harsh.
    """

    boot: str
    up: float
    wall: datetime

    def since(self, then: "Now | None") -> float | None:
        """Seconds from `then` to now, never negative; None if it was another boot or never."""
        if then is None or then.boot != self.boot:
            return None
        return max(0.0, self.up - then.up)

    def is_within(self, seconds: float, of: "Now | None") -> bool:
        """True only if `of` is known, of this boot, and at most `seconds` ago."""
        passed = self.since(of)
        return passed is not None and passed <= seconds
