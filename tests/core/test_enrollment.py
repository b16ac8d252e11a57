"""What check-ins say of a device, and when an unlock token may be used."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from mamd.core.enrollment import Enrolled, KeepToken, MdmNews, NewsKind, TokenState, heard, is_repeated
from mamd.core.events import AnswerStatus
from mamd.core.facts import Enrollment

START = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
A, B = "aaaaaaaa", "bbbbbbbb"


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def news(kind: NewsKind, minute: float, **more: object) -> MdmNews:
    return replace(MdmNews("hospital", kind, "UDID-1", at(minute)), **more)  # type: ignore[arg-type]


def token_update(minute: float, fingerprint: str | None = None) -> MdmNews:
    return news(NewsKind.TOKEN_UPDATED, minute, fingerprint=fingerprint)


def authenticate(minute: float) -> MdmNews:
    return news(NewsKind.AUTHENTICATED, minute, serial="SERIAL1")


def check_out(minute: float) -> MdmNews:
    return news(NewsKind.CHECKED_OUT, minute)


def answer(
    minute: float, status: AnswerStatus, command: str = "C-1", passcode_set: bool | None = None
) -> MdmNews:
    return news(NewsKind.ANSWERED, minute, command_id=command, status=status, passcode_set=passcode_set)


def after(*messages: MdmNews) -> tuple[Enrolled, list[KeepToken]]:
    known, kept = None, []
    for message in messages:
        known, keep = heard(known, message)
        kept.append(keep)
    assert known is not None
    return known, kept


# ----------------------------------------------------------------- the life of a token


def test_t01_a_token_update_without_a_token_takes_none_back() -> None:
    """T01: a phone that reports again without its token can still be cleared."""
    known, kept = after(token_update(1, A), token_update(2))
    assert (known.token, known.fingerprint, known.state) == (TokenState.CURRENT, A, Enrollment.ENROLLED)
    assert kept == [KeepToken.STORE, KeepToken.AS_IT_IS]


def test_t02_the_same_token_again_is_stored_once() -> None:
    """T02: a phone that sends the same token twice has one token, and nothing says it was replaced."""
    known, kept = after(token_update(1, A), token_update(2, A))
    assert (known.token, known.fingerprint, known.token_at) == (TokenState.CURRENT, A, at(2))
    assert kept == [KeepToken.STORE, KeepToken.AS_IT_IS]


def test_another_token_replaces_the_one_before() -> None:
    """A new token takes the old one's place at once, else clearing would fail."""
    known, kept = after(token_update(1, A), token_update(2, B))
    assert (known.token, known.fingerprint) == (TokenState.CURRENT, B)
    assert kept == [KeepToken.STORE, KeepToken.STORE]


def test_t03_a_check_out_destroys_the_token() -> None:
    """T03: the token of a phone that left its MDM is gone."""
    known, kept = after(token_update(1, A), check_out(2))
    assert (known.token, known.fingerprint, known.token_at) == (TokenState.NONE, None, None)
    assert known.state is Enrollment.CHECKED_OUT
    assert kept[-1] is KeepToken.DESTROY


def test_t04_a_new_enrolment_makes_the_token_stale() -> None:
    """T04: a phone that begins to enrol again is not cleared with the token of its old enrolment."""
    known, kept = after(token_update(1, A), authenticate(2))
    assert (known.token, known.state) == (TokenState.STALE, Enrollment.AUTHENTICATED)
    assert kept[-1] is KeepToken.AS_IT_IS


def test_a_stale_token_that_is_sent_again_is_good_again() -> None:
    """What a phone sends in its new enrolment counts, even if it is the same token."""
    known, kept = after(token_update(1, A), authenticate(2), token_update(3, A))
    assert (known.token, known.state) == (TokenState.CURRENT, Enrollment.ENROLLED)
    assert kept[-1] is KeepToken.STORE


def test_a_stale_token_stays_stale_without_a_new_one() -> None:
    """A new enrolment that brings no token leaves the phone without one."""
    known, _ = after(token_update(1, A), authenticate(2), token_update(3))
    assert (known.token, known.state) == (TokenState.STALE, Enrollment.ENROLLED)


