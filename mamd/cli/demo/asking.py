"""Asks the daemon over its unix socket: is it ready, how do the phones stand, and why."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx


class Asking:
    """The daemon's API, as far as the demo needs it. It only reads."""

    def __init__(self, socket: Path) -> None:
        transport = httpx.AsyncHTTPTransport(uds=str(socket))
        self._http = httpx.AsyncClient(transport=transport, base_url="http://mamd", timeout=10.0)

    async def __aenter__(self) -> "Asking":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def is_ready(self) -> bool:
        """It answers, and names no fault."""
        try:
            return (await self._http.get("/readyz")).status_code == 200
        except httpx.HTTPError:
            return False

    async def standings(self) -> Mapping[str, str]:
        """How each device of the registry stands, in the daemon's own words, by UDID."""
        try:
            answer = await self._http.get("/v1/devices")
        except httpx.HTTPError:
            return {}
        if answer.status_code != 200:
            return {}
        return {one["udid"]: _standing(one) for one in answer.json()}

    async def why(self, name: str) -> tuple[str, ...]:
        """
        What `mamd why` would say of a device.

        Raises:
            httpx.HTTPError: The daemon does not answer, or knows no such device.
        """
        answer = await self._http.get(f"/v1/devices/{name}/why")
        answer.raise_for_status()
        return tuple(answer.json()["lines"])


def _standing(one: Mapping[str, Any]) -> str:
    link, run = one["link"], one["run"]
    if link is None or link["state"] == "gone":
        return "not here"
    said = str(link["text"])
    if run is None:
        return said
    if run["left_s"]:
        return f"{said}; waits for the proof, {run['waited_s']:.0f} s of {run['wait_s']:.0f} s"
    reasons = [run["reason"], *run["blocks"]]
    first = next((reason["text"] for reason in reasons if reason), "")
    return f"{said}; {first}" if first else said
