"""
Reads what a person wrote into values: each reader gives a value, or None with the mistake noted.

A `Form` is one mapping being read; closing it notes every key that nobody asked for.
"""

import re
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Final, TypeVar

from mamd.config.mistakes import Mistakes, Place, nearest, shown
from mamd.config.strict_yaml import Broken, Fields, Items, Leaf, Node, misread

T = TypeVar("T")
E = TypeVar("E", bound=Enum)
Reader = Callable[[Node, Mistakes], T | None]

LONGEST_S: Final = 366 * 86_400.0
_UNITS: Final = {"s": 1.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}
_DURATION: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?) ?([A-Za-z]*)")
_PERCENT: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3})?) ?(%?)")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NAME_CURE: Final = "write letters, digits, '-', '_' or '.', 64 at most, the first a letter or digit"


class Form:
    """
    One mapping being read.

    Its own words may be written with `-` for `_`. `close` must be called once all were asked for.
    """

    def __init__(self, fields: Fields, mistakes: Mistakes) -> None:
        self.place, self._mistakes = fields.place, mistakes
        self._left: dict[str, tuple[Leaf, Node]] = {}
        self._asked: list[str] = []
        for key, value in fields.pairs:
            self._take_in(key, value)

    def _take_in(self, key: Leaf, value: Node) -> None:
        name = key.text.replace("-", "_")
        if name in self._left:
            self._mistakes.add(key.place, f"{shown(key.text)} stands here twice", "keep one of the two")
        else:
            self._left[name] = (key, value)

    def __contains__(self, key: str) -> bool:
        return key in self._left

    def at(self, key: str) -> Place:
        """Where the key stands; where the mapping begins if it is not there."""
        return self._left[key][0].place if key in self._left else self.place

    def node(self, key: str) -> Node | None:
        """What stands under a key, or None."""
        if key not in self._asked:
            self._asked.append(key)
        return self._left[key][1] if key in self._left else None

    def read(self, key: str, reader: Reader[T]) -> T | None:
        """The value under a key, or None where there is none or a wrong one."""
        node = self.node(key)
        return None if node is None else reader(node, self._mistakes)

    def need(self, key: str, reader: Reader[T], cure: str) -> T | None:
        """The same, of a key that must be there."""
        if self.node(key) is None:
            self._mistakes.add(self.place, f"'{key}' is missing", cure)
        return self.read(key, reader)

    def refuse(self, key: str, what: str, cure: str) -> None:
        """A key that is known and cannot be had."""
        if key in self._left:
            self.node(key)
            self._mistakes.add(self.at(key), what, cure)
            # It need not be offered to somebody who mistypes another one.
            self._asked.remove(key)
            del self._left[key]

    def close(self) -> None:
        """Note every key that nobody asked for."""
        for name, (key, _) in self._left.items():
            if name not in self._asked:
                self._mistakes.add(
                    key.place, f"{shown(key.text)} is not known here", nearest(key.text, self._asked)
                )


def form(node: Node, mistakes: Mistakes, cure: str) -> Form | None:
    """A mapping as a form; anything else is a mistake with that cure."""
    if isinstance(node, Fields):
        return Form(node, mistakes)
    wrong_kind(node, mistakes, "a mapping belongs here", cure)
    return None


def items(node: Node) -> tuple[Node, ...]:
    """A list's items; one value alone counts as a list of one."""
    return node.items if isinstance(node, Items) else (node,)


def wrong_kind(node: Node, mistakes: Mistakes, what: str, cure: str) -> None:
    """Note that something else belongs here, unless the mistake has been noted already."""
    if not isinstance(node, Broken):
        mistakes.add(node.place, what, cure)


def leaf(node: Node, mistakes: Mistakes, wanted: str) -> Leaf | None:
    """One value that YAML does not misread. `wanted` says what belongs here, as a cure."""
    return _leaf(node, mistakes, wanted, is_text=False)


def _leaf(node: Node, mistakes: Mistakes, wanted: str, *, is_text: bool) -> Leaf | None:
    if not isinstance(node, Leaf):
        wrong_kind(node, mistakes, "one value belongs here", wanted)
        return None
    wrong = misread(node)
    if wrong:
        # Quotes mend a text only; elsewhere they would lead to the next mistake.
        mistakes.add(node.place, wrong[0], wrong[1] if is_text else wanted)
    return None if wrong else node


def text(node: Node, mistakes: Mistakes) -> str | None:
    """Text that is not empty. A number or true and false must be in quotes to be text."""
    found = _leaf(node, mistakes, "write one text", is_text=True)
    if found is None:
        return None
    if found.is_number or found.is_yes_no:
        what = (
            f"{shown(found.text)} is a {'number' if found.is_number else 'yes or no'}, and text belongs here"
        )
        mistakes.add(found.place, what, f'put it in quotes: "{found.text}"')
        return None
    if not found.text.strip():
        mistakes.add(found.place, "an empty text", "write something, or take the key out")
        return None
    return found.text


