"""Keeping chores going while somebody sets the wall clock, by hours or by years."""

from datetime import datetime, timedelta
from typing import Final

from apscheduler.triggers.base import BaseTrigger

from mamd.core.time import Now
from mamd.ports import Clock

STEP_S: Final = 5.0
"""Time servers that only adjust a clock move it by far less between two glances."""


class Wall:
    """
    Notices that the wall clock was set: it then moved otherwise than the seconds since boot.

    Attributes:
        stepped: When that was last noticed; None: not since the start.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead = _ahead(clock.now())
        self.stepped: Now | None = None

    def glance(self) -> float:
        """By how many seconds it was set since the last glance; 0.0 if it was not."""
        now = self._clock.now()
        by, self._ahead = _ahead(now) - self._ahead, _ahead(now)
        if abs(by) < STEP_S:
            return 0.0
        self.stepped = now
        return by


def _ahead(now: Now) -> float:
    return now.wall.timestamp() - now.up


class Every(BaseTrigger):  # type: ignore[misc]  # APScheduler ships no types
    """
    Due again so many seconds after now, whatever year it was when it was due last.

    APScheduler's own interval walks from the last time to now in single steps: after a clock was
    put right by ten years that is minutes in which the whole daemon stands still.
    """

    def __init__(self, seconds: float) -> None:
        self._pause = timedelta(seconds=seconds)

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """The next time; a last time that is not near now was told by another clock."""
        if previous_fire_time is None or abs(now - previous_fire_time) > self._pause:
            return now + self._pause
        return previous_fire_time + self._pause