def test_a_device_that_never_had_a_token_has_none() -> None:
    """Enrolling twice without a token is not a stale token."""
    known, _ = after(authenticate(1), token_update(2), authenticate(3))
    assert known.token is TokenState.NONE


# ------------------------------------------------------------- messages that come late


def test_a_token_that_comes_late_is_taken() -> None:
    """A phone may send its token only once, so a message that was overtaken still counts."""
    known, kept = after(authenticate(0), token_update(2), token_update(1, A))
    assert (known.token, known.fingerprint) == (TokenState.CURRENT, A)
    assert kept[-1] is KeepToken.STORE


def test_a_token_counts_although_a_poll_was_heard_before_it() -> None:
    """A poll that arrives before the enrolment's own messages does not make them old."""
    known, kept = after(news(NewsKind.IDLE, 5), token_update(1, A))
    assert (known.token, known.state) == (TokenState.CURRENT, Enrollment.ENROLLED)
    assert kept[-1] is KeepToken.STORE


def test_a_token_from_before_the_new_enrolment_is_not_taken() -> None:
    """A late message of an enrolment that is over brings no token back."""
    known, kept = after(authenticate(2), token_update(1, A))
    assert (known.token, known.state) == (TokenState.NONE, Enrollment.AUTHENTICATED)
    assert kept[-1] is KeepToken.AS_IT_IS


def test_a_late_authenticate_still_makes_an_older_token_stale() -> None:
    """That a message was overtaken does not make an old token good."""
    known, _ = after(token_update(1, A), token_update(3), authenticate(2))
    assert (known.token, known.state) == (TokenState.STALE, Enrollment.ENROLLED)


def test_a_late_check_out_does_not_touch_a_newer_enrolment() -> None:
    """A phone that left and came back keeps its new token, whatever the order of the messages."""
    known, kept = after(token_update(3, A), check_out(1), authenticate(2))
    assert (known.token, known.state) == (TokenState.CURRENT, Enrollment.ENROLLED)
    assert kept[1:] == [KeepToken.AS_IT_IS, KeepToken.AS_IT_IS]


def test_late_messages_still_tell_names() -> None:
    """The serial number stands in the first message only, and is learned even if that comes last."""
    known, _ = after(token_update(2, A), authenticate(1))
    assert known.serial == "SERIAL1"


MESSAGES = st.one_of(
    st.just((NewsKind.AUTHENTICATED, None, None)),
    st.just((NewsKind.CHECKED_OUT, None, None)),
    st.just((NewsKind.IDLE, None, None)),
    st.tuples(st.just(NewsKind.TOKEN_UPDATED), st.sampled_from([None, A, B]), st.none()),
    st.tuples(st.just(NewsKind.ANSWERED), st.none(), st.sampled_from([None, True, False])),
)


@st.composite
def lives(draw: st.DrawFn) -> list[MdmNews]:
    """What one phone said, in the order in which it was said, a minute apart."""
    said = draw(st.lists(MESSAGES, min_size=1, max_size=8))
    return [
        news(kind, minute, fingerprint=fingerprint, passcode_set=passcode, command_id=f"C-{minute}",
             status=AnswerStatus.ACKNOWLEDGED if kind is NewsKind.ANSWERED else None)
        for minute, (kind, fingerprint, passcode) in enumerate(said)
    ]  # fmt: skip


def usable(known: Enrolled) -> tuple[object, ...]:
    is_current = known.token is TokenState.CURRENT
    return (
        is_current, known.fingerprint if is_current else None, known.state, known.as_of, known.last_contact,
        known.passcode_set, known.void_before, frozenset(known.answered),
    )  # fmt: skip


@given(life=lives(), data=st.data())
def test_the_order_in_which_messages_arrive_does_not_matter(life: list[MdmNews], data: st.DataObject) -> None:
    """NanoMDM promises no order; what may be used of a phone goes by when things happened."""
    shuffled = data.draw(st.permutations(life))
    assert usable(after(*shuffled)[0]) == usable(after(*life)[0])


