"""Says rules in words again, so that a person sees what was understood, and what is asked besides."""

from collections.abc import Iterator
from typing import Final

from mamd.core.conditions import WORDS, Condition, Kind, Op, Scalar
from mamd.core.rules import Rule, RuleSet
from mamd.core.workflow import Step, Workflow

ALWAYS: Final = (
    "always: ours by the registry, active or retired, not lost or stolen, corporate or shared; "
    "seen by its own names on this cable; its MDM says nothing against it"
)
"""The conditions that are built in. A rule narrows them; none can widen them."""


def describe(rules: RuleSet) -> str:
    """Every rule with its workflow, in the order in which they take devices."""
    return "\n".join(line for rule in rules.rules for line in describe_rule(rule, rules))


def describe_rule(rule: Rule, rules: RuleSet) -> Iterator[str]:
    """One rule, a line each for when, if, what is built in, and what runs."""
    yield f"rule {rule.name} ({rule.mode.value}){f', {rule.where}' if rule.where else ''}"
    yield f"  when {' or '.join(_when(one.device.value, one.for_s) for one in rule.when)}"
    if rule.for_mdm is not None:
        yield f"  for devices of the MDM {rule.for_mdm}"
    yield f"  if {_all(rule.conditions) if rule.conditions else 'every device'}"
    yield f"  {ALWAYS}"
    if rule.per_day is not None:
        yield f"  at most {rule.per_day} a day; one more is a hold, and a call"
    workflow = rules.workflow(rule.run)
    if workflow is not None:
        yield from (f"  {line}" for line in describe_workflow(workflow))


def describe_workflow(workflow: Workflow) -> Iterator[str]:
    """A workflow's steps, one line each."""
    how = "the next only if this was in vain" if workflow.is_ladder else "the next only if this worked"
    yield f"run {workflow.name} ({how})"
    for number, step in enumerate(workflow.steps, 1):
        yield f"  {number}. {_step(step)}"


def say_condition(condition: Condition) -> str:
    """One condition as a file would say it, in words."""
    values = [_value(condition.word, value) for value in condition.values]
    match condition.op:
        case Op.IS:
            return f"{condition.word} is {values[0]}"
        case Op.IS_NOT:
            return f"{condition.word} is not {' or '.join(values)}"
        case Op.IN:
            return f"{condition.word} is {' or '.join(values)}"
        case Op.BETWEEN:
            if values[0] == values[1]:
                return f"{condition.word} is {values[0]}"
            return f"{condition.word} is between {values[0]} and {values[1]}"
        case _:
            return f"{condition.word} {condition.op.value.replace('_', ' ')} {values[0]}"


def say_seconds(seconds: float) -> str:
    """A length of time in the largest unit that leaves no rest."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def _when(device: str, for_s: float) -> str:
    return f"{device} for {say_seconds(for_s)}" if for_s else device


def _all(conditions: tuple[Condition, ...]) -> str:
    return ", ".join(say_condition(one) for one in conditions)


def _step(step: Step) -> str:
    said = step.do.value
    if step.needs:
        said += f" once {_all(step.needs)}"
    if step.until:
        said += f", until {_all(step.until)}, for {say_seconds(step.wait_s)} at most"
    return said + (" (optional)" if step.optional else "")


def _value(word: str, value: Scalar) -> str:
    kind = WORDS[word].kind if word in WORDS else Kind.TEXT
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value or "none"
    if kind is Kind.WINDOW:
        return f"{int(value) // 60:02}:{int(value) % 60:02}"
    return f"{value:g} %" if kind is Kind.PERCENT else say_seconds(value)
