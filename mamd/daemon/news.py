"""What an MDM tells us by webhook: enrollments, tokens, answers and signs of life."""

from dataclasses import replace

from mamd.core import events as ev
from mamd.core.enrollment import Enrolled, KeepToken, MdmNews, NewsKind, TokenState, heard, is_repeated
from mamd.core.facts import Ids, Record, canonical_udid, ecid_of
from mamd.core.time import Now
from mamd.daemon.turns import Turns
from mamd.ports import Delivery

_KEPT_FOR_STRANGERS = (NewsKind.AUTHENTICATED, NewsKind.TOKEN_UPDATED, NewsKind.CHECKED_OUT)
_ENDS = {ev.AnswerStatus.ACKNOWLEDGED: "acknowledged", ev.AnswerStatus.ERROR: "error"}


def told(turns: Turns, delivery: Delivery, now: Now) -> None:
    """
    Take one message: the enrollment's row, its token, and what it means to the device's run.

    A message taken twice changes nothing the second time.
    """
    news = delivery.news
    if news is None:
        return
    ledger = turns.ledger
    key = (news.mdm, news.enrollment_id)
    was = ledger.enrolled.get(key)
    became, keep = heard(was, news)
    record = _join(turns, became)
    ledger.contacts.put(news.mdm, now)
    if record is not None or was is not None or news.kind in _KEPT_FOR_STRANGERS:
        ledger.enrolled.put(key, became, quietly=_is_contact_only(was, became))
    _token(turns, delivery, keep, f"{news.mdm}/{news.enrollment_id}")
    if record is not None:
        ledger.contacts.put(record.device, now)
        _tell(turns, record, news, now, is_old=is_repeated(was, news))


def _is_contact_only(was: Enrolled | None, became: Enrolled) -> bool:
    """A sign of life alone is not worth a transaction; the next one will bring it."""
    return was is not None and replace(became, last_contact=was.last_contact) == was


def _join(turns: Turns, enrolled: Enrolled) -> Record | None:
    """The device of an enrollment; a record that knew only the serial learns the UDID here."""
    udid = canonical_udid(enrolled.udid) if enrolled.udid else None
    ids = Ids(udid, ecid_of(udid) if udid else None, enrolled.serial)
    record = turns.ledger.find(ids)
    if record is None or ids.contradicts(record.ids):
        return None
    joined = record.ids.joined(ids)
    if joined != record.ids:
        record = replace(record, ids=joined)
        turns.ledger.put_record(record)
    return record


def _token(turns: Turns, delivery: Delivery, keep: KeepToken, owner: str) -> None:
    if keep is KeepToken.STORE and delivery.token is not None:
        turns.ledger.draft.tokens.append(delivery.token)
    elif keep is KeepToken.DESTROY:
        turns.ledger.draft.destroyed.append(owner)


def _tell(turns: Turns, record: Record, news: MdmNews, now: Now, *, is_old: bool) -> None:
    turns.ledger.words.put(record.device, None)
    if news.kind is NewsKind.AUTHENTICATED:
        _lose_commands(turns, record)
        turns.on_device(record.device, ev.Reenrolled(record.device, news.mdm), now)
    if news.kind is NewsKind.ANSWERED and not is_old:
        _answered(turns, record, news, now)
    turns.on_device(record.device, ev.ContactMade(news.mdm, record.device), now)


def _lose_commands(turns: Turns, record: Record) -> None:
    """Authenticate empties the device's queue at the MDM, without a word about it."""
    for command in turns.ledger.commands_of(record.device):
        if command.state in ("queued", "orphan"):
            turns.ledger.put_command(replace(command, state="lost"))


def _answered(turns: Turns, record: Record, news: MdmNews, now: Now) -> None:
    command = turns.ledger.command_by_id(news.command_id or "")
    if command is None or news.status is None or command.device != record.device:
        return
    if command.state in _ENDS.values():
        return  # a late NotNow never takes back an answer
    state = _ENDS.get(news.status, command.state)
    turns.ledger.put_command(replace(command, state=state, answer=news.status.value))
    answer = ev.CommandAnswered(record.device, command.act, news.status, news.error)
    turns.on_device(record.device, answer, now)


def holds_token(enrolled: Enrolled | None) -> bool:
    """A token that may be used is held."""
    return enrolled is not None and enrolled.token is TokenState.CURRENT
