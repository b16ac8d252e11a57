"""How a command ends: which exit status means what, and one line for whatever went wrong."""

from enum import IntEnum
from typing import NoReturn

import typer


class Status(IntEnum):
    """Exit statuses, the same for every command."""

    DONE = 0
    NO = 1
    USAGE = 2
    NO_DAEMON = 3


def end(status: Status, line: str = "", cure: str = "") -> NoReturn:
    """Say one line on standard error, with its cure below it, and end."""
    if line:
        typer.echo(f"mamd: {line}", err=True)
    if cure:
        typer.echo(f"  {cure}", err=True)
    raise typer.Exit(int(status))
