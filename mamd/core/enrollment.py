"""
What an MDM's own check-ins say of a device, and the life of its UnlockToken.

Only a TokenUpdate brings a token; a later one without it changes nothing, another one
replaces it, Authenticate makes it stale, CheckOut and a confirmed erase destroy it
(Apple, MDM protocol: TokenUpdate).
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum

from mamd.core.events import AnswerStatus
from mamd.core.facts import Enrollment


class NewsKind(Enum):
    """What a webhook told us."""

    AUTHENTICATED = "authenticated"
    TOKEN_UPDATED = "token_updated"
    CHECKED_OUT = "checked_out"
    ANSWERED = "answered"
    IDLE = "idle"


@dataclass(frozen=True, slots=True)
class MdmNews:
    """
    One message from an MDM, read and checked, without secrets.

    Attributes:
        enrollment_id: What commands for that device are addressed to, letter for letter.
        sent_at: When the MDM says it happened; messages may arrive in any order.
        command_id: The answered command, for `ANSWERED`.
        fingerprint: First 8 hex digits of the token's SHA-256, for a TokenUpdate with one.
    """

    mdm: str
    kind: NewsKind
    enrollment_id: str
    sent_at: datetime
    udid: str | None = None
    serial: str | None = None
    command_id: str | None = None
    status: AnswerStatus | None = None
    error: str = ""
    fingerprint: str | None = None
    passcode_set: bool | None = None


class TokenState(Enum):
    """Whether the token that is kept may be used."""

    NONE = "none"
    CURRENT = "current"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Enrolled:
    """
    One enrollment of one device in one MDM, as its check-ins have told it.

    Attributes:
        last_contact: Wall time of the last message, by the MDM's clock: shown, never subtracted.
        as_of: `sent_at` of the newest check-in taken; an older one that comes late moves no state.
        token_at: `sent_at` of the newest check-in that brought this token.
        void_before: `sent_at` of the newest Authenticate or CheckOut: a token or a finding from
            before it belongs to an enrollment that is over.
        passcode_at: `sent_at` of the answer that said whether a passcode is set.
    """

    mdm: str
    enrollment_id: str
    state: Enrollment
    as_of: datetime
    udid: str | None = None
    serial: str | None = None
    token: TokenState = TokenState.NONE
    fingerprint: str | None = None
    token_at: datetime | None = None
    last_contact: datetime | None = None
    passcode_set: bool | None = None
    answered: tuple[tuple[str, str], ...] = ()
    """The last answers taken, as (command, status), so that a repeated one is no news."""
    void_before: datetime | None = None
    passcode_at: datetime | None = None


class KeepToken(Enum):
    """What becomes of the sealed token that is kept, or came with the news."""

    AS_IT_IS = "as_it_is"
    STORE = "store"
    DESTROY = "destroy"


def heard(was: Enrolled | None, news: MdmNews) -> tuple[Enrolled, KeepToken]:
    """
    What one message makes of what was known, and what to do with the token.

    Taking the same message twice changes nothing the second time, and the order in which
    messages arrive does not matter: what may be used goes by when they were sent.
    """
    known = _touched(was or _stranger(news), news)
    if news.kind is NewsKind.TOKEN_UPDATED:
        return _token_updated(_placed(known, news, Enrollment.ENROLLED), news)
    if news.kind is NewsKind.AUTHENTICATED:
        return _authenticated(_voided(_placed(known, news, Enrollment.AUTHENTICATED), news), news)
    if news.kind is NewsKind.CHECKED_OUT:
        return _checked_out(_voided(_placed(known, news, Enrollment.CHECKED_OUT), news), news)
    return _answered(known, news), KeepToken.AS_IT_IS


# Older than any check-in, and no time zone can push it off the calendar.
_NO_CHECK_IN = datetime(1970, 1, 1, tzinfo=UTC)


def _stranger(news: MdmNews) -> Enrolled:
    """An enrollment that has never been heard of is not enrolled until a TokenUpdate says so."""
    return Enrolled(
        mdm=news.mdm, enrollment_id=news.enrollment_id, state=Enrollment.AUTHENTICATED, as_of=_NO_CHECK_IN
    )


def _touched(was: Enrolled, news: MdmNews) -> Enrolled:
    """Any message is a sign of life, and may tell a name that was not known."""
    return replace(
        was,
        udid=news.udid or was.udid,
        serial=news.serial or was.serial,
        last_contact=_later(was.last_contact, news.sent_at),
    )


def _placed(was: Enrolled, news: MdmNews, state: Enrollment) -> Enrolled:
    return was if news.sent_at < was.as_of else replace(was, state=state, as_of=news.sent_at)


def _voided(was: Enrolled, news: MdmNews) -> Enrolled:
    """An enrollment began or ended: what was found before then says nothing any more."""
    is_known = was.passcode_at is not None and was.passcode_at >= news.sent_at
    return replace(
        was,
        void_before=_later(was.void_before, news.sent_at),
        passcode_set=was.passcode_set if is_known else None,
        passcode_at=was.passcode_at if is_known else None,
    )


def _authenticated(was: Enrolled, news: MdmNews) -> tuple[Enrolled, KeepToken]:
    if was.token is TokenState.NONE or _is_before(news.sent_at, was.token_at):
        return was, KeepToken.AS_IT_IS
    return replace(was, token=TokenState.STALE), KeepToken.AS_IT_IS


def _checked_out(was: Enrolled, news: MdmNews) -> tuple[Enrolled, KeepToken]:
    if _is_before(news.sent_at, was.token_at):
        return was, KeepToken.AS_IT_IS
    return replace(was, token=TokenState.NONE, fingerprint=None, token_at=None), KeepToken.DESTROY


def _token_updated(was: Enrolled, news: MdmNews) -> tuple[Enrolled, KeepToken]:
    """Without a token it takes none back; one that comes late is still the only one we may ever get."""
    is_old = _is_before(news.sent_at, was.void_before) or _is_before(news.sent_at, was.token_at)
    if news.fingerprint is None or is_old:
        return was, KeepToken.AS_IT_IS
    held = was.token is TokenState.CURRENT and news.fingerprint == was.fingerprint
    taken = replace(was, token=TokenState.CURRENT, fingerprint=news.fingerprint, token_at=news.sent_at)
    return taken, KeepToken.AS_IT_IS if held else KeepToken.STORE


_ANSWERS_KEPT = 32


def _answered(was: Enrolled, news: MdmNews) -> Enrolled:
    known = _with_passcode(was, news)
    if news.command_id is None or news.status is None:
        return known
    answer = (news.command_id, news.status.value)
    if answer in known.answered:
        return known
    return replace(known, answered=(*known.answered, answer)[-_ANSWERS_KEPT:])


def _with_passcode(was: Enrolled, news: MdmNews) -> Enrolled:
    is_old = _is_before(news.sent_at, was.void_before) or _is_before(news.sent_at, was.passcode_at)
    if news.passcode_set is None or is_old:
        return was
    return replace(was, passcode_set=news.passcode_set, passcode_at=news.sent_at)


def is_repeated(was: Enrolled | None, news: MdmNews) -> bool:
    """
    True if this answer says nothing new: it came before, or it is a NotNow that was overtaken.

    NanoMDM posts a repeated result again, and two posts may overtake each other.
    """
    if was is None or news.command_id is None or news.status is None:
        return False
    if news.status is AnswerStatus.NOT_NOW and any(
        (news.command_id, final.value) in was.answered
        for final in (AnswerStatus.ACKNOWLEDGED, AnswerStatus.ERROR)
    ):
        return True
    return (news.command_id, news.status.value) in was.answered


def _later(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else max(one, other)


def _is_before(moment: datetime, other: datetime | None) -> bool:
    return other is not None and moment < other
