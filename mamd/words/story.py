"""Tells what happened in a run, line by line, without one word that only a programmer would use."""

import re
from collections.abc import Mapping
from datetime import datetime, tzinfo
from enum import Enum
from typing import Final

from mamd.core.governor import Block
from mamd.core.run import End, Past, Run
from mamd.core.workflow import Action
from mamd.words.moments import at, lasting
from mamd.words.said import SAID, say

_CODE: Final = re.compile(r"[a-z]+(?:[._][a-z]+)+")
_SECONDS: Final = re.compile(r"\b(\d+)(?:\.\d+)? s\b")
_ENDED: Final = "ended: "
_ENDS: Final[Mapping[str, End]] = {end.value: end for end in End}
_BLOCKS: Final[Mapping[str, Block]] = {block.value: block for block in Block}
_ACTIONS: Final[Mapping[str, Action]] = {action.value: action for action in Action}
_WOULD_ERASE: Final = "would erase and update it"
_ANSWERED: Final[Mapping[str, str]] = {
    "the device answered Acknowledged": "the device said that its passcode is off",
    "the device answered NotNow": "the device said: not now",
    "the device answered Error": "the device said that it could not",
}


def _codes() -> Mapping[str, Enum]:
    """Codes that cannot be mistaken for words; where two enums share one, the words say the same."""
    return {str(member.value): member for member in SAID if _CODE.fullmatch(str(member.value))}


_WORDS: Final = _codes()


def in_words(text: str) -> str:
    """A text of the core with its codes said in words, and long times in minutes."""
    parts = text.split(", ")
    if all(part in _BLOCKS for part in parts):
        return ", ".join(say(_BLOCKS[part]).short for part in parts)
    said = _CODE.sub(lambda found: _short(found.group()), text.replace("would do ", "it would have been: "))
    return _SECONDS.sub(lambda found: lasting(float(found.group(1))), said)


def _short(code: str) -> str:
    return say(_WORDS[code]).short if code in _WORDS else code.replace("_", " ")


def told(past: Past, run: Run, now: datetime, zone: tzinfo | None) -> str:
    """One thing that happened, with its time."""
    return f"{at(past.at.wall, now, zone)}  {_what(past, run)}"


def _what(past: Past, run: Run) -> str:
    if past.what.startswith(_ENDED):
        return _ending(past, run)
    if past.what == _WOULD_ERASE:
        return f"{past.what}; in the way: {in_words(past.detail)}"
    if past.what in _ACTIONS:
        return f"{say(_ACTIONS[past.what]).short}: {in_words(past.detail)}"
    what = _ANSWERED.get(past.what, in_words(past.what))
    return f"{what} ({in_words(past.detail)})" if past.detail else what


def _ending(past: Past, run: Run) -> str:
    if run.end is End.BROKEN:
        return f"ended: {say(End.BROKEN).text}; the journal has the whole of it"
    word = past.what.removeprefix(_ENDED)
    how = say(_ENDS[word]).text if word in _ENDS else word
    proof = f"; {say(run.proof).text}" if run.proof is not None and run.end is End.PROVEN else ""
    detail = f" ({in_words(past.detail)})" if past.detail else ""
    return f"ended: {how}{proof}{detail}"


def begun_by(run: Run) -> str:
    """Who began it: a rule or a person."""
    return f"{run.by}, by a person's word" if run.is_person else f"rule {run.by}"
