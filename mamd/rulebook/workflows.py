"""Reads workflows: their steps, how patiently, and what may not stand in which kind."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mamd.config import forms
from mamd.config.forms import Form
from mamd.config.mistakes import Mistakes, Place, shown
from mamd.config.strict_yaml import Broken, Fields, Items, Leaf, Node
from mamd.core.conditions import Condition
from mamd.core.workflow import Action, IfImpossible, Kind, OnFailure, Step, Workflow
from mamd.rulebook import never
from mamd.rulebook.conditions import read_conditions

MOST_STEPS: Final = 20
_OUTCOME: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_MAY_SAY: Final = (
    "device.name", "device.serial", "device.home", "port.label", "launchpad.name", "person.name",
)  # fmt: skip
_NEEDS_A_PROOF: Final = frozenset(one for one in Action if one.clears or one.erases)


@dataclass(frozen=True, slots=True)
class Written:
    """A step with its place, for what is judged once all steps are known."""

    step: Step
    places: Mapping[str, Place]
    place: Place


def read_workflow(form: Form, mistakes: Mistakes) -> Workflow | None:
    """One workflow; None (with the mistakes noted) where anything in it is wrong."""
    before = len(mistakes)
    name = form.need("workflow", forms.name, "give it a name: 'workflow: clear-passcode'")
    kind = form.need("kind", forms.member(Kind), f"say what it is for: {', '.join(k.value for k in Kind)}")
    about = form.need("about", forms.text, "say in a sentence what it does")
    form.refuse("pre_enrollment", "'pre_enrollment' is not in this version yet", "put its steps first")
    is_ladder = _is_ladder(form, mistakes)
    steps = _read_steps(form, "ladder" if is_ladder else "steps", mistakes)
    on_failure = _on_failure(form, steps, mistakes)
    _judge(form, kind, is_ladder, steps, mistakes)
    form.close()
    if name is None or kind is None or about is None or len(mistakes) > before:
        return None
    return Workflow(name, kind, about.strip(), tuple(one.step for one in steps), is_ladder, on_failure)


def _is_ladder(form: Form, mistakes: Mistakes) -> bool:
    has_ladder, has_steps = "ladder" in form, "steps" in form
    if has_ladder and has_steps:
        mistakes.add(
            form.at("steps"),
            f"'steps' and 'ladder' at once (the ladder is on line {form.at('ladder').line})",
            "keep one: a ladder goes on when a rung was in vain, steps go on when a step worked",
        )
        form.node("steps")
    elif not has_ladder and not has_steps:
        mistakes.add(form.place, "neither 'ladder' nor 'steps'", "write one of the two: what is to be done")
        form.node("steps")
    return has_ladder or not has_steps


def _read_steps(form: Form, key: str, mistakes: Mistakes) -> tuple[Written, ...]:
    node = form.node(key)
    if node is None:
        return ()
    if not isinstance(node, Items) or not node.items:
        cure = "write each as '- do: mdm.clear_passcode'"
        forms.wrong_kind(node, mistakes, f"'{key}' has no list of steps", cure)
        return ()
    if len(node.items) > MOST_STEPS:
        place = node.items[MOST_STEPS].place
        mistakes.add(place, f"more than {MOST_STEPS} steps", "make two workflows of it")
    _judge_order(node, mistakes)
    read = [_read_step(one, key, mistakes) for one in node.items]
    return tuple(one for one in read if one is not None)


# ------------------------------------------------------------------------------------------ one step


def _read_step(node: Node, key: str, mistakes: Mistakes) -> Written | None:
    form = forms.form(node, mistakes, "write a step as '- do: mdm.clear_passcode'")
    if form is None:
        return None
    action = form.need("do", _action, "say what it does: 'do: mdm.clear_passcode'")
    step = Step(
        do=action or Action.CALL_A_PERSON,
        needs=_conditions(form, "needs", mistakes),
        until=_conditions(form, "until", mistakes),
        wait_s=form.read("wait", _wait) or 0.0,
        outcome=form.read("outcome", _outcome) or "",
        if_impossible=form.read("if_impossible", forms.member(IfImpossible)) or IfImpossible.CALL_A_PERSON,
        optional=form.read("optional", forms.yes_no) or False,
        texts=form.read("with", _texts) or (),
    )
    places = {word: form.at(word) for word in _STEP_WORDS if word in form}
    form.close()
    written = Written(step, places, form.place)
    if action is not None:
        _judge_step(written, key, mistakes)
    return written if action is not None else None


def _action(node: Node, mistakes: Mistakes) -> Action | None:
    found = node if isinstance(node, Leaf) else None
    word = found.text.replace("-", "_") if found is not None else ""
    if word in {one.value for one in Action}:
        return Action(word)
    if found is not None and word in LATER:
        mistakes.add(node.place, f"{shown(found.text)} is not in this version yet", LATER[word])
        return None
    return forms.member(Action)(node, mistakes)


def _conditions(form: Form, key: str, mistakes: Mistakes) -> tuple[Condition, ...]:
    node = form.node(key)
    if node is None:
        return ()
    found = read_conditions(node, mistakes)
    if isinstance(node, Fields) and not node.pairs:
        mistakes.add(form.at(key), f"'{key}' asks for nothing", "write a condition, or take it out")
    words = never.clash(found)
    if words:
        what = f"'{key}' can never be met ({', '.join(words)})"
        mistakes.add(form.at(key), what, "take out what contradicts the rest")
    return found


def _wait(node: Node, mistakes: Mistakes) -> float | None:
    found = forms.duration(node, mistakes)
    if found is not None and found < 1.0:
        mistakes.add(node.place, "a wait of less than a second", "give the device time: 'wait: 5 min'")
    return found


def _outcome(node: Node, mistakes: Mistakes) -> str | None:
    found = forms.text(node, mistakes)
    if found is not None and not _OUTCOME.fullmatch(found):
        cure = "write one word in small letters, such as unlocked"
        mistakes.add(node.place, f"{shown(found)} is no outcome", cure)
        return None
    return found


def _texts(node: Node, mistakes: Mistakes) -> tuple[tuple[str, str], ...] | None:
    if not isinstance(node, Fields):
        cure = "write it as {note: Bring it to the desk}"
        forms.wrong_kind(node, mistakes, "'with' is a mapping of texts", cure)
        return None
    read = [(key.text, forms.text(value, mistakes), value) for key, value in node.pairs]
    for _, text, value in read:
        _check_fillings(text or "", value, mistakes)
    return tuple((name, text) for name, text, _ in read if text is not None)


def _check_fillings(text: str, node: Node, mistakes: Mistakes) -> None:
    for name in re.findall(r"\{([^{}]*)\}", text):
        if name not in _MAY_SAY:
            cure = f"a text may name {', '.join(f'{{{one}}}' for one in _MAY_SAY)}"
            mistakes.add(node.place, f"{shown('{' + name + '}')} cannot be filled in", cure)


def _judge_step(written: Written, key: str, mistakes: Mistakes) -> None:
    step, places = written.step, written.places
    do = step.do.value

    def wrong(at: str, what: str, cure: str) -> None:
        mistakes.add(places.get(at, written.place), what, cure)

    if step.do in _NEEDS_A_PROOF:
        if "until" not in places:
            cure = "say what proves that it worked: 'until: {link: paired, locked: false}'"
            wrong("do", f"{do} without 'until'", cure)
        if "wait" not in places:
            wrong("do", f"{do} without 'wait'", "say how long to wait for the proof: 'wait: 5 min'")
    else:
        for word in ("until", "wait", "outcome"):
            if word in places:
                wrong(word, f"'{word}' at {do}, which is done at once", "take it out")
    if "if_impossible" in places and not step.do.clears:
        wrong("if_impossible", f"'if_impossible' at {do}", "take it out: it belongs to mdm.clear_passcode")
    if "with" in places and step.do is not Action.CALL_A_PERSON:
        wrong("with", f"'with' at {do}, which takes nothing", "take it out")
    if "optional" in places and key == "ladder":
        wrong("optional", "'optional' in a ladder", "take it out: a ladder goes on when a rung was in vain")


# ---------------------------------------------------------------------------------- all steps together


def _judge_order(node: Items, mistakes: Mistakes) -> None:
    """An MDM that has deleted a device can no longer clear it."""
    steps = [item for item in node.items if isinstance(item, Fields)]
    written = [value for step in steps for key, value in step.pairs if key.text == "do"]
    words = [one.text.replace("-", "_") if isinstance(one, Leaf) else "" for one in written]
    if "mdm.delete_device" in words and "mdm.clear_passcode" in words[words.index("mdm.delete_device") :]:
        place = written[words.index("mdm.delete_device")].place
        cure = "clear first: a deleted device cannot be cleared"
        mistakes.add(place, "mdm.delete_device before mdm.clear_passcode", cure)


def _judge(
    form: Form, kind: Kind | None, is_ladder: bool, steps: tuple[Written, ...], mistakes: Mistakes
) -> None:
    if kind is Kind.RESCUE and not is_ladder:
        cure = "write its steps under 'ladder', from the gentlest to the harshest"
        mistakes.add(form.at("steps"), "a rescue with 'steps'", cure)
    for number, one in enumerate(steps):
        if kind is Kind.OVER_THE_AIR:
            _judge_over_the_air(one, mistakes)
        if one.step.do.erases:
            _judge_erase(kind, steps[:number], one, mistakes)
    _judge_last(steps, is_ladder, mistakes)


def _judge_over_the_air(one: Written, mistakes: Mistakes) -> None:
    do = one.step.do
    if not do.value.startswith("mdm.") and do is not Action.CALL_A_PERSON:
        cure = "make it a rescue, or take the step out: over the air there is mdm.… and call_a_person"
        mistakes.add(one.places["do"], f"{do.value} does not go over the air", cure)


def _judge_erase(kind: Kind | None, before: tuple[Written, ...], one: Written, mistakes: Mistakes) -> None:
    if kind is Kind.RESCUE and not any(step.step.do.clears for step in before):
        what = "an erase as the first step" if not before else "an erase with no clear before it"
        cure = "put mdm.clear_passcode with its wait before it: an erase is the last resort"
        mistakes.add(one.places["do"], what, cure)
    elif kind not in (Kind.RESCUE, Kind.PREPARE, Kind.OVER_THE_AIR) and not before:
        cure = "put something gentler before it, or make it 'kind: prepare'"
        mistakes.add(one.places["do"], "an erase as the first step", cure)


def _judge_last(steps: tuple[Written, ...], is_ladder: bool, mistakes: Mistakes) -> None:
    for number, one in enumerate(steps):
        if one.step.if_impossible is not IfImpossible.NEXT:
            continue
        if not is_ladder or number + 1 == len(steps):
            what = "'if_impossible: next' where no next rung follows"
            mistakes.add(one.places["if_impossible"], what, "write 'if_impossible: call_a_person'")


def _on_failure(form: Form, steps: tuple[Written, ...], mistakes: Mistakes) -> OnFailure:
    node = form.node("on_failure")
    if node is None or isinstance(node, Broken):
        return OnFailure()
    inner = forms.form(node, mistakes, "write it as {call: on_duty}")
    if inner is None:
        return OnFailure()
    inner.refuse("run", "'run' is not in this version yet", "write {call: on_duty}")
    call = inner.read("call", forms.one_of(("on_duty", "none")))
    retry = inner.read("retry", forms.whole(0, 10)) or 0
    harsh = [one.step.do.value for one in steps if one.step.do in _NEEDS_A_PROOF]
    if retry and harsh:
        cure = "take 'retry' out: a step that clears or erases is never tried again by itself"
        mistakes.add(inner.at("retry"), f"'retry' would repeat {harsh[0]}", cure)
    inner.close()
    return OnFailure(call=None if call == "none" else "on_duty", retry=retry)


# ------------------------------------------------------------------------------------------ tables

_STEP_WORDS: Final = ("do", "needs", "until", "wait", "outcome", "if_impossible", "optional", "with")

_LATER: Final[tuple[tuple[str, str, str], ...]] = (
    ("mdm", "erase return_to_service", "use recovery.erase_and_update"),
    (
        "mdm",
        "delete_device install_profile remove_profile install_passcode_policy remove_passcode_policy "
        "set_wallpaper lost_mode_on lost_mode_off update_os restart",
        "use call_a_person and let them do it at the MDM",
    ),
    ("mdm", "security_info", "use mdm.refresh"),
    ("recovery", "enter leave", "use call_a_person"),
    ("device", "clear_passcode", "use mdm.clear_passcode"),
    ("device", "erase", "use recovery.erase_and_update"),
    (
        "device",
        "pair set_up set_name install_profile remove_profile install_app restart shutdown read",
        "use call_a_person",
    ),
    ("port", "power_cycle light", "use call_a_person"),
    ("custody", "check_out check_in", "use call_a_person"),
    ("registry", "set certify_erasure", "use call_a_person"),
)
LATER: Final[Mapping[str, str]] = {
    **{f"{room}.{name}": cure for room, names, cure in _LATER for name in names.split()},
    "notify": "use call_a_person",
    "webhook": "use call_a_person, and name a webhook under people in mamd.yaml",
}
"""Actions that the language knows and this version has not built, each with what to use instead."""
