"""The language of rules and workflows, as its pages tell it."""

from pathlib import Path

import pytest

from mamd.core.conditions import WORDS, Condition, Op
from mamd.core.facts import Fact
from mamd.core.rules import Mode, Rule, RuleSet, Trigger, When
from mamd.core.workflow import Action, IfImpossible, Kind
from mamd.rulebook import Loaded, Site, describe, hash_of, load_all, load_text
from mamd.rulebook.conditions import ways_to_compare
from mamd.rulebook.switches import CLEAR_PASSCODE, with_switches

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = [ROOT / "rules", ROOT / "workflows"]
WORKFLOWS = """
- workflow: gentle
  kind: rescue
  about: Clear it.
  ladder: [{do: mdm.clear_passcode, until: {link: paired, locked: false}, wait: 5 min}]
- workflow: harsh
  kind: rescue
  about: Clear it, then erase it.
  ladder:
    - {do: mdm.clear_passcode, until: {link: paired, locked: false}, wait: 5 min}
    - {do: recovery.erase_and_update, until: {erased: true}, wait: 60 min}
"""


def _load(rules: str, site: Site | None = None) -> Loaded:
    return load_text((WORKFLOWS + rules).encode(), "some.yaml", site)


def _rules(rules: str) -> RuleSet:
    loaded = _load(rules)
    assert loaded.rules is not None, [str(mistake) for mistake in loaded.mistakes]
    return loaded.rules


def _rule(conditions: str, run: str = "gentle", when: str = "{device: unpaired, for: 5s}") -> Rule:
    text = f"- rule: it\n  because: so\n  when: {when}\n  if: {conditions}\n  run: {run}\n"
    return _rules(text).rules[0]


def test_the_shipped_files_load() -> None:
    """What ships loads, and the main job is found in it, only observing."""
    loaded = load_all(SHIPPED)
    assert loaded.mistakes == ()
    assert loaded.rules is not None
    by_name = {rule.name: rule for rule in loaded.rules.rules}
    main = by_name["not-pairing"]
    assert main.mode is Mode.OBSERVE
    assert main.when == (When(Trigger.UNPAIRED, 5.0),)
    assert main.run == "clear-passcode-then-erase"
    assert by_name["locked-on-the-dock"].mode is Mode.OFF
    ladder = loaded.rules.workflow(main.run)
    assert ladder is not None
    assert ladder.kind is Kind.RESCUE
    assert [step.do for step in ladder.steps] == [Action.MDM_CLEAR_PASSCODE, Action.RECOVERY_ERASE_AND_UPDATE]
    assert [step.wait_s for step in ladder.steps] == [300.0, 3600.0]
    assert ladder.steps[1].needs == (Condition("docked_for", Op.AT_LEAST, (900.0,)),)
    assert ladder.steps[0].if_impossible is IfImpossible.CALL_A_PERSON


def test_the_switch_runs_what_the_shipped_file_says() -> None:
    """The switch does the same whether a site keeps the shipped workflow file or not."""
    loaded = load_all([ROOT / "workflows" / "clear-passcode.yaml"])
    assert loaded.rules is not None
    assert loaded.rules.workflow("clear-passcode") == CLEAR_PASSCODE