@given(life=lives(), data=st.data())
def test_hearing_a_message_twice_changes_nothing(life: list[MdmNews], data: st.DataObject) -> None:
    """Whatever is posted again, at once or much later, nothing is different and nothing is stored."""
    known, _ = after(*life)
    again, keep = heard(known, data.draw(st.sampled_from(life)))
    assert again == known
    assert keep is not KeepToken.STORE


@given(life=lives())
def test_no_token_is_used_that_the_phone_did_not_send_in_this_enrolment(life: list[MdmNews]) -> None:
    """A token counts only if a check-in brought it, after the last time that the phone enrolled or left."""
    known, _ = after(*life)
    if known.token is TokenState.CURRENT:
        ends = [it.sent_at for it in life if it.kind in (NewsKind.AUTHENTICATED, NewsKind.CHECKED_OUT)]
        brought = [it.sent_at for it in life if it.fingerprint == known.fingerprint]
        assert max(brought) > max(ends, default=at(-1))


@given(life=lives())
def test_what_is_stored_is_what_is_called_current(life: list[MdmNews]) -> None:
    """The sealed token that is kept is always the one whose fingerprint is shown."""
    stored, known = None, None
    for message in life:
        known, keep = heard(known, message)
        stored = {KeepToken.STORE: message.fingerprint, KeepToken.DESTROY: None}.get(keep, stored)
        assert known.fingerprint == stored


# ---------------------------------------------------------------------- answers


def test_an_answer_is_news_once() -> None:
    """A phone that repeats its answer has not answered twice."""
    first = answer(1, AnswerStatus.ACKNOWLEDGED)
    assert not is_repeated(None, first)
    known, _ = heard(None, first)
    assert is_repeated(known, answer(2, AnswerStatus.ACKNOWLEDGED))
    assert not is_repeated(known, answer(2, AnswerStatus.ACKNOWLEDGED, "C-2"))


def test_a_not_now_that_was_overtaken_is_no_news() -> None:
    """A command that was done is not waiting again because an older message came late."""
    for final in (AnswerStatus.ACKNOWLEDGED, AnswerStatus.ERROR):
        known, _ = heard(None, answer(2, final))
        assert is_repeated(known, answer(1, AnswerStatus.NOT_NOW))
        assert not is_repeated(known, answer(1, AnswerStatus.NOT_NOW, "C-2"))


def test_only_answers_are_repeated() -> None:
    """A poll is a sign of life each time."""
    known, _ = heard(None, news(NewsKind.IDLE, 1))
    assert not is_repeated(known, news(NewsKind.IDLE, 1))
    assert not is_repeated(known, news(NewsKind.ANSWERED, 1, command_id="C-1"))


def test_a_poll_is_a_sign_of_life_and_nothing_else() -> None:
    """A phone that polls was in contact; that does not enrol it."""
    known, keep = heard(None, news(NewsKind.IDLE, 7))
    assert (known.last_contact, known.state, keep) == (at(7), Enrollment.AUTHENTICATED, KeepToken.AS_IT_IS)


def test_few_answers_are_remembered() -> None:
    """What is remembered of one phone's answers is bounded."""
    known, _ = after(*(answer(n, AnswerStatus.ACKNOWLEDGED, f"C-{n}") for n in range(100)))
    assert len(known.answered) == 32
    assert known.answered[-1] == ("C-99", "Acknowledged")


def test_the_newest_word_on_the_passcode_counts() -> None:
    """Whether a passcode is set goes by when the phone said so."""
    known, _ = after(
        answer(2, AnswerStatus.ACKNOWLEDGED, "C-2", passcode_set=False),
        answer(1, AnswerStatus.ACKNOWLEDGED, "C-1", passcode_set=True),
    )
    assert (known.passcode_set, known.passcode_at) == (False, at(2))


def test_a_new_enrolment_forgets_whether_a_passcode_was_set() -> None:
    """What was known of a phone's passcode before it enrolled anew is not known any more."""
    said = answer(1, AnswerStatus.ACKNOWLEDGED, passcode_set=False)
    known, _ = after(token_update(0, A), said, authenticate(2))
    assert known.passcode_set is None
    late, _ = after(authenticate(2), said)
    assert late.passcode_set is None
    kept, _ = after(said, authenticate(0))
    assert kept.passcode_set is False
