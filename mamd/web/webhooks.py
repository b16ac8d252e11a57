"""
The door for MDMs. A webhook is let in by its signature alone, and 200 means that it is stored:
the sender will not repeat what it was thanked for.
"""

from collections.abc import Callable
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from mamd.desk import Desk
from mamd.web.doors import Denied, socket_peer

MOST_BYTES: Final = 10 * 1024 * 1024


def make_webhooks(desk: Desk, is_signed: Callable[[str], bool]) -> APIRouter:
    """
    The address that MDMs post to.

    Args:
        is_signed: Whether that MDM signs its webhooks (has a key here). One that does not gets
            none over TCP: anybody could post in its name.
    """
    router = APIRouter(prefix="/v1")

    @router.post("/webhooks/{mdm}")
    async def webhook(mdm: str, request: Request) -> Response:
        """Take one webhook: 200 once it is stored, 503 if it cannot be."""
        # One that signs is set up here: an overview of all devices for each webhook would be dear.
        if not is_signed(mdm) and not any(one.name == mdm for one in desk.overview().mdms):
            raise Denied(404, "no MDM of that name is set up here", "Use a name from mdm: in mamd.yaml.")
        if socket_peer(request) is None and not is_signed(mdm):
            raise Denied(
                403,
                "webhooks of this MDM are not signed, and unsigned ones are not taken over the network",
                "Give it a webhook_hmac_key in mamd.yaml, and the same key to the MDM.",
            )
        await desk.webhook(mdm, dict(request.headers), await _body(request))
        return Response(status_code=200)

    return router


async def _body(request: Request) -> bytes:
    """All of it, but never more than may be kept in memory; who sends too much is not read to the end."""
    told = request.headers.get("content-length", "0")
    if told.isdecimal() and int(told) > MOST_BYTES:
        raise _too_large()
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise _too_large()
    return bytes(body)


def _too_large() -> Denied:
    return Denied(413, "the body is larger than 10 MB", "No webhook of an MDM is that large.")