@pytest.mark.parametrize(
    ("written", "word", "value", "holds"),
    [
        ("{status: active}", "status", "active", True),
        ("{status: [active, retired]}", "status", "retired", True),
        ("{cause: locked}", "cause", "never_unlocked", True),
        ("{cause: trust-pending}", "cause", "trust_pending", True),
        ("{retired_reason: none, status: active}", "retired_reason", "", True),
        ("{retired_reason: {is_not: expired}}", "retired_reason", None, None),
        ("{name: 'none'}", "name", "", False),
        ("{labels: floor-3}", "labels", ("ward", "Floor-3"), True),
        ("{labels: none}", "labels", (), True),
        ("{labels: none}", "labels", ("ward",), False),
        ("{labels: {is_not: none}}", "labels", ("ward",), True),
        ("{launchpad: {starts-with: WARD}}", "launchpad", "ward-3", True),
        ("{docked_for: {at_least: 15 min}}", "docked_for", 899.0, False),
        ("{docked_for: {at_least: 15 min}}", "docked_for", 900.0, True),
        ("{battery: {at_most: 15 %}}", "battery", 15.0, True),
        ("{os_version: {at_least: '9.3'}}", "os_version", "17.0", True),
        ("{os_version: '17'}", "os_version", "17.0", True),
        ("{os_version: '17'}", "os_version", "17.1", False),
        ("{time: 22:00-05:00}", "time", 60.0, True),
        ("{time: 22:00-05:00}", "time", 720.0, False),
        ("{last_contact: {older_than: 2 d}}", "last_contact", 172_801.0, True),
        ("{supervised: true}", "supervised", True, True),
        ("{attribute.Room: '12'}", "attribute.Room", "12", True),
        ("{link: {is_not: [recovery, dfu]}}", "link", "unpaired", True),
    ],
)
def test_a_condition_means_what_it_says(written: str, word: str, value: str, holds: bool | None) -> None:
    """Each way to write a condition is taken as the page on rules tells it."""
    conditions = {one.word: one for one in _rule(written).conditions}
    assert conditions[word].holds({word: Fact(value, "registry")}) is holds


def test_a_rule_that_can_erase_observes_until_it_is_told_otherwise() -> None:
    """Nobody's device is erased because a line was forgotten."""
    assert _rule("{status: active}", "harsh").mode is Mode.OBSERVE
    assert _rule("{status: active}", "gentle").mode is Mode.AUTO


def test_off_may_be_written_as_it_is() -> None:
    """Where a mode stands, off can only be the mode."""
    text = "- {rule: it, mode: off, when: {device: unpaired, for: 5s}, if: {cause: locked}, run: gentle}\n"
    assert _rules(text).rules[0].mode is Mode.OFF


def test_when_may_be_a_list() -> None:
    """Any of several moments may begin a rule."""
    rule = _rule("{status: active}", when="[{device: unpaired, for: 5s}, {device: silent, for: 1 min}]")
    assert rule.when == (When(Trigger.UNPAIRED, 5.0), When(Trigger.SILENT, 60.0))


def test_everything_must_be_said_in_so_many_words() -> None:
    """A rule for every device says so, and asks for nothing else."""
    rule = _rule("{every_device: true}")
    assert rule.every_device
    assert rule.conditions == ()


def test_the_hash_is_of_what_is_said() -> None:
    """Comments, order of keys and where a file lies make no other rule set; a word does."""
    one = _rules("- {rule: it, when: {device: unpaired, for: 5s}, if: {cause: locked}, run: gentle}\n")
    same = _rules(
        "\n\n# why\n- {run: gentle, if: {cause: locked}, when: {for: 5 s, device: unpaired}, rule: it}\n"
    )
    other = _rules("- {rule: it, when: {device: unpaired, for: 6s}, if: {cause: locked}, run: gentle}\n")
    assert one.hash == same.hash == hash_of(one)
    assert one.hash != other.hash


def test_the_switch_of_an_mdm_is_a_last_rule_for_its_devices() -> None:
    """The switch clears what no rule of the site takes, only at its MDM, and never erases."""
    site = Site(("hospital", "school"), "ward-3", ("hospital",))
    loaded = _load("- {rule: it, when: {device: unpaired, for: 5s}, if: {cause: locked}, run: harsh}\n", site)
    assert loaded.rules is not None
    *_, last = loaded.rules.rules
    assert (last.for_mdm, last.mode, last.when) == ("hospital", Mode.AUTO, (When(Trigger.UNPAIRED, 5.0),))
    workflow = loaded.rules.workflow(last.run)
    assert workflow is not None
    assert not workflow.can_erase
    assert loaded.rules.hash == hash_of(loaded.rules)
    assert with_switches(loaded.rules, ("hospital",)) is loaded.rules


