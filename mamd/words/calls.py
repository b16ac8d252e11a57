"""Says why people are called: the text of a message, gathered when there are several."""

from collections.abc import Sequence

from mamd.ports import CallRow
from mamd.words.fill import begun, filled
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
    """Where and what it is about, the cure, and the details, in one line."""
    details = call_details(row)
    return f"{call_head(row)}{f' ({details})' if details else ''}"


def call_head(row: CallRow) -> str:
    """Where, what, and what to do: `Port 7, d-0042: it asks whether to trust this host. Press Trust.`"""
    call, said = row.call, say(row.call.reason)
    port = dict(call.details).get("port", "")
    subject = ", ".join(one for one in (f"port {port}" if port else "", call.device or "") if one)
    return f"{begun(f'{subject}: {said.text}' if subject else said.text)}. {_filled(said.cure, row)}".rstrip()


def call_details(row: CallRow) -> str:
    """What else is known of it: `rule: not-pairing; waited: 5 min`."""
    rest = ((word, value) for word, value in row.call.details if value and word != "port")
    return "; ".join(f"{word}: {in_words(value)}" for word, value in rest)


def _filled(cure: str, row: CallRow) -> str:
    """The cure with this call's own names in its commands; a run's is the second part of its key."""
    kind, _, rest = row.call.key.partition("/")
    names = {
        "DEVICE": row.call.device,
        "LABEL": dict(row.call.details).get("port"),
        "RUN": rest.partition("/")[0] if kind == "run" else None,
    }
    return filled(cure, names)
