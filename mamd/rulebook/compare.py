"""
Says what a list of devices would change, before it changes anything.

The list's word is taken on what a list can know; what only we know of a device stays.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from mamd.core.facts import Ownership, Record, Status

MOST_LOST: Final = 0.05


@dataclass(frozen=True, slots=True)
class Comparison:
    """
    What a list would change.

    Attributes:
        changed: (as it is, as it would be), the second with the first's `device`.
        left: Known devices that the list no longer has, marked.
        contradictions: One line for each row whose names belong to two devices; not applied.
    """

    added: tuple[Record, ...] = ()
    changed: tuple[tuple[Record, Record], ...] = ()
    left: tuple[Record, ...] = ()
    contradictions: tuple[str, ...] = ()
    known: int = 0

    @property
    def refusal(self) -> str | None:
        """Why the list must not be taken as it is, with its cure; None if it may."""
        if not self.known or len(self.left) <= self.known * MOST_LOST:
            return None
        return (
            f"this list would lose {len(self.left)} of {self.known} devices, which is more than 5 %; "
            "is it the whole list? nothing was changed"
        )


def compare(known: Iterable[Record], read: Iterable[Record]) -> Comparison:
    """What taking the list would do to what is known. Pure; comparing twice says the same."""
    there = tuple(known)
    by_name = {name: record for record in there for name in _names(record)}
    added: list[Record] = []
    changed: list[tuple[Record, Record]] = []
    contradictions: list[str] = []
    met: set[str] = set()
    for record in read:
        olds = {by_name[name].device: by_name[name] for name in _names(record) if name in by_name}
        old = next(iter(olds.values()), None)
        if old is None:
            added.append(record)
        elif len(olds) > 1 or old.ids.contradicts(record.ids) or old.device in met:
            whose = ", ".join(f"{one.called()} ({one.device})" for one in olds.values())
            contradictions.append(f"{record.called()}: its serial, UDID and ECID do not fit {whose}")
        elif (new := _taken(old, record)) != old:
            changed.append((old, new))
        met |= set(olds)
    still = [one for one in there if not one.left_import]
    left = tuple(replace(one, left_import=True) for one in still if one.device not in met)
    return Comparison(tuple(added), tuple(changed), left, tuple(contradictions), len(still))


def _names(record: Record) -> tuple[tuple[str, object], ...]:
    ids = record.ids
    named = (("udid", ids.udid), ("ecid", ids.ecid), ("serial", ids.serial))
    return tuple((kind, value) for kind, value in named if value is not None)


def _taken(old: Record, read: Record) -> Record:
    """The list's word on what a list says; what it cannot know, and what a person has said, stays."""
    taken = replace(
        read,
        device=old.device,
        ids=read.ids.joined(old.ids),
        custody=old.custody,
        is_held=old.is_held,
        by_person=old.by_person,
    )
    kept = {name: getattr(old, name) for name in old.by_person if not _restricts(name, read)}
    return replace(taken, **kept)


def _restricts(name: str, read: Record) -> bool:
    """What restricts wins, whoever says it: personal, lost, stolen, retired."""
    return {
        "status": read.status is Status.RETIRED,
        "retired_reason": read.retired_reason in ("lost", "stolen"),
        "ownership": read.ownership is Ownership.PERSONAL,
    }.get(name, False)
