"""Apple's push service for an unchanged NanoMDM: a proxy that answers for api.push.apple.com itself.

NanoMDM's push address is compiled in, but Go honours HTTPS_PROXY and SSL_CERT_FILE: it asks this
proxy to CONNECT, finds a server with a certificate of our own authority behind it, and pushes.
Which pushes fail, and whom they wake, is settled by the same `Apns` that the simulated server uses.
"""

import asyncio
import json
import ssl
from pathlib import Path

from mamd.sim.mdm_apns import Apns, PushAnswer
from mamd.sim.mdm_identity import Authority
from mamd.sim.mdm_wire import Response, WireError, read_request, response_bytes

HOST = "api.push.apple.com"


class FakeApns:
    """The proxy; `async with` it, and start NanoMDM with its `environment`."""

    def __init__(self, apns: Apns, authority: Authority, folder: Path) -> None:
        self._apns, self._folder = apns, folder
        self._context = _server_context(authority, folder)
        self._trust = folder / "apns-trust.pem"
        self._trust.write_bytes(authority.pem)
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def environment(self) -> dict[str, str]:
        """What makes a Go program push through here."""
        assert self._server is not None, "the proxy has to be up first"
        port = self._server.sockets[0].getsockname()[1]
        return {"HTTPS_PROXY": f"http://127.0.0.1:{port}", "SSL_CERT_FILE": str(self._trust)}

    async def __aenter__(self) -> "FakeApns":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        connections = dict(self._connections)
        for task, writer in connections.items():
            writer.transport.abort()
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._connections[task] = writer
        task.add_done_callback(self._connections.pop)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if await self._tunnel(reader, writer):
                while await self._push(reader, writer):
                    pass
        except (OSError, WireError, asyncio.IncompleteReadError):
            writer.transport.abort()
        finally:
            writer.close()

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        request = await read_request(reader)
        if request is None or request.method != "CONNECT" or request.target != f"{HOST}:443":
            return False
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.start_tls(self._context)
        return True

    async def _push(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        request = await read_request(reader)
        if request is None:
            return False
        answer = await self._apns.push(bytes.fromhex(request.path.rsplit("/", 1)[-1]))
        if answer.status == 0:  # no network: nobody answers
            writer.transport.abort()
            return False
        writer.write(response_bytes(_response(answer)))
        await writer.drain()
        return True


def _response(answer: PushAnswer) -> Response:
    headers = {"apns-id": answer.apns_id}
    if answer.ok:
        return Response(200, b"", headers)
    if not answer.reason:
        return Response(answer.status, b"<html>Bad Gateway</html>", headers)
    body = {"reason": answer.reason}
    if answer.timestamp_ms:
        body |= {"timestamp": answer.timestamp_ms}
    return Response(answer.status, json.dumps(body).encode(), headers)


def _server_context(authority: Authority, folder: Path) -> ssl.SSLContext:
    certificate, key = authority.server(HOST)
    chain = folder / "apns.pem"
    chain.write_bytes(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return context
