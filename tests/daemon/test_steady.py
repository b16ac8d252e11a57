"""Chores while the wall clock is set: they come round, and at once."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from mamd.core.time import Now
from mamd.daemon.steady import Every, Wall

TODAY = datetime(2026, 11, 25, tzinfo=UTC)
YEARS = timedelta(days=3652)


@dataclass
class HandClock:
    """A clock that goes only when it is told to."""

    up: float = 100.0
    wall: datetime = TODAY

    def now(self) -> Now:
        return Now("boot-1", self.up, self.wall)

    async def sleep_until(self, up: float) -> None:
        raise AssertionError("nobody waits here")

    def go(self, seconds: float, *, wall: timedelta = timedelta()) -> None:
        self.up += seconds
        self.wall += timedelta(seconds=seconds) + wall


@pytest.mark.parametrize("step", [timedelta(hours=1), -timedelta(hours=1), YEARS, -YEARS])
def test_a_wall_clock_that_was_set_is_noticed_once(step: timedelta) -> None:
    """An hour or ten years, forward or back: the next glance says by how much, the one after it nothing."""
    clock = HandClock()
    wall = Wall(clock)
    clock.go(1.0)
    assert (wall.glance(), wall.stepped) == (0.0, None)
    clock.go(1.0, wall=step)
    assert wall.glance() == pytest.approx(step.total_seconds())
    assert wall.stepped == clock.now()
    clock.go(1.0)
    assert wall.glance() == 0.0


def test_a_time_server_that_only_adjusts_the_clock_sets_nothing() -> None:
    """A tenth of a second an hour is no step, however many hours it goes on."""
    clock = HandClock()
    wall = Wall(clock)
    for _ in range(1000):
        clock.go(3600.0, wall=timedelta(seconds=0.1))
        assert wall.glance() == 0.0


@pytest.mark.parametrize("step", [YEARS, -YEARS])
def test_a_chore_is_due_soon_after_ten_years_in_one_step(step: timedelta) -> None:
    """It does not walk through the years between, nor wait for them to pass again."""
    every = Every(10)
    first = every.get_next_fire_time(None, TODAY)
    assert first == TODAY + timedelta(seconds=10)
    now = first + step
    assert every.get_next_fire_time(first, now) == now + timedelta(seconds=10)


def test_a_chore_keeps_its_beat() -> None:
    """A little late is not late the next time."""
    last = TODAY
    soon = Every(10).get_next_fire_time(last, last + timedelta(seconds=0.2))
    assert soon == last + timedelta(seconds=10)
