"""
Reads rule files and workflow files into one RuleSet, or says everything that is wrong with them.

    files ─▶ nodes with places ─▶ workflows, rules ─▶ each rule beside its workflow ─▶ RuleSet

A file holds rules, workflows or both: what begins with `rule:` is a rule. Folders are read in
name order, files from top to bottom, and in that order rules take devices.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from mamd.config import forms
from mamd.config.files import read_yaml_file
from mamd.config.mistakes import Mistake, Mistakes, Place, shown
from mamd.config.strict_yaml import Broken, Node, read_yaml
from mamd.core.rules import Rule, RuleSet
from mamd.core.workflow import Workflow
from mamd.rulebook.digest import sealed
from mamd.rulebook.lint import Site, lint
from mamd.rulebook.rules import WrittenRule, complete, read_rule
from mamd.rulebook.switches import CLEAR_PASSCODE, with_switches
from mamd.rulebook.workflows import read_workflow


class Loaded(NamedTuple):
    """What came of loading. `rules` is None if there is any mistake: the last good set goes on."""

    rules: RuleSet | None
    mistakes: tuple[Mistake, ...]
    warnings: tuple[Mistake, ...]


@dataclass(slots=True)
class _Pile:
    """What has been read so far, in its order."""

    mistakes: Mistakes = field(default_factory=Mistakes)
    rules: list[WrittenRule] = field(default_factory=list)
    workflows: dict[str, Workflow] = field(default_factory=dict)
    places: dict[tuple[str, str], Place] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    """Names of workflows with mistakes in them: a rule that runs one has not made another."""


def load_all(paths: Iterable[Path | str], site: Site | None = None) -> Loaded:
    """
    The rule set of these files and folders. Raises nothing; loading twice gives the same.

    Args:
        site: What mamd.yaml says: names of MDMs to check, and whose switch adds a last rule.
            None: no names are checked, and there are no switches.
    """
    pile = _Pile()
    files = [file for path in paths for file in _files(Path(path), pile.mistakes)]
    # Rules and workflows may share a folder, which is then named twice.
    for file in {file.absolute(): file for file in files}.values():
        _take_document(read_yaml_file(file, pile.mistakes), pile)
    return _finish(pile, site)


def load_text(data: bytes, file: str, site: Site | None = None) -> Loaded:
    """The same of one text, such as a file that an editor has not saved."""
    pile = _Pile()
    _take_document(read_yaml(data, file, pile.mistakes), pile)
    return _finish(pile, site)


def _files(path: Path, mistakes: Mistakes) -> Sequence[Path]:
    if not os.path.isdir(path):
        return (path,)
    try:
        names = sorted(path.iterdir(), key=lambda one: one.name)
    except OSError as error:
        cure = "give mamd the right to read it"
        mistakes.add(Place(str(path)), f"the folder cannot be read ({error.strerror})", cure)
        return ()
    return [one for one in names if one.suffix in (".yaml", ".yml") and not one.name.startswith(".")]


def _take_document(node: Node | None, pile: _Pile) -> None:
    for entry in forms.items(node) if node is not None else ():
        _take_entry(entry, pile)


def _take_entry(node: Node, pile: _Pile) -> None:
    form = forms.form(node, pile.mistakes, "begin it with 'rule: NAME' or 'workflow: NAME'")
    if form is None:
        return
    if "workflow" in form and "rule" not in form:
        _take_workflow(form, pile)
    elif "rule" in form and "workflow" not in form:
        _take_rule(form, pile)
    elif "rule" in form:
        cure = "make two entries of them; a rule names its workflow with 'run:'"
        pile.mistakes.add(form.at("workflow"), "a rule and a workflow in one", cure)
    elif not isinstance(node, Broken):
        cure = "begin it with 'rule: NAME' or 'workflow: NAME'"
        pile.mistakes.add(form.place, "neither a rule nor a workflow", cure)


def _take_workflow(form: forms.Form, pile: _Pile) -> None:
    place, name = form.at("workflow"), form.read("workflow", forms.name)
    workflow = read_workflow(form, pile.mistakes)
    is_first = _is_first("workflow", name, place, pile)
    if workflow is not None and is_first:
        pile.workflows[workflow.name] = workflow
    elif workflow is None and name is not None:
        pile.broken.add(name)


def _take_rule(form: forms.Form, pile: _Pile) -> None:
    place, name = form.at("rule"), form.read("rule", forms.name)
    written = read_rule(form, pile.mistakes)
    if _is_first("rule", name, place, pile) and written is not None:
        pile.rules.append(written)


def _is_first(kind: str, name: str | None, place: Place, pile: _Pile) -> bool:
    if name is None:
        return False
    first = pile.places.setdefault((kind, name), place)
    if first is not place:
        what = f"the {kind} {shown(name)} is there already ({first.file}:{first.line})"
        pile.mistakes.add(place, what, "give one of the two another name")
    return first is place


def _finish(pile: _Pile, site: Site | None) -> Loaded:
    rules: list[Rule] = []
    for written in pile.rules:
        # A workflow with mistakes is no mistake of the rule that runs it.
        if written.rule.run in pile.broken:
            continue
        rule = complete(written, pile.workflows, pile.mistakes)
        if rule is not None:
            rules.append(rule)
    _judge_switch(pile, site)
    if pile.mistakes:
        return Loaded(None, pile.mistakes.in_order(), ())
    loaded = RuleSet(tuple(rules), tuple(sorted(pile.workflows.values(), key=lambda one: one.name)))
    switched = with_switches(loaded, site.switched_mdms if site is not None else ())
    return Loaded(sealed(switched), (), lint(loaded, pile.places, site))


def _judge_switch(pile: _Pile, site: Site | None) -> None:
    """The switch of an MDM is promised never to erase, whatever a site writes under its name."""
    shipped = pile.workflows.get(CLEAR_PASSCODE.name)
    if site is not None and site.switched_mdms and shipped is not None and shipped.can_erase:
        cure = (
            "give it another name: 'clear_passcode_when_not_pairing' in mamd.yaml runs it, and never erases"
        )
        pile.mistakes.add(pile.places[("workflow", shipped.name)], f"{shipped.name} erases", cure)
