"""Says what is known of a device, and what a rule asked about it, in a person's words."""

from collections.abc import Mapping
from typing import Final

from mamd.core.facts import Cause, Custody, Fact, LinkState, Ownership, Status
from mamd.core.rules import Tested
from mamd.words.moments import lasting
from mamd.words.said import say

_PHRASES: Final[Mapping[str, str]] = {
    "status": "its status",
    "retired_reason": "why it was retired",
    "ownership": "whose it is",
    "name": "its name",
    "serial": "its serial number",
    "home": "its home",
    "labels": "its labels",
    "mdm": "its MDM",
    "custody": "who has it",
    "holder": "who has it",
    "lent_for": "how long it has been lent",
    "link": "whether it pairs",
    "cause": "why it does not pair",
    "locked": "whether it is locked",
    "docked_for": "how long it has been attached",
    "port": "its port",
    "launchpad": "this Launchpad",
    "launchpad_labels": "this Launchpad's labels",
    "erased": "whether it was erased",
    "recently_erased": "whether it was erased lately",
    "battery": "its battery",
    "os_version": "its system's version",
    "model": "its model",
    "supervised": "whether it is supervised",
    "passcode_set": "whether a passcode is set",
    "last_contact": "when its MDM last heard it",
    "lost_mode": "whether it is in Lost Mode",
    "token": "whether an unlock token is held",
    "enrolled": "whether it is enrolled",
    "profile": "its profiles",
    "time": "the time of day",
}
_ENUMS: Final = {
    "status": Status,
    "ownership": Ownership,
    "custody": Custody,
    "link": LinkState,
    "cause": Cause,
}
_DURATIONS: Final = frozenset({"docked_for", "lent_for"})


def phrase(word: str) -> str:
    """What one word of the rules' language asks about."""
    if word.startswith("attribute."):
        return f"its {word.removeprefix('attribute.').replace('_', ' ')}"
    return _PHRASES.get(word, word.replace("_", " "))


def value(word: str, fact: Fact | None) -> str:
    """What is known of it: a value in words, `none`, or `not known`."""
    known = fact.value if fact is not None else None
    if known is None:
        return "not known"
    if known == "" or known == ():
        return "none"
    if isinstance(known, bool):
        return "yes" if known else "no"
    if isinstance(known, float | int):
        return _number(word, float(known))
    if isinstance(known, tuple):
        return ", ".join(known)
    return say(_ENUMS[word](known)).short if word in _ENUMS else known


def _number(word: str, known: float) -> str:
    if word in _DURATIONS:
        return lasting(known)
    if word == "last_contact":
        return f"{lasting(known)} ago"
    if word == "time":
        return f"{int(known) // 60:02}:{int(known) % 60:02}"
    return f"{known:.0f} %" if word == "battery" else f"{known:g}"


def ruling(tested: Tested, facts: Mapping[str, Fact]) -> str:
    """What one rule says of a device now, after its name: that it applies, or what speaks against it."""
    if tested.holds:
        return "applies: all of its conditions are met"
    against = [
        f"{phrase(word)} ({value(word, facts.get(word))})"
        for word, held in tested.conditions
        if held is not True
    ]
    late = [] if tested.lasted else ["what it waits for is not the case, or not for long enough yet"]
    unmet = [f"its conditions are not met by {', '.join(against)}"] if against else []
    return f"does not apply: {'; '.join((*late, *unmet))}"


def met(tested: Tested, facts: Mapping[str, Fact]) -> str:
    """The conditions of a rule that holds, with what is known: `its status (active), …`."""
    return ", ".join(f"{phrase(word)} ({value(word, facts.get(word))})" for word, _ in tested.conditions)
