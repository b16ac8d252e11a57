"""What the simulator's record of the wire says about the promises, without a word of the daemon's."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from mamd.sim.record import Seen

HOUR_S: Final = 3600.0
FOR_S: Final = 5.0
CLOCK_S: Final = 0.05
"""The record is written a little after what it tells of."""


@dataclass(frozen=True, slots=True)
class Clear:
    """One clear, however often it was asked for: a request under the same id is the same clear."""

    device: str
    command: str
    at: float


def clears(seen: Iterable[Seen]) -> dict[str, list[Clear]]:
    """The clears that the MDM was asked for, by device, oldest first."""
    found: defaultdict[str, dict[str, Clear]] = defaultdict(dict)
    for one in seen:
        if one.kind == "mdm.enqueue" and one["request_type"] == "ClearPasscode":
            device, command = str(one.device), str(one["command_uuid"])
            found[device].setdefault(command, Clear(device, command, one.at))
    return {device: list(commands.values()) for device, commands in found.items()}


def too_many(seen: Sequence[Seen]) -> list[str]:
    """
    Clears that break promise 5, one line each.

    At most one an episode unless the first certainly failed; at most two an hour to one device.
    """
    broken = []
    for device, asked in clears(seen).items():
        ends = [one.at for one in seen if one.device == device and _ends_episode(one)]
        failed = {one["command_uuid"] for one in seen if one.device == device and _failed(one)}
        for first, second in pairwise(asked):
            is_over = any(first.at < at < second.at for at in ends)
            if not is_over and first.command not in failed:
                broken.append(f"{device}: {second.command} {second.at - first.at:.1f} s after another")
        for first, third in zip(asked, asked[2:], strict=False):
            if third.at - first.at < HOUR_S:
                broken.append(f"{device}: {third.command} is the third within an hour")
    return broken


def too_early(seen: Sequence[Seen], *, for_s: float = FOR_S) -> list[str]:
    """Clears that were asked for before the device had been here, unpaired, for so long (promise 3)."""
    broken = []
    for device, asked in clears(seen).items():
        begins = [one.at for one in seen if one.device == device and _begins_or_pairs(one)]
        for clear in asked:
            since = max((at for at in begins if at < clear.at), default=clear.at)
            if clear.at - since < for_s - CLOCK_S:
                broken.append(f"{device}: {clear.command} after {clear.at - since:.2f} s")
    return broken


def _ends_episode(one: Seen) -> bool:
    return (one.kind == "launchpad" and one["what"] == "detached") or _is_session(one)


def _begins_or_pairs(one: Seen) -> bool:
    return (one.kind == "launchpad" and one["what"] == "attached") or _is_session(one)


def _is_session(one: Seen) -> bool:
    return one.kind == "lockdown" and one["request"] == "StartSession" and one["answer"] == "ok"


def _failed(one: Seen) -> bool:
    return one.kind == "mdm.executed" and one["status"] == "Error"
