"""The ports of the shelf as tiles: what stands there, how it is, and what a person should know first."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from mamd.core.commands import Reason
from mamd.core.facts import Cause, LinkState
from mamd.core.governor import Block
from mamd.core.link import Link, is_damped
from mamd.core.run import End, Run, RunState
from mamd.core.time import Now
from mamd.desk import Standing
from mamd.web.markup import Markup, element, join
from mamd.words import ago, begun, cure_for, running, say


class Mood(Enum):
    """How a tile looks. Each has a sign and a word of its own: colour says nothing that they do not."""

    WELL = "well"
    WORK = "work"
    PERSON = "person"
    ALONE = "alone"
    QUIET = "quiet"
    EMPTY = "empty"


_SIGNS: Final = {
    Mood.WELL: ("✓", "ready"),
    Mood.WORK: ("↻", "mamd is on it"),
    Mood.PERSON: ("!", "needs a person"),
    Mood.ALONE: ("○", "left alone"),
    Mood.QUIET: ("…", "being looked at"),
    Mood.EMPTY: ("", "empty"),
}


@dataclass(frozen=True, slots=True)
class Tile:
    """What one tile says."""

    mood: Mood
    state: str
    more: str = ""
    cure: str = ""


def tile(one: Standing, now: Now) -> Markup:
    """One port: its label as printed, who is on it, how it stands, and its run's clock."""
    told = read(one, now)
    sign, word = _SIGNS[told.mood]
    return element(
        "li",
        element(
            "div",
            element("span", one.label, class_="label"),
            " ",
            element(
                "span", element("span", sign, aria_hidden="true"), f" {word}" if sign else word, class_="sign"
            ),
            class_="top",
        ),
        _who(one),
        element("p", begun(told.state), class_="state") if told.state else None,
        _clock(one.situation.run),
        element("p", told.more, class_="more") if told.more else None,
        element("p", cure_for(told.cure, one), class_="cure") if told.cure else None,
        class_=f"tile {told.mood.value}",
    )


def _who(one: Standing) -> Markup | None:
    if one.record is None:
        return None
    record = one.record
    small = record.device if record.called() != record.device else ""
    name = element("b", record.called())
    return element("p", name, " ", element("small", small) if small else None, class_="who")


def read(one: Standing, now: Now) -> Tile:
    """What a port's standing comes to; the first that is true is told."""
    link, run = one.situation.link, one.situation.run
    if one.charge_only:
        return Tile(Mood.EMPTY, "", "This port only charges; nothing on it is talked to.")
    if one.record is None:
        stranger = Tile(Mood.ALONE, "a device that is not ours", "Nothing about it is kept.")
        return stranger if one.is_stranger else Tile(Mood.EMPTY, "")
    if link is None or link.state is LinkState.GONE:
        return Tile(Mood.EMPTY, "")
    if one.blocks and not _is_only_unknown(one.blocks, link):
        return _left_alone(one.blocks, link)
    if run is not None and run.is_open:
        return _under_way(run, link)
    return _by_link(one, link, now)


def _is_only_unknown(blocks: tuple[Block, ...], link: Link) -> bool:
    """All that is in the way is that it cannot say who it is; the cable's cause is what helps then."""
    return blocks == (Block.IDENTITY_UNKNOWN,) and not link.is_locked


def _left_alone(blocks: tuple[Block, ...], link: Link) -> Tile:
    first = say(blocks[0])
    mood = Mood.QUIET if blocks[0] is Block.IDENTITY_UNKNOWN and link.looks < 3 else Mood.ALONE
    return Tile(mood, _link_words(link), f"{begun(first.text)}.", first.cure)


