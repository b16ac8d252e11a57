"""Says why people are called: the text of a message, gathered when there are several."""

from collections.abc import Sequence

from mamd.ports import CallRow
from mamd.words.said import say
from mamd.words.story import in_words


def calling(launchpad: str, calls: Sequence[CallRow]) -> str:
    """
    One message for all calls: a line that says how many and where, then each with its cure.

    Only what a person needs to find and help the device; a call holds no secret.
    """
    if len(calls) == 1:
        return f"{launchpad}: {one_call(calls[0])}"
    head = f"{launchpad}: {len(calls)} things need a person"
    return "\n".join((head, *(f"– {one_call(row)}" for row in calls)))


def one_call(row: CallRow) -> str:
    """What it is about, the details, and the cure, in one line."""
    call, said = row.call, say(row.call.reason)
    details = ", ".join(f"{word} {in_words(value)}" for word, value in call.details if value)
    subject = f"{call.device}: " if call.device else ""
    cure = said.cure.replace("DEVICE", call.device or "DEVICE")
    return f"{subject}{said.text}{f' ({details})' if details else ''}. {cure}".rstrip()
