"""
Answers `mamd why`: what happened to a device, by which rule, on which facts, what comes next and
when, and what a person should do. Written to be read by a tired technician at night.

    heading · How it stands · Why · What was done · What comes next · What you should do
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo

from mamd.core.facts import Enrollment, Fact, LinkState
from mamd.core.governor import View
from mamd.core.link import Link, is_damped
from mamd.core.run import Run
from mamd.core.time import Now
from mamd.core.turn import facts_of
from mamd.desk import Standing
from mamd.words import cures, nexts
from mamd.words.facts import met, ruling
from mamd.words.fill import begun
from mamd.words.moments import ago, at
from mamd.words.said import say
from mamd.words.story import begun_by, told


def why(standing: Standing, now: Now, *, zone: tzinfo | None = None) -> tuple[str, ...]:
    """
    The whole answer, one line each; a line that begins with blanks belongs to the one above it.

    Args:
        zone: The Launchpad's time zone; None is that of this host.
    """
    if standing.record is None:
        return _of_port(standing)
    return (
        heading(standing),
        *_section("How it stands", _stands(standing, now, zone)),
        *_section("Why", _reasons(standing, now)),
        *_section("What was done", _done(standing, now.wall, zone)),
        *_section("What comes next", nexts.coming(standing, now, zone)),
        *_section("What you should do", cures.advice(standing)),
    )


def heading(standing: Standing) -> str:
    """The device by all names that a person may know, and where it is."""
    record = standing.record
    assert record is not None, "only a device of the registry has a heading"
    serial = (f"serial {record.ids.serial}",) if record.ids.serial else ()
    ours = (record.device,) if record.called() != record.device else ()
    names = ", ".join((*ours, *(one for one in serial if record.called() not in one)))
    where = f", on port {standing.label}" if standing.port is not None else ", not attached here"
    return f"{record.called()}{f' ({names})' if names else ''}{where}"


def _section(title: str, lines: Iterable[str]) -> tuple[str, ...]:
    said = tuple(f"  {line}" for line in lines)
    return ("", title, *said) if said else ()


def _of_port(standing: Standing) -> tuple[str, ...]:
    """A stranger's device is there; that is all that is said of it, for nothing is kept."""
    if standing.charge_only:
        return (f"Port {standing.label} only charges: what is plugged in there is never talked to.",)
    if standing.is_stranger:
        return (
            f"Port {standing.label}: a device that is not in the registry.",
            "  It is left alone: nothing is asked of it, and nothing about it is kept.",
            "  If it is ours, add it to the devices file; it is then looked at by itself.",
        )
    return (f"Port {standing.label} is empty.",)


# ------------------------------------------------------------------------------ how it stands


def _stands(standing: Standing, now: Now, zone: tzinfo | None) -> Iterable[str]:
    if standing.charge_only:
        yield "This port only charges: what is on it is never talked to."
    link = standing.situation.link
    if link is not None and not standing.charge_only:
        yield from _cable(link, now, zone)
    yield _registry(standing)
    if standing.view is not None or standing.enrolled is not None:
        yield from _mdm(standing, now, zone)


def _cable(link: Link, now: Now, zone: tzinfo | None) -> Iterable[str]:
    since = f"since {at(link.since.wall, now.wall, zone)}"
    if is_damped(link, now):
        yield (
            f"It comes and goes: plugged in several times within a minute, last at {since[6:]}. "
            "Nothing is concluded until it has stayed quiet for a minute."
        )
    elif link.state is LinkState.UNPAIRED and link.cause is not None:
        yield f"It does not pair, {since}: {say(link.cause).text}."
    elif link.state is LinkState.PAIRED and link.seen.locked:
        yield f"It pairs, {since}, but it is locked with a passcode now."
    else:
        yield f"{begun(say(link.state).text)}, {since}."
    if link.seen.at is not None:
        yield f"Last looked at {ago(link.seen.at, now)}."