def _under_way(run: Run, link: Link) -> Tile:
    state = _link_words(link)
    if run.reason is not None:
        said = say(run.reason)
        return Tile(Mood.PERSON, state, f"{begun(said.text)}.", said.cure)
    if run.state is RunState.WATCHING and run.told is None:
        said = say(Reason.NOT_TOLD)
        return Tile(Mood.WORK, state, f"{begun(said.text)}; it is tried again.")
    if run.blocks:
        said = say(run.blocks[0])
        mood = Mood.WORK if run.blocks[0] in _BY_ITSELF else Mood.PERSON
        return Tile(mood, state, f"{begun(said.text)}.", said.cure)
    doing = {
        RunState.ACTING: "The MDM is being asked.",
        RunState.WATCHING: "The clear is on its way; watching whether it pairs.",
    }
    return Tile(Mood.WORK, state, doing.get(run.state, "Waiting for the next step."))


_BY_ITSELF: Final = frozenset({Block.MDM_UNREAD, Block.NOT_LOCKED, Block.NEEDS, Block.HOST_FAULT})


def _by_link(one: Standing, link: Link, now: Now) -> Tile:
    if is_damped(link, now):
        said = say(Reason.BAD_CABLE)
        return Tile(Mood.PERSON, "comes and goes", "", said.cure)
    if link.state is LinkState.PAIRED:
        return _paired(one, link, now)
    called = next((row.call.reason for row in one.calls if not row.is_settled), None)
    if called is not None and link.is_locked:
        return Tile(Mood.PERSON, _link_words(link), f"{begun(say(called).text)}.", say(called).cure)
    if link.cause is not None:
        said = say(link.cause)
        mood = Mood.QUIET if link.cause in (Cause.HOST_FAULT, Cause.UNKNOWN) else Mood.PERSON
        return Tile(mood, said.short, _observed(one), said.cure)
    if link.state is LinkState.UNPAIRED or link.state is LinkState.SETTLING:
        return Tile(Mood.QUIET, say(link.state).short)
    said = say(link.state)
    return Tile(Mood.PERSON, said.short, "", said.cure)


def _observed(one: Standing) -> str:
    newest = one.runs[0] if one.runs else None
    return f"{begun(say(newest.end).text)}." if newest is not None and newest.end is End.OBSERVED else ""


def _paired(one: Standing, link: Link, now: Now) -> Tile:
    newest = one.runs[0] if one.runs else None
    more = ""
    if newest is not None and newest.closed is not None and newest.end is End.PROVEN:
        how = say(newest.proof).short if newest.proof is not None else newest.outcome
        more = f"{begun(how)} {ago(newest.closed, now)}."
    if any(command.state == "orphan" for command in one.commands):
        return Tile(Mood.PERSON, "paired", f"{begun(say(Reason.ORPHAN).text)}.", say(Reason.ORPHAN).cure)
    if link.seen.locked:
        return Tile(Mood.PERSON, "paired, but locked now", more, say(Cause.LOCKED).cure)
    return Tile(Mood.WELL, "paired", more)


def _link_words(link: Link) -> str:
    if link.state is LinkState.UNPAIRED and link.cause is not None:
        return f"not pairing: {say(link.cause).short}"
    if link.state is LinkState.PAIRED and link.seen.locked:
        return "paired, but locked now"
    return say(link.state).short


def _clock(run: Run | None) -> Markup | None:
    """How much of its wait a run has had, in words and as a bar."""
    if run is None or run.left_s is None or run.doing.wait_s <= 0:
        return None
    text = f"waited {running(run.waited_s)} of {running(run.doing.wait_s)}"
    bar = element(
        "progress",
        value=f"{min(run.waited_s, run.doing.wait_s):.0f}",
        max=f"{run.doing.wait_s:.0f}",
        aria_label=text,
    )
    return element("div", element("span", text, class_="waited"), bar, class_="clock")


MOODS: Final = (
    (Mood.PERSON, "needing a person"),
    (Mood.WORK, "under way"),
    (Mood.QUIET, "being looked at"),
    (Mood.ALONE, "left alone"),
    (Mood.WELL, "ready"),
)
"""Every mood that a device can be in, with its word for several."""


def shelf(ports: tuple[Standing, ...], now: Now) -> Markup:
    """All ports in the order of the shelf."""
    return element("ul", join(tile(one, now) for one in ports), class_="shelf")
