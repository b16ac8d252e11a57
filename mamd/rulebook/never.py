"""
Finds conditions that no device can ever meet, by trying what a device can be.

What the cable says is of a piece (only an unpaired device has a cause), and so is what the
registry says (only a retired device has a reason), so those are tried together, and every
other word by itself. The conditions are held by core's own hand.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise, product
from typing import Final

from mamd.core.conditions import WORDS, Condition, Kind, Op, Scalar, all_hold
from mamd.core.facts import Cause, Fact, LinkState
from mamd.core.rules import Trigger

BUILT_IN: Final = (
    Condition("status", Op.IN, ("active", "retired")),
    Condition("retired_reason", Op.IN, ("", "expired", "other")),
    Condition("ownership", Op.IN, ("corporate", "shared")),
)
"""What every rule asks besides its own conditions, as far as the language has words for it."""

Facts = Mapping[str, Fact]


def clash(conditions: Iterable[Condition], triggers: Iterable[Trigger] = tuple(Trigger)) -> tuple[str, ...]:
    """The words on which no device can meet all of these; empty if some device can."""
    asked, wanted = tuple(conditions), set(triggers)
    of_registry = tuple(one for one in asked if one.word in _REGISTRY)
    if of_registry and not any(all_hold(of_registry, facts) for facts in _REGISTRY_STATES):
        return _words(of_registry)
    of_cable = tuple(one for one in asked if one.word in _CABLE)
    if of_cable and not any(wanted & at and all_hold(of_cable, facts) for at, facts in _CABLE_STATES):
        return _words(of_cable)
    return _one_word(asked)


def _words(conditions: Iterable[Condition]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.word for one in conditions))


def _one_word(conditions: tuple[Condition, ...]) -> tuple[str, ...]:
    for word in _words(conditions):
        of_word = tuple(one for one in conditions if one.word == word)
        if len(of_word) > 1 and not any(all_hold(of_word, {word: fact}) for fact in _tried(word, of_word)):
            return (word,)
    return ()


def _tried(word: str, conditions: tuple[Condition, ...]) -> Iterator[Fact]:
    """Values that would meet the conditions if any did: those that they name, and their neighbours."""
    kind = WORDS[word].kind if word in WORDS else Kind.TEXT
    named = [value for one in conditions for value in one.values]
    pinned = next((one.values for one in conditions if one.op in (Op.IS, Op.IN)), None)
    match kind:
        case Kind.TEXTS:
            # A device has any number of labels: only what is shut out can be in the way.
            shut_out = [one for one in conditions if one.op is Op.IS_NOT]
            labels = [label for value in named for label in (str(value), f"{value}\N{BULLET}") if value != ""]
            kept = [one for one in labels if all(no.holds({word: Fact((one,), "")}) for no in shut_out)]
            yield Fact(tuple(kept), "")
            yield Fact((), "")
        case Kind.TEXT | Kind.CHOICE if pinned is not None:
            yield from (Fact(value, "") for value in pinned)
        case Kind.TEXT | Kind.CHOICE:
            yield from (Fact(value, "") for value in (*named, *_mixed(named), "\N{BULLET}"))
        case Kind.YES_NO:
            yield from (Fact(True, ""), Fact(False, ""))
        case Kind.VERSION:
            yield from (Fact(value, "") for one in named for value in (str(one), f"{one}.0.0.0.1", "0"))
        case _:
            most = {Kind.PERCENT: 100.0, Kind.WINDOW: 1439.0}.get(kind, float("inf"))
            ends = sorted(float(value) for value in named)
            between = [(one + other) / 2 for one, other in pairwise(ends)]
            around = [*between, *(end + step for end in ends for step in (-0.5, 0.0, 0.5))]
            yield from (Fact(value, "") for value in (0.0, *around) if 0.0 <= value <= most)


def _mixed(named: list[Scalar]) -> Iterator[str]:
    """Beginnings, middles and ends put together: 'ward' and '7' may both be in one text."""
    texts = [str(value) for value in named]
    yield "".join(texts)
    yield from (f"{one} {' '.join(texts)}" for one in texts)
    yield from (f"{one}\N{BULLET}" for one in texts)


# ---------------------------------------------------------------------------------------- all there is


def _facts(**values: str | bool | None) -> Facts:
    return {word: Fact(value, "") for word, value in values.items()}


def _cable_states() -> Iterator[tuple[frozenset[Trigger], Facts]]:
    for locked in (True, False):
        yield frozenset({Trigger.ATTACHED, Trigger.PAIRED}), _facts(link="paired", cause="", locked=locked)
    for cause in Cause:
        locked_now = True if cause.is_locked else None
        yield _triggers_of(cause), _facts(link="unpaired", cause=cause.value, locked=locked_now)
    for state in (LinkState.SETTLING, LinkState.DFU, LinkState.RESTORING):
        yield frozenset({Trigger.ATTACHED}), _facts(link=state.value, cause="", locked=None)
    yield frozenset({Trigger.ATTACHED, Trigger.RECOVERY}), _facts(link="recovery", cause="", locked=None)
    yield frozenset({Trigger.DETACHED}), _facts(link="gone", cause="", locked=None)


def _triggers_of(cause: Cause) -> frozenset[Trigger]:
    at = {Trigger.ATTACHED}
    if cause is not Cause.HIDDEN:
        at.add(Trigger.UNPAIRED)
    if cause in (Cause.HIDDEN, Cause.NO_ANSWER):
        at.add(Trigger.SILENT)
    return frozenset(at)


def _registry_states() -> Iterator[Facts]:
    for status, ownership in product(WORDS["status"].choices, WORDS["ownership"].choices):
        yield _facts(status=status, retired_reason="", ownership=ownership)
    for reason, ownership in product(WORDS["retired_reason"].choices, WORDS["ownership"].choices):
        yield _facts(status="retired", retired_reason=reason, ownership=ownership)


_CABLE: Final = frozenset({"link", "cause", "locked"})
_REGISTRY: Final = frozenset({"status", "retired_reason", "ownership"})
TOGETHER: Final = _CABLE | _REGISTRY
"""Words that are judged together with others; every other word is judged by itself."""
_CABLE_STATES: Final = tuple(_cable_states())
_REGISTRY_STATES: Final = tuple(_registry_states())
