"""
Reads YAML so that it means what a person sees: with places, without surprises.

Of YAML this takes mappings, lists and plain or quoted values. Everything that two readers
could take differently is a mistake with its place: duplicate keys, aliases, tags, tabs,
several documents, and the values that YAML 1.1 misreads (`no`, 22:00, 010, 1.10, 2026-01-01).

It composes from the parser's events itself, since PyYAML's nodes no longer show an anchor or
whether a tag was written, and since depth must be limited before anything is built.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import yaml

from mamd.config.mistakes import Mistakes, Place, shown

LARGEST_FILE: Final = 1_048_576
"""In bytes. Three hundred rules are a tenth of that."""
DEEPEST: Final = 20

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value as it was written. `is_quoted`: in quotes or a block, so it is text whatever it says."""

    place: Place
    text: str
    is_quoted: bool = False

    @property
    def is_number(self) -> bool:
        """Written as a plain number that all readers of YAML agree on."""
        return not self.is_quoted and _NUMBER.fullmatch(self.text) is not None

    @property
    def is_yes_no(self) -> bool:
        """Written as a plain `true` or `false`."""
        return not self.is_quoted and self.text in ("true", "false")


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    place: Place
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping, in the order it was written."""

    place: Place
    pairs: tuple[tuple[Leaf, "Node"], ...]


@dataclass(frozen=True, slots=True)
class Broken:
    """Something whose mistake has been noted; nobody needs to say more about it."""

    place: Place


Node = Leaf | Items | Fields | Broken


def read_yaml(data: bytes, file: str, mistakes: Mistakes) -> Node | None:
    """The one document of a file, or None with its mistakes noted. Raises nothing, whatever the bytes."""
    text = _text(data, file, mistakes)
    if text is None:
        return None
    events = yaml.parse(text, Loader=_Loader)
    try:
        return _Composer(file, mistakes, events).document()
    except yaml.MarkedYAMLError as error:
        _note_syntax(error, file, mistakes)
    except yaml.YAMLError:
        mistakes.add(Place(file), "this is not YAML", "save it as plain text in UTF-8")
    except _TooDeep as too_deep:
        cure = "no rule, workflow or setting needs that"
        mistakes.add(too_deep.place, f"more than {DEEPEST} levels, one inside the other", cure)
    return None


def misread(leaf: Leaf) -> tuple[str, str] | None:
    """What YAML would make of a plain value that a person meant otherwise, and the cure; None if nothing."""
    if leaf.is_quoted or leaf.is_number or leaf.is_yes_no:
        return None
    for pattern, what, cure in _MISREAD:
        if pattern.fullmatch(leaf.text):
            return what.format(shown(leaf.text)), cure
    return None


# ------------------------------------------------------------------------------------- bytes to text


def _text(data: bytes, file: str, mistakes: Mistakes) -> str | None:
    if len(data) > LARGEST_FILE:
        mistakes.add(Place(file), f"larger than {LARGEST_FILE} bytes", "split it into several files")
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        mistakes.add(_place_after(before, file), "this is not UTF-8", "save the file as UTF-8")
        return None
    strange = _UNPRINTABLE.search(text)
    if strange:
        what = f"a sign that no text holds (U+{ord(strange[0]):04X})"
        mistakes.add(_place_after(text[: strange.start()], file), what, "is this a text file? take it out")
        return None
    return None if _has_tabs(text, file, mistakes) else text


def _has_tabs(text: str, file: str, mistakes: Mistakes) -> bool:
    lines = [number for number, line in enumerate(text.splitlines(), 1) if _TAB_FIRST.match(line)]
    for number in lines[:20]:
        mistakes.add(Place(file, number, 1), "a tab before the text", "indent with spaces")
    return bool(lines)


def _place_after(before: str, file: str) -> Place:
    lines = before.split("\n")
    return Place(file, len(lines), len(lines[-1]) + 1)


def _note_syntax(error: yaml.MarkedYAMLError, file: str, mistakes: Mistakes) -> None:
    mark = error.problem_mark or error.context_mark
    place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
    said = f"{error.context or ''} {error.problem or ''}"
    what, cure = next((rest for part, *rest in _SYNTAX if part in said), _SYNTAX_ELSE)
    mistakes.add(place, what, cure)


# ------------------------------------------------------------------------------------ events to nodes


class _TooDeep(Exception):
    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place


class _Composer:
    """Takes events one by one, so that what is too much is refused before it is built."""

    def __init__(self, file: str, mistakes: Mistakes, events: Iterator[yaml.Event]) -> None:
        self._file, self._mistakes, self._events = file, mistakes, events

    def document(self) -> Node | None:
        next(self._events)  # the stream
        if isinstance(next(self._events), yaml.StreamEndEvent):
            self._mistakes.add(Place(self._file), "the file is empty", "write something, or take it away")
            return None
        node = self._node(next(self._events), 0)
        next(self._events)  # the document's end
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            self._add(after, "a second document in one file", "take out the line with ---")
            return None
        return node

    def _node(self, event: yaml.Event, depth: int) -> Node:
        place = self._place(event)
        if depth > DEEPEST:
            raise _TooDeep(place)
        if isinstance(event, yaml.AliasEvent):
            self._add(event, "an alias (*)", "write out what it stands for")
            return Broken(place)
        is_right = self._is_plainly_written(event)
        node = self._content(event, place, depth)
        return node if is_right else Broken(place)

    def _content(self, event: yaml.Event, place: Place, depth: int) -> Node:
        if isinstance(event, yaml.SequenceStartEvent):
            return Items(place, tuple(self._items(depth)))
        if isinstance(event, yaml.MappingStartEvent):
            return Fields(place, tuple(self._pairs(depth)))
        assert isinstance(event, yaml.ScalarEvent), "nothing else begins a node"
        return Leaf(place, event.value, is_quoted=bool(event.style))

    def _is_plainly_written(self, event: yaml.Event) -> bool:
        anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
        if anchor is not None:
            self._add(event, "an anchor (&)", "take it out; where it is used, write it out again")
        if tag is not None:
            self._add(event, "a tag (!)", "take it out; put text in quotes")
        return tag is None

    def _items(self, depth: int) -> Iterator[Node]:
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            yield self._node(event, depth + 1)

    def _pairs(self, depth: int) -> Iterator[tuple[Leaf, Node]]:
        first_at: dict[str, int] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            value = self._node(next(self._events), depth + 1)
            if not isinstance(key, Leaf):
                self._not_a_key(key)
            elif self._is_good_key(key, first_at):
                # An empty value has no place of its own that a person would look at.
                is_empty = isinstance(value, Leaf) and not value.is_quoted and not value.text
                yield key, Leaf(key.place, "") if is_empty else value

    def _not_a_key(self, key: Node) -> None:
        if not isinstance(key, Broken):
            self._mistakes.add(key.place, "a list or mapping as a key", "a key is one word")

    def _is_good_key(self, key: Leaf, first_at: dict[str, int]) -> bool:
        wrong = misread(key)
        if wrong:
            self._mistakes.add(key.place, *wrong)
        elif key.text in first_at:
            what = f"{shown(key.text)} stands here twice (first on line {first_at[key.text]})"
            self._mistakes.add(key.place, what, "keep one of the two")
        else:
            first_at[key.text] = key.place.line
            return True
        return False

    def _place(self, event: yaml.Event) -> Place:
        mark = event.start_mark
        assert mark is not None, "the parser marks every event"
        return Place(self._file, mark.line + 1, mark.column + 1)

    def _add(self, event: yaml.Event, what: str, cure: str) -> None:
        self._mistakes.add(self._place(event), what, cure)


# --------------------------------------------------------------------------------------------- tables

_UNPRINTABLE: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TAB_FIRST: Final = re.compile(r"[ ]*\t")
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{0,8}[1-9])?")

_IN_QUOTES: Final = "put it in quotes if it is text"
# What PyYAML's YAML 1.1 resolver, or another program's, makes something else of (yaml.org/type).
_MISREAD: Final = tuple(
    (re.compile(pattern), what, cure)
    for pattern, what, cure in (
        (
            r"(?i:true|false)",
            "YAML may or may not read {} as yes or no",
            "write true or false in small letters",
        ),
        (
            r"(?i:yes|no|on|off|y|n)",
            "{} is yes or no to some readers of YAML and text to others",
            f"write true or false, or {_IN_QUOTES}",
        ),
        (
            r"~|(?i:null)|",
            "nothing stands here",
            "write a value (none: known to be empty) or take the key out",
        ),
        (
            r"[-+]?[0-9][0-9_]*(:[0-9]+)+(\.[0-9_]*)?",
            "YAML reads {} as a number in base 60",
            "put it in quotes",
        ),
        (r"[-+]?0[0-9_]+", "YAML reads {} as an octal number", "put it in quotes, or take the 0 away"),
        (r"[-+]?0[xXbBoO][0-9a-fA-F_]+", "YAML reads {} as a number of another base", "put it in quotes"),
        (r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?", "YAML reads {} as a date", "put it in quotes"),
        (
            r"-?[0-9]+\.[0-9]*0",
            "YAML reads {} as a number and drops the 0 at its end",
            "put it in quotes if it is a version, else take the 0 away",
        ),
        (
            r"[-+]?(\.?[0-9][0-9_]*|[0-9][0-9_]*\.[0-9_]*|\.[0-9_]+)([eE][-+]?[0-9]+)?|[-+]?\.(?i:inf|nan)",
            "{} is a number that can be written more plainly",
            f"write it as 12 or 0.5, or {_IN_QUOTES}",
        ),
        (r"<<|=", "{} has a meaning of its own in YAML", "put it in quotes"),
    )
)

# What libyaml and PyYAML say, and what it means to the one who wrote the file.
_SYNTAX: Final = (
    ("cannot start any token", "a value cannot begin with this sign", "put the value in quotes"),
    (
        "mapping values are not allowed",
        "a colon where no key can stand",
        "check the indentation of this line and the one before, or put a text that holds ': ' in quotes",
    ),
    ("quoted scalar", "a quote is opened and not closed", "close it"),
    ("flow", "a bracket or brace is opened and not closed", "close it, and put commas between its parts"),
    ("could not find expected ':'", "a line without its colon", "write it as 'key: value'"),
    ("block mapping", "this line does not belong to the mapping above", "indent it like its neighbours"),
    ("block collection", "this line does not belong to the list above", "begin it with '- ', or indent it"),
    ("block sequence", "a list cannot begin here", "put it on a line of its own"),
    ("undefined alias", "an alias (*) of nothing", "write out what it stands for"),
    ("%", "a line that begins with %", "take it out"),
    ("directive", "a line that begins with %", "take it out"),
    ("document start", "text after the document's end", "keep one document in a file"),
)
_SYNTAX_ELSE: Final = ("this is not YAML", "check quotes, colons and indentation here")
