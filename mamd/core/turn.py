"""
One event's effect on one device: its link, its open run, and the rules.

    event ─▶ link ─▶ open run? ─yes─▶ run ─▶ commands
                         └─no──▶ the first rule that holds opens one

`take` is all that the daemon runs, and all that a replay runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from mamd.core import events as ev
from mamd.core import link as links
from mamd.core.commands import CallPerson, Command, Hold, ReadMdmRecord, Reason, StopCalling
from mamd.core.facts import Cause, Enrollment, Fact, LinkState, Record, Status
from mamd.core.governor import REASON_OF_CAUSE, Block, View, not_ours
from mamd.core.link import Counts, Link, LookPlan
from mamd.core.machine import advance, open_run
from mamd.core.rules import Rule, RuleSet, Standing, Tested, Trigger, first_that_holds, longest_waits
from mamd.core.run import Case, Run, RunState
from mamd.core.time import Now
from mamd.core.workflow import NOTHING, Action, Workflow


@dataclass(frozen=True, slots=True)
class Situation:
    """One device as it stands: where it is attached, and what is being carried out on it."""

    link: Link | None = None
    run: Run | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """
    What an event made of a situation.

    Attributes:
        became: The situation after it.
        commands: What is asked for, once this turn is committed.
        passed_over: Rules that would have held too, behind the one that took the device.
    """

    became: Situation
    commands: tuple[Command, ...] = ()
    passed_over: tuple[str, ...] = ()


def take(was: Situation, event: ev.Event, now: Now, view: View, rules: RuleSet) -> Turn:
    """
    Take one event, and say what becomes of the device's link and run, and what is asked for.

    Pure: the same arguments give the same turn, today, in a test and in a replay.
    Total: every event is welcome in every situation.
    """
    link = _link(was.link, event, now, view)
    case = _case(was, link, now, view, rules)
    calls = _calls(was.link, link, view)
    if was.run is not None and was.run.is_open:
        return _advanced(was.run, link, case, event, calls)
    if isinstance(event, ev.Started):
        return _started(case, event, rules, calls)
    return _by_rule(was, case, rules, calls)


def _advanced(run: Run, link: Link | None, case: Case, event: ev.Event, calls: tuple[Command, ...]) -> Turn:
    """The open run's part. What happens on another cable than its own says nothing about it."""
    if run.attachment is not None and link is not None and link.attachment != run.attachment:
        if isinstance(event, _OF_A_CABLE):
            return Turn(Situation(link, run), calls)
        case = replace(case, link=None, facts=facts_of(None, case.view, case.now), counted_s=0.0)
    ran = advance(case, event)
    return Turn(Situation(link, ran.run), (*calls, *ran.commands))


_OF_A_CABLE: Final = (ev.Attached, ev.Detached, ev.Looked)


# ------------------------------------------------------------------------------ the link


def _link(was: Link | None, event: ev.Event, now: Now, view: View) -> Link | None:
    if was is None:
        return None
    if isinstance(event, ev.Attached):
        return links.again_attached(was, event, now)
    if isinstance(event, ev.Looked):
        return links.looked(was, event, now)
    if isinstance(event, ev.Detached):
        return links.detached(was, event, now)
    return links.time_came(was, now, usbmuxd_up=view.usbmuxd_up)


def _calls(was: Link | None, link: Link | None, view: View) -> tuple[Command, ...]:
    """What a change of the link alone asks for: a person, or the MDM's word before it is needed."""
    if link is None or view.record is None or view.charge_only:
        return ()
    device, commands = view.record.device, []
    is_new_cause = link.cause is not None and (was is None or was.cause is not link.cause)
    if is_new_cause and _concerns_us(view.record):
        assert link.cause is not None
        commands += _call_about(link.cause, device, view)
    if was is not None and was.cause is not None and link.cause is not was.cause:
        commands.append(StopCalling(f"cause/{device}/{was.cause.value}"))
    began = link.is_unpaired and (was is None or not was.is_unpaired or was.episode != link.episode)
    if began and view.record.mdm is not None and _concerns_us(view.record):
        commands.append(ReadMdmRecord(device, view.record.mdm))
    return tuple(commands)


def _call_about(cause: Cause, device: str, view: View) -> list[Command]:
    reason = REASON_OF_CAUSE.get(cause)
    if reason is None:
        return []
    return [CallPerson(f"cause/{device}/{cause.value}", reason, device, (("port", view.port_label),))]


def _concerns_us(record: Record) -> bool:
    """A device of the registry that is in use; nobody is called about anybody else's."""
    return not set(not_ours(View(record=record), None)) & _NOT_IN_USE


_NOT_IN_USE: Final = frozenset(
    {Block.NOT_ACTIVE, Block.PERSONAL, Block.LOST_OR_STOLEN, Block.LEFT_IMPORT, Block.OWNERSHIP_UNKNOWN}
)


# ------------------------------------------------------------------------------- the run


