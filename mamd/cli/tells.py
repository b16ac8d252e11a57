"""Commands that tell the daemon something: a person's words, each with a reason."""

import sys
from typing import Annotated, Any

import typer

from mamd.cli import show
from mamd.cli.asks import AsJson, Config, Device, Socket, devices
from mamd.cli.ends import Status, end
from mamd.cli.line import Line, find_socket

Reason = Annotated[
    str | None, typer.Option("--reason", "-r", help="Why; it is kept in the journal.", metavar="TEXT")
]
Run = Annotated[str, typer.Argument(help="The run, as `mamd status` and `mamd why` name it.", metavar="RUN")]
Scope = Annotated[
    str, typer.Argument(help="everything, a device, or rule:NAME; release also takes storm.", metavar="SCOPE")
]


def start(
    workflow: Annotated[str, typer.Argument(metavar="WORKFLOW")],
    device: Device,
    reason: Reason = None,
    socket: Socket = None,
    config: Config = None,
    json: AsJson = False,
) -> None:
    """Run a workflow on one device, by your word."""
    word = {"workflow": workflow, "device": device, "reason": _asked(reason, "Why")}
    said = Line(find_socket(socket, config)).tell("/v1/runs/start", word)
    _done(said, f"started: {said['run']}; see `mamd why {device}`", json)


def hold(
    scope: Scope, reason: Reason = None, socket: Socket = None, config: Config = None, json: AsJson = False
) -> None:
    """Stop everything, a device or a rule, until somebody releases it."""
    word = {"scope": scope, "reason": _asked(reason, "Why")}
    said = Line(find_socket(socket, config)).tell("/v1/holds", word)
    _done(said, f"on hold: {said['done']}; lift it with `mamd release {scope}`", json)


def release(
    scope: Scope, reason: Reason = None, socket: Socket = None, config: Config = None, json: AsJson = False
) -> None:
    """Lift a hold, or with `storm` what a storm left behind."""
    word = {"scope": scope, "reason": _asked(reason, "Why")}
    said = Line(find_socket(socket, config)).tell("/v1/holds/release", word)
    _done(said, f"released: {said['done']}", json)


def approve(
    run: Run,
    label: Annotated[
        str | None,
        typer.Option("--label", "-l", help="The label printed at its port.", metavar="LABEL"),
    ] = None,
    reason: Reason = None,
    socket: Socket = None,
    config: Config = None,
    json: AsJson = False,
) -> None:
    """Allow a run's next step. The label printed at the port shows that you stand before it."""
    printed = _asked(label, "Label printed at the port", option="--label")
    word = {"run": run, "label": printed, "reason": _asked(reason, "Why")}
    said = Line(find_socket(socket, config)).tell("/v1/runs/approve", word)
    _done(said, f"approved: {said['done']}", json)


def retry(
    run: Run, reason: Reason = None, socket: Socket = None, config: Config = None, json: AsJson = False
) -> None:
    """Look again at a run that waits."""
    word = {"run": run, "reason": _asked(reason, "Why")}
    said = Line(find_socket(socket, config)).tell("/v1/runs/retry", word)
    _done(said, f"looked at again: {said['done']}", json)


def ack(
    call: Annotated[
        str, typer.Argument(help="A device, a call as `mamd status` names it, or all.", metavar="CALL")
    ] = "all",
    socket: Socket = None,
    config: Config = None,
    json: AsJson = False,
) -> None:
    """I know; stop calling."""
    line = Line(find_socket(socket, config))
    said = [line.tell("/v1/calls/ack", {"key": key}) for key in _keys(line, call)]
    _done({"done": [one["done"] for one in said]}, "acknowledged", json)


def _keys(line: Line, call: str) -> list[str]:
    """A device stands for all calls about it."""
    calls = line.get("/v1/calls")
    if call == "all" or any(one["key"] == call for one in calls):
        return [call]
    device = line.device(call)["device"]
    keys = [one["key"] for one in calls if one["device"] == device]
    return keys or end(Status.NO, f"nobody is being called about {call}")


@devices.command("set")
def set_device(
    device: Device,
    field: Annotated[
        str, typer.Argument(help="status, ownership, mdm, name, home, labels, …", metavar="FIELD")
    ],
    value: Annotated[str, typer.Argument(metavar="VALUE")],
    socket: Socket = None,
    config: Config = None,
    json: AsJson = False,
) -> None:
    """Change one field of a device's record by your word."""
    word = {"device": device, "field": field, "value": value}
    said = Line(find_socket(socket, config)).tell("/v1/devices/set", word)
    _done(said, f"{said['done']}: {field} is now {value}", json)


def _done(said: dict[str, Any], line: str, as_json: bool) -> None:
    if as_json:
        show.as_json(said)
    else:
        show.lines([line])


def _asked(given: str | None, question: str, *, option: str = "--reason") -> str:
    """What was given, or what a person answers; a program has to give it."""
    if given is not None and given.strip():
        return given.strip()
    if not sys.stdin.isatty():
        end(Status.USAGE, f"{option} is missing", f"Say it with {option} TEXT.")
    answer: str = typer.prompt(question)
    return answer
