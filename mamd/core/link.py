"""
One attached device: does it pair, and if not, why, and for how long has that been seen?

    Attached ──▶ settling ──look──▶ paired ◀──────look──────▶ unpaired(cause)
                    │                                             ▲
                    ├── 10 s on the bus, not in usbmux ───────────┘ hidden
                    └── mode ──▶ recovery | dfu | restoring        Detached ──▶ gone

A verdict needs one look, a cause two in a row, and leaving `paired` two as well. Seconds are
added up from look to look, never read off a clock: a crash, a suspend or a stepped clock can
only make a count smaller (promise 4).
"""

import zlib
from dataclasses import dataclass, replace
from typing import Final

from mamd.core.events import Attached, Detached, Looked
from mamd.core.facts import NOT_SEEN, Answer, Attachment, Cause, LinkState, Look, PairAnswer, Seen, UsbMode
from mamd.core.time import Now

GAP_S: Final = 20.0
"""Two looks further apart than this add nothing: nobody saw what was in between."""
QUICK_LOOKS_S: Final = (0.0, 1.0, 2.0, 3.5)
"""When to look after an attachment or an onset; after that every `CALM_S`."""
CALM_S: Final = 10.0
SOON_S: Final = 0.001
PAIR_EVERY_S: Final = 15.0
HIDDEN_AFTER_S: Final = 10.0
DAMP_WITHIN_S: Final = 60.0
DAMP_ATTACHMENTS: Final = 3
SILENT_STEP_S: Final = 10.0
SILENT_MOST_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Counts:
    """Observed seconds: each stretch starts again when what it counts is interrupted."""

    docked_s: float = 0.0
    paired_s: float = 0.0
    unpaired_s: float = 0.0
    locked_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one look says by itself."""

    state: LinkState | None
    """None: it says nothing about the device (a fault of ours)."""
    cause: Cause | None = None
    locked: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """
    One attachment's story, as far as it must survive a power cut.

    Attributes:
        cause: Why it does not pair, once two looks in a row have said so.
        said: What the last look said; it takes the next one to make it a cause.
        since: When `state` began.
        episode: How many stretches of being unpaired this attachment has had, this one included.
        heard: What the last look's quiet part got to hear, and `pair_heard` what the last Pair did.
        last: When the last look that says something about the device came back.
        silent: Looks in a row that got no answer.
        damped_until: `up` until which nothing is concluded, after too many attachments.
        fired: Rules that fired in this episode.
    """

    attachment: Attachment
    attached: Now
    since: Now
    state: LinkState = LinkState.SETTLING
    cause: Cause | None = None
    said: Verdict | None = None
    mode: UsbMode = UsbMode.NORMAL
    listed: bool = True
    seen: Seen = NOT_SEEN
    counts: Counts = Counts()
    episode: int = 0
    heard: Answer | None = None
    pair_heard: PairAnswer = PairAnswer.NOT_SENT
    pair_sent: Now | None = None
    last: Now | None = None
    looks: int = 0
    silent: int = 0
    was_paired: bool = False
    spoke: bool = False
    damped_until: float | None = None
    fired: tuple[str, ...] = ()

    @property
    def is_unpaired(self) -> bool:
        """An episode is going on."""
        return self.state is LinkState.UNPAIRED

    @property
    def is_locked(self) -> bool:
        """Shown to be locked: by its cause, or inside a session."""
        if self.is_unpaired:
            return self.cause is not None and self.cause.is_locked
        return self.state is LinkState.PAIRED and self.seen.locked is True

    def shows_locked(self, now: Now) -> bool:
        """Locked by the very last look, and that look is no older than a gap: not what *was*."""
        last_said_so = self.said is not None and self.said.locked
        return self.is_locked and last_said_so and now.is_within(GAP_S, of=self.last)


@dataclass(frozen=True, slots=True)
class LookPlan:
    """
    The next look at a device.

    Attributes:
        at: `up` from which it is due.
        decides: A wait would be full then, so the act is decided on this look.
        pair: A Pair request may go out with it, if the device is ours.
    """

    at: float
    decides: bool = False
    pair: bool = False


# ------------------------------------------------------------------ what a look says

_ANSWERS: Final = {
    Answer.SESSION: Verdict(LinkState.PAIRED),
    Answer.PASSWORD_PROTECTED: Verdict(LinkState.UNPAIRED, Cause.LOCKED, locked=True),
    Answer.RESTORING: Verdict(LinkState.RESTORING),
    Answer.CONNECT_REFUSED: Verdict(LinkState.UNPAIRED, Cause.HIDDEN),
    Answer.NO_ANSWER: Verdict(LinkState.UNPAIRED, Cause.NO_ANSWER),
    Answer.GARBLED: Verdict(LinkState.UNPAIRED, Cause.GARBLED),
    Answer.HOST_FAULT: Verdict(None),
}
_PAIR_ANSWERS: Final = {
    PairAnswer.PAIRED: Verdict(LinkState.PAIRED),
    PairAnswer.PASSWORD_PROTECTED: Verdict(LinkState.UNPAIRED, Cause.LOCKED, locked=True),
    # A supervised Pair that is accepted without an escrow bag stored nothing: it is locked.
    PairAnswer.NO_ESCROW: Verdict(LinkState.UNPAIRED, Cause.LOCKED, locked=True),
    PairAnswer.ESCROW_LOCKED: Verdict(LinkState.UNPAIRED, Cause.NEVER_UNLOCKED, locked=True),
    PairAnswer.DIALOG_PENDING: Verdict(LinkState.UNPAIRED, Cause.TRUST_PENDING),
    PairAnswer.DENIED: Verdict(LinkState.UNPAIRED, Cause.TRUST_DENIED),
    PairAnswer.WRONG_IDENTITY: Verdict(LinkState.UNPAIRED, Cause.WRONG_IDENTITY),
}
_UNASKED: Final = {
    Answer.NO_RECORD: Verdict(LinkState.UNPAIRED, Cause.UNKNOWN),
    Answer.INVALID_HOST_ID: Verdict(LinkState.UNPAIRED, Cause.STALE_RECORD),
    Answer.TLS_FAILED: Verdict(LinkState.UNPAIRED, Cause.STALE_RECORD),
}
_WAS_NO_ANSWER: Final = (PairAnswer.NOT_SENT, PairAnswer.NO_ANSWER)


def verdict(look: Look, *, before: PairAnswer = PairAnswer.NOT_SENT) -> Verdict:
    """
    What one look says, the table of design 2.1 line by line.

    Args:
        before: What Pair last got to hear, if the quiet part has said the same ever since. A
            look without a Pair request then repeats it instead of contradicting it.
    """
    if look.answer in _ANSWERS:
        plain = _ANSWERS[look.answer]
        is_locked = plain.locked or (look.answer is Answer.SESSION and look.locked is True)
        return replace(plain, locked=is_locked)
    pair = look.pair if look.pair not in _WAS_NO_ANSWER else before
    return _PAIR_ANSWERS.get(pair, _UNASKED[look.answer])


# --------------------------------------------------------------------------- events


def attach(event: Attached, now: Now, *, lately: tuple[float, ...] = ()) -> Link:
    """
    A new link.

    Args:
        lately: `up` of the earlier attachments on the same port, for damping.
    """
    recent = [up for up in lately if now.up - up < DAMP_WITHIN_S]
    is_damped = len(recent) + 1 >= DAMP_ATTACHMENTS
    link = Link(
        attachment=event.attachment,
        attached=now,
        since=now,
        damped_until=now.up + DAMP_WITHIN_S if is_damped else None,
    )
    return again_attached(link, event, now)


_MODES: Final = {UsbMode.RECOVERY: LinkState.RECOVERY, UsbMode.DFU: LinkState.DFU}
_NO_LOOKS: Final = (LinkState.GONE, LinkState.RECOVERY, LinkState.DFU)


def again_attached(link: Link, event: Attached, now: Now) -> Link:
    """The bus says something new of the same attachment; saying the same again changes nothing."""
    seen = replace(link.seen, ids=event.ids.joined(link.seen.ids))
    known = replace(link, mode=event.mode, listed=event.listed, seen=seen)
    state = _MODES.get(event.mode)
    if state is not None and link.state is not state:
        return replace(_ended(known), state=state, since=now)
    is_back = state is None and link.state in _MODES.values()
    if is_back or (event.listed and link.cause is Cause.HIDDEN):
        return replace(_ended(known), state=LinkState.SETTLING, since=now, looks=0)
    return known


def detached(link: Link, event: Detached, now: Now) -> Link:
    """It left the bus."""
    return replace(_ended(link), state=LinkState.GONE, since=now)


def _ended(link: Link) -> Link:
    """Whatever stretch was going on is over."""
    return replace(link, cause=None, said=None, counts=Counts(), last=None, pair_sent=None, fired=())


def time_came(link: Link, now: Now, *, usbmuxd_up: bool) -> Link:
    """Time alone says one thing only: a device that the bus shows and usbmuxd does not is hidden."""
    waited = now.since(link.attached)
    is_hidden = (
        not link.listed
        and usbmuxd_up
        and link.state is LinkState.SETTLING
        and waited is not None
        and waited >= HIDDEN_AFTER_S
        and not is_damped(link, now)
    )
    if not is_hidden:
        return link
    return replace(link, state=LinkState.UNPAIRED, cause=Cause.HIDDEN, since=now, episode=link.episode + 1)


def is_damped(link: Link, now: Now) -> bool:
    """It came and went too often; nothing is concluded until it has been quiet."""
    return link.damped_until is not None and now.up < link.damped_until


def looked(link: Link, event: Looked, now: Now) -> Link:
    """Take one look: what it says, for how long that has been seen, and what state that makes."""
    if link.state in _NO_LOOKS or event.attachment != link.attachment:
        return link  # a look that was under way when the device left or changed its mode
    look = _believed(link, event.look)
    before = link.pair_heard if look.answer is link.heard else PairAnswer.NOT_SENT
    says = verdict(look, before=before)
    noted = _noted(link, look, now)
    if says.state is None or is_damped(link, now):
        # Nothing was said about the device, so nothing that it said before is taken back.
        return replace(noted, said=None, last=None, heard=link.heard, pair_heard=link.pair_heard)
    counted = replace(noted, counts=_count(link, says, now), last=now, said=says)
    return _judged(link, counted, says, now)


def _believed(link: Link, look: Look) -> Look:
    """A device whose names change while it is attached lies; what else it says is worth nothing."""
    if not look.ids.contradicts(link.seen.ids):
        return look
    return Look(Answer.GARBLED, stage="it took another name")


def _noted(link: Link, look: Look, now: Now) -> Link:
    was_sent = look.pair is not PairAnswer.NOT_SENT
    is_same = look.answer is link.heard
    kept = link.pair_heard if is_same else PairAnswer.NOT_SENT
    sent_before = link.pair_sent if is_same else None
    return replace(
        link,
        seen=link.seen.with_look(look, now),
        heard=look.answer,
        pair_heard=look.pair if look.pair not in _WAS_NO_ANSWER else kept,
        pair_sent=now if was_sent else sent_before,
        looks=link.looks + 1,
        silent=link.silent + 1 if look.answer is Answer.NO_ANSWER else 0,
        spoke=link.spoke or look.spoke,
    )


def _count(link: Link, says: Verdict, now: Now) -> Counts:
    """Add the time since the look before, where both say the same and the gap is short enough."""
    passed = now.since(link.last)
    counts, said = link.counts, link.said
    if passed is None or passed > GAP_S or said is None:
        return Counts(docked_s=counts.docked_s)
    return Counts(
        docked_s=counts.docked_s + passed,
        paired_s=counts.paired_s + passed if _both(said, says, LinkState.PAIRED) else 0.0,
        unpaired_s=counts.unpaired_s + passed if _both_unpaired(said, says) else 0.0,
        locked_s=counts.locked_s + passed if said.locked and says.locked else 0.0,
    )


def _both(one: Verdict, other: Verdict, state: LinkState) -> bool:
    return one.state is state and other.state is state


def _both_unpaired(one: Verdict, other: Verdict) -> bool:
    """A hidden device has no 5 seconds: we do not talk to it, so we see nothing."""
    return _both(one, other, LinkState.UNPAIRED) and Cause.HIDDEN not in (one.cause, other.cause)


def _judged(was: Link, link: Link, says: Verdict, now: Now) -> Link:
    if says.state is LinkState.PAIRED:
        return _now_paired(was, link, now)
    if says.state is LinkState.RESTORING:
        same = was.state is LinkState.RESTORING
        return link if same else replace(_ended(link), state=LinkState.RESTORING, since=now, last=now)
    return _now_unpaired(was, link, says, now)


def _now_paired(was: Link, link: Link, now: Now) -> Link:
    # That a Pair was accepted is proven by the sessions that follow, or else was not true.
    heard = PairAnswer.NOT_SENT if link.pair_heard is PairAnswer.PAIRED else link.pair_heard
    paired = replace(
        link, state=LinkState.PAIRED, cause=None, was_paired=True, pair_sent=None, pair_heard=heard
    )
    if was.state is LinkState.PAIRED:
        return paired
    return replace(paired, since=now, fired=(), looks=1)


def _now_unpaired(was: Link, link: Link, says: Verdict, now: Now) -> Link:
    is_said_twice = was.said is not None and was.said.cause is says.cause
    if was.state is LinkState.UNPAIRED:
        return replace(link, cause=says.cause if is_said_twice else was.cause)
    if was.state is LinkState.PAIRED and not (was.said and was.said.state is LinkState.UNPAIRED):
        return replace(link, state=LinkState.PAIRED)
    return replace(
        link,
        state=LinkState.UNPAIRED,
        cause=says.cause if is_said_twice else None,
        since=now,
        episode=was.episode + 1,
        fired=(),
        looks=1,
    )


# ------------------------------------------------------------------------- schedule


def next_look(
    link: Link, now: Now, *, waits_s: tuple[float, ...] = (), run_left_s: float | None = None
) -> LookPlan | None:
    """
    When to look next, and whether something is decided on that look.

    Args:
        waits_s: The `for` times that rules wait for in this state.
        run_left_s: Observed seconds that the open run's wait still lacks.

    Returns:
        None for a link that cannot be looked at (gone, recovery, dfu).
    """
    if link.state in _NO_LOOKS:
        return None
    if is_damped(link, now):
        assert link.damped_until is not None
        return LookPlan(link.damped_until, pair=True)
    if link.cause is Cause.HIDDEN and not link.listed:
        return None  # only the bus can bring news of it
    if not link.listed:
        return LookPlan(max(now.up + 1.0, link.attached.up + HIDDEN_AFTER_S))
    at = _calm(link, now)
    deciding = _deciding(link, waits_s, run_left_s)
    if deciding is None or (link.silent and deciding < at):
        return LookPlan(at, pair=_pair_is_due(link, at))
    if deciding > at:
        return LookPlan(at, pair=_pair_is_due(link, at))
    return LookPlan(deciding, decides=True, pair=True)


def _calm(link: Link, now: Now) -> float:
    """The schedule while nothing is about to be decided."""
    if link.seen.at is None:
        return now.up
    begun = link.seen.at.up
    if link.silent:
        return begun + min(SILENT_MOST_S, SILENT_STEP_S * link.silent)
    for offset in QUICK_LOOKS_S:
        due = link.since.up + offset
        if due > begun + 0.05:
            return due
    if link.state is LinkState.PAIRED and link.said and link.said.state is LinkState.UNPAIRED:
        return begun + QUICK_LOOKS_S[1]
    return begun + CALM_S * _jitter(link)


def _jitter(link: Link) -> float:
    """0.9 to 1.1, from the attachment and the look's number: spread out, yet the same in a replay."""
    return 0.9 + 0.2 * (zlib.crc32(f"{link.attachment}/{link.looks}".encode()) % 1000) / 1000


def _deciding(link: Link, waits_s: tuple[float, ...], run_left_s: float | None) -> float | None:
    if link.last is None:
        return None
    lasted = link.counts.paired_s if link.state is LinkState.PAIRED else link.counts.unpaired_s
    left = [wait - lasted for wait in waits_s if wait > lasted]
    if run_left_s is not None and run_left_s > 0:
        left.append(run_left_s)
    # A sum of seconds may fall short of its whole by a rounding; the next look is later all the same.
    return link.last.up + max(min(left), SOON_S) if left else None


def _pair_is_due(link: Link, at: float) -> bool:
    """Once at the first verdict, then every 15 s while it does not pair."""
    if link.state is LinkState.PAIRED:
        return False
    return link.pair_sent is None or at - link.pair_sent.up >= PAIR_EVERY_S