def _case(was: Situation, link: Link | None, now: Now, view: View, rules: RuleSet) -> Case:
    gained = 0.0
    if link is not None and was.link is not None:
        gained = max(0.0, link.counts.locked_s - was.link.counts.locked_s)
    run = was.run if was.run is not None else _blank(link, now, view)
    consent = rules.consent(run.rule) if run.rule is not None else run.mode
    facts = facts_of(link, view, now)
    return Case(run=run, link=link, view=view, now=now, facts=facts, counted_s=gained, consent=consent)


def _blank(link: Link | None, now: Now, view: View) -> Run:
    return Run(
        run=view.next_run,
        device=view.record.device if view.record is not None else "",
        workflow=NOTHING,
        by="",
        opened=now,
        attachment=link.attachment if link is not None else None,
        episode=link.episode if link is not None else 0,
    )


def _started(case: Case, event: ev.Started, rules: RuleSet, calls: tuple[Command, ...]) -> Turn:
    workflow = rules.workflow(event.workflow)
    blank = replace(case, run=_blank(case.link, case.now, case.view))
    if workflow is None or case.view.record is None:
        return Turn(Situation(case.link, None), calls)
    ran = open_run(None, workflow, blank, by=event.by, rule_set=rules.hash)
    return Turn(Situation(case.link, ran.run), (*calls, *ran.commands))


def _by_rule(was: Situation, case: Case, rules: RuleSet, calls: tuple[Command, ...]) -> Turn:
    """The first rule that holds takes the device, if the device is ours."""
    link, view = case.link, case.view
    blocks = set(not_ours(view, link))
    if link is None or not blocks <= {Block.IDENTITY_UNKNOWN}:
        return Turn(Situation(link, was.run), calls)
    rule, tested = first_that_holds(rules, standing(link, case.now), case.facts, fired=link.fired)
    workflow = rules.workflow(rule.run) if rule is not None else None
    if rule is None or workflow is None or (blocks and not _is_harmless(workflow)):
        return Turn(Situation(link, was.run), calls)
    over = _limit_reached(rule, view)
    if over is not None:
        return Turn(Situation(link, was.run), (*calls, *over))
    fired = replace(link, fired=(*link.fired, rule.name))
    blank = replace(case, link=fired, run=_blank(fired, case.now, view))
    ran = open_run(rule, workflow, blank, by=rule.name, rule_set=rules.hash)
    passed = tuple(one.rule for one in tested if one.holds and one.rule != rule.name)
    return Turn(Situation(fired, ran.run), (*calls, *ran.commands), passed)


def _is_harmless(workflow: Workflow) -> bool:
    """It only asks and calls: so much may be done about a device that cannot say who it is."""
    return all(step.do in (Action.CALL_A_PERSON, Action.MDM_REFRESH) for step in workflow.steps)


def _limit_reached(rule: Rule, view: View) -> tuple[Command, ...] | None:
    """One run a day more than the rule allows is a hold and a call, not a run."""
    ran = dict(view.runs_today).get(rule.name, 0)
    if rule.per_day is None or ran < rule.per_day:
        return None
    if f"rule:{rule.name}" in view.holds:
        return ()
    reason = f"rule {rule.name} has run {ran} times within a day; its limit is {rule.per_day}"
    call = CallPerson(f"rule/{rule.name}/limit", Reason.LIMIT_REACHED, None, (("rule", rule.name),))
    return (Hold(f"rule:{rule.name}", reason), call)


def standing(link: Link, now: Now) -> Standing:
    """How long each trigger has lasted for an attached device, in observed seconds."""
    if link.state is LinkState.GONE:
        return Standing(((Trigger.DETACHED, 0.0),))
    counts = link.counts
    lasted = [(Trigger.ATTACHED, counts.docked_s)]
    if link.state is LinkState.PAIRED:
        lasted.append((Trigger.PAIRED, counts.paired_s))
    if link.is_unpaired and link.cause is not Cause.HIDDEN:
        lasted.append((Trigger.UNPAIRED, counts.unpaired_s))
    if link.cause in (Cause.HIDDEN, Cause.NO_ANSWER):
        lasted.append((Trigger.SILENT, now.since(link.since) or 0.0))
    if link.state is LinkState.RECOVERY:
        lasted.append((Trigger.RECOVERY, now.since(link.since) or 0.0))
    return Standing(tuple(lasted))


