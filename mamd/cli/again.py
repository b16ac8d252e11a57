"""
Takes all turns again from the rows of the journal, each from its row alone; a difference is an error.

What decides here is the same core that decided then. Nothing is done, and no daemon is needed.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mamd.codec import Unreadable, dump, dump_command, load, load_event
from mamd.core.governor import View
from mamd.core.rules import RuleSet
from mamd.core.storm import StormLimits, Told, Watch, watch
from mamd.core.time import Now
from mamd.core.turn import Situation, take

WATCHED: Final = "Watched"
"""The kind of a row in which the storm watch took something."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One row that came out otherwise, or could not be taken again."""

    number: int
    subject: str
    kind: str
    what: str

    def __str__(self) -> str:
        return f"row {self.number} ({self.subject}, {self.kind}): {self.what}"


def retake(
    rows: Iterable[Mapping[str, Any]], rule_sets: Mapping[str, RuleSet]
) -> Iterator[tuple[bool, Difference | None]]:
    """
    For each row whether it holds a turn, and the difference if there is one.

    Args:
        rows: As `mamd journal --export` writes them.
        rule_sets: Rule sets by their hash.
    """
    for row in rows:
        body = row["body"]
        if "event" not in body and row["kind"] != WATCHED:
            yield False, None  # a person's word, a checkpoint: nothing was decided on it
            continue
        what = _retaken(row, body, rule_sets)
        yield True, Difference(row["number"], row["subject"], row["kind"], what) if what else None


def _retaken(row: Mapping[str, Any], body: Mapping[str, Any], rule_sets: Mapping[str, RuleSet]) -> str:
    """What is different; empty if nothing is."""
    try:
        if row["kind"] == WATCHED:
            return _watched(body)
        rules = rule_sets.get(row["rule_set"])
        if rules is None:
            return f"its rule set {row['rule_set'][:12]} is not known here"
        return _turned(body, rules)
    except (Unreadable, KeyError) as error:
        return f"it cannot be read: {error}"


def _turned(body: Mapping[str, Any], rules: RuleSet) -> str:
    turn = take(
        load(Situation, body["was"]),
        load_event(body["event"]),
        load(Now, body["now"]),
        load(View, body["view"]),
        rules,
    )
    again = {
        "became": dump(turn.became),
        "commands": [dump_command(one) for one in turn.commands],
        "passed_over": list(turn.passed_over),
    }
    return _first_difference({key: body.get(key, []) for key in again}, again)


def _watched(body: Mapping[str, Any]) -> str:
    was, told, now = load(Watch, body["was"]), load(Told, body["told"]), load(Now, body["now"])
    became = watch(was, told, now, load(StormLimits, body["limits"]))
    return _first_difference({"became": body["became"]}, {"became": dump(became)})


def _first_difference(then: Any, now: Any, place: str = "") -> str:
    """Where two plain values first differ, in words."""
    if isinstance(then, dict) and isinstance(now, dict):
        for key in sorted({*then, *now}):
            found = _first_difference(then.get(key), now.get(key), f"{place}.{key}" if place else key)
            if found:
                return found
        return ""
    return "" if then == now else f"{place} was {_cut(then)}, and is {_cut(now)}"


def _cut(value: Any) -> str:
    text = repr(value)
    return f"{text[:77]}..." if len(text) > 80 else text
