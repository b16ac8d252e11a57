"""Says what comes next for a device, and when: the next look, the next attempt, the end of a wait."""

from collections.abc import Iterable
from datetime import timedelta, tzinfo

from mamd.core.commands import Reason
from mamd.core.facts import LinkState
from mamd.core.governor import Block
from mamd.core.run import Run, RunState
from mamd.core.time import Now
from mamd.desk import Standing
from mamd.words.cures import orphans
from mamd.words.fill import begun
from mamd.words.moments import at, lasting
from mamd.words.said import say


def coming(standing: Standing, now: Now, zone: tzinfo | None) -> Iterable[str]:
    """What comes next, line by line; never nothing."""
    run = standing.situation.run
    if run is not None and run.is_open:
        yield from _of_run(standing, run, now, zone)
    elif standing.situation.link is None:
        yield "It is looked at as soon as it is plugged in here."
    elif Block.IDENTITY_UNKNOWN in standing.blocks:
        yield "Nothing is done to it until it has shown on this cable who it is."
    elif standing.blocks:
        yield "Nothing is done to it."
    elif standing.situation.link.state is LinkState.PAIRED and not standing.situation.link.is_locked:
        yield "Nothing needs to be done."
    else:
        yield "Nothing is done by itself, unless a rule comes to apply."
    yield from _queued(standing, now, zone)
    yield from _look(standing, now, zone)


def _queued(standing: Standing, now: Now, zone: tzinfo | None) -> Iterable[str]:
    """A clear that nobody waits for any more can still take the next user's passcode off."""
    for command in orphans(standing):
        asked = at(command.asked.wall, now.wall, zone)
        yield (
            f"A clear that was asked for at {asked} may still be queued at {command.mdm}: "
            "its passcode goes whenever the device fetches it."
        )


def due(up: float, now: Now, zone: tzinfo | None) -> str:
    """When a second since boot comes, on a person's clock."""
    left = up - now.up
    if left <= 0:
        return "any moment now"
    return f"at {at(now.wall + timedelta(seconds=left), now.wall, zone)}"


def _look(standing: Standing, now: Now, zone: tzinfo | None) -> Iterable[str]:
    plan = standing.next_look
    if plan is None:
        return
    what = (
        "The next look, on which the next step is decided, comes" if plan.decides else "The next look comes"
    )
    yield f"{what} {due(plan.at, now, zone)}."


def _of_run(standing: Standing, run: Run, now: Now, zone: tzinfo | None) -> Iterable[str]:
    if run.reason is Reason.WOULD_ERASE:
        yield f"{begun(say(run.reason).text)}."
        yield f"In the way: {'; '.join(say(block).short for block in run.blocks)}."
        yield "It stays so until the device pairs, is taken away, or somebody settles it."
        return
    if run.state is RunState.WAITING:
        yield from _waiting(standing, run, now, zone)
    else:
        yield from (_watching if run.state is RunState.WATCHING else _acting)(run, now, zone)


def _watching(run: Run, now: Now, zone: tzinfo | None) -> Iterable[str]:
    left = run.left_s
    if left is None:
        yield f"{begun(say(Reason.NOT_TOLD).text)}; the wait of {lasting(run.doing.wait_s)} has not begun."
        yield from _again("The device is woken again", run, now, zone)
        return
    if run.reason is not None:
        yield f"{begun(say(run.reason).text)}."
        return
    yield (
        f"It is being watched whether that helps: {lasting(run.waited_s)} of {lasting(run.doing.wait_s)} "
        f"have passed, so the wait ends {due(now.up + left, now, zone)} at the earliest. "
        "Only seconds in which it was seen locked count."
    )
    yield f"If it pairs before then, this ends well. If not: {_after(run)}."


def _after(run: Run) -> str:
    following = run.workflow.steps[run.step + 1 :] if run.workflow.is_ladder else ()
    if not following:
        return "a person is called"
    action = following[0].do
    caution = ", which this version reports and does not do" if action.erases else ""
    return f"{say(action).text}{caution}"


def _acting(run: Run, now: Now, zone: tzinfo | None) -> Iterable[str]:
    yield f"{begun(say(run.state).text)}."
    yield from _again("If no answer comes, it is asked again", run, now, zone)


def _which(block: Block, standing: Standing) -> str:
    holds = standing.view.holds if standing.view is not None else ()
    return f": {', '.join(holds)}" if block is Block.HELD and holds else ""


def _waiting(standing: Standing, run: Run, now: Now, zone: tzinfo | None) -> Iterable[str]:
    yield f"Before the next step ({say(run.doing.do).short}) it waits:"
    if run.reason is not None:
        yield f"  {say(run.reason).text}"
    for block in run.blocks:
        yield f"  {say(block).text}{_which(block, standing)}"
    yield from _again("It is tried again", run, now, zone)


def _again(what: str, run: Run, now: Now, zone: tzinfo | None) -> Iterable[str]:
    if run.wake_at is not None:
        yield f"{what} {due(run.wake_at, now, zone)}."