def plan(was: Situation, now: Now, view: View, rules: RuleSet, *, asked: bool = False) -> LookPlan | None:
    """
    The next look at a device; None if there is none to be had.

    A Pair request is allowed only for a device that is ours (promise 1).

    Args:
        asked: It is to be looked at now (`LookNow`), so a Pair request need not be due.
    """
    link = was.link
    if link is None or view.charge_only:
        return None
    trigger = Trigger.PAIRED if link.state is LinkState.PAIRED else Trigger.UNPAIRED
    left = was.run.left_s if was.run is not None else None
    planned = links.next_look(link, now, waits_s=longest_waits(rules, trigger), run_left_s=left)
    if planned is None:
        return None
    # A device that usbmuxd does not list cannot be looked at, however soon that would be wanted.
    soon = _pair_after_acceptance(was, planned) if link.listed else None
    may_pair = (soon is not None or planned.pair or asked) and not not_ours(view, link)
    at = min(planned.at, soon) if soon is not None else planned.at
    return replace(
        planned, at=now.up if asked else at, decides=planned.decides and at == planned.at, pair=may_pair
    )


PAIR_AFTER_S: Final = 5.0
"""A clear often works within seconds, and without a record only a Pair request shows it."""


def _pair_after_acceptance(was: Situation, planned: LookPlan) -> float | None:
    """When the one Pair that a wait begins with is due, if no Pair has gone out since; else None."""
    run, link = was.run, was.link
    if run is None or run.state is not RunState.WATCHING or run.accepted is None or link is None:
        return None
    due = run.accepted.up + PAIR_AFTER_S
    is_ahead = link.last is not None and link.last.up < due
    return due if is_ahead and link.is_unpaired and not link.silent else None


# --------------------------------------------------------------------------------- facts


def facts_of(link: Link | None, view: View, now: Now) -> Mapping[str, Fact]:
    """Everything that a condition can ask about, each with its source and time."""
    facts = dict(_of_registry(view))
    facts.update(_of_cable(link, view) if link is not None else {})
    facts.update(_of_mdm(view, now))
    facts["time"] = Fact(view.minutes, "clock", now)
    return facts


def _of_registry(view: View) -> Mapping[str, Fact]:
    record = view.record
    if record is None:
        return {}
    reason = record.retired_reason
    if reason is None and record.status in (Status.ACTIVE, Status.PENDING):
        reason = ""
    values = {
        "status": record.status.value if record.status is not None else None,
        "retired_reason": reason,
        "ownership": record.ownership.value,
        "name": record.name,
        "serial": record.ids.serial,
        "home": record.home,
        "mdm": record.mdm,
    }
    facts = {word: Fact(value, "registry") for word, value in values.items()}
    facts["labels"] = Fact(record.labels, "registry")
    facts["custody"] = Fact(record.custody.value, "custody")
    facts.update({f"attribute.{name}": Fact(value, "registry") for name, value in record.attributes})
    return facts


def _of_cable(link: Link, view: View) -> Mapping[str, Fact]:
    seen, at = link.seen, link.seen.at
    is_known_locked = True if link.is_unpaired and link.is_locked else None
    return {
        "link": Fact(link.state.value, "cable", link.since),
        "cause": Fact(_cause(link), "cable", link.since),
        "locked": Fact(seen.locked if link.state is LinkState.PAIRED else is_known_locked, "cable", at),
        "docked_for": Fact(link.counts.docked_s, "cable", at),
        "port": Fact(view.port_label or link.attachment.port, "cable"),
        "launchpad": Fact(view.launchpad or None, "cable"),
        "launchpad_labels": Fact(view.launchpad_labels, "cable"),
        "battery": Fact(seen.battery_percent, "cable", at),
        "os_version": Fact(seen.os_version, "cable", at),
        "model": Fact(seen.product_type, "cable", at),
    }


def _cause(link: Link) -> str | None:
    if not link.is_unpaired:
        return ""
    return link.cause.value if link.cause is not None else None


def _of_mdm(view: View, now: Now) -> Mapping[str, Fact]:
    word = view.mdm
    if word is None:
        return {}
    values = {
        "passcode_set": word.passcode_set,
        "lost_mode": word.lost_mode,
        "token": word.has_token,
        "enrolled": word.enrollment is Enrollment.ENROLLED if word.enrollment is not None else None,
        "last_contact": now.since(word.last_contact),
    }
    return {name: Fact(value, "mdm", word.at) for name, value in values.items()}


# ---------------------------------------------------------------------------------- news


def is_news(was: Situation, turn: Turn) -> bool:
    """False for a look that changes nothing but a count: that is no turn."""
    return bool(turn.commands) or _without_counts(was) != _without_counts(turn.became)


def _without_counts(one: Situation) -> Situation:
    link = one.link
    if link is not None:
        link = replace(
            link,
            counts=Counts(),
            said=None,
            last=None,
            looks=0,
            pair_sent=None,
            silent=0,
            seen=replace(link.seen, battery_percent=None, at=None),
        )
    run = replace(one.run, waited_s=0.0) if one.run is not None else None
    return Situation(link, run)


def explain(link: Link, view: View, now: Now, rules: RuleSet) -> tuple[tuple[Block, ...], tuple[Tested, ...]]:
    """Why a device is not ours, if so, and what each rule says of it now."""
    _, tested = first_that_holds(rules, standing(link, now), facts_of(link, view, now))
    return not_ours(view, link), tested
