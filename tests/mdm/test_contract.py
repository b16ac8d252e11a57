"""What every MDM adapter keeps, whichever vendor it speaks to. A new vendor is added in `vendors.py`."""

import logging
import traceback
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from mamd.core.errors import Busy, Doubtful, Lasting, Misconfigured, No, Trouble, Unreachable
from mamd.mdm.http import MAX_ANSWER_BYTES
from mamd.ports import Target
from tests.canary import MARKER
from tests.mdm.leaks import assert_no_leak
from tests.mdm.vendors import COMMAND, NOW, RECORD, VENDORS, Answers, Vendor


@pytest.fixture(params=VENDORS, ids=lambda make: make.__name__)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    return request.param()


async def trouble_of(vendor: Vendor, answers: Answers, ask: str = "clear") -> Trouble:
    """What one call comes to that goes wrong."""
    mdm, target = vendor.made(answers), vendor.target()
    call = mdm.clear_passcode(target, command_id=COMMAND) if ask == "clear" else mdm.push(target)
    with pytest.raises(Trouble) as caught:
        await call
    await mdm.close()
    return caught.value


def says(status: int, **more: object) -> Answers:
    return lambda _: httpx.Response(status, **more)  # type: ignore[arg-type]


def breaks(error: type[httpx.HTTPError]) -> Answers:
    def answers(request: httpx.Request) -> httpx.Response:
        raise error("broken on purpose", request=request)

    return answers


JSON = {"Content-Type": "application/json"}
LOGIN_PAGE = {"html": "<html>Please sign in</html>"}


# ------------------------------------------------------------------------- what is well


async def test_a_clear_that_was_taken_and_pushed_is_true(vendor: Vendor) -> None:
    """The MDM has the command, and the device was told."""
    mdm = vendor.made(vendor.accepted)
    assert await mdm.clear_passcode(vendor.target(), command_id=COMMAND) is True
    if mdm.capabilities.can_push:
        await mdm.push(vendor.target())
        await mdm.push(vendor.target())


async def test_one_clear_is_one_request_with_our_key(vendor: Vendor) -> None:
    """Nothing is sent twice, and nothing without authentication."""
    seen: list[httpx.Request] = []

    def answers(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return vendor.accepted(request)

    await vendor.made(answers).clear_passcode(vendor.target(), command_id=COMMAND)
    assert len(seen) == 1
    assert seen[0].headers["authorization"]
    assert MARKER not in str(seen[0].url).encode()


async def test_a_check_of_a_healthy_mdm_finds_nothing(vendor: Vendor) -> None:
    """Where nothing is wrong, nothing is shown."""
    assert await vendor.made(vendor.accepted).check() == ()


async def test_reading_changes_nothing_and_names_the_address(vendor: Vendor) -> None:
    """What an MDM says of a device carries what commands are addressed to, and when it was read."""
    record = await vendor.made(vendor.accepted).read(RECORD, vendor.enrolled(), now=NOW)
    assert record is not None
    assert (record.command_id, record.at) == (vendor.target().command_id, NOW)


async def test_a_device_that_is_not_known_is_none(vendor: Vendor) -> None:
    """A device that the MDM does not have is not ours to clear."""
    assert await vendor.made(vendor.accepted).read(RECORD, None, now=NOW) is None


async def test_closing_twice_is_closing_once(vendor: Vendor) -> None:
    """The daemon may let go of an adapter at any time."""
    mdm = vendor.made(vendor.accepted)
    await mdm.close()
    await mdm.close()


async def test_a_cancel_that_cannot_be_is_no(vendor: Vendor) -> None:
    """Whoever cannot withdraw a command says so, and the daemon keeps it as an orphan."""
    mdm = vendor.made(vendor.accepted)
    if not mdm.capabilities.can_cancel:
        assert await mdm.cancel(vendor.target(), command_id=COMMAND) is False


async def test_t09_without_a_token_nothing_is_sent(vendor: Vendor) -> None:
    """T09: where a clear needs a token and there is none, the way out is named and no command is queued."""

    def answers(request: httpx.Request) -> httpx.Response:
        raise AssertionError("nothing was to be sent")

    mdm = vendor.made(answers)
    if mdm.capabilities.needs_unlock_token:
        bare = Target("d-0001", vendor.target().command_id)
        with pytest.raises(Lasting):
            await mdm.clear_passcode(bare, command_id=COMMAND)


# --------------------------------------------------------------- what goes wrong, and where


@pytest.mark.parametrize("ask", ["clear", "push"])
@pytest.mark.parametrize(
    "error", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError]
)
async def test_what_was_never_sent_was_certainly_not_done(
    vendor: Vendor, error: type[httpx.HTTPError], ask: str
) -> None:
    """No connection, no command: it is asked again later."""
    assert type(await trouble_of(vendor, breaks(error), ask)) is Unreachable


