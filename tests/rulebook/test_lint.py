"""What loads and is probably not meant."""

import pytest

from mamd.rulebook import Site, load_text

CLEAR = "{do: mdm.clear_passcode, until: {link: paired, locked: false}, wait: 5 min}"
ERASE = "{do: recovery.erase_and_update, until: {erased: true}, wait: 60 min}"
GENTLE = f"- {{workflow: gentle, kind: rescue, about: Clear it., ladder: [{CLEAR}]}}\n"
HARSH = f"- {{workflow: harsh, kind: rescue, about: Erase it., ladder: [{CLEAR}, {ERASE}]}}\n"
RULE = "- {{rule: {}, because: so, when: {{device: {}, for: 5s}}, if: {{{}}}, run: {}}}\n"


def _warnings(text: str, site: Site | None = None) -> list[str]:
    loaded = load_text(text.encode(), "some.yaml", site)
    assert loaded.rules is not None, [str(mistake) for mistake in loaded.mistakes]
    return [str(warning) for warning in loaded.warnings]


def test_a_good_file_is_passed_without_a_word() -> None:
    """Who does it right is not lectured."""
    assert _warnings(GENTLE + RULE.format("it", "unpaired", "status: active, cause: locked", "gentle")) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HARSH + RULE.format("it", "unpaired", "cause: locked", "harsh"), "asks for no status"),
        (GENTLE + RULE.format("it", "unpaired", "status: active", "gentle"), "does not ask for the cause"),
        (
            GENTLE + RULE.format("it", "unpaired", "cause: locked", "gentle").replace("because: so, ", ""),
            "does not say why",
        ),
        (GENTLE + RULE.format("it, mode: off", "unpaired", "cause: locked", "gentle"), "its mode is off"),
        (GENTLE, "no rule runs it"),
        (
            HARSH.replace("wait: 5 min", "wait: 30s")
            + RULE.format("it", "unpaired", "status: active, cause: locked", "harsh"),
            "it erases 30 s after the clear",
        ),
        (
            HARSH.replace("wait: 5 min", "wait: 5 min, if_impossible: next")
            + RULE.format("it", "unpaired", "status: active, cause: locked", "harsh"),
            "goes to the erase without the wait",
        ),
    ],
)
def test_what_is_probably_not_meant_is_said(text: str, said: str) -> None:
    """Each thing that others have regretted gets a warning with what to do."""
    assert [said in warning for warning in _warnings(text)] == [True]


def test_a_rule_that_another_may_pass_over_is_named() -> None:
    """Two rules that can take the same device are shown as a pair."""
    rules = RULE.format("first", "unpaired", "cause: locked, status: active", "gentle")
    later = RULE.format("later", "unpaired", "cause: locked, home: ward-3", "gentle")
    (warning,) = _warnings(GENTLE + rules + later)
    assert "rule later: passed over where rule first (some.yaml:2) holds too" in warning


@pytest.mark.parametrize(
    ("first", "later"),
    [
        (("unpaired", "cause: locked, home: a"), ("unpaired", "cause: locked, home: b")),
        (("unpaired", "cause: locked"), ("paired", "locked: true")),
        (("unpaired", "cause: locked, status: active"), ("unpaired", "cause: locked, status: retired")),
        (("unpaired", "cause: locked, time: 08:00-12:00"), ("unpaired", "cause: locked, time: 12:00-18:00")),
    ],
)
def test_rules_that_exclude_each_other_are_no_pair(first: tuple[str, str], later: tuple[str, str]) -> None:
    """Who has made sure that only one of two rules can hold reads nothing of it."""
    rules = RULE.format("first", *first, "gentle") + RULE.format("later", *later, "gentle")
    assert _warnings(GENTLE + rules) == []


def test_an_mdm_that_is_not_in_the_configuration_is_named_with_the_nearest() -> None:
    """A slip in an MDM's name would otherwise be a rule that never holds."""
    text = GENTLE + RULE.format("it", "unpaired", "cause: locked, mdm: hopsital", "gentle")
    (warning,) = _warnings(text, Site(("hospital",), "ward-3"))
    assert "there is no MDM 'hopsital' in mamd.yaml; did you mean 'hospital'?" in warning


def test_a_rule_that_observes_does_not_silence_the_switch_unseen() -> None:
    """Whoever turns the switch on is told of the rule that would take its devices and do nothing."""
    rule = RULE.format("it, mode: observe", "unpaired", "status: active, cause: locked", "gentle")
    (warning,) = _warnings(GENTLE + rule, Site(("hospital",), "ward-3", ("hospital",)))
    assert "keeps 'clear_passcode_when_not_pairing' from its devices" in warning
