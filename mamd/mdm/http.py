"""
One door for requests to an MDM: limits, deadlines, and what each way of failing really means.

A request may fail before it was sent (Unreachable: nothing happened) or after (Doubtful: it may
have happened). Which of them it was decides whether a command may be sent again, so this is
told apart here, once, for all vendors.

Nothing that a server sent, and nothing that we sent, is in any of the errors: both can hold a token.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from mamd.core.errors import Busy, Doubtful, Misconfigured, No, Trouble, Unreachable
from mamd.mdm.secret import Secret

CONNECT_S, READ_S, TOTAL_S = 5.0, 20.0, 30.0
MAX_CONNECTIONS = 5
MAX_ANSWER_BYTES = 4 * 1024 * 1024

_DEFAULT_RETRY_S, _LONGEST_RETRY_S = 60.0, 3600.0


def client_for(
    url: str, *, user: str, password: str, transport: httpx.AsyncBaseTransport | None = None
) -> httpx.AsyncClient:
    """
    A client for one MDM with Basic authentication: five connections, deadlines, no redirects.

    HTTPS_PROXY, NO_PROXY and SSL_CERT_FILE of the environment count, unless there is a transport.
    """
    return httpx.AsyncClient(
        base_url=url,
        auth=httpx.BasicAuth(user, password),
        timeout=httpx.Timeout(READ_S, connect=CONNECT_S),
        limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS),
        headers={"User-Agent": "mamd", "Accept-Encoding": "identity"},
        follow_redirects=False,
        transport=transport,
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said. The body is for the adapter to read, and for nobody to show."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def claims_json(self) -> bool:
        """Whether it says of itself that it is JSON."""
        return "json" in self.headers.get("content-type", "").lower()

    def json(self) -> dict[str, Any] | None:
        """The JSON object that it is, or None if it is none."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None


async def ask(
    client: httpx.AsyncClient, who: str, method: str, path: str, *, body: Secret | None = None, changes: bool
) -> Answer:
    """
    Send one request and read the whole answer.

    Args:
        changes: Whether it may change something, so that a lost answer leaves a doubt.

    Raises:
        Unreachable: It was certainly not processed, or it changes nothing.
        Doubtful: It was sent, and there is no telling what became of it.
        Misconfigured: The address cannot be one.
    """
    trouble: Trouble
    try:
        async with asyncio.timeout(TOTAL_S):
            return await _exchange(client, method, path, body)
    except TimeoutError:
        trouble = _lost(who, "no whole answer in time", changes)
    except (httpx.HTTPError, httpx.InvalidURL, _TooLong) as error:
        trouble = _translated(who, error, changes)
    # Raised out here, so that no traceback leads to httpx's request, which holds the token.
    raise trouble


class _TooLong(Exception):
    """An answer of more than MAX_ANSWER_BYTES."""


async def _exchange(client: httpx.AsyncClient, method: str, path: str, body: Secret | None) -> Answer:
    content = None if body is None else body.reveal()
    async with client.stream(method, path, content=content) as response:
        read = bytearray()
        async for chunk in response.aiter_bytes():
            read += chunk
            if len(read) > MAX_ANSWER_BYTES:
                raise _TooLong
        return Answer(response.status_code, response.headers, bytes(read))


_NOT_SENT: dict[type[Exception], str] = {
    httpx.ConnectTimeout: "no connection within 5 s",
    httpx.ConnectError: "no connection",
    httpx.PoolTimeout: "all connections to it are waiting for answers",
    httpx.ProxyError: "the proxy on the way does not connect to it",
}
_NO_ADDRESS = (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.LocalProtocolError)


def _translated(who: str, error: Exception, changes: bool) -> Trouble:
    if isinstance(error, _NO_ADDRESS):
        return Misconfigured(who, "its url is none that can be asked; check `url`", No.PROTOCOL)
    if isinstance(error, httpx.ConnectError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return Unreachable(who, "its TLS certificate is not one that this host trusts")
    for kind, what in _NOT_SENT.items():
        if isinstance(error, kind):
            return Unreachable(who, what)
    return _lost(who, _HOW_LOST.get(type(error), "the connection broke"), changes)


_HOW_LOST: dict[type[Exception], str] = {
    httpx.ReadTimeout: "no answer within 20 s",
    httpx.WriteTimeout: "it does not take the request",
    httpx.DecodingError: "its answer cannot be decoded",
    _TooLong: "its answer has no end",
}


def _lost(who: str, what: str, changes: bool) -> Trouble:
    return Doubtful(who, f"{what}; it may have been done") if changes else Unreachable(who, what)


def refusal(who: str, answer: Answer, *, changes: bool) -> Trouble | None:
    """
    What a status means that is no answer of the MDM's own, whichever MDM it is; None if it may be one.

    A 5xx (or 408) that the MDM did not write comes from a proxy, which cannot know what became of
    the request.
    """
    if answer.status == 401:
        return Misconfigured(who, "it does not take our key; check the key in mamd.yaml", No.AUTH_FAILED)
    if answer.status == 403:
        return Misconfigured(who, "our key may not do this there; give it the right to", No.FORBIDDEN)
    if answer.status == 429 or (answer.status == 503 and "retry-after" in answer.headers):
        return Busy(who, "it asks us to come back later", retry_after_s(answer.headers))
    if 300 <= answer.status < 400:
        return Misconfigured(who, "it sends us elsewhere; write the final address as `url`", No.PROTOCOL)
    if answer.status in (408, *range(500, 600)) and answer.json() is None:
        return _lost(who, f"something before it answered {answer.status}", changes)
    return None


def unreadable(who: str, answer: Answer, *, changes: bool) -> Trouble:
    """What an answer means that is none of the MDM's: half of one leaves a doubt, another's page does not."""
    if answer.claims_json and answer.json() is None:
        return _lost(who, "half of its answer is missing", changes)
    what = f"it answers {answer.status}, but not as this kind of MDM does; check `url` and `kind`"
    return Misconfigured(who, what, No.PROTOCOL)


def retry_after_s(headers: Mapping[str, str]) -> float:
    """
    Seconds to wait, from Retry-After in either form (RFC 9110, 10.2.3): between 1 s and 1 h, else 60 s.

    A date is measured against the server's own Date, so that no clock of ours has a say.
    """
    said = headers.get("retry-after", "").strip()
    seconds = float(said) if said.isascii() and said.isdigit() else _until(said, headers.get("date", ""))
    return _DEFAULT_RETRY_S if seconds is None else min(max(seconds, 1.0), _LONGEST_RETRY_S)


def _until(date: str, now: str) -> float | None:
    later, earlier = _http_date(date), _http_date(now)
    return None if later is None or earlier is None else (later - earlier).total_seconds()


def _http_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo is not None else None
