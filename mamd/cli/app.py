"""All commands, and the last door: whatever a person did wrong is one line, never a traceback."""

import sys
from collections.abc import Callable
from typing import Annotated, Final

import typer

from mamd import __version__
from mamd.cli import asks, tells, works
from mamd.cli.ends import Status

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Watches a Launchpad of shared iPhones and iPads, and brings the locked ones back to work.",
)

_COMMANDS: Final[tuple[Callable[..., None], ...]] = (
    works.run, works.demo, works.check, asks.status, asks.why, tells.start, tells.hold, tells.release,
    tells.approve, tells.retry, tells.ack, asks.journal, works.replay,
)  # fmt: skip
for _command in _COMMANDS:
    app.command()(_command)
app.add_typer(asks.devices, name="devices")


def _version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"mamd {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which mamd this is.")
    ] = False,
) -> None:
    """What stands before any command."""


def main() -> None:
    """The command line's entry. A reader that stops reading (`mamd journal | head`) is no mistake."""
    try:
        app()
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(int(Status.DONE))
