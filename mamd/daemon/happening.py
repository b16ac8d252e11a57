"""One thing that the keeper is to take a turn on, with the moment at which it happened."""

import asyncio
from dataclasses import dataclass, field

from mamd.core.commands import Command
from mamd.core.events import Event
from mamd.core.facts import Attachment, Record
from mamd.core.storm import Told
from mamd.core.time import Now
from mamd.ports import CallRow, Delivery


@dataclass(frozen=True, slots=True)
class Held:
    """Somebody stops something."""

    scope: str
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class Released:
    """Somebody lifts a hold, or what a storm left behind."""

    scope: str
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Somebody knows; no more calls about it."""

    keys: tuple[str, ...]
    by: str


@dataclass(frozen=True, slots=True)
class Called:
    """People were told of these matters."""

    rows: tuple[CallRow, ...]


@dataclass(frozen=True, slots=True)
class RecordsSet:
    """Rows of the registry, from an import or a person's word."""

    records: tuple[Record, ...]
    by: str
    what: str


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The MDM took a queued command back."""

    act: str


@dataclass(frozen=True, slots=True)
class Expired:
    """Orphans that are too old to be waited for any longer."""

    acts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HouseChanged:
    """A reload: rules or settings are others now."""

    what: str


Word = Held | Released | Acknowledged | Called | RecordsSet | Withdrawn | Expired | HouseChanged


@dataclass(frozen=True, slots=True)
class Happening:
    """
    An event or a word, and whom it concerns.

    Attributes:
        at: When it happened. Turns are taken in the order of arrival, on this time.
        attachment: For what happened on the cable.
        device: For what happened to a device or its run.
        answer: Set once the turn is committed, or with the error if it could not be. Whoever
            waits (a webhook, a person) must hear; such a happening is not tried again.
    """

    at: Now
    event: Event | None = None
    attachment: Attachment | None = None
    device: str | None = None
    delivery: Delivery | None = None
    told: Told | None = None
    word: Word | None = None
    commands: tuple[Command, ...] = ()
    answer: asyncio.Future[str] | None = field(default=None, compare=False)
