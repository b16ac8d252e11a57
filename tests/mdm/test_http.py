"""The door for requests to an MDM keeps its deadlines, and trusts no certificate that this host does not."""

import asyncio
import ssl
from pathlib import Path

import httpx
import pytest

from mamd.core.errors import Doubtful, Unreachable
from mamd.mdm import http
from mamd.mdm.secret import Secret
from mamd.sim.mdm_identity import Authority
from tests.canary import MARKER


async def test_an_answer_that_trickles_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that sends a byte now and then holds nobody up for longer than the whole request may take."""
    monkeypatch.setattr(http, "TOTAL_S", 0.05)

    class Trickle(httpx.AsyncByteStream):
        async def __aiter__(self):
            yield b"{"
            await asyncio.Event().wait()

    wire = httpx.MockTransport(lambda _: httpx.Response(200, stream=Trickle()))
    async with http.client_for("https://mdm.example.org", user="u", password="p", transport=wire) as client:
        with pytest.raises(Unreachable, match="in time"):
            await http.ask(client, "hospital", "GET", "/", changes=False)
        with pytest.raises(Doubtful, match="may have been done"):
            await http.ask(client, "hospital", "PUT", "/", body=Secret(MARKER), changes=True)


async def test_a_certificate_that_this_host_does_not_trust_is_named(tmp_path: Path) -> None:
    """A token goes to nobody whose certificate is not known to be the MDM's."""
    chain = tmp_path / "mdm.pem"
    chain.write_bytes(b"".join(Authority().server("127.0.0.1")))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    async with server, http.client_for(f"https://127.0.0.1:{port}", user="u", password="p") as client:
        with pytest.raises(Unreachable, match="not one that this host trusts"):
            await http.ask(client, "hospital", "PUT", "/", body=Secret(MARKER), changes=True)
