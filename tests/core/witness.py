"""
A witness who sees only what anybody could see: looks and their times, messages, people's words.

It counts by itself and never asks the core for a count, a cause or an episode.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from mamd.core import commands as do
from mamd.core import events as ev
from mamd.core.facts import Answer, Attachment, Enrollment, Ids, Look, Ownership, PairAnswer, Record, Status
from mamd.core.time import Now
from tests.core.model import Entry, Model, names

GAP_S: Final = 20.0
NEAR: Final = 1e-6
"""Sums of seconds are rounded; nothing else is forgiven."""
_ASKED_AGAIN: Final = (Answer.NO_RECORD, Answer.INVALID_HOST_ID, Answer.TLS_FAILED)
_LOCKED_PAIR: Final = (PairAnswer.PASSWORD_PROTECTED, PairAnswer.NO_ESCROW, PairAnswer.ESCROW_LOCKED)
_SAYS_NOTHING: Final = (Answer.HOST_FAULT, Answer.CONNECT_REFUSED, Answer.RESTORING)


@dataclass
class Cable:
    """What was seen on one attachment."""

    names: set[str | int] = field(default_factory=set)
    lied: bool = False
    spoke: bool = False
    udid: bool = False
    ecid: bool = False
    looks: list[tuple[Now, str]] = field(default_factory=list)
    """Each look: `locked`, `unpaired` (but not shown to be locked), `paired`, or `nothing`."""
    pair_word: tuple[Answer, PairAnswer] | None = None
    stretch: int = 0
    """Which stretch of not pairing this is, as anybody would count them."""
    is_listed: bool = True


@dataclass
class Witness:
    """Goes through a log from its beginning; after each entry it can be asked what was seen so far."""

    cables: dict[Attachment, Cable] = field(default_factory=lambda: defaultdict(Cable))
    present: set[Attachment] = field(default_factory=set)
    accepted: dict[str, Now] = field(default_factory=dict)
    told: dict[str, Now] = field(default_factory=dict)
    errors: set[str] = field(default_factory=set)
    acts_of: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    contacts: dict[str, list[Now]] = field(default_factory=lambda: defaultdict(list))

    def follow(self, model: Model) -> Iterator[Entry]:
        """Every turn in its order, seen but not yet answered for."""
        for entry in model.log:
            self._see(entry)
            yield entry
            for command in entry.turn.commands:
                if isinstance(command, do.ClearPasscode):
                    self.acts_of[command.device].add(command.act)

    def _see(self, entry: Entry) -> None:
        event, now = entry.event, entry.now
        if isinstance(event, ev.Attached):
            self._attached(event)
        elif isinstance(event, ev.Detached):
            self.present.discard(event.attachment)
        elif isinstance(event, ev.Looked):
            self._looked(self.cables[event.attachment], event.look, now)
        elif isinstance(event, ev.Accepted):
            self.accepted.setdefault(event.act, now)
            if event.pushed:
                self.told.setdefault(event.act, now)
        elif isinstance(event, ev.Pushed) and not event.error:
            self.told.setdefault(event.act, now)
        elif isinstance(event, ev.CommandAnswered):
            self.accepted.setdefault(event.act, now)
            self.told.setdefault(event.act, now)
            if event.status is ev.AnswerStatus.ERROR:
                self.errors.add(event.act)
        elif isinstance(event, ev.ContactMade) and event.device is not None:
            self.contacts[event.device].append(now)

    # -------------------------------------------------------------------------- the cable

    def _attached(self, event: ev.Attached) -> None:
        cable = self.cables[event.attachment]
        self.present.add(event.attachment)
        if event.listed is not cable.is_listed:
            cable.stretch += 1
        cable.is_listed = event.listed
        self._name(cable, event.ids)

    def _name(self, cable: Cable, ids: Ids) -> None:
        known = cable.names
        if (ids.udid and any(isinstance(one, str) and "-" in one and one != ids.udid for one in known)) or (
            ids.ecid is not None and any(isinstance(one, int) and one != ids.ecid for one in known)
        ):
            cable.lied = True  # who contradicts itself is believed nothing, and takes nobody's name
            return
        cable.udid = cable.udid or ids.udid is not None
        cable.ecid = cable.ecid or ids.ecid is not None
        known.update(names(ids))

    def _looked(self, cable: Cable, look: Look, now: Now) -> None:
        self._name(cable, look.ids)
        cable.spoke = cable.spoke or look.spoke
        says = self._says(cable, look)
        if says in ("paired", "restoring"):
            cable.stretch += 1
        cable.looks.append((now, says))

    def _says(self, cable: Cable, look: Look) -> str:
        if cable.lied:
            return "unpaired"
        if look.answer is Answer.SESSION:
            return "paired_locked" if look.locked is True else "paired"
        if look.answer is Answer.PASSWORD_PROTECTED:
            return "locked"
        if look.answer is Answer.RESTORING:
            return "restoring"
        if look.answer in _SAYS_NOTHING:
            return "nothing"
        if look.answer not in _ASKED_AGAIN:
            return "unpaired"
        return self._says_when_asked(cable, look)

    def _says_when_asked(self, cable: Cable, look: Look) -> str:
        """Pair is asked now and then; in between, the same quiet answer means the same."""
        if look.pair not in (PairAnswer.NOT_SENT, PairAnswer.NO_ANSWER):
            cable.pair_word = (look.answer, look.pair)
        elif cable.pair_word is not None and cable.pair_word[0] is not look.answer:
            cable.pair_word = None
        word = cable.pair_word[1] if cable.pair_word is not None else None
        if word is PairAnswer.PAIRED:
            return "paired" if look.pair is PairAnswer.PAIRED else "unpaired"
        return "locked" if word in _LOCKED_PAIR else "unpaired"

    def seconds(self, attachment: Attachment, *says: str, since: Now | None = None) -> float:
        """Seconds between looks on one cable that say this, both, and no further apart than a gap."""
        looks, total = self.cables[attachment].looks, 0.0
        for (was, said), (now, says_now) in pairwise(looks):
            if since is not None and (now.boot != since.boot or now.up <= since.up):
                continue
            passed = now.up - (max(was.up, since.up) if since is not None else was.up)
            if said in says and says_now in says and now.boot == was.boot and now.up - was.up <= GAP_S:
                total += passed
        return total

    def last_stretch(self, attachment: Attachment, *says: str) -> float:
        """The same, counted back from the last look until one says otherwise."""
        looks, total = self.cables[attachment].looks, 0.0
        for (was, said), (now, says_now) in zip(reversed(looks[:-1]), reversed(looks), strict=False):
            if said not in says or says_now not in says or now.up - was.up > GAP_S:
                break
            total += now.up - was.up
        return total

    def says_now(self, attachment: Attachment) -> str:
        """What the last look at it said."""
        looks = self.cables[attachment].looks
        return looks[-1][1] if looks else "nothing"

    # ----------------------------------------------------------------------------- ours

    def is_ours(self, record: Record | None, attachment: Attachment | None) -> bool:
        """Known, in use, of the house, and on this cable and no other it has said that it is this one."""
        if record is None or attachment is None:
            return False
        cable, mine = self.cables[attachment], set(names(record.ids))
        elsewhere = any(
            self.cables[one].names & mine
            for one in self.present
            # Whoever contradicts on its cable what the bus says of it is believed in nothing.
            if one != attachment and not self.cables[one].lied
        )
        says_so = cable.spoke and cable.udid and cable.ecid and not cable.lied
        return may_be_touched(record) and says_so and record.ids.udid in cable.names and not elsewhere

    def told_of(self, device: str, act: str) -> Now | None:
        """When the device was told of a clear: pushed, answered, or heard after it was accepted."""
        accepted, told = self.accepted.get(act), self.told.get(act)
        if accepted is None:
            return None
        heard = [one for one in self.contacts[device] if one.boot == accepted.boot and one.up >= accepted.up]
        known = [one for one in (told, *heard) if one is not None and one.boot == accepted.boot]
        return min(known, key=lambda one: one.up, default=None)


def may_be_touched(record: Record) -> bool:
    """By the registry's word alone."""
    in_use = record.status is Status.ACTIVE or (
        record.status is Status.RETIRED and record.retired_reason not in (None, "lost", "stolen")
    )
    of_the_house = record.ownership in (Ownership.CORPORATE, Ownership.SHARED)
    return in_use and of_the_house and not record.left_import and not record.is_held


def mdm_agrees(word: Any, now: Now) -> bool:
    """The MDM said so within a minute: enrolled, not personal, not lost."""
    return (
        word is not None
        and word.at.boot == now.boot
        and now.up - word.at.up <= 60.0
        and word.enrollment is Enrollment.ENROLLED
        and word.ownership is not Ownership.PERSONAL
        and word.lost_mode is not True
    )