def test_the_switch_never_runs_an_erase_that_borrows_its_name() -> None:
    """A site's own workflow of that name is refused if it erases while the switch is on."""
    text = WORKFLOWS.replace("harsh", "clear-passcode").encode()
    assert load_text(text, "some.yaml").rules is not None
    refused = load_text(text, "some.yaml", Site(("hospital",), "ward-3", ("hospital",)))
    assert refused.rules is None
    assert "never erases" in str(refused.mistakes[0])


def test_a_bad_file_gives_no_rules_at_all() -> None:
    """One mistake, and the last good set goes on; half a set never comes into force."""
    loaded = _load("- {rule: it, when: {device: unpaired, for: 5s}, if: {cause: lockd}, run: gentle}\n")
    assert loaded.rules is None
    assert [mistake.what for mistake in loaded.mistakes] == ["'lockd' is not known here"]


def test_folders_are_read_in_name_order(tmp_path: Path) -> None:
    """The first rule that holds takes the device, so the order is the one that a folder shows."""
    rule = "rule: {}\nwhen: {{device: unpaired, for: 5s}}\nif: {{every_device: true}}\nrun: gentle\n"
    for name in ("20-b", "10-a", ".hidden"):
        (tmp_path / f"{name}.yaml").write_text(rule.format(name.strip(".")))
    (tmp_path / "notes.txt").write_text("not a rule")
    (tmp_path / "workflows.yml").write_text(WORKFLOWS)
    loaded = load_all([tmp_path])
    assert loaded.rules is not None
    assert [rule.name for rule in loaded.rules.rules] == ["10-a", "20-b"]


def test_rules_and_workflows_may_share_a_folder() -> None:
    """A folder that is named twice is read once."""
    loaded = load_all([ROOT / "rules", ROOT / "workflows", ROOT / "rules", ROOT / "workflows"])
    assert loaded == load_all(SHIPPED)


@pytest.mark.parametrize(
    "conditions",
    [
        "{labels: {starts_with: floor, is_not: floor}}",
        "{labels: {is: blue, contains: red}}",
        "{docked_for: {older_than: 10s, between: [5s, 11s]}}",
        "{name: {starts_with: ward, contains: blue, is_not: ward}}",
        "{os_version: {at_least: '17', at_most: '17.0'}}",
        "{battery: {at_least: 100 %}}",
        "{time: 23:59-00:00}",
        "{cause: [hidden, locked]}",
    ],
)
def test_conditions_that_some_device_meets_are_taken(conditions: str) -> None:
    """Only what can never match is refused."""
    assert _rule(conditions).conditions


def test_a_file_that_is_not_there_is_a_mistake_with_a_cure(tmp_path: Path) -> None:
    """A folder that somebody moved is named, not passed over."""
    (mistake,) = load_all([tmp_path / "gone"]).mistakes
    assert "there is no such file" in str(mistake)


def test_what_is_built_in_is_said_under_every_rule() -> None:
    """A person who reads what was understood sees what no rule can take away."""
    loaded = load_all(SHIPPED)
    assert loaded.rules is not None
    said = describe(loaded.rules)
    assert said.count("ours by the registry, active or retired, not lost or stolen") == len(
        loaded.rules.rules
    )
    assert "if status is active or retired, cause is locked" in said
    assert "recovery.erase_and_update once docked_for at least 15 min, until erased is true" in said


def test_the_page_on_rules_tells_every_word_and_how_it_is_compared() -> None:
    """No word of the language is missing in the operators' page, and none is there that is not known."""
    page = (ROOT / "docs" / "rules-and-workflows.md").read_text()
    for word in WORDS.values():
        ways = ", ".join(f"`{op.value}`" for op in ways_to_compare(word.kind))
        values = ", ".join(f"`{choice}`" for choice in word.choices) or word.about
        assert f"| `{word.name}` | {word.source} | {values} | {ways} |" in page
    for action in Action:
        assert f"`{action.value}`" in page
    for trigger in Trigger:
        assert f"`{trigger.value}`" in page
