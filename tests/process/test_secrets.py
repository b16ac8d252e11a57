"""Of all that a whole run leaves behind, not one byte gives a token or a key away (promise 10)."""

import base64
import signal
import stat
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

import httpx
import pytest

from mamd.sim.mdm_webhook import signature
from tests.canary import HMAC_KEY, MARKER, unlock_token
from tests.process.conftest import Life, Lives
from tests.process.house import House, house
from tests.process.programs import until
from tests.process.test_replay import mamd
from tests.scanner import scan
from tests.test_scanner import webhook_body

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

PHONES: Final = {
    "ward-1": "locked",
    "ward-2": "never_clears",
    "ward-3": "waiting_for_trust",
    "ward-4": "personal",
    **{f"ward-{number}": "locked" for number in range(5, 9)},
}
PATHS: Final = (
    "/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/v1/launchpads", "/v1/ports", "/v1/links",
    "/v1/runs", "/v1/holds", "/v1/calls", "/v1/rules", "/v1/rule_sets", "/v1/workflows", "/v1/devices",
    "/v1/devices/ward-1", "/v1/devices/ward-2/why", "/v1/journal?limit=5000", "/v1/journal/verify",
    "/v1/devices/nobody", f"/?token={'x' * 20}",
)  # fmt: skip
COMMANDS: Final = (
    ("status",), ("devices", "list"), ("devices", "show", "ward-1"), ("why", "ward-1"), ("why", "ward-2"),
    ("journal",), ("journal", "--export"), ("journal", "--verify"), ("replay",),
)  # fmt: skip


async def whole_run(folder: Path) -> None:
    """
    Phones are cleared through faults that answer with all kinds of things, strangers knock at the
    webhook, people cannot be reached, files are wrong, the daemon is killed and started again. Then
    every byte of its log, its state, its answers and its commands' output is searched.
    """
    people = "[{webhook: {file: secrets/teams}}]"
    async with house(folder, PHONES, wait="6s", storm="none", people=people) as here:
        await here.open()
        await _live(here)
        here.daemon.kill()
        here.daemon.start()
        await here.daemon.answers()
        here.daemon.signal(signal.SIGHUP)
        await _keep_what_it_says(here)
        assert MARKER not in Path(f"/proc/{here.daemon.pid}/cmdline").read_bytes()
        assert here.rows("select count(*) from vault") > [(0,)], "tokens were stored"
        assert await here.daemon.end() == 0
        await _start_with_wrong_files(here)

        left = [here.state, here.folder / "said", here.folder / "run", here.daemon.said, here.sim.said]
        assert scan(*left, markers=(MARKER, _middle_of_supervision_key(here))) == []
        assert scan(here.folder / "secrets"), "the scanner does find what is there"
        assert not [path for path in here.state.rglob("*") if stat.S_IMODE(path.stat().st_mode) & 0o077]


async def _live(here: House) -> None:
    """One phone after another, each through another fault of the MDM's; a token that is replaced."""
    await here.bring("ward-3", "ward-4", "ward-1")
    await until(partial(here.is_paired, "ward-1"), within_s=30, what="one phone is cleared")
    await here.sim.order(do="enrol", phone="ward-1")
    for name, how in {"ward-5": "TRUNCATED", "ward-6": "HTML_200", "ward-7": "REFUSED"}.items():
        asked = len(here.sim.seen("mdm.request", call="enqueue"))
        await here.sim.order(do="fail", how=how, calls=["enqueue"], times=1)
        await here.bring(name)

        async def is_asked(asked: int = asked) -> bool:
            return len(here.sim.seen("mdm.request", call="enqueue")) > asked

        await until(is_asked, within_s=20, what=f"{name}'s clear meets {how}")
    await here.sim.order(do="fail_pushes", how="UNREGISTERED")
    await here.bring("ward-8", "ward-2")
    await here.fault("people_out_of_reach")
    await _knock(here)


async def _knock(here: House) -> None:
    """Strangers, and an MDM that has gone mad, post things with a token in them."""
    body = webhook_body(unlock_token())
    right, wrong = signature(HMAC_KEY.encode(), body), signature(b"another key", body)
    long = body[:-1] + b" " * 30_000_000 + b"}"
    async with httpx.AsyncClient(timeout=20.0) as client:
        for content, signed in ((body, wrong), (body, right), (b"\x00" + MARKER, wrong), (MARKER, "")):
            answer = await client.post(here.webhook, content=content, headers={"X-Hmac-Signature": signed})
            assert answer.status_code in (400, 401, 403, 404), answer.status_code
            _keep(here, "webhook", answer.content)
        # Whoever sends too much is cut off before the end.
        with suppress(httpx.TransportError):
            answer = await client.post(here.webhook, content=long, headers={"X-Hmac-Signature": right})
            assert answer.status_code == 413
            _keep(here, "webhook", answer.content)


async def _keep_what_it_says(here: House) -> None:
    """Every answer over HTTP, and what each command of the command line says."""
    for path in PATHS:
        answer = await here.daemon.get(path)
        head = b"\n".join(name + b": " + value for name, value in answer.headers.raw)
        _keep(here, "answer", head + b"\n" + answer.content)
    for words in COMMANDS:
        status, said = await mamd(here, *words, "--socket", str(here.daemon.socket))
        assert status in (0, 1), said
        _keep(here, "command", said.encode())


def _keep(here: House, kind: str, content: bytes) -> None:
    folder = here.folder / "said"
    folder.mkdir(exist_ok=True)
    (folder / f"{len(list(folder.iterdir()))}-{kind}").write_bytes(content)


async def _start_with_wrong_files(here: House) -> None:
    """A daemon whose secrets are not what they should be ends, and says so in its log."""
    vault, view = here.folder / "secrets" / "vault", here.folder / "secrets" / "view"
    for path, text in ((vault, MARKER.decode()), (view, "")):
        kept = path.read_text()
        path.write_text(text)
        here.daemon.start()
        assert await here.daemon.wait() == 2
        path.write_text(kept)
    view.chmod(0o644)
    here.daemon.start()
    assert await here.daemon.wait() == 2


def _middle_of_supervision_key(here: House) -> bytes:
    """No marker fits into an RSA key, so a part of the key itself is looked for."""
    pem = (here.sim.folder / "organisation.key").read_text()
    body = "".join(line for line in pem.splitlines() if not line.startswith("-----"))
    return base64.b64decode(body)[600:624]


@pytest.mark.parametrize("life", [whole_run])
async def test_nothing_that_a_run_leaves_holds_a_secret(lives: Lives, life: Life) -> None:
    """Log, database, state, answers, figures, output: no token and no key, in no disguise."""
    await lives.end_of(life)
