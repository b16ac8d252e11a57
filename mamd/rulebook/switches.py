"""
The switch `clear_passcode_when_not_pairing` of an MDM, as a last rule for that MDM's devices.

It runs the shipped workflow `clear-passcode`, which is also here, so that the switch works
where a site keeps no workflow files at all.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from mamd.core.conditions import Condition, Op
from mamd.core.rules import Mode, Rule, RuleSet, Trigger, When
from mamd.core.workflow import Action, Kind, Step, Workflow
from mamd.rulebook.digest import sealed

CLEAR_PASSCODE: Final = Workflow(
    name="clear-passcode",
    kind=Kind.RESCUE,
    about=(
        "Take the passcode off over the air, and watch for five minutes whether the device pairs. "
        "It never erases; if the clear was in vain, a person is called."
    ),
    steps=(
        Step(
            do=Action.MDM_CLEAR_PASSCODE,
            until=(Condition("link", Op.IS, ("paired",)), Condition("locked", Op.IS, (False,))),
            wait_s=300.0,
            outcome="unlocked",
        ),
    ),
)
"""What workflows/clear-passcode.yaml says."""


def with_switches(rules: RuleSet, mdms: Iterable[str]) -> RuleSet:
    """
    The rule set with one more rule, at its end, for each MDM whose switch is on.

    It neither needs nor stops others: a site's own rules come first. A site's own workflow
    `clear-passcode` is taken in place of the shipped one; it must not erase (`load_all` sees to it,
    and adds the switches of its `site` itself). A switch that is there already is not added again.
    """
    there = {rule.for_mdm for rule in rules.rules}
    names = tuple(name for name in mdms if name not in there)
    if not names:
        return rules
    workflow = rules.workflow(CLEAR_PASSCODE.name) or CLEAR_PASSCODE
    assert not workflow.can_erase, "the switch is promised never to erase"
    others = tuple(one for one in rules.workflows if one.name != workflow.name)
    switches = tuple(_switch(name) for name in names)
    added = replace(rules, rules=(*rules.rules, *switches), workflows=(*others, workflow))
    return sealed(replace(added, workflows=tuple(sorted(added.workflows, key=lambda one: one.name))))


def _switch(mdm: str) -> Rule:
    return Rule(
        # No rule that a person names can have a slash.
        name=f"clear-passcode-when-not-pairing/{mdm}",
        because=f"The switch of the MDM {mdm} is on.",
        when=(When(Trigger.UNPAIRED, 5.0),),
        conditions=(Condition("cause", Op.IS, ("locked",)),),
        run=CLEAR_PASSCODE.name,
        mode=Mode.AUTO,
        where="mamd.yaml",
        for_mdm=mdm,
    )
