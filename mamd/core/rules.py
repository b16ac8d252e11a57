"""
When does which workflow run: rules, and the first of them that holds.

A rule stands, it does not flash: it fires at the first moment when its trigger has lasted
long enough and every condition is met, facts that come late included; and once an episode.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from mamd.core.conditions import Condition
from mamd.core.facts import Fact
from mamd.core.workflow import Workflow


class Mode(Enum):
    """How far a rule may go, from the most careful to the boldest. The most careful of all wins."""

    OFF = "off"
    OBSERVE = "observe"
    APPROVE = "approve"
    AUTO = "auto"


_BOLDNESS = {Mode.OFF: 0, Mode.OBSERVE: 1, Mode.APPROVE: 2, Mode.AUTO: 3}


def most_careful(*modes: Mode) -> Mode:
    """Of all modes that apply, the most careful."""
    return min(modes, key=lambda mode: _BOLDNESS[mode])


class Trigger(Enum):
    """What a rule waits for."""

    ATTACHED = "attached"
    DETACHED = "detached"
    PAIRED = "paired"
    UNPAIRED = "unpaired"
    RECOVERY = "recovery"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class When:
    """A trigger, and how many observed seconds it must last."""

    device: Trigger
    for_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Rule:
    """
    One rule of a site.

    Attributes:
        where: FILE:LINE, for people.
        conditions: All must hold. Empty only with `every_device`.
        per_day: One more run a day than that is a hold and a call.
    """

    name: str
    because: str
    when: tuple[When, ...]
    conditions: tuple[Condition, ...]
    run: str
    mode: Mode = Mode.AUTO
    every_device: bool = False
    per_day: int | None = None
    where: str = ""
    for_mdm: str | None = None
    """Set on the rule that stands for an MDM's switch `clear_passcode_when_not_pairing`."""


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules in their order, the workflows that they name, and the hash they are known by."""

    rules: tuple[Rule, ...] = ()
    workflows: tuple[Workflow, ...] = ()
    hash: str = ""

    def consent(self, rule: str) -> Mode:
        """How far that rule may go by the text of now; a rule that is gone consents to nothing."""
        return next((one.mode for one in self.rules if one.name == rule), Mode.OFF)

    def workflow(self, name: str) -> Workflow | None:
        """The workflow of that name, if there is one."""
        return next((one for one in self.workflows if one.name == name), None)


@dataclass(frozen=True, slots=True)
class Tested:
    """One rule held against one device: which conditions held, which not, which cannot be told."""

    rule: str
    lasted: bool
    conditions: tuple[tuple[str, bool | None], ...] = ()

    @property
    def holds(self) -> bool:
        """The rule would take the device."""
        return self.lasted and all(held is True for _, held in self.conditions)


@dataclass(frozen=True, slots=True)
class Standing:
    """How long each trigger has lasted for one device, in observed seconds; absent: not at all."""

    lasted_s: tuple[tuple[Trigger, float], ...] = ()

    def of(self, trigger: Trigger) -> float | None:
        """Seconds, or None where the trigger does not stand."""
        return next((seconds for one, seconds in self.lasted_s if one is trigger), None)


def test_rule(rule: Rule, standing: Standing, facts: Mapping[str, Fact]) -> Tested:
    """Hold one rule against one device, keeping what each condition said."""
    lasted = any(
        (seconds := standing.of(when.device)) is not None and seconds >= when.for_s for when in rule.when
    )
    mdm = facts.get("mdm")
    is_meant = rule.for_mdm is None or (mdm is not None and mdm.value == rule.for_mdm)
    return Tested(
        rule=rule.name,
        lasted=lasted and is_meant,
        conditions=tuple((condition.word, condition.holds(facts)) for condition in rule.conditions),
    )


def first_that_holds(
    rules: RuleSet, standing: Standing, facts: Mapping[str, Fact], *, fired: tuple[str, ...] = ()
) -> tuple[Rule | None, tuple[Tested, ...]]:
    """
    The rule that takes the device, and what every rule said of it.

    A rule that fired already in this episode does not fire again; nor does a later one take
    the device because of that. A rule with mode off takes nothing.
    """
    tested = tuple(test_rule(rule, standing, facts) for rule in rules.rules)
    for rule, test in zip(rules.rules, tested, strict=True):
        if rule.mode is Mode.OFF or not test.holds:
            continue
        return (None if rule.name in fired else rule), tested
    return None, tested


def longest_waits(rules: RuleSet, trigger: Trigger) -> tuple[float, ...]:
    """The different `for` times that some rule waits for, shortest first."""
    return tuple(
        sorted(
            {
                when.for_s
                for rule in rules.rules
                if rule.mode is not Mode.OFF
                for when in rule.when
                if when.device is trigger
            }
        )
    )
