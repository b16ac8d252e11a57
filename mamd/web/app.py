"""
Puts the web together: the doors first, then the API, the page and the webhooks behind them.

    request ─▶ headers ─▶ gate (who, how far) ─▶ route ─▶ desk
                             └─ Denied ──┐         └─ Refused, Unreachable ──┐
                                         └────────▶ {"error": …, "cure": …} ◀┘
"""

from collections.abc import Awaitable, Callable, Iterable
from datetime import tzinfo
from typing import Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mamd import __version__
from mamd.core.errors import No, Passing, Refused, Trouble
from mamd.desk import Desk
from mamd.web.asks import make_asks, make_health
from mamd.web.doors import COOKIE, Denied, Doors, Role, Token, is_near, socket_peer
from mamd.web.page import make_page, refused_page
from mamd.web.tells import NEEDS, make_tells
from mamd.web.webhooks import make_webhooks

MOST_BYTES: Final = 64 * 1024
"""The longest body of a person's word; webhooks have a limit of their own."""
_FREE: Final = frozenset({"/healthz", "/readyz", "/metrics"})
_HEADERS: Final = tuple(
    (name.encode(), value.encode())
    for name, value in {
        "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; "
        "connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
        "cache-control": "no-store",
    }.items()
)


def make_app(
    desk: Desk,
    metrics: Callable[[], bytes],
    tokens: Iterable[Token] = (),
    *,
    is_signed: Callable[[str], bool] = lambda mdm: False,
    hosts: Iterable[str] = (),
    zone: tzinfo | None = None,
) -> ASGIApp:
    """
    The main listener's app, for the unix socket and TCP alike.

    Args:
        tokens: Who may come in over TCP.
        is_signed: Whether that MDM's webhooks are signed.
        hosts: Further names by which this host may be called.
        zone: The Launchpad's time zone, for times that people read.
    """
    app = _bare("mamd")
    app.include_router(make_health(desk, metrics))
    app.include_router(make_asks(desk, zone))
    app.include_router(make_tells(desk))
    app.include_router(make_webhooks(desk, is_signed))
    app.include_router(make_page(desk, zone))
    app.add_api_route("/openapi.json", _openapi_of(app), methods=["GET"], include_in_schema=False)
    return _with_headers(_gated(app, Doors(tokens, hosts)))


def make_webhook_app(desk: Desk, *, is_signed: Callable[[str], bool] = lambda mdm: False) -> ASGIApp:
    """The webhooks' own listener: an MDM elsewhere must reach it, and nothing else comes with it."""
    app = _bare("mamd webhooks")
    app.include_router(make_webhooks(desk, is_signed))
    return _with_headers(app)


def _bare(title: str) -> FastAPI:
    app = FastAPI(title=title, version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_exception_handler(Denied, _denied)
    app.add_exception_handler(Trouble, _troubled)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _no_such)
    return app


def _openapi_of(app: FastAPI) -> Callable[[], Awaitable[Response]]:
    async def openapi() -> Response:
        return JSONResponse(app.openapi())

    return openapi


# ------------------------------------------------------------------------------- the gate


def _gated(app: ASGIApp, doors: Doors) -> ASGIApp:
    """Nobody reaches a route without having been asked who they are; what is not listed is shut."""

    async def gated(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        answer = _stopped(doors, request)
        await (answer or app)(scope, receive, send)

    return gated


def _stopped(doors: Doors, request: Request) -> Response | None:
    """The answer of whoever is not let through; None for those who are."""
    try:
        if request.url.path == "/" and "token" in request.query_params:
            return _taken(doors, request)
        if not _is_free(doors, request):
            request.state.visitor = doors.visitor(request, _asked(request))
            _check_size(request)
    except Denied as denied:
        return _denied(request, denied)
    return None


def _is_free(doors: Doors, request: Request) -> bool:
    path = request.url.path
    if path.startswith("/v1/webhooks/"):
        return True
    if path in _FREE and request.method in ("GET", "HEAD") and is_near(request):
        if socket_peer(request) is None:
            doors.check_host(request)
        return True
    return False


def _asked(request: Request) -> Role:
    if request.method in ("GET", "HEAD"):
        return Role.VIEW
    return NEEDS.get(request.url.path, Role.APPROVE)


def _check_size(request: Request) -> None:
    told = request.headers.get("content-length", "0")
    is_chunked = "transfer-encoding" in request.headers
    if is_chunked or not told.isdecimal() or int(told) > MOST_BYTES:
        raise Denied(413, "the body is too large", "A word with its reason fits in 64 kB.")


def _taken(doors: Doors, request: Request) -> Response:
    """A token in the address is put into a cookie, and out of the address."""
    doors.check_host(request)
    token = doors.by_secret(request.query_params["token"])
    if token is None:
        raise Denied(401, "this token is not known here", "See http.tokens in mamd.yaml.")
    answer = RedirectResponse("/", 303)
    answer.set_cookie(COOKIE, token.secret, httponly=True, samesite="strict", max_age=30 * 86_400)
    return answer


# ------------------------------------------------------------------------------- answers


def _error(status: int, error: str, cure: str) -> Response:
    return JSONResponse({"error": error, "cure": cure}, status)


def _denied(request: Request, denied: Exception) -> Response:
    assert isinstance(denied, Denied)
    is_person = "text/html" in request.headers.get("accept", "")
    refuse = refused_page if is_person else _error
    answer = refuse(denied.status, denied.error, denied.cure)
    if denied.status == 401:
        answer.headers["www-authenticate"] = "Bearer"
    return answer


_STATUS: Final = {No.NOT_FOUND: 404, No.FORBIDDEN: 403, No.AUTH_FAILED: 401, No.REJECTED: 400}


def _troubled(request: Request, trouble: Exception) -> Response:
    """The desk said no, or could not take it. Its line says what would be right."""
    assert isinstance(trouble, Trouble)
    if isinstance(trouble, Refused):
        return _error(_STATUS.get(trouble.why, 409), trouble.what, "")
    if isinstance(trouble, Passing):
        cure = "It was not taken. See /readyz for what is wrong, then send it again."
        return _error(503, trouble.what, cure)
    return _error(500, trouble.what, "See /readyz for what is wrong.")


def _invalid(request: Request, error: Exception) -> Response:
    """What was sent is not what this address takes. Says where; shows nothing of what was sent."""
    assert isinstance(error, RequestValidationError)
    lines = [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()]
    return _error(400, "; ".join(lines), "See /openapi.json for what this address takes.")


def _no_such(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _error(error.status_code, str(error.detail), "See /openapi.json for what there is.")


def _with_headers(app: ASGIApp) -> ASGIApp:
    """Every answer tells the browser to trust nothing but this host's own files."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *_HEADERS]}
            await send(message)

        await app(scope, receive, send_with_headers)

    return wrapped
