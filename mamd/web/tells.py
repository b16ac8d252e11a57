"""What may be told over HTTP: a person's words to the daemon, each with a name and a reason."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.requests import Request

from mamd.desk import Desk
from mamd.web.doors import Role, Visitor

_Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$"),
]
_Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$"),
]


class _Word(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Scope(_Word):
    """What to hold or release, and why."""

    scope: _Name = Field(description="everything, a device's name, rule:NAME, or storm (release only)")
    reason: _Line


class Approval(_Word):
    """Which run, the label printed at its port, and why."""

    run: _Name
    label: _Name
    reason: _Line


class Start(_Word):
    """Which workflow on which device, and why."""

    workflow: _Name
    device: _Name
    reason: _Line


class Again(_Word):
    """Which run to look at again, and why."""

    run: _Name
    reason: _Line


class Known(_Word):
    """Which call is known: its key, or `all`."""

    key: _Name


class Setting(_Word):
    """Which field of which device's record gets which value."""

    device: _Name
    field: _Name
    value: Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]


NEEDS: Final = {
    "/v1/holds": Role.OPERATE,
    "/v1/runs/start": Role.OPERATE,
    "/v1/runs/retry": Role.OPERATE,
    "/v1/calls/ack": Role.OPERATE,
    "/v1/rules/reload": Role.OPERATE,
    # What takes a stop away or makes more devices ours reaches as far as an approval.
    "/v1/holds/release": Role.APPROVE,
    "/v1/runs/approve": Role.APPROVE,
    "/v1/devices/set": Role.APPROVE,
}
"""Which role each word needs. What is not named here needs the furthest."""


def _visitor(request: Request) -> Visitor:
    """Whoever the doors let in."""
    visitor: Visitor = request.state.visitor
    return visitor


_Who = Annotated[Visitor, Depends(_visitor)]


def make_tells(desk: Desk) -> APIRouter:
    """All that changes something; each answers with one line that says what was done."""
    router = APIRouter(prefix="/v1")
    _add_holds(router, desk)
    _add_runs(router, desk)
    _add_rest(router, desk)
    return router


def _add_holds(router: APIRouter, desk: Desk) -> None:
    @router.post("/holds")
    async def hold(word: Scope, who: _Who) -> dict[str, Any]:
        """Stop everything, a device or a rule, until a person releases it."""
        return {"done": await desk.hold(word.scope, by=who.name, reason=word.reason)}

    @router.post("/holds/release")
    async def release(word: Scope, who: _Who) -> dict[str, Any]:
        """Lift a hold, or what a storm left behind."""
        return {"done": await desk.release(word.scope, by=who.name, reason=word.reason)}


def _add_runs(router: APIRouter, desk: Desk) -> None:
    @router.post("/runs/approve")
    async def approve(word: Approval, who: _Who) -> dict[str, Any]:
        """Allow a run's present step, standing at its port."""
        done = await desk.approve(word.run, label=word.label, by=who.name, reason=word.reason)
        return {"done": done}

    @router.post("/runs/start")
    async def start(word: Start, who: _Who) -> dict[str, Any]:
        """Run a workflow on one device."""
        return {"run": await desk.start(word.workflow, word.device, by=who.name, reason=word.reason)}

    @router.post("/runs/retry")
    async def retry(word: Again, who: _Who) -> dict[str, Any]:
        """Look again at a run that waits."""
        return {"done": await desk.retry(word.run, by=who.name, reason=word.reason)}


def _add_rest(router: APIRouter, desk: Desk) -> None:
    @router.post("/calls/ack")
    async def ack(word: Known, who: _Who) -> dict[str, Any]:
        """I know; stop calling."""
        return {"done": await desk.acknowledge(word.key, by=who.name)}

    @router.post("/devices/set")
    async def set_device(word: Setting, who: _Who) -> dict[str, Any]:
        """Change one field of a device's record."""
        return {"done": await desk.set_device(word.device, word.field, word.value, by=who.name)}

    @router.post("/rules/reload")
    async def reload(who: _Who) -> dict[str, Any]:
        """Read configuration and rules again; a bad set changes nothing."""
        return {"done": await desk.reload(by=who.name)}
