"""Whatever stands in a file, the answer is rules or mistakes, never an exception."""

import os
import string
from pathlib import Path
from tempfile import NamedTemporaryFile

import yaml
from hypothesis import given
from hypothesis import strategies as st

from mamd.config import forms, read_settings
from mamd.config.mistakes import Mistakes, Place
from mamd.config.strict_yaml import Leaf, misread, read_yaml
from mamd.core.conditions import WORDS, Condition, Op
from mamd.core.facts import Fact
from mamd.rulebook import load_text, parse_devices
from mamd.rulebook.never import clash

_OURS = """
rule because mode when if run limit workflow kind about ladder steps do needs until wait outcome
if_impossible on_failure retry with device for off no unpaired rescue mdm.clear_passcode
recovery.erase_and_update every_device true none 5s 15% 22:00-05:00 status active cause locked is_not
at_least between '17.0' launchpad mdm governor storm people http tokens vault credential file name ports
"""
WORDS_OF_OURS = _OURS.split()
SCRAPS = st.sampled_from(
    [
        *WORDS_OF_OURS,
        ": ",
        "- ",
        "\n",
        "\n  ",
        "\n    ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        "&a ",
        "*a",
        "!!str ",
        "\t",
        '"',
        "'",
    ]
)
LEAVES = st.sampled_from([*WORDS_OF_OURS, "0", "7", "~", "1.10", "07"])
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(LEAVES, inner, max_size=5).map(
            lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs.items()) + "}"
        )
    ),
    max_leaves=25,
)


def _answers(data: bytes) -> None:
    loaded = load_text(data, "any.yaml")
    assert (loaded.rules is None) == bool(loaded.mistakes)
    assert all("\n" not in str(mistake) for mistake in loaded.mistakes)


@given(
    st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
def test_any_bytes_give_mistakes(data: bytes) -> None:
    """A file of any content at all is answered in lines that a person can read."""
    _answers(data)


@given(st.lists(SCRAPS, max_size=40).map("".join))
def test_any_scraps_of_our_language_give_mistakes(text: str) -> None:
    """So is one that was typed in haste."""
    _answers(text.encode())


@given(TREES)
def test_any_well_formed_file_gives_rules_or_mistakes(text: str) -> None:
    """So is one that is right as YAML and wrong as everything else."""
    _answers(text.encode())
    read_yaml(text.encode(), "any", Mistakes())


@given(TREES)
def test_any_settings_give_settings_or_mistakes(text: str) -> None:
    """A configuration of any content is answered, too."""
    with NamedTemporaryFile(suffix=".yaml") as file:
        file.write(text.encode())
        file.flush()
        read = read_settings(Path(file.name), {})
    assert (read.settings is None) == bool(read.mistakes)


@given(
    st.binary(max_size=200)
    | st.text(max_size=200).map(lambda text: f"serial,ecid\n{text}".encode("utf-8", "replace"))
)
def test_any_list_of_devices_gives_records_or_mistakes(data: bytes) -> None:
    """A list of devices of any content is answered, too."""
    devices = parse_devices(data, "any.csv")
    assert (devices.records is None) == bool(devices.mistakes)


@given(
    st.text(alphabet=string.digits + "abenotxyTNs.:-+_~ ", min_size=1, max_size=12)
    .map(str.strip)
    .filter(bool)
)
def test_no_plain_value_is_taken_otherwise_than_all_readers_of_yaml_take_it(text: str) -> None:
    """What PyYAML makes anything but text of is a plain number, true or false, or a mistake."""
    leaf = Leaf(Place("any"), text)
    tag = yaml.SafeLoader("").resolve(yaml.ScalarNode, text, (True, False))
    if tag != "tag:yaml.org,2002:str":
        assert leaf.is_number or leaf.is_yes_no or misread(leaf)
    if leaf.is_number:
        assert yaml.safe_load(text) == float(text)
    forms.text(leaf, Mistakes())


_NUMBERS = st.integers(0, 100).map(float)
_CONDITIONS = st.lists(
    st.builds(Condition, st.just("battery"), st.sampled_from([Op.AT_LEAST, Op.AT_MOST]), st.tuples(_NUMBERS))
    | st.builds(
        lambda word, op, choice: Condition(word.name, op, (word.choices[choice % len(word.choices)],)),
        st.sampled_from([WORDS[name] for name in ("status", "retired_reason", "ownership", "custody")]),
        st.sampled_from([Op.IS, Op.IS_NOT]),
        st.integers(0, 9),
    ),
    max_size=5,
).map(tuple)


@given(_CONDITIONS, _NUMBERS, st.data())
def test_what_some_device_meets_is_never_said_to_be_impossible(
    conditions: tuple[Condition, ...], battery: float, data: st.DataObject
) -> None:
    """No rule is refused as impossible that a device could ever meet."""
    status = data.draw(st.sampled_from(WORDS["status"].choices))
    reasons = ("", *WORDS["retired_reason"].choices) if status == "retired" else ("",)
    values = {
        "battery": battery,
        "status": status,
        "retired_reason": data.draw(st.sampled_from(reasons)),
        "ownership": data.draw(st.sampled_from(WORDS["ownership"].choices)),
        "custody": data.draw(st.sampled_from(WORDS["custody"].choices)),
    }
    facts = {word: Fact(value, "") for word, value in values.items()}
    if all(condition.holds(facts) for condition in conditions):
        assert clash(conditions) == ()


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """A path that is no file is refused at once."""
    os.mkfifo(tmp_path / "pipe")
    assert "not a file" in str(read_settings(tmp_path / "pipe", {}).mistakes[0])
