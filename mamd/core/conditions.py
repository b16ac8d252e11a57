"""
The closed language in which rules and workflows ask about a device.

A condition holds, or does not, or cannot be told. What cannot be told never holds: a
comparison with something unknown is unknown, `is_not` included.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from mamd.core.facts import Fact

Scalar = str | bool | float


class Op(Enum):
    """How a fact is compared."""

    IS = "is"
    IS_NOT = "is_not"
    IN = "in"
    STARTS_WITH = "starts_with"
    CONTAINS = "contains"
    AT_LEAST = "at_least"
    AT_MOST = "at_most"
    OLDER_THAN = "older_than"
    WITHIN = "within"
    BETWEEN = "between"


class Kind(Enum):
    """What a word's values are, so that the loader can refuse what can never match."""

    TEXT = "text"
    CHOICE = "choice"
    YES_NO = "yes_no"
    SECONDS = "seconds"
    PERCENT = "percent"
    VERSION = "version"
    WINDOW = "window"
    TEXTS = "texts"


@dataclass(frozen=True, slots=True)
class Word:
    """One thing that can be asked about."""

    name: str
    kind: Kind
    source: str
    choices: tuple[str, ...] = ()
    about: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """
    One comparison. `values` has one value, two for `between`, any number for `in`.

    Text is compared without case. "" stands for what the files call `none`. Durations are
    seconds, percentages plain numbers, versions text, windows two times of day in minutes.
    """

    word: str
    op: Op
    values: tuple[Scalar, ...]

    def holds(self, facts: Mapping[str, Fact]) -> bool | None:
        """True, False, or None where the fact is unknown."""
        fact = facts.get(self.word)
        if fact is None or fact.value is None:
            return None
        return _COMPARE[self.op](fact.value, self.values)


def all_hold(conditions: tuple[Condition, ...], facts: Mapping[str, Fact]) -> bool:
    """True only if every condition is known to hold; with no condition at all, False."""
    return bool(conditions) and all(condition.holds(facts) is True for condition in conditions)


Known = str | bool | float | tuple[str, ...]


def _plain(value: Known) -> Known:
    return value.casefold() if isinstance(value, str) else value


def _same(have: Known, want: Known) -> bool:
    if isinstance(have, tuple):
        return any(_same(one, want) for one in have) if want != "" else not have
    if isinstance(have, bool) is not isinstance(want, bool):
        return False
    if _plain(have) == "never_unlocked" and _plain(want) == "locked":
        return True
    return _plain(have) == _plain(want)


def _is_in(have: Known, values: tuple[Scalar, ...]) -> bool:
    return any(_same(have, value) for value in values)


def _starts_with(have: Known, values: tuple[Scalar, ...]) -> bool:
    ones = have if isinstance(have, tuple) else (have,)
    return any(str(one).casefold().startswith(str(values[0]).casefold()) for one in ones)


def _contains(have: Known, values: tuple[Scalar, ...]) -> bool:
    if isinstance(have, tuple):
        return _is_in(have, values)
    return str(values[0]).casefold() in str(have).casefold()


def _order(value: Known) -> tuple[int, ...] | None:
    """Numbers and versions in one order: 9.3 comes before 17.0, and 17 is 17.0."""
    if isinstance(value, bool | tuple):
        return None
    if isinstance(value, float | int):
        return (int(value), round((value % 1) * 1_000_000))
    parts = re.findall(r"\d+", value)
    return tuple(int(part) for part in parts) if parts else None


def _compared(have: Known, want: Known) -> int | None:
    """Less, equal or more as -1, 0, 1; None where the two have no order."""
    left, right = _order(have), _order(want)
    if left is None or right is None:
        return None
    longest = max(len(left), len(right))
    padded = [side + (0,) * (longest - len(side)) for side in (left, right)]
    return (padded[0] > padded[1]) - (padded[0] < padded[1])


def _at_least(have: Known, values: tuple[Scalar, ...]) -> bool:
    return _compared(have, values[0]) in (0, 1)


def _at_most(have: Known, values: tuple[Scalar, ...]) -> bool:
    return _compared(have, values[0]) in (0, -1)


