"""
Many at once is a fault of ours: a hub, usbmuxd or the host, not so many passcodes.

The watch is told of every arrival, onset and pairing on this Launchpad. Enough suspect onsets
at once are a storm: nothing is cleared or erased for its devices, and one alarm is raised.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from mamd.core.commands import CallPerson, Command, Reason, StopCalling
from mamd.core.facts import Attachment
from mamd.core.time import Now


@dataclass(frozen=True, slots=True)
class StormLimits:
    """When many at once are a fault of ours. Times in seconds."""

    share: float = 0.30
    at_least: int = 3
    within_s: float = 600.0
    quiet_s: float = 600.0
    crowd_s: float = 3.0
    crowd: int = 3
    is_on: bool = True


@dataclass(frozen=True, slots=True)
class Onset:
    """One device became unpaired."""

    attachment: Attachment
    device: str
    at: Now
    is_suspect: bool


@dataclass(frozen=True, slots=True)
class Storm:
    """A storm that is on."""

    opened: Now
    last: Now
    members: frozenset[str] = frozenset()
    has_paired_since: bool = False


@dataclass(frozen=True, slots=True)
class Watch:
    """
    What the governor remembers of this Launchpad's comings and goings. Bounded.

    Attributes:
        arrivals: Attachments of the last minute, for crowds and for damping.
        crowd: Attachments that appeared within 3 s of two others: a hub or the host came back.
        was_in_storm: Devices that were part of a storm; their erases stay held until released.
    """

    arrivals: tuple[tuple[Attachment, Now], ...] = ()
    crowd: frozenset[Attachment] = frozenset()
    onsets: tuple[Onset, ...] = ()
    storm: Storm | None = None
    was_in_storm: frozenset[str] = frozenset()


_MOST_KEPT: Final = 1000


class Note(Enum):
    """What the watch is told."""

    ARRIVED = "arrived"
    DEPARTED = "departed"
    BECAME_UNPAIRED = "became_unpaired"
    PAIRED = "paired"
    TIME_CAME = "time_came"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Told:
    """
    One thing that the watch is told.

    Attributes:
        attached: How many devices of ours are attached now, for the share.
        is_suspect: It was paired in this attachment before, or has given no answer at all.
    """

    note: Note
    attachment: Attachment | None = None
    device: str = ""
    is_suspect: bool = False
    attached: int = 0


def watch(was: Watch, told: Told, now: Now, limits: StormLimits) -> Watch:
    """
    Take one note. Pure and total.

    A storm is many suspect onsets at once; it closes by itself ten minutes after the last
    one, once some device has paired here since (promise 6).
    """
    noted = _NOTES[told.note](was, told, now, limits)
    weighed = _weighed(noted, now, limits, told.attached) if told.note in _WEIGHS else noted
    return _calmed(weighed, now, limits)


def _arrived(was: Watch, told: Told, now: Now, limits: StormLimits) -> Watch:
    """Three devices within three seconds are a crowd: a hub, usbmuxd or the host came back."""
    assert told.attachment is not None, "somebody arrives on some port"
    recent = (*(one for one in was.arrivals if now.is_within(60.0, of=one[1])), (told.attachment, now))
    # The newest on each port: one that comes and goes on its port is no crowd, and leaves nothing behind.
    together = {one.port: one for one, at in recent if now.is_within(limits.crowd_s, of=at)}
    others = frozenset(one for one in was.crowd if one.port != told.attachment.port)
    crowd = others | frozenset(together.values()) if len(together) >= limits.crowd else others
    return replace(was, arrivals=recent[-_MOST_KEPT:], crowd=crowd)


def _departed(was: Watch, told: Told, now: Now, limits: StormLimits) -> Watch:
    return replace(was, crowd=frozenset(one for one in was.crowd if one != told.attachment))


def _became_unpaired(was: Watch, told: Told, now: Now, limits: StormLimits) -> Watch:
    assert told.attachment is not None, "an onset has a place"
    onset = Onset(told.attachment, told.device, now, told.is_suspect)
    kept = (
        one for one in was.onsets if now.is_within(limits.within_s, of=one.at) and one.device != told.device
    )
    return replace(was, onsets=(*kept, onset)[-_MOST_KEPT:])


def _paired(was: Watch, told: Told, now: Now, limits: StormLimits) -> Watch:
    """Some device paired here: the host can see."""
    onsets = tuple(one for one in was.onsets if one.device != told.device)
    storm = replace(was.storm, has_paired_since=True) if was.storm is not None else None
    return replace(was, onsets=onsets, storm=storm)


def _released(was: Watch, told: Told, now: Now, limits: StormLimits) -> Watch:
    """
    A person releases one device from what a storm left behind; with none named, the storm itself.

    Where nothing pairs any more, as on a shelf full of phones that really are locked, a storm
    would otherwise never close.
    """
    if not told.device:
        return replace(was, storm=None, onsets=(), was_in_storm=frozenset())
    return replace(was, was_in_storm=was.was_in_storm - {told.device})


def _time_came(was: Watch, told: Told, now: Now, limits: StormLimits) -> Watch:
    return was


def lately_on(watch: Watch, port: str) -> tuple[float, ...]:
    """`up` of the attachments on one port within the last minute."""
    return tuple(at.up for one, at in watch.arrivals if one.port == port)


def suspects(watch: Watch) -> tuple[Onset, ...]:
    """Onsets that may be a fault of ours; whoever turns out to be of a crowd is one in hindsight."""
    return tuple(one for one in watch.onsets if one.is_suspect or one.attachment in watch.crowd)


def _weighed(was: Watch, now: Now, limits: StormLimits, attached: int) -> Watch:
    many = [one for one in suspects(was) if now.is_within(limits.within_s, of=one.at)]
    is_many = len(many) >= limits.at_least and len(many) >= limits.share * attached
    if not limits.is_on or (was.storm is None and not is_many):
        return was
    members = frozenset(one.device for one in many)
    if was.storm is None:
        return replace(was, storm=Storm(now, now, members), was_in_storm=was.was_in_storm | members)
    is_new = any(one.at.since(was.storm.last) != 0.0 for one in many)
    if not is_new and members <= was.storm.members:
        return was
    storm = replace(was.storm, members=was.storm.members | members, last=now, has_paired_since=False)
    return replace(was, storm=storm, was_in_storm=was.was_in_storm | members)


def _calmed(was: Watch, now: Now, limits: StormLimits) -> Watch:
    storm = was.storm
    if storm is None or not storm.has_paired_since:
        return was
    passed = now.since(storm.last)
    if passed is None:
        return replace(was, storm=replace(storm, opened=now, last=now))
    return was if passed < limits.quiet_s else replace(was, storm=None, onsets=())


def alarms(was: Watch, became: Watch) -> tuple[Command, ...]:
    """One alarm a storm, and its end."""
    if became.storm is not None and was.storm is None:
        devices = ", ".join(sorted(became.storm.members))
        return (CallPerson("storm", Reason.STORM, None, (("devices", devices),)),)
    return (StopCalling("storm"),) if was.storm is not None and became.storm is None else ()


_NOTES: Final[Mapping[Note, Callable[[Watch, Told, Now, StormLimits], Watch]]] = {
    Note.ARRIVED: _arrived,
    Note.DEPARTED: _departed,
    Note.BECAME_UNPAIRED: _became_unpaired,
    Note.PAIRED: _paired,
    Note.TIME_CAME: _time_came,
    Note.RELEASED: _released,
}
_WEIGHS: Final = frozenset({Note.ARRIVED, Note.BECAME_UNPAIRED})
"""An arrival weighs too: it may complete a crowd whose first member is unpaired already."""
