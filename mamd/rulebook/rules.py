"""Reads rules: when, on which conditions, which workflow, and how far it may go."""

from dataclasses import dataclass, replace
from typing import Final

from mamd.config import forms
from mamd.config.forms import Form
from mamd.config.mistakes import Mistakes, Place, nearest, shown
from mamd.config.strict_yaml import Broken, Fields, Items, Leaf, Node
from mamd.core.conditions import Condition
from mamd.core.rules import Mode, Rule, Trigger, When
from mamd.core.workflow import Workflow
from mamd.rulebook import never
from mamd.rulebook.conditions import read_conditions

LEAST_BEFORE_A_CLEAR_S: Final = 5.0
EVERY_DEVICE: Final = "every_device"


@dataclass(frozen=True, slots=True)
class WrittenRule:
    """
    A rule as it was written, with the places of what can only be judged beside its workflow.

    `mode` is None where none was written.
    """

    rule: Rule
    mode: Mode | None
    place: Place
    run_at: Place
    when_at: tuple[Place, ...]


def read_rule(form: Form, mistakes: Mistakes) -> WrittenRule | None:
    """One rule, its mistakes noted; None where not even its workflow can be told."""
    name = form.need("rule", forms.name, "give it a name: 'rule: not-pairing'")
    because = form.read("because", forms.text)
    mode = form.read("mode", forms.member(Mode))
    when = _when(form, mistakes)
    conditions, is_for_all = _if(form, when, mistakes)
    run = form.need("run", forms.name, "name the workflow to run: 'run: clear-passcode'")
    per_day = _limit(form, mistakes)
    form.close()
    if run is None:
        return None
    # With a mistake no rule set comes of it, but what it says beside its workflow is judged, too.
    rule = Rule(
        name=name or "",
        because=(because or "").strip(),
        when=tuple(one for one, _ in when),
        conditions=conditions,
        run=run,
        every_device=is_for_all,
        per_day=per_day,
        where=f"{form.place.file}:{form.place.line}",
    )
    return WrittenRule(rule, mode, form.at("rule"), form.at("run"), tuple(place for _, place in when))


# ---------------------------------------------------------------------------------------------- when


def _when(form: Form, mistakes: Mistakes) -> tuple[tuple[When, Place], ...]:
    node = form.node("when")
    if node is None:
        cure = "say when it applies: 'when: {device: unpaired, for: 5s}'"
        mistakes.add(form.place, "'when' is missing", cure)
        return ()
    if isinstance(node, Items) and not node.items:
        mistakes.add(node.place, "'when' is an empty list", "write {device: unpaired, for: 5s}")
    read = [_one_when(one, mistakes) for one in forms.items(node)]
    return tuple(one for one in read if one is not None)


def _one_when(node: Node, mistakes: Mistakes) -> tuple[When, Place] | None:
    form = forms.form(node, mistakes, "write it as {device: unpaired, for: 5s}")
    if form is None:
        return None
    is_later = False
    for key, cure in _LATER_KEYS:
        is_later = is_later or key in form
        form.refuse(key, f"'when: {{{key}: …}}' is not in this version yet", cure)
    read_device = forms.member(Trigger, _LATER_DEVICES)
    device = form.read("device", read_device)
    if "device" not in form and not is_later:
        mistakes.add(form.place, "'device' is missing", f"write 'device:' with one of {_TRIGGERS}")
    for_s = form.read("for", forms.duration)
    form.close()
    if device is Trigger.DETACHED and for_s:
        mistakes.add(
            form.at("for"), "'for' of a device that has gone", "take it out: nobody observes it any more"
        )
    place = form.at("for") if "for" in form else form.place
    return None if device is None else (When(device, for_s or 0.0), place)


# ------------------------------------------------------------------------------------------------ if


def _if(
    form: Form, when: tuple[tuple[When, Place], ...], mistakes: Mistakes
) -> tuple[tuple[Condition, ...], bool]:
    node = form.node("if")
    if node is None or (isinstance(node, Fields) and not node.pairs):
        what = "a rule without 'if'" if node is None else "an empty 'if'"
        cure = "say which devices: 'if: {status: active, cause: locked}', or 'if: {every_device: true}'"
        mistakes.add(form.at("if"), what, cure)
        return (), False
    if isinstance(node, Fields) and any(_is_every(key) for key, _ in node.pairs):
        return (), _every_device(node, mistakes)
    conditions = read_conditions(node, mistakes)
    if isinstance(node, Fields):
        _judge_if(node, conditions, tuple(one.device for one, _ in when), mistakes)
    return conditions, False