def _between(have: Known, values: tuple[Scalar, ...]) -> bool:
    """A time of day may run over midnight (22:00-05:00); its end is not part of it."""
    if not isinstance(have, float | int) or isinstance(have, bool):
        return _at_least(have, values[:1]) and _at_most(have, values[1:])
    start, end = (float(value) for value in values)
    return start <= have < end if start <= end else have >= start or have < end


_COMPARE = {
    Op.IS: _is_in,
    Op.IS_NOT: lambda have, values: not _is_in(have, values),
    Op.IN: _is_in,
    Op.STARTS_WITH: _starts_with,
    Op.CONTAINS: _contains,
    Op.AT_LEAST: _at_least,
    Op.AT_MOST: _at_most,
    Op.OLDER_THAN: lambda have, values: _compared(have, values[0]) == 1,
    Op.WITHIN: _at_most,
    Op.BETWEEN: _between,
}


_YES_NO, _TEXT, _CHOICE = Kind.YES_NO, Kind.TEXT, Kind.CHOICE

WORDS: Mapping[str, Word] = {
    word.name: word
    for word in (
        Word("status", _CHOICE, "registry", ("pending", "active", "retired"), "the registry's word"),
        Word(
            "retired_reason",
            _CHOICE,
            "registry",
            ("expired", "lost", "stolen", "other"),
            "why a device was retired",
        ),
        Word("ownership", _CHOICE, "registry", ("corporate", "shared", "personal", "unknown"), "whose it is"),
        Word("name", _TEXT, "registry", about="the name in the registry, not the one set on the device"),
        Word("serial", _TEXT, "registry", about="the serial number"),
        Word("home", _TEXT, "registry", about="the Launchpad where it belongs"),
        Word("labels", Kind.TEXTS, "registry", about="its labels; is and in ask whether one of them fits"),
        Word("mdm", _TEXT, "registry", about="the MDM that manages it, by its name in mamd.yaml"),
        Word(
            "custody",
            _CHOICE,
            "custody",
            ("checked_in", "checked_out", "overdue", "failed"),
            "who has it",
        ),
        Word("holder", _TEXT, "custody", about="who has it"),
        Word("lent_for", Kind.SECONDS, "custody", about="how long it has been out"),
        Word(
            "link",
            _CHOICE,
            "cable",
            ("settling", "paired", "unpaired", "recovery", "dfu", "restoring"),
            "how the attached device stands",
        ),
        Word(
            "cause",
            _CHOICE,
            "cable",
            (
                "locked",
                "never_unlocked",
                "trust_pending",
                "trust_denied",
                "wrong_identity",
                "stale_record",
                "unknown",
                "hidden",
                "no_answer",
                "garbled",
                "host_fault",
            ),
            "why it does not pair",
        ),
        Word("locked", _YES_NO, "cable", about="locked right now"),
        Word("docked_for", Kind.SECONDS, "cable", about="how long it has been attached, as observed"),
        Word("port", _TEXT, "cable", about="the label printed at its port, else the port's path"),
        Word("launchpad", _TEXT, "cable", about="this Launchpad's name"),
        Word("launchpad_labels", Kind.TEXTS, "cable", about="this Launchpad's labels"),
        Word("erased", _YES_NO, "cable", about="it was erased and stands at Setup Assistant"),
        Word("recently_erased", _YES_NO, "cable", about="erased by us, and in nobody's hand since"),
        Word("battery", Kind.PERCENT, "cable", about="battery level"),
        Word("os_version", Kind.VERSION, "cable", about="iOS or iPadOS version, in quotes"),
        Word("model", _TEXT, "cable", about="Apple's product type, such as iPhone14,2"),
        Word("supervised", _YES_NO, "cable", about="supervised by an organisation"),
        Word("passcode_set", _YES_NO, "mdm", about="a passcode is set, by the MDM's word"),
        Word("last_contact", Kind.SECONDS, "mdm", about="how long ago its MDM heard of it"),
        Word("lost_mode", _YES_NO, "mdm", about="in lost mode"),
        Word("token", _YES_NO, "mdm", about="an UnlockToken is held for it"),
        Word("enrolled", _YES_NO, "mdm", about="enrolled in its MDM"),
        Word("profile", Kind.TEXTS, "mdm", about="identifiers of installed profiles"),
        Word("time", Kind.WINDOW, "clock", about="the local time of day"),
    )
}
"""Every word of the language. `attribute.NAME` is text from the registry's other columns."""