def _registry(standing: Standing) -> str:
    record = standing.record
    assert record is not None
    status = say(record.status).text if record.status is not None else "no status"
    reason = f" ({record.retired_reason})" if record.retired_reason else ""
    mdm = f"managed by {record.mdm}" if record.mdm else "no MDM named"
    whose, where = say(record.ownership).short, say(record.custody).text
    return f"In the registry: {status}{reason}, {whose}, {where}, {mdm}."


def _mdm(standing: Standing, now: Now, zone: tzinfo | None) -> Iterable[str]:
    view = standing.view
    word = view.mdm if view is not None else None
    if word is not None:
        enrolled = "enrolled" if word.enrollment is Enrollment.ENROLLED else "not enrolled"
        heard = f", last heard by it {ago(word.last_contact, now)}" if word.last_contact is not None else ""
        token = {True: ", unlock token held", False: ", no unlock token held", None: ""}[word.has_token]
        yield f"Its MDM says ({ago(word.at, now)}): {enrolled}{heard}{token}."
    elif standing.enrolled is not None and standing.enrolled.last_contact is not None:
        yield f"Its MDM last heard it at {at(standing.enrolled.last_contact, now.wall, zone)}."


# --------------------------------------------------------------------------------------- why


def _reasons(standing: Standing, now: Now) -> Iterable[str]:
    """The rule that took it and what it found, or why none did."""
    if standing.blocks:
        yield f"mamd does not act on it: {'; '.join(say(block).text for block in standing.blocks)}."
    facts = _facts(standing.situation.link, standing.view, now)
    run = _told_run(standing)
    if run is not None:
        yield from _taken(run, standing, facts, now)
    if not standing.blocks and standing.situation.link is not None and (run is None or not run.is_open):
        yield from _rulings(standing, facts)


def _taken(run: Run, standing: Standing, facts: Mapping[str, Fact], now: Now) -> Iterable[str]:
    verb = "began" if run.is_open else "had begun"
    yield f"{begun(begun_by(run))} {verb} {run.workflow.name} {ago(run.opened, now)}."
    if run.is_open and run.workflow.about:
        yield f"What that is for: {run.workflow.about}"
    tested = next((one for one in standing.tested if one.rule == run.rule), None)
    if run.is_open and tested is not None and tested.conditions:
        yield f"It asked about: {met(tested, facts)}."


def _rulings(standing: Standing, facts: Mapping[str, Fact]) -> Iterable[str]:
    """What each rule makes of it; of a device that is well, only that."""
    link = standing.situation.link
    is_well = link is not None and link.state is LinkState.PAIRED and link.seen.locked is False
    if is_well and not any(one.holds for one in standing.tested):
        yield "It pairs and is not locked, so no rule has anything to do."
        return
    for one in standing.tested:
        fired = standing.situation.link is not None and one.rule in standing.situation.link.fired
        if fired:
            yield f"Rule {one.rule} has had its one turn since the device came to stand so."
        else:
            yield f"Rule {one.rule} {ruling(one, facts)}."
    if not standing.tested:
        yield "No rule speaks of it."


def _facts(link: Link | None, view: View | None, now: Now) -> Mapping[str, Fact]:
    return facts_of(link, view, now) if view is not None else {}


def _told_run(standing: Standing) -> Run | None:
    """The run to tell of: the open one, else the newest."""
    open_run = standing.situation.run
    if open_run is not None and open_run.is_open:
        return open_run
    return standing.runs[0] if standing.runs else open_run


def _done(standing: Standing, now: datetime, zone: tzinfo | None) -> Iterable[str]:
    run = _told_run(standing)
    if run is None:
        return
    for past in run.past:
        yield told(past, run, now, zone)
    for earlier in standing.runs[1:3] if standing.runs and run is standing.runs[0] else standing.runs[:2]:
        if earlier.run != run.run and earlier.closed is not None:
            end = say(earlier.end).text if earlier.end is not None else "it has ended"
            yield f"{at(earlier.closed.wall, now, zone)}  before that, {earlier.workflow.name} ended: {end}"
