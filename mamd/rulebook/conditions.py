"""
Reads the closed language of conditions: `word: value`, `word: [one, of]`, `word: {op: value}`.

The words, their kinds and choices are core's; here is only how they are written.
"""

import re
from collections.abc import Mapping
from typing import Final

from mamd.config import forms
from mamd.config.forms import Reader
from mamd.config.mistakes import Mistakes, Place, nearest, shown
from mamd.config.strict_yaml import Fields, Items, Leaf, Node
from mamd.core.conditions import WORDS, Condition, Kind, Op, Scalar, Word
from mamd.core.facts import Fact

_VERSION: Final = re.compile(r"[0-9]{1,4}(\.[0-9]{1,4}){0,3}")
_WINDOW: Final = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9]) ?- ?([01]?[0-9]|2[0-3]|24):([0-5][0-9])")
_ATTRIBUTE: Final = "attribute."
_NOT_A_NAME: Final = {
    "device_name": "what is set on the device proves nothing; ask for 'name', which is the registry's",
    "passcode": "ask for 'locked' (locked now) or 'passcode_set' (by the MDM's word)",
    "paired": "ask for 'link: paired'",
    "unpaired": "ask for 'link: unpaired'",
    "udid": "ask for 'serial', or give the devices a label",
    "ecid": "ask for 'serial', or give the devices a label",
    "hostname": "ask for 'launchpad'",
}


def read_conditions(node: Node, mistakes: Mistakes) -> tuple[Condition, ...]:
    """Every condition of one mapping; those that are wrong are noted and left out."""
    if not isinstance(node, Fields):
        cure = "write them as {status: active, cause: locked}"
        forms.wrong_kind(node, mistakes, "conditions belong here", cure)
        return ()
    found: list[Condition] = []
    seen: set[str] = set()
    for key, value in node.pairs:
        word = _word(key, mistakes)
        if word is None:
            continue
        if word.name in seen:
            mistakes.add(key.place, f"{shown(key.text)} stands here twice", "keep one of the two")
        seen.add(word.name)
        found.extend(_of_word(word, value, mistakes))
    return tuple(found)


def _word(key: Leaf, mistakes: Mistakes) -> Word | None:
    name = key.text if key.text.startswith(_ATTRIBUTE) else key.text.replace("-", "_")
    if name.startswith(_ATTRIBUTE) and len(name) > len(_ATTRIBUTE):
        return Word(name, Kind.TEXT, "registry")
    if name not in WORDS:
        close = nearest(name, WORDS)
        is_close = close.startswith("did you mean")
        cure = _NOT_A_NAME.get(name) or (
            close if is_close else "docs/rules-and-workflows.md lists what can be"
        )
        mistakes.add(key.place, f"{shown(key.text)} cannot be asked about a device", cure)
    return WORDS.get(name)


def _of_word(word: Word, value: Node, mistakes: Mistakes) -> tuple[Condition, ...]:
    if not isinstance(value, Fields):
        op = Op.IN if isinstance(value, Items) else _PLAIN.get(word.kind, Op.IS)
        return _compared(word, op, value, value.place, mistakes)
    if not value.pairs:
        mistakes.add(value.place, f"'{word.name}' is compared with nothing", f"write '{word.name}: VALUE'")
    return tuple(
        condition for key, one in value.pairs for condition in _of_operator(word, key, one, mistakes)
    )


def _of_operator(word: Word, key: Leaf, value: Node, mistakes: Mistakes) -> tuple[Condition, ...]:
    name = key.text.replace("-", "_")
    ops = [op.value for op in Op]
    if name not in ops:
        mistakes.add(key.place, f"{shown(key.text)} is no way to compare", nearest(name, ops))
        return ()
    return _compared(word, Op(name), value, key.place, mistakes)


def _compared(word: Word, op: Op, value: Node, place: Place, mistakes: Mistakes) -> tuple[Condition, ...]:
    allowed = _OPS[word.kind]
    if op not in allowed:
        what = f"'{word.name}' is not compared by '{op.value}'"
        mistakes.add(place, what, f"use one of: {', '.join(one.value for one in allowed)}")
        return ()
    values = _values(word, op, value, mistakes)
    if word.kind is Kind.VERSION and op is Op.IS and values is not None:
        # 17 and 17.0 are one version, and only the order of versions knows that.
        return (Condition(word.name, Op.BETWEEN, values * 2),)
    return () if values is None else (Condition(word.name, op, values),)


def _values(word: Word, op: Op, value: Node, mistakes: Mistakes) -> tuple[Scalar, ...] | None:
    if word.kind is Kind.WINDOW:
        return _window(value, mistakes)
    found = tuple(_one(word, op, item, mistakes) for item in forms.items(value))
    # The length is judged only where every part could be read: one mistake, one line.
    read = tuple(one for one in found if one is not None)
    if len(read) < len(found) or not _is_right_many(word, op, value, len(read), mistakes):
        return None
    return read if op is not Op.BETWEEN or _is_in_order(word, value, read, mistakes) else None


