"""Says times and lengths of time as a person would, in the Launchpad's own time zone."""

from datetime import datetime, tzinfo
from typing import Final

from mamd.core.time import Now

_DAY_S: Final = 86_400.0


def lasting(seconds: float) -> str:
    """A length of time in words with two units at most: `4 s`, `2 min 14 s`, `3 h 5 min`, `2 days`."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return _two(whole // 60, "min", whole % 60, "s")
    if whole < 2 * _DAY_S:
        return _two(whole // 3600, "h", whole % 3600 // 60, "min")
    return f"{whole // int(_DAY_S)} days"


def _two(large: int, unit: str, small: int, small_unit: str) -> str:
    return f"{large} {unit} {small} {small_unit}" if small else f"{large} {unit}"


def running(seconds: float) -> str:
    """A clock that runs, as on a timer: `2:14`, `1:02:14`."""
    whole = int(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def at(moment: datetime, now: datetime, zone: tzinfo | None = None) -> str:
    """A moment on the Launchpad's clock: `03:12:45`, and with its day if that is not today."""
    local, today = moment.astimezone(zone), now.astimezone(zone)
    clock = local.strftime("%H:%M:%S")
    return clock if local.date() == today.date() else f"{local:%Y-%m-%d} {clock}"


def ago(then: Now | None, now: Now) -> str:
    """How long ago, by the clock that cannot be stepped; `before this host was started` for another boot."""
    if then is None:
        return "never"
    passed = now.since(then)
    if passed is None:
        return "before this host was started"
    return "just now" if passed < 1 else f"{lasting(passed)} ago"
