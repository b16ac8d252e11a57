"""Commands that need no daemon, or are one: run, demo, check, replay. What they need is loaded then."""

import asyncio
import os
from collections.abc import Iterable
from dataclasses import dataclass
from json import loads as parse
from pathlib import Path
from typing import Annotated, Any

import typer

from mamd.cli import show
from mamd.cli.again import retake
from mamd.cli.asks import AsJson, Config, Socket, exported
from mamd.cli.ends import Status, end
from mamd.cli.line import Line, find_socket
from mamd.codec import load
from mamd.config.load import find_config
from mamd.config.mistakes import Mistake
from mamd.core.errors import Trouble
from mamd.core.rules import RuleSet


def run(config: Config = None) -> None:
    """The daemon, until SIGTERM."""
    from mamd import wiring
    from mamd.observe import log

    files = wiring.read_files(_config(config))
    if files.settings is None or files.rules is None or files.mistakes:
        _say_all(files.mistakes)
        end(Status.USAGE, f"{len(files.mistakes)} mistakes; nothing was started")
    log.set_up()
    _say_all(files.warnings)
    try:
        asyncio.run(wiring.run(files.settings, files.rules))
    except (Trouble, BaseExceptionGroup) as trouble:
        end(Status.USAGE, _in_one_line(trouble))


def demo(
    seconds: Annotated[
        float | None, typer.Option(help="Go on at least that long, to look at the page.", metavar="N")
    ] = None,
    http: Annotated[
        str | None, typer.Option(help="Where the status page is to be.", metavar="HOST:PORT")
    ] = None,
    headless: Annotated[bool, typer.Option("--headless", help="Plain lines, as without a terminal.")] = False,
) -> None:
    """A simulated Launchpad and MDM, the real daemon, over the real protocols."""
    from mamd.cli.demo import demo as play

    raise typer.Exit(play(seconds=seconds, http=http, headless=headless))


def check(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files or folders instead.", metavar="PATH")
    ] = None,
    config: Config = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings are mistakes too.")] = False,
    json: AsJson = False,
) -> None:
    """Configuration, rules and workflows: every mistake at once, as FILE:LINE:COL: what; fix."""
    found = _check_paths(paths) if paths else _check_site(_config(config))
    if json:
        mistakes, warnings = map(_plain, found.mistakes), map(_plain, found.warnings)
        show.as_json({"mistakes": list(mistakes), "warnings": list(warnings)})
    else:
        show.lines([*map(str, found.mistakes), *(f"{one} (warning)" for one in found.warnings)])
        show.lines(_described(found.rules) if found.rules is not None and not found.mistakes else ())
        show.lines([_summary(len(found.mistakes), len(found.warnings))])
    if found.mistakes or (strict and found.warnings):
        end(Status.NO)


@dataclass(frozen=True, slots=True)
class _Checked:
    """What was found in all files."""

    rules: RuleSet | None
    mistakes: tuple[Mistake, ...]
    warnings: tuple[Mistake, ...]


def _check_site(config: Path) -> _Checked:
    """Everything that the daemon would read at its start."""
    from mamd import wiring
    from mamd.rulebook.devices import read_devices

    files = wiring.read_files(config)
    mistakes, warnings, settings = files.mistakes, files.warnings, files.settings
    if settings is not None and settings.devices is not None:
        listed = read_devices(settings.devices, tuple(one.name for one in settings.mdms))
        mistakes, warnings = (*mistakes, *listed.mistakes), (*warnings, *listed.warnings)
    return _Checked(files.rules, mistakes, warnings)


def _check_paths(paths: Iterable[Path]) -> _Checked:
    """Rules and workflows by themselves; names of MDMs are not checked."""
    from mamd.rulebook.load import load_all

    loaded = load_all(paths)
    return _Checked(loaded.rules, loaded.mistakes, loaded.warnings)


def _described(rules: RuleSet) -> Iterable[str]:
    from mamd.rulebook.describe import describe

    return (*describe(rules).splitlines(), "")


def replay(
    file: Annotated[
        Path | None, typer.Argument(help="What `mamd journal --export` wrote.", metavar="FILE")
    ] = None,
    socket: Socket = None,
    config: Config = None,
    json: AsJson = False,
) -> None:
    """Take all turns again from the journal; a difference is an error."""
    rows = _rows_of(file) if file is not None else _rows_of_daemon(Line(find_socket(socket, config)))
    rule_sets = {row["rule_set"]: row["rules"] for row in rows if "rules" in row}
    known = {name: load(RuleSet, plain) for name, plain in rule_sets.items()}
    turns = (row for row in rows if "body" in row)
    taken = [difference for is_turn, difference in retake(turns, known) if is_turn]
    differences = [one for one in taken if one is not None]
    if json:
        show.as_json({"turns": len(taken), "differences": [str(one) for one in differences]})
    else:
        summary = f"{len(taken)} turns taken again, {len(differences)} differences"
        show.lines([*map(str, differences), summary])
    if differences:
        end(Status.NO)


def _rows_of(file: Path) -> list[dict[str, Any]]:
    try:
        return [parse(line) for line in file.read_text().splitlines() if line.strip()]
    except OSError as error:
        end(Status.USAGE, f"{file} cannot be read: {error.strerror}")
    except ValueError:
        end(Status.USAGE, f"{file} is not a journal", "Write one with: mamd journal --export > FILE")


def _rows_of_daemon(line: Line) -> list[dict[str, Any]]:
    return list(exported(line))


def _summary(mistakes: int, warnings: int) -> str:
    if not mistakes and not warnings:
        return "no mistakes"
    return f"{mistakes} mistakes, {warnings} warnings"


def _plain(one: Mistake) -> dict[str, object]:
    return {"file": one.file, "line": one.line, "col": one.col, "what": one.what, "cure": one.cure}


def _config(option: Path | None) -> Path:
    found = find_config(option, os.environ, Path.cwd())
    if found is None:
        cure = "Name it with -c FILE, or put it at /etc/mamd/mamd.yaml."
        end(Status.USAGE, "there is no mamd.yaml here", cure)
    return found


def _say_all(mistakes: Iterable[Mistake]) -> None:
    for one in mistakes:
        typer.echo(str(one), err=True)


def _in_one_line(trouble: BaseException) -> str:
    """What went wrong, if all of it is trouble with the world; a bug keeps its traceback."""
    if not isinstance(trouble, BaseExceptionGroup):
        return str(trouble)
    if trouble.split(Trouble)[1] is not None:
        raise trouble
    return "; ".join(_in_one_line(one) for one in trouble.exceptions)