@pytest.mark.parametrize(
    "error",
    [
        httpx.ReadTimeout, httpx.WriteTimeout, httpx.ReadError, httpx.WriteError, httpx.CloseError,
        httpx.RemoteProtocolError, httpx.DecodingError,
    ],
)  # fmt: skip
async def test_what_broke_while_it_was_sent_may_have_been_done(
    vendor: Vendor, error: type[httpx.HTTPError]
) -> None:
    """A lost answer leaves a doubt about a clear, and none about a push, which can be repeated."""
    assert type(await trouble_of(vendor, breaks(error))) is Doubtful
    assert type(await trouble_of(vendor, breaks(error), "push")) is Unreachable


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param(says(500, **LOGIN_PAGE), id="500"),
        pytest.param(says(502, **LOGIN_PAGE), id="502"),
        pytest.param(says(503, **LOGIN_PAGE), id="503"),
        pytest.param(says(504), id="504"),
        pytest.param(says(408), id="408"),
        pytest.param(
            says(200, text='{"status": {', headers={"Content-Type": "application/json"}),
            id="half of the JSON",
        ),
        pytest.param(says(200, content=b" " * (MAX_ANSWER_BYTES + 1)), id="no end"),
    ],
)
async def test_what_a_proxy_says_leaves_a_doubt(vendor: Vendor, answers: Answers) -> None:
    """A proxy cannot know what became of a request, so neither can we."""
    assert type(await trouble_of(vendor, answers)) is Doubtful
    assert type(await trouble_of(vendor, answers, "push")) is Unreachable


@pytest.mark.parametrize("ask", ["clear", "push"])
@pytest.mark.parametrize(
    ("answers", "why", "says"),
    [
        (says(401, text="Unauthorized\n"), No.AUTH_FAILED, "key"),
        (says(403, **LOGIN_PAGE), No.FORBIDDEN, "may not"),
        (says(301, headers={"Location": "https://elsewhere.example.org/"}), No.PROTOCOL, "url"),
        (says(404, text="404 page not found\n"), No.PROTOCOL, "url"),
        (says(405, text="no"), No.PROTOCOL, "url"),
        (says(413, **LOGIN_PAGE), No.PROTOCOL, "url"),
        (says(200, **LOGIN_PAGE), No.PROTOCOL, "url"),
        (says(200, text="[]"), No.PROTOCOL, "url"),
        (breaks(httpx.UnsupportedProtocol), No.PROTOCOL, "url"),
    ],
)
async def test_what_an_operator_must_mend_is_named(
    vendor: Vendor, answers: Answers, why: No, says: str, ask: str
) -> None:
    """A wrong key or address says nothing about any device, and the line says what to mend."""
    trouble = await trouble_of(vendor, answers, ask)
    assert isinstance(trouble, Misconfigured)
    assert trouble.why is why
    assert says in trouble.what


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"Retry-After": "17"}, 17),
        ({"Retry-After": " 0 "}, 1),
        ({"Retry-After": "999999999"}, 3600),
        ({"Retry-After": "-5"}, 60),
        ({"Retry-After": "²"}, 60),
        ({"Retry-After": "soon"}, 60),
        (
            {"Retry-After": "Wed, 25 Nov 2026 08:02:00 GMT", "Date": "Wed, 25 Nov 2026 08:00:00 GMT"},
            120,
        ),
        ({"Retry-After": "Wed, 25 Nov 2026 08:02:00 GMT"}, 60),
        ({"Retry-After": "Wed, 25 Nov 2026 07:00:00 GMT", "Date": "Wed, 25 Nov 2026 08:00:00 GMT"}, 1),
    ],
)
async def test_who_is_busy_is_asked_again_when_it_says(
    vendor: Vendor, status: int, headers: dict[str, str], wait_s: float
) -> None:
    """Retry-After in seconds or as a date, whatever our own clock says."""
    raw = {name: value.encode() for name, value in headers.items()}
    trouble = await trouble_of(vendor, says(status, headers=raw))
    assert isinstance(trouble, Busy)
    assert trouble.retry_after_s == wait_s


async def test_too_many_requests_without_a_time_is_a_minute(vendor: Vendor) -> None:
    """A 429 that does not say when is asked again after a minute."""
    trouble = await trouble_of(vendor, says(429))
    assert isinstance(trouble, Busy)
    assert trouble.retry_after_s == 60