def _is_right_many(word: Word, op: Op, value: Node, count: int, mistakes: Mistakes) -> bool:
    if op is Op.BETWEEN:
        is_right, cure = count == 2, f"write two: '{word.name}: {{between: [FROM, TO]}}'"
    elif op in (Op.IN, Op.IS_NOT):
        is_right, cure = count > 0, "write at least one"
    else:
        is_right = isinstance(value, Leaf)
        cure = f"write one value, or '{word.name}: [ONE, OTHER]' for any of them"
    if not is_right:
        forms.wrong_kind(value, mistakes, f"'{op.value}' with {count} values", cure)
    return is_right


def _is_in_order(word: Word, value: Node, ends: tuple[Scalar, ...], mistakes: Mistakes) -> bool:
    is_below = Condition(word.name, Op.AT_MOST, ends[1:])
    is_right = is_below.holds({word.name: Fact(ends[0], word.source)}) is True and ends[0] != ends[1]
    if not is_right:
        cure = f"write the smaller one first: '{word.name}: {{between: [FROM, TO]}}'"
        mistakes.add(value.place, f"'{word.name}' is never between these two", cure)
    return is_right


def _one(word: Word, op: Op, node: Node, mistakes: Mistakes) -> Scalar | None:
    is_none = isinstance(node, Leaf) and node.text == "none" and not node.is_quoted
    if not is_none:
        reader = _choice(word) if word.kind is Kind.CHOICE else _READERS[word.kind]
        return reader(node, mistakes)
    if word.kind in (Kind.TEXT, Kind.CHOICE, Kind.TEXTS) and op in (Op.IS, Op.IS_NOT, Op.IN):
        return ""
    cure = "write a value (what is not known never matches)"
    mistakes.add(node.place, f"'{word.name}' is never 'none' here", cure)
    return None


# --------------------------------------------------------------------------------- values by kind


def _choice(word: Word) -> Reader[str]:
    known = forms.one_of(word.choices)

    def read(node: Node, mistakes: Mistakes) -> str | None:
        written = node.text if isinstance(node, Leaf) else ""
        elsewhere = [other.name for other in WORDS.values() if written and written in other.choices]
        if elsewhere and written not in word.choices:
            what = f"{shown(written)} is no {word.name}"
            cure = f"it belongs to '{elsewhere[0]}'; {word.name} is {_or(word.choices)}"
            mistakes.add(node.place, what, cure)
            return None
        return known(node, mistakes)

    return read


def _or(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else "".join(words)


def _version(node: Node, mistakes: Mistakes) -> str | None:
    if not isinstance(node, Leaf):
        forms.wrong_kind(node, mistakes, "a version belongs here", 'write it in quotes: "17.1"')
        return None
    if not _VERSION.fullmatch(node.text):
        mistakes.add(node.place, f"{shown(node.text)} is no version", 'write it in quotes: "17.1"')
        return None
    if not node.is_quoted:
        mistakes.add(node.place, f"{shown(node.text)} is not in quotes", f'write it in quotes: "{node.text}"')
        return None
    return node.text


def _window(node: Node, mistakes: Mistakes) -> tuple[float, float] | None:
    cure = "write two times of day: 22:00-05:00"
    found = forms.leaf(node, mistakes, cure)
    if found is None:
        return None
    match = _WINDOW.fullmatch(found.text)
    if match is None:
        mistakes.add(found.place, f"{shown(found.text)} is no window", cure)
        return None
    start, end = (float(int(match[hour]) * 60 + int(match[hour + 1])) for hour in (1, 3))
    if start == end or end > 1440:
        cure = "write its start, then its end: 22:00-05:00"
        mistakes.add(found.place, f"it is never {shown(found.text)}", cure)
        return None
    return start, end


# ----------------------------------------------------------------------------------------- tables

_PLAIN: Final = {Kind.WINDOW: Op.BETWEEN}
_SAME: Final = (Op.IS, Op.IS_NOT, Op.IN)
_PARTS: Final = (*_SAME, Op.STARTS_WITH, Op.CONTAINS)

_OPS: Final[Mapping[Kind, tuple[Op, ...]]] = {
    Kind.TEXT: _PARTS,
    Kind.TEXTS: _PARTS,
    Kind.CHOICE: _SAME,
    Kind.YES_NO: (Op.IS, Op.IS_NOT),
    Kind.SECONDS: (Op.AT_LEAST, Op.AT_MOST, Op.OLDER_THAN, Op.WITHIN, Op.BETWEEN),
    Kind.PERCENT: (Op.AT_LEAST, Op.AT_MOST, Op.BETWEEN),
    Kind.VERSION: (Op.IS, Op.AT_LEAST, Op.AT_MOST, Op.BETWEEN),
    Kind.WINDOW: (Op.BETWEEN,),
}

_READERS: Final[Mapping[Kind, Reader[str] | Reader[bool] | Reader[float]]] = {
    Kind.TEXT: forms.text,
    Kind.TEXTS: forms.text,
    Kind.YES_NO: forms.yes_no,
    Kind.SECONDS: forms.duration,
    Kind.PERCENT: forms.percent,
    Kind.VERSION: _version,
}


def ways_to_compare(kind: Kind) -> tuple[Op, ...]:
    """The operators that words of this kind may be compared by."""
    return _OPS[kind]
