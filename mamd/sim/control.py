"""The control API: what another process (a demo, a test, a site's rehearsal) does to a simulated Launchpad.

    GET  /state   who is attached where, and how it stands
    POST /acts    one step, or a list of them, as JSON (see `acts`); 400 and {"error": …} at the first bad one

It listens on loopback only: whoever may talk to it may do anything to phones that do not exist.
"""

from __future__ import annotations

import json
from typing import Any

from mamd.sim.acts import BadStep, perform
from mamd.sim.launchpad import SimLaunchpad
from mamd.sim.mdm_wire import HttpServer, Request, Response
from mamd.sim.phone import Phone


class Control:
    """A part of the Launchpad that other processes talk to. `url` is known once it has started."""

    def __init__(self, port: int = 0) -> None:
        self._http = HttpServer(self._answer, "127.0.0.1", port)
        self._launchpad: SimLaunchpad | None = None

    @property
    def url(self) -> str:
        """The origin, without a slash at its end."""
        return self._http.url

    async def start(self, launchpad: SimLaunchpad) -> None:
        """Listen."""
        self._launchpad = launchpad
        await self._http.start()

    async def stop(self) -> None:
        """Listen no more."""
        await self._http.stop()

    def met(self, phone: Phone) -> None:
        """Nothing to do: the state is read when it is asked for."""

    async def _answer(self, request: Request) -> Response:
        assert self._launchpad is not None, "it listens only after it has started"
        if (request.method, request.path) == ("GET", "/state"):
            return _json(200, state(self._launchpad))
        if (request.method, request.path) == ("POST", "/acts"):
            return await _act(self._launchpad, request.body)
        return _json(404, {"error": "there are GET /state and POST /acts"})


def state(launchpad: SimLaunchpad) -> dict[str, Any]:
    """How everything stands, in plain JSON values; no secrets."""
    ports = {phone.udid: port for port, phone in launchpad.attached.items()}
    fault = launchpad.usbmuxd.fault
    return {
        "usbmuxd": {"running": launchpad.usbmuxd.running, "fault": fault.value if fault else None},
        "phones": [_phone(phone, ports.get(phone.udid)) for phone in launchpad.phones.values()],
    }


def _phone(phone: Phone, port: str | None) -> dict[str, Any]:
    return {
        "name": phone.name,
        "udid": phone.udid,
        "serial": phone.serial,
        "ecid": phone.ecid,
        "port": port,
        "mode": phone.mode.value,
        "passcode_set": phone.passcode_set,
        "locked": phone.locked,
        "first_unlocked": phone.first_unlocked,
        "hosts_trusted": len(phone.trusts),
        "hidden": phone.hidden,
        "faults": sorted(fault.value for fault in phone.faults),
        "mdm_enrolled": phone.mdm_enrolled,
        "online": phone.online,
    }


async def _act(launchpad: SimLaunchpad, body: bytes) -> Response:
    try:
        given = json.loads(body)
    except ValueError as error:
        return _json(400, {"error": f"the body is no JSON: {error}"})
    steps = given if isinstance(given, list) else [given]
    for number, step in enumerate(steps):
        if not isinstance(step, dict):
            return _json(400, {"error": "a step is an object with an act", "done": number})
        try:
            await perform(launchpad, step)
        except BadStep as error:
            return _json(400, {"error": str(error), "done": number})
    return _json(200, {"done": len(steps)})


def _json(status: int, value: dict[str, Any]) -> Response:
    return Response(status, json.dumps(value).encode() + b"\n", {"Content-Type": "application/json"})
