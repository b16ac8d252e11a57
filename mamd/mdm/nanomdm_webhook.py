"""
Hears what NanoMDM's webhook posts (nanomdm v0.9.0: service/webhook), and believes only what is signed.

    bytes ─► size ─► HMAC ─► JSON ─► Base64 ─► plist ─► MdmNews, and the token already sealed

It is the only way to learn an UnlockToken, and the only way to learn what a device answered. Each
event is sent once. Nothing of a body is ever in an error: it can hold the token.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from mamd.core.enrollment import MdmNews, NewsKind
from mamd.core.errors import No, Refused
from mamd.core.events import AnswerStatus
from mamd.core.facts import canonical_udid
from mamd.mdm.errorchain import first_error
from mamd.mdm.nanomdm import token_owner
from mamd.mdm.nanomdm_message import Message, NoMessage, message_of
from mamd.mdm.secret import Secret, fingerprint
from mamd.mdm.vault import MAX_SECRET_BYTES, Vault
from mamd.ports import Delivery, Sealed

MAX_BODY_BYTES = 10 * 1024 * 1024
"""A list of all profiles of a device can have more than 1 MB."""

_NOTHING = Delivery(news=None)

_log = structlog.get_logger(__name__)


class NanoMdmWebhook:
    """`mamd.ports.Webhook` for one NanoMDM. Takes no message without a signature made with its key."""

    def __init__(self, mdm: str, hmac_key: Secret, vault: Vault) -> None:
        assert hmac_key.reveal(), "an empty key would let in everybody"
        self.mdm = mdm
        self._key, self._vault = hmac_key, vault

    def receive(self, headers: Mapping[str, str], body: bytes) -> Delivery:
        """
        What was posted, read and sealed. A message that is repeated is read the same way again.

        Of user channels and user enrollments nothing is taken: they have no passcode to clear, and a
        token from there would be no token of the device.
        """
        if len(body) > MAX_BODY_BYTES:
            raise self._refused("a message of more than 10 MB")
        if not self._is_signed(headers, body):
            raise self._refused("a message without a right X-Hmac-Signature", No.FORBIDDEN)
        try:
            return self._read(message_of(body))
        except NoMessage as error:
            trouble = self._refused(f"a signed message that NanoMDM does not send ({error})")
        raise trouble

    def _is_signed(self, headers: Mapping[str, str], body: bytes) -> bool:
        given = next((value for name, value in headers.items() if name.lower() == "x-hmac-signature"), "")
        right = base64.b64encode(hmac.new(self._key.reveal(), body, hashlib.sha256).digest())
        return hmac.compare_digest(given.strip().encode("utf-8", "replace"), right)

    def _read(self, message: Message | None) -> Delivery:
        if message is None or not message.is_of_device:
            self._warn_of_token(message)
            return _NOTHING
        news, token = _READERS[message.topic](self.mdm, message)
        return Delivery(news, None if token is None else self._sealed(message.id, token))

    def _warn_of_token(self, message: Message | None) -> None:
        if message is not None and "UnlockToken" in message.said:
            _log.warning("token.ignored", mdm=self.mdm, why="it came on a user channel or a user enrollment")

    def _sealed(self, enrollment_id: str, token: Secret) -> Sealed:
        return self._vault.seal(token_owner(self.mdm, enrollment_id), token.reveal())

    def _refused(self, what: str, why: No = No.REJECTED) -> Refused:
        return Refused(self.mdm, f"its webhook was sent {what}; it was not taken", why)


_Read = tuple[MdmNews | None, Secret | None]


def _authenticated(mdm: str, message: Message) -> _Read:
    return _news(mdm, message, NewsKind.AUTHENTICATED), None


def _token_updated(mdm: str, message: Message) -> _Read:
    token = message.said.get("UnlockToken")
    if not isinstance(token, bytes) or not 0 < len(token) <= MAX_SECRET_BYTES:
        return _news(mdm, message, NewsKind.TOKEN_UPDATED), None
    return _news(mdm, message, NewsKind.TOKEN_UPDATED, fingerprint=fingerprint(token)), Secret(token)


def _checked_out(mdm: str, message: Message) -> _Read:
    return _news(mdm, message, NewsKind.CHECKED_OUT), None


def _connected(mdm: str, message: Message) -> _Read:
    """Idle, or an answer. A status that Apple does not know, or an answer to nothing, says nothing to us."""
    said, command_id = str(message.event.get("status")), message.event.get("command_uuid")
    if said == "Idle":
        return _news(mdm, message, NewsKind.IDLE), None
    status = _STATUS.get(said)
    if status is None or not isinstance(command_id, str) or not 0 < len(command_id) <= _LONGEST_ID:
        return None, None
    error = first_error(message.said, said) if status is AnswerStatus.ERROR else ""
    known = _passcode_set(message.said) if status is AnswerStatus.ACKNOWLEDGED else None
    news = _news(
        mdm, message, NewsKind.ANSWERED, command_id=command_id, status=status, error=error, passcode_set=known
    )
    return news, None


_LONGEST_ID = 127  # what NanoMDM's tables take

_STATUS = {
    "Acknowledged": AnswerStatus.ACKNOWLEDGED,
    "Error": AnswerStatus.ERROR,
    "CommandFormatError": AnswerStatus.ERROR,
    "NotNow": AnswerStatus.NOT_NOW,
}


def _passcode_set(said: Mapping[str, Any]) -> bool | None:
    info = said.get("SecurityInfo")
    present = info.get("PasscodePresent") if isinstance(info, dict) else None
    return present if isinstance(present, bool) else None


_LONGEST_SERIAL = 64


def _news(mdm: str, message: Message, kind: NewsKind, **more: Any) -> MdmNews:
    serial = message.said.get("SerialNumber")
    is_name = isinstance(serial, str) and serial.isprintable() and 0 < len(serial) <= _LONGEST_SERIAL
    return MdmNews(
        mdm=mdm,
        kind=kind,
        enrollment_id=message.id,
        sent_at=message.sent_at,
        udid=canonical_udid(message.id),
        serial=serial if is_name else None,
        **more,
    )


_READERS: dict[str, Callable[[str, Message], _Read]] = {
    "mdm.Authenticate": _authenticated,
    "mdm.TokenUpdate": _token_updated,
    "mdm.CheckOut": _checked_out,
    "mdm.Connect": _connected,
}
