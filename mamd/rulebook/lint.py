"""
Warns of what loads and is probably not meant: what reliability and safety have taught others.

A warning is a Mistake with its place and cure; `mamd check --strict` takes it for one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from mamd.config import Settings
from mamd.config.mistakes import Mistake, Mistakes, Place, nearest, shown
from mamd.core.conditions import Condition, Op
from mamd.core.rules import Mode, Rule, RuleSet, Trigger
from mamd.core.workflow import Action, IfImpossible, Workflow
from mamd.rulebook import never

SHORTEST_WAIT_S: Final = 300.0
Places = Mapping[tuple[str, str], Place]


@dataclass(frozen=True, slots=True)
class Site:
    """What the rules are held against besides themselves: the names in mamd.yaml."""

    mdms: tuple[str, ...] = ()
    launchpad: str = ""
    switched_mdms: tuple[str, ...] = ()
    """MDMs whose `clear_passcode_when_not_pairing` is on."""

    @classmethod
    def of(cls, settings: Settings) -> "Site":
        """What the settings say to rules."""
        names = tuple(mdm.name for mdm in settings.mdms)
        return cls(names, settings.launchpad.name, settings.switched_mdms)


def lint(rules: RuleSet, places: Places, site: Site | None = None) -> tuple[Mistake, ...]:
    """Every warning, by file, line and column."""
    found = Mistakes()
    for rule in rules.rules:
        place = places[("rule", rule.name)]
        for what, cure in (*_of_rule(rule, rules, site), *_of_names(rule, site)):
            found.add(place, f"rule {rule.name}: {what}", cure)
    for later, earlier in _passed_over(rules):
        what = f"rule {later.name}: passed over where rule {earlier.name} ({earlier.where}) holds too"
        cure = (
            "that may be meant, the first one takes the device; else let their conditions exclude each other"
        )
        found.add(places[("rule", later.name)], what, cure)
    for workflow in rules.workflows:
        for what, cure in _of_workflow(workflow, rules, site):
            found.add(places[("workflow", workflow.name)], f"workflow {workflow.name}: {what}", cure)
    return found.in_order()


def _of_rule(rule: Rule, rules: RuleSet, site: Site | None) -> Iterator[tuple[str, str]]:
    workflow = rules.workflow(rule.run)
    assert workflow is not None, "a rule without its workflow does not load"
    if not rule.because:
        yield "it does not say why", "add 'because:' with a sentence for whoever reads this at night"
    if rule.mode is Mode.OFF:
        yield "its mode is off, so it takes no device", "write 'mode: observe' to see what it would do"
    words = {condition.word for condition in rule.conditions}
    if workflow.can_erase and "status" not in words:
        yield "it can reach an erase, and asks for no status", "add 'status: [active, retired]', or narrower"
    is_unpaired = any(when.device is Trigger.UNPAIRED for when in rule.when)
    if rule.mode is Mode.OBSERVE and is_unpaired and site is not None and site.switched_mdms:
        cure = "write 'mode: off' here until you trust it, or turn the switch off"
        yield "it observes, and so keeps 'clear_passcode_when_not_pairing' from its devices", cure
    if workflow.is_harsh and is_unpaired and "cause" not in words and "locked" not in words:
        yield "it does not ask for the cause", "add 'cause: locked': no other is ever cleared or erased"


def _of_names(rule: Rule, site: Site | None) -> Iterator[tuple[str, str]]:
    if site is None:
        return
    for condition in rule.conditions:
        if condition.word == "mdm" and condition.op in (Op.IS, Op.IN, Op.IS_NOT):
            for name in condition.values:
                if name and name not in site.mdms:
                    yield f"there is no MDM {shown(str(name))} in mamd.yaml", nearest(str(name), site.mdms)


def _passed_over(rules: RuleSet) -> Iterator[tuple[Rule, Rule]]:
    """Each rule with the first earlier one that can take a device from it."""
    on = [rule for rule in rules.rules if rule.mode is not Mode.OFF]
    for number, later in enumerate(on):
        first = next((earlier for earlier in on[:number] if _can_both_hold(earlier, later)), None)
        if first is not None:
            yield later, first


def _can_both_hold(one: Rule, other: Rule) -> bool:
    mine, theirs = _triggers(one), _triggers(other)
    # Whatever else stands, an attached device is attached, too.
    both = mine & theirs
    if Trigger.ATTACHED in mine:
        both |= theirs - {Trigger.DETACHED}
    if Trigger.ATTACHED in theirs:
        both |= mine - {Trigger.DETACHED}
    if {Trigger.UNPAIRED, Trigger.SILENT} <= mine | theirs:
        both |= {Trigger.SILENT}
    return bool(both) and not never.clash(_contested(one, other, both), both)


def _contested(one: Rule, other: Rule, both: set[Trigger]) -> tuple[Condition, ...]:
    """
    The conditions on which two rules could part. Each rule by itself can be met, so what they
    have in common, or what only one of them asks for, parts nobody.
    """
    mine, theirs = set(one.conditions), set(other.conditions)
    apart = {condition.word for condition in mine ^ theirs}
    parting = {word for word in apart if word in never.TOGETHER or (_asks(one, word) and _asks(other, word))}
    parting |= never.TOGETHER if parting & never.TOGETHER or both != _triggers(one) else set()
    return tuple(condition for condition in mine | theirs if condition.word in parting)


def _asks(rule: Rule, word: str) -> bool:
    return any(condition.word == word for condition in rule.conditions)


def _triggers(rule: Rule) -> set[Trigger]:
    return {when.device for when in rule.when}


def _of_workflow(workflow: Workflow, rules: RuleSet, site: Site | None) -> Iterator[tuple[str, str]]:
    is_switch = workflow.name == "clear-passcode" and (site is None or bool(site.switched_mdms))
    if not is_switch and all(rule.run != workflow.name for rule in rules.rules):
        yield "no rule runs it", "that may be meant: a person can ('mamd start'); else take it away"
    for step, after in zip(workflow.steps, (*workflow.steps[1:], None), strict=True):
        is_before_erase = after is not None and after.do.erases and workflow.is_ladder
        if step.do.clears and is_before_erase and step.wait_s < SHORTEST_WAIT_S:
            yield f"it erases {_minutes(step.wait_s)} after the clear", "write 'wait: 5 min' or more there"
        if step.do.clears and step.if_impossible is IfImpossible.NEXT and is_before_erase:
            yield (
                "a device that certainly cannot be cleared goes to the erase without the wait",
                "that may be meant; else write 'if_impossible: call_a_person'",
            )
    last = workflow.steps[-1]
    if workflow.is_ladder and workflow.is_harsh and workflow.on_failure.call is None:
        yield "nobody is told when it fails", "write 'on_failure: {call: on_duty}'"
    if workflow.can_erase and last.do is Action.MDM_CLEAR_PASSCODE:
        yield "it clears after an erase, which has cleared already", "take the last step out"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"