async def test_no_trouble_of_a_server_is_certain_about_a_device(vendor: Vendor) -> None:
    """Nothing that a server or a proxy can answer makes a clear impossible, and so an erase due."""
    for status in range(200, 600):
        for text in ("", "{}", "<html>", '{"command_error": "x"}', '{"error": "no unlock token"}'):
            trouble = await trouble_of(vendor, says(status, text=text))
            assert getattr(trouble, "why", None) not in (No.NO_TOKEN, No.UNSUPPORTED)


@pytest.mark.parametrize(
    ("answers", "fault"),
    [
        (breaks(httpx.ConnectError), "mdm_unreachable"),
        (breaks(httpx.ReadTimeout), "mdm_unreachable"),
        (says(502, **LOGIN_PAGE), "mdm_unreachable"),
        (says(401), "mdm_wrong_key"),
        (says(404), "mdm_wrong_address"),
        (says(200, **LOGIN_PAGE), "mdm_wrong_address"),
        (says(429), "mdm_busy"),
    ],
)
async def test_a_check_names_what_is_wrong(vendor: Vendor, answers: Answers, fault: str) -> None:
    """An operator reads what is wrong with an MDM and what to do, before a device needs it."""
    (found,) = await vendor.made(answers).check()
    assert found.name == fault
    assert found.what.startswith("hospital: ")
    assert found.cure


# ------------------------------------------------------------------------------- secrets


def echo(status: int, kind: str) -> Answers:
    """A server that throws back all that it got."""

    def answers(request: httpx.Request) -> httpx.Response:
        text = f"{request.content.decode()} {request.headers}"
        body = {
            "text": lambda: {"text": text},
            "error": lambda: {"json": {"command_error": f"decoding command: {text}", "error": text}},
            "push": lambda: {"json": {"push_error": text}},
            "header": lambda: {"headers": {"X-Echo": request.headers["authorization"]}},
        }[kind]
        return httpx.Response(status, **body())  # type: ignore[arg-type]

    return answers


@pytest.fixture
async def loud(caplog: pytest.LogCaptureFixture) -> AsyncIterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG):
        yield caplog


@pytest.mark.parametrize("ask", ["clear", "push"])
@pytest.mark.parametrize("status", [200, 207, 400, 401, 404, 429, 500, 502])
@pytest.mark.parametrize("kind", ["text", "error", "push", "header"])
async def test_t11_a_server_that_echoes_a_token_gets_it_nowhere(
    vendor: Vendor, loud: pytest.LogCaptureFixture, status: int, kind: str, ask: str
) -> None:
    """T11: no error, traceback with its variables, or log line of any level holds a token or a key."""
    trouble = await trouble_of(vendor, echo(status, kind), ask)
    assert_no_leak(str(trouble), repr(trouble), all_of(trouble), loud.text)


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ReadTimeout, httpx.RemoteProtocolError])
async def test_t11_a_broken_connection_drags_no_token_along(
    vendor: Vendor, loud: pytest.LogCaptureFixture, error: type[httpx.HTTPError]
) -> None:
    """T11: httpx's errors hold the request, so none of them is in the chain."""
    trouble = await trouble_of(vendor, breaks(error))
    assert trouble.__cause__ is None
    assert trouble.__context__ is None
    assert_no_leak(str(trouble), repr(trouble), all_of(trouble), loud.text)


async def test_t11_a_clear_that_went_well_leaves_no_token_in_the_log(
    vendor: Vendor, loud: pytest.LogCaptureFixture
) -> None:
    """T11: nor does one that was taken."""
    mdm = vendor.made(vendor.accepted)
    await mdm.clear_passcode(vendor.target(), command_id=COMMAND)
    await mdm.check()
    assert_no_leak(loud.text, repr(mdm), repr(vendor.target()))


def all_of(trouble: BaseException) -> str:
    """The traceback as the most talkative logger would write it: with the variables of our own frames."""
    ours: Callable[[traceback.FrameSummary], bool] = lambda frame: "/mamd/" in frame.filename  # noqa: E731
    told = traceback.TracebackException.from_exception(trouble, capture_locals=True)
    frames = [f"{frame.name} {frame.locals}" for frame in told.stack if ours(frame)]
    return "\n".join([*frames, *told.format_exception_only()])


async def test_refusals_are_said_in_one_line(vendor: Vendor) -> None:
    """What a person reads has no line breaks, and begins with the MDM's name."""
    for status in (200, 301, 401, 403, 404, 429, 500):
        line = str(await trouble_of(vendor, says(status, text="x\ny")))
        assert line.startswith("hospital: ")
        assert "\n" not in line