def name(node: Node, mistakes: Mistakes) -> str | None:
    """A name that other files may say."""
    found = text(node, mistakes)
    if found is not None and not _NAME.fullmatch(found):
        mistakes.add(node.place, f"{shown(found)} is no name", _NAME_CURE)
        return None
    return found


def yes_no(node: Node, mistakes: Mistakes) -> bool | None:
    """`true` or `false`."""
    found = leaf(node, mistakes, "write true or false")
    if found is not None and not found.is_yes_no:
        mistakes.add(found.place, f"{shown(found.text)} is not true or false", "write true or false")
        return None
    return None if found is None else found.text == "true"


def whole(least: int, most: int) -> Reader[int]:
    """A whole number from `least` to `most`."""

    def read(node: Node, mistakes: Mistakes) -> int | None:
        cure = f"write a whole number from {least} to {most}"
        found = leaf(node, mistakes, cure)
        if found is None:
            return None
        if not found.is_number or "." in found.text or not least <= int(found.text) <= most:
            mistakes.add(found.place, f"{shown(found.text)} cannot stand here", cure)
            return None
        return int(found.text)

    return read


def duration(node: Node, mistakes: Mistakes) -> float | None:
    """A time with its unit, such as 5s, 5 min, 12 h or 2 d; in seconds."""
    cure = "write it with its unit: 5s, 5 min, 12 h or 2 d"
    found = leaf(node, mistakes, cure)
    if found is None:
        return None
    match = _DURATION.fullmatch(found.text)
    if match is None or (match[2] and match[2] not in _UNITS):
        mistakes.add(found.place, f"{shown(found.text)} is no length of time", cure)
        return None
    if not match[2]:
        cure = f"write {match[1]}s, {match[1]} min or {match[1]} h"
        mistakes.add(found.place, f"{shown(found.text)} has no unit", cure)
        return None
    return _at_most_a_year(float(match[1]) * _UNITS[match[2]], found, mistakes)


def _at_most_a_year(seconds: float, found: Leaf, mistakes: Mistakes) -> float | None:
    if seconds > LONGEST_S:
        mistakes.add(found.place, f"{shown(found.text)} is longer than a year", "write 366 d at most")
        return None
    return seconds


def percent(node: Node, mistakes: Mistakes) -> float | None:
    """A share with its sign, such as 15 %."""
    cure = "write it with its sign, from 0 % to 100 %"
    found = leaf(node, mistakes, cure)
    if found is None:
        return None
    match = _PERCENT.fullmatch(found.text)
    if match is None or float(match[1]) > 100:
        mistakes.add(found.place, f"{shown(found.text)} is no share of a hundred", cure)
        return None
    if not match[2]:
        mistakes.add(found.place, f"{shown(found.text)} has no % sign", f"write {match[1]} %")
        return None
    return float(match[1])


def one_of(choices: Iterable[str], not_yet: Iterable[tuple[str, str]] = ()) -> Reader[str]:
    """
    One of some words of ours, in small letters.

    `not_yet` are words with what to write instead. `off` is taken without quotes where it is
    one of the choices: it cannot be misread here, where no yes or no can stand.
    """
    known, later = tuple(choices), dict(not_yet)

    def read(node: Node, mistakes: Mistakes) -> str | None:
        cure = f"write one of: {', '.join(known)}"
        is_off = isinstance(node, Leaf) and node.text == "off" and "off" in known
        found = node if isinstance(node, Leaf) and is_off else leaf(node, mistakes, cure)
        if found is None:
            return None
        word = found.text.replace("-", "_") if found.text not in known else found.text
        if word in later:
            mistakes.add(found.place, f"{shown(found.text)} is not in this version yet", later[word])
        elif word not in known:
            mistakes.add(found.place, f"{shown(found.text)} is not known here", nearest(word, known))
        return word if word in known else None

    return read


def member(kind: type[E], not_yet: Iterable[tuple[str, str]] = ()) -> Reader[E]:
    """One of an enum's values."""
    read_word = one_of([str(one.value) for one in kind], not_yet)

    def read(node: Node, mistakes: Mistakes) -> E | None:
        word = read_word(node, mistakes)
        return None if word is None else kind(word)

    return read


def many(reader: Reader[T]) -> Reader[tuple[T, ...]]:
    """A list of what `reader` reads; one alone counts as a list of one. Wrong ones are left out."""

    def read(node: Node, mistakes: Mistakes) -> tuple[T, ...] | None:
        found = [reader(item, mistakes) for item in items(node)]
        return tuple(one for one in found if one is not None)

    return read