def _is_every(key: Leaf) -> bool:
    return key.text.replace("-", "_") == EVERY_DEVICE


def _every_device(node: Fields, mistakes: Mistakes) -> bool:
    (at, value), *others = sorted(node.pairs, key=lambda pair: not _is_every(pair[0]))
    if others:
        mistakes.add(at.place, "'every_device' beside conditions", "take it out, or take the conditions out")
    is_every = forms.yes_no(value, mistakes)
    if is_every is False:
        mistakes.add(value.place, "'every_device: false' is no device at all", "write the conditions instead")
    return bool(is_every)


def _judge_if(
    node: Fields, conditions: tuple[Condition, ...], triggers: tuple[Trigger, ...], mistakes: Mistakes
) -> None:
    words = never.clash(conditions, triggers or tuple(Trigger))
    what, cure = "contradict one another", "change or take out one of them"
    if words == never.clash(conditions) == ():
        words = never.clash((*conditions, *never.BUILT_IN))
        what = "shut out every device that mamd may touch"
        cure = "it touches active or retired ones, corporate or shared, never personal, lost or stolen ones"
    elif words and not never.clash(conditions):
        what, cure = "never hold at this 'when'", "change 'when', or take the condition out"
    if not words:
        return
    named = [key for key, _ in node.pairs if key.text.replace("-", "_") in words]
    place = named[0].place if named else node.place
    mistakes.add(place, f"this rule can never match: its conditions on {_and(named)} {what}", cure)


def _and(keys: list[Leaf]) -> str:
    return " and ".join(shown(key.text) for key in keys)


def _limit(form: Form, mistakes: Mistakes) -> int | None:
    node = form.node("limit")
    if node is None or isinstance(node, Broken):
        return None
    inner = forms.form(node, mistakes, "write it as {per_day: 10}")
    if inner is None:
        return None
    per_day = inner.need("per_day", forms.whole(1, 100_000), "write it as {per_day: 10}")
    inner.close()
    return per_day


# ----------------------------------------------------------------------------- beside its workflow


def complete(written: WrittenRule, workflows: dict[str, Workflow], mistakes: Mistakes) -> Rule | None:
    """The rule with its mode, once its workflow is known; None where the two do not go together."""
    workflow = workflows.get(written.rule.run)
    if workflow is None:
        cure = nearest(written.rule.run, workflows) if workflows else _NO_WORKFLOW
        mistakes.add(written.run_at, f"there is no workflow {shown(written.rule.run)}", cure)
        return None
    is_right = _is_patient(written, workflow, mistakes)
    mode = written.mode or (Mode.OBSERVE if workflow.can_erase else Mode.AUTO)
    return replace(written.rule, mode=mode) if is_right else None


def _is_patient(written: WrittenRule, workflow: Workflow, mistakes: Mistakes) -> bool:
    if not workflow.is_harsh:
        return True
    does = "clears" if any(step.do.clears for step in workflow.steps) else "erases"
    before = len(mistakes)
    for when, place in zip(written.rule.when, written.when_at, strict=True):
        if when.device is Trigger.DETACHED:
            cure = "use another 'when': clearing and erasing need the device on this cable"
            mistakes.add(place, f"{shown(workflow.name)} {does}, and a detached device is out of reach", cure)
        elif when.for_s < LEAST_BEFORE_A_CLEAR_S:
            cure = "write 'for: 5s' or more: shorter, it could be one bad moment"
            mistakes.add(place, f"{shown(workflow.name)} {does} after less than 5 s", cure)
    return len(mistakes) == before


_NO_WORKFLOW: Final = "write a file with 'workflow: NAME', and let 'workflows' in mamd.yaml name it"
_TRIGGERS: Final = ", ".join(one.value for one in Trigger)
_LATER_KEYS: Final = (
    ("person", "start it by hand with 'mamd start WORKFLOW DEVICE'"),
    ("battery", "use {device: attached, for: 5 min} with 'if: {battery: {at_most: 15 %}}'"),
    ("schedule", "use {device: attached, for: 5 min} with 'if: {time: 03:00-03:30}'"),
    ("each", "it belongs to 'schedule'"),
    ("webhook", "start it by hand with 'mamd start WORKFLOW DEVICE'"),
)
_LATER_DEVICES: Final = (
    ("fresh", "use 'device: attached'"),
    ("returned", "use 'device: paired'"),
    ("overdue", "start it by hand with 'mamd start WORKFLOW DEVICE'"),
)
