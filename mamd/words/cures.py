"""Says what a person should do about a device: each cure once, the most urgent first."""

from collections.abc import Iterable

from mamd.core.commands import Reason
from mamd.core.facts import Cause, LinkState
from mamd.core.governor import Block
from mamd.core.link import Link
from mamd.core.run import End, RunState
from mamd.desk import Standing
from mamd.ports import MdmCommand
from mamd.words.fill import filled
from mamd.words.said import say


def advice(standing: Standing) -> tuple[str, ...]:
    """What to do, one sentence or two a line; `Nothing` with the reason where there is nothing to do."""
    lines = list(dict.fromkeys(cure_for(cure, standing) for cure in _cures(standing) if cure))
    open_calls = [row for row in standing.calls if row.acknowledged_by is None and not row.is_settled]
    if not lines:
        lines.append(_nothing(standing))
    if open_calls:
        lines.append(f"People are being called about this. To say that you know: mamd ack {_named(standing)}")
    return tuple(lines)


def orphans(standing: Standing) -> tuple[MdmCommand, ...]:
    """Clears that may still be queued although their episode is over."""
    return tuple(one for one in standing.commands if one.state == "orphan")


def _named(standing: Standing) -> str:
    return standing.record.device if standing.record is not None else f"port:{standing.label}"


def _cures(standing: Standing) -> Iterable[str]:
    """Every cure, the most urgent first; who it is comes last, for a cable may be all that is in the way."""
    link, run = standing.situation.link, standing.situation.run
    if standing.blocks and Block.IDENTITY_UNKNOWN not in standing.blocks:
        yield from (say(block).cure for block in standing.blocks)
        return
    is_open = run is not None and run.is_open
    if run is not None and is_open:
        if run.reason is not None:
            yield say(run.reason).cure
        if run.state is RunState.WATCHING and run.told is None:
            yield say(Reason.NOT_TOLD).cure
        if run.reason is not Reason.WOULD_ERASE:
            yield from (say(block).cure for block in run.blocks)
    yield from (say(Reason.ORPHAN).cure for _ in orphans(standing))
    yield from (say(row.call.reason).cure for row in standing.calls if not row.is_settled)
    if link is not None and not is_open:
        yield from _of_link(link, standing)
    yield from (say(block).cure for block in standing.blocks)


def _of_link(link: Link, standing: Standing) -> Iterable[str]:
    if link.is_locked:
        yield from _of_locked(link, standing)
    elif link.state is LinkState.UNPAIRED and link.cause is not None:
        yield say(link.cause).cure
    elif link.state in (LinkState.RECOVERY, LinkState.DFU, LinkState.RESTORING):
        yield say(link.state).cure
    elif link.damped_until is not None and link.state is LinkState.SETTLING:
        yield say(Reason.BAD_CABLE).cure


def _of_locked(link: Link, standing: Standing) -> Iterable[str]:
    """Locked, and nothing is under way: why the last attempt ended, or that there was none."""
    last = standing.runs[0] if standing.runs else None
    is_of_now = last is not None and last.attachment == link.attachment and last.episode == link.episode
    if last is not None and is_of_now and last.end is End.OBSERVED:
        yield say(Block.OBSERVING).cure
    elif not (is_of_now and standing.calls):
        yield say(link.cause or Cause.LOCKED).cure
        yield "No rule acts on it. To have its passcode cleared: mamd start clear-passcode DEVICE"


def _nothing(standing: Standing) -> str:
    run, link = standing.situation.run, standing.situation.link
    if run is not None and run.is_open:
        return "Nothing: leave it attached. It goes on by itself."
    if link is None:
        return "Nothing, unless it is locked: then plug it in."
    return "Nothing."


def cure_for(cure: str, standing: Standing) -> str:
    """The cure with this device's own names in its commands, ready to be typed."""
    run, view = standing.situation.run, standing.view
    names = {
        "DEVICE": standing.record.device if standing.record is not None else None,
        "RUN": run.run if run is not None else None,
        "LABEL": standing.label or None,
        "SCOPE": view.holds[0] if view is not None and view.holds else None,
    }
    return filled(cure, names)
