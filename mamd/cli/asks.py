"""Commands that only ask: status, devices, why, journal."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from mamd.cli import show
from mamd.cli.ends import Status, end
from mamd.cli.line import Line, find_socket
from mamd.words import lasting, running

Socket = Annotated[Path | None, typer.Option("--socket", help="The daemon's socket.", metavar="PATH")]
Config = Annotated[
    Path | None, typer.Option("-c", "--config", help="mamd.yaml, to find the socket.", metavar="FILE")
]
AsJson = Annotated[bool, typer.Option("--json", help="Data for programs.")]
Device = Annotated[
    str,
    typer.Argument(help="Any of its names (d-0042, serial, UDID, ECID, name), or port:7.", metavar="DEVICE"),
]
PAGE: Final = 500

devices = typer.Typer(no_args_is_help=True, help="The devices of the registry.")


def status(socket: Socket = None, config: Config = None, json: AsJson = False) -> None:
    """The Launchpad at a glance."""
    line = Line(find_socket(socket, config))
    seen, ports = line.get("/v1/launchpads")[0], line.get("/v1/ports")
    if json:
        show.as_json({**seen, "ports": ports})
    else:
        show.lines(_glance(seen))
        show.table(("PORT", "DEVICE", "STANDS", "CLOCK", "NOTE"), (_port_row(one) for one in ports))


def _glance(seen: dict[str, Any]) -> Iterable[str]:
    sight = _sight(seen["last_look"], seen["last_look_age_s"])
    usbmuxd = "usbmuxd answers" if seen["usbmuxd_up"] else "usbmuxd does not answer"
    yield f"{seen['name']}: mode {seen['mode']}; last proof of USB sight {sight}; {usbmuxd}"
    helpable = f"{seen['devices_helpable']} of {seen['devices_known']}"
    yield f"{helpable} devices could be helped if they came back locked"
    for one in seen["hindrances"]:
        yield f"  {one['devices']}: {one['short']}"
    mdm_faults = (fault for mdm in seen["mdms"] for fault in mdm["faults"])
    for fault in (*seen["faults"], *mdm_faults):
        yield f"FAULT: {fault['what']}. {fault['cure']}"
    if seen["storm"] is not None:
        yield f"STORM: {seen['storm']['text']} ({', '.join(seen['storm']['devices'])})"
    for hold in seen["holds"]:
        lift = f"lift it with: mamd release {hold['scope']}"
        yield f"HOLD: {hold['scope']}: {hold['reason']} (by {hold['by']}); {lift}"
    for call in seen["calls"]:
        if call["acknowledged_by"] is None:
            yield f"CALL: {call['message'].partition(': ')[2]} [mamd ack {call['device'] or call['key']}]"


def _sight(last: str | None, age_s: float | None) -> str:
    if last is None:
        return "never"
    return f"{lasting(age_s)} ago" if age_s is not None else "before this host was started"


def _port_row(one: dict[str, Any]) -> tuple[str, ...]:
    if one["device"] is None:
        who = "(a device that is not ours)" if one["stranger"] else ""
        return (one["label"], who, "", "", "charges only" if one["use"] else "")
    run = one["run"]
    return (one["label"], f"{one['called']} ({one['device']})", _stands(one), _clock(run), _note(one))


def _stands(one: dict[str, Any]) -> str:
    link = one["link"]
    if link is None:
        return "not attached"
    if link["state"] == "paired" and link["locked"]:
        return "paired, locked now"
    return str(link["short"])


def _clock(run: dict[str, Any] | None) -> str:
    if run is None or run["left_s"] is None or not run["wait_s"]:
        return ""
    return f"{running(run['waited_s'])} of {running(run['wait_s'])}"


def _note(one: dict[str, Any]) -> str:
    run = one["run"]
    if one["blocks"]:
        return str(one["blocks"][0]["short"])
    if run is None:
        return ""
    if run["reason"] is not None:
        return str(run["reason"]["short"])
    return str(run["blocks"][0]["short"]) if run["blocks"] else str(run["doing"])


def why(device: Device, socket: Socket = None, config: Config = None, json: AsJson = False) -> None:
    """What happened to a device, by which rule, on which facts, what comes next and when."""
    told = Line(find_socket(socket, config)).device(device, "/why")
    if json:
        show.as_json(told)
    else:
        show.lines(told["lines"])


@devices.command("list")
def list_devices(socket: Socket = None, config: Config = None, json: AsJson = False) -> None:
    """Every device of the registry, attached or not."""
    found = Line(find_socket(socket, config)).get("/v1/devices")
    if json:
        show.as_json(found)
        return
    heads = ("DEVICE", "NAME", "SERIAL", "STATUS", "OWNERSHIP", "MDM", "PORT", "STANDS")
    show.table(heads, (_device_row(one) for one in found))


def _device_row(one: dict[str, Any]) -> tuple[str, ...]:
    shown = (one["device"], one["name"], one["serial"], one["status"], one["ownership"], one["mdm"])
    return (*(text or "" for text in shown), one["label"] if one["port"] else "", _stands(one))


@devices.command("show")
def show_device(device: Device, socket: Socket = None, config: Config = None, json: AsJson = False) -> None:
    """All that is known of one device."""
    found = Line(find_socket(socket, config)).device(device)
    if json:
        show.as_json(found)
        return
    show.table(("WHAT", "KNOWN"), ((key, _flat(value)) for key, value in found.items() if key in _SHOWN))


_SHOWN: Final = (
    "device", "name", "serial", "udid", "ecid", "status", "retired_reason", "ownership", "custody", "mdm",
    "home", "labels", "port", "label", "link", "run", "blocks", "next_look",
)  # fmt: skip


def _flat(value: Any) -> str:
    if isinstance(value, dict) and "text" in value:
        return str(value["text"])
    if isinstance(value, dict) and "workflow" in value:
        return f"{value['run']}: {value['workflow']}, {value['state']}"
    if isinstance(value, dict):
        return ", ".join(
            f"{key} {_flat(inner)}" for key, inner in value.items() if inner not in (None, "", [])
        )
    if isinstance(value, list):
        return ", ".join(one["text"] if isinstance(one, dict) else str(one) for one in value)
    return "" if value is None else str(value)


# -------------------------------------------------------------------------------- journal


def journal(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as rows come.")] = False,
    device: Annotated[str | None, typer.Option(help="Only this device.", metavar="DEVICE")] = None,
    since: Annotated[
        str | None,
        typer.Option(help="How long ago (90m, 12h, 7d), or when (2026-11-25).", metavar="T"),
    ] = None,
    export: Annotated[
        bool, typer.Option(help="All rows and the rules, as `mamd replay FILE` reads them.")
    ] = False,
    verify: Annotated[bool, typer.Option(help="See whether every row is what it was.")] = False,
    socket: Socket = None,
    config: Config = None,
    json: AsJson = False,
) -> None:
    """Every turn, in order: what it was, what happened, what it became."""
    line = Line(find_socket(socket, config))
    if verify:
        _verify(line, json)
        return
    wanted = _since(since) if since is not None else None
    if export:
        for row in exported(line):
            show.as_row(row)
        return
    after = 0
    for _ in line.changes() if follow else (None,):
        after = _rows(line, device, after, wanted, json)


def exported(line: Line) -> Iterable[dict[str, Any]]:
    """The journal as `mamd replay FILE` reads it: its rows, and rules before the first that names them."""
    known, after = {""}, 0
    while rows := line.get("/v1/journal", after=after, limit=PAGE):
        for row in rows:
            if "event" in row["body"] and row["rule_set"] not in known:
                known.add(row["rule_set"])
                yield line.get(f"/v1/rule_sets/{row['rule_set']}")
            yield row
        after = rows[-1]["number"]


def _rows(line: Line, device: str | None, after: int, since: datetime | None, as_json: bool) -> int:
    """Show all rows after a number, page by page; returns the last number."""
    while rows := line.get("/v1/journal", device=device, after=after, limit=PAGE):
        after = rows[-1]["number"]
        recent = [row for row in rows if since is None or datetime.fromisoformat(row["wall"]) >= since]
        for row in recent:
            _show_row(row, as_json)
        if len(rows) < PAGE:
            break
    return int(after)


def _show_row(row: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show.as_row(row)
        return
    when = datetime.fromisoformat(row["wall"]).astimezone()
    what = f"{row['subject']}  {row['kind']}{_became(row['body'])}"
    show.lines([f"{row['number']:>6}  {when:%Y-%m-%d %H:%M:%S}  {what}"])


def _became(body: dict[str, Any]) -> str:
    """What it became, as far as the row says so in the usual way."""
    now = body.get("became") or {}
    link, run = now.get("link") or {}, now.get("run") or {}
    stands = " ".join(str(part) for part in (link.get("state"), link.get("cause")) if part)
    ran = f"{run.get('run')} {run.get('state')}" if run else ""
    told = "; ".join(part for part in (stands, ran) if part)
    return f"  → {told}" if told else ""


def _verify(line: Line, as_json: bool) -> None:
    found = line.get("/v1/journal/verify")
    if as_json:
        show.as_json(found)
    else:
        show.lines(found["faults"] or ["every row of the journal is what it was"])
    if not found["sound"]:
        end(Status.NO)


_SINCE: Final = "Say how long ago (90m, 12h, 7d) or when (2026-11-25T03:00)."
_AGO: Final = re.compile(r"(\d+)\s*(s|m|min|h|d)")
_UNITS: Final = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}


def _since(text: str) -> datetime:
    ago = _AGO.fullmatch(text.strip())
    if ago is not None:
        seconds = int(ago.group(1)) * _UNITS[ago.group(2)]
        return datetime.now(UTC) - timedelta(seconds=min(seconds, 10**9))
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        end(
            Status.USAGE,
            f"--since cannot be {text!r}",
            _SINCE,
        )
