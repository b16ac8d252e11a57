"""A proxy between two HTTP peers, so that the way between real programs can fail on demand.

Before NanoMDM it is the reverse proxy that says 429 or hangs after the work was done; before the
product's webhook listener it is what makes one event be lost at the very moment that matters.

    async with Relay(mdm.url) as proxy:           # the product's `url` is proxy.url
        proxy.faults.set(Fault(FaultKind.TOO_MANY, times=1, retry_after="7"))
    async with Relay(daemon_url) as line:         # NanoMDM's -webhook-url is line.url + path
        line.deaf = True; await line.has_missed(1)
"""

import asyncio
import time
from collections.abc import Mapping

from mamd.sim.mdm_faults import Faults
from mamd.sim.mdm_wire import Client, Cut, HttpServer, Request, Response, WireError

_OF_THE_HOP = ("connection", "content-length", "host", "keep-alive", "transfer-encoding")


class Relay:
    """Forwards requests to `target` (an origin). While `deaf` it cuts every one off, and counts them."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.faults = Faults()
        self.deaf, self.missed, self.requests = False, 0, 0
        self.calls: list[tuple[float, str]] = []  # when, on CLOCK_MONOTONIC, and what, as faults name it
        self._lost = asyncio.Condition()
        self._client, self._http = Client(), HttpServer(self._answer)

    @property
    def url(self) -> str:
        """The origin that stands in for the target's."""
        return self._http.url

    async def __aenter__(self) -> "Relay":
        await self._http.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.faults.set(None)
        await self._http.stop()
        self._client.close()

    async def has_missed(self, count: int, *, within_s: float = 10) -> None:
        """Wait until so many requests were cut off."""
        async with asyncio.timeout(within_s), self._lost:
            await self._lost.wait_for(lambda: self.missed >= count)

    async def _answer(self, request: Request) -> Response:
        self.requests += 1
        if self.deaf:
            async with self._lost:
                self.missed += 1
                self._lost.notify_all()
            raise Cut
        call = request.path.removeprefix("/v1/").split("/")[0].strip("/")
        self.calls.append((time.monotonic(), call))
        return await self.faults.around(call, request, lambda: self._forward(request))

    async def _forward(self, request: Request) -> Response:
        url = self.target + request.target
        try:
            answer = await self._client.call(request.method, url, request.body, _passed(request.headers))
        except (OSError, WireError):
            return Response(502, b"Bad Gateway\n", {"Content-Type": "text/plain"})
        return Response(answer.status, answer.body, _passed(answer.headers))


def _passed(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in _OF_THE_HOP}
