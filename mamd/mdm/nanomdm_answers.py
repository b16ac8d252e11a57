"""
Tells what NanoMDM's answers mean (nanomdm v0.9.0: api/, storage/, push/), and keeps none of their words.

Its error texts can hold the whole command with its token, or a device's push token. They are looked at
here, turned into one of a few meanings, and go no further.
"""

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

from mamd.core.errors import Busy, Doubtful, Misconfigured, No, Refused, Trouble, Unreachable
from mamd.mdm.http import Answer, refusal, unreadable


class Queueing(Enum):
    """What became of a command."""

    QUEUED = "queued"
    BEFORE = "queued by an earlier try"
    UNREADABLE = "it cannot read our command"
    UNKNOWN_ID = "it does not know this enrollment"
    FAILED = "its storage failed while it took the command"
    NOT_OURS = "it answers, but not to what we asked; check `url` and `kind`"


class Pushing(Enum):
    """What became of a push to one device."""

    SENT = "sent"
    NOT_TRIED = "it tried no push"
    NO_SUCH_ID = "it has no push data of this device; the device must enrol again"
    GONE = "Apple does not know this device's push token any more; the device must enrol again"
    NO_CERTIFICATE = "it has no push certificate that Apple takes; renew it and upload it to NanoMDM"
    TOO_MANY = "Apple's push service asks it to come back later"
    FAILED = "its push did not get through to Apple's push service"


class Result:
    """The object that enqueue and push answer with. It shows nothing of itself."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = fields

    def __repr__(self) -> str:
        return "<an answer of NanoMDM>"

    @property
    def command_uuid(self) -> str | None:
        """The command that it speaks of, if it could read one."""
        uuid = self._fields.get("command_uuid")
        return uuid if isinstance(uuid, str) else None

    def errors(self, name: str, enrollment_id: str | None = None) -> Iterator[str]:
        """The texts of `push_error` or `command_error`: the whole call's, then that of one id or of all."""
        for entry in (self._fields, *self._entries(enrollment_id)):
            if entry.get(name):
                yield str(entry[name])

    def has_push_result(self, enrollment_id: str) -> bool:
        """Whether Apple gave an id. It is there after a failed push, too: look for errors first."""
        return any(entry.get("push_result") for entry in self._entries(enrollment_id))

    def _entries(self, enrollment_id: str | None) -> Iterator[Mapping[str, Any]]:
        status = self._fields.get("status")
        for id, entry in status.items() if isinstance(status, dict) else ():
            if isinstance(entry, dict) and enrollment_id in (None, id):
                yield entry


def result(who: str, answer: Answer, *, changes: bool) -> Result:
    """NanoMDM's own object out of an answer, whatever its status; raises what else the answer is."""
    if (trouble := refusal(who, answer, changes=changes)) is not None:
        raise trouble
    if answer.status == 404:
        raise Misconfigured(who, _NO_API, No.PROTOCOL)
    fields = answer.json()
    if fields is None:
        raise unreadable(who, answer, changes=changes)
    return Result(fields)


_NO_API = "no NanoMDM API at that address; start NanoMDM with -api, and write its origin as `url`"


def queueing(result: Result, command_id: str) -> Queueing:
    """What became of our command: by the fields, never by the status. One id a call is assumed."""
    error = next(result.errors("command_error"), "")
    # This text ends with the whole command, so it may hold any word, and has to be told first.
    if error.startswith("decoding command"):
        return Queueing.UNREADABLE
    if any(text in error for text in _UNKNOWN_ID):
        return Queueing.UNKNOWN_ID
    if result.command_uuid != command_id:
        return Queueing.FAILED if error else Queueing.NOT_OURS
    if any(text in error for text in _REPEATED):
        return Queueing.BEFORE
    return Queueing.FAILED if error else Queueing.QUEUED


# Of the key-value stores, PostgreSQL and MySQL, in this order where they differ.
_REPEATED = ("already exists", "duplicate key", "Error 1062")
_UNKNOWN_ID = ("foreign key", "Error 1452")


def not_queued(who: str, queueing: Queueing) -> Trouble:
    """What it means for the caller that the command is not in the queue, or may not be."""
    if queueing is Queueing.FAILED:
        return Doubtful(who, queueing.value)  # a commit can fail after it was carried out
    if queueing is Queueing.NOT_OURS:
        return Misconfigured(who, queueing.value, No.PROTOCOL)
    why = No.NOT_FOUND if queueing is Queueing.UNKNOWN_ID else No.REJECTED
    return Refused(who, queueing.value, why)


def pushing(result: Result, enrollment_id: str) -> Pushing:
    """What became of the push to one device."""
    error = next(result.errors("push_error", enrollment_id), None)
    if error is None:
        return Pushing.SENT if result.has_push_result(enrollment_id) else Pushing.NOT_TRIED
    for text, meaning in _PUSH_ERRORS.items():
        if text in error:
            return meaning
    return Pushing.FAILED


# NanoMDM's own texts, then reasons of Apple's push service that it passes on.
_PUSH_ERRORS = {
    "push data missing for id": Pushing.NO_SUCH_ID,
    "retrieving push cert": Pushing.NO_CERTIFICATE,
    "Unregistered": Pushing.GONE,
    "BadDeviceToken": Pushing.GONE,
    "DeviceTokenNotForTopic": Pushing.GONE,
    "BadCertificate": Pushing.NO_CERTIFICATE,
    "TooManyRequests": Pushing.TOO_MANY,
}


def not_pushed(who: str, pushing: Pushing) -> Trouble:
    """What it means for the caller that no push went out."""
    if pushing in (Pushing.NO_SUCH_ID, Pushing.GONE):
        return Refused(who, pushing.value, No.NOT_ENROLLED)
    if pushing is Pushing.NO_CERTIFICATE:
        return Misconfigured(who, pushing.value, No.FORBIDDEN)
    if pushing is Pushing.TOO_MANY:
        return Busy(who, pushing.value)
    return Unreachable(who, pushing.value)
