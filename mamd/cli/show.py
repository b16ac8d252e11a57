"""Shows what the daemon said: tables and wrapped text for eyes, columns for pipes, JSON for programs."""

import json
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDEST: Final = 110


def as_json(data: Any) -> None:
    """Data for programs."""
    typer.echo(json.dumps(data, ensure_ascii=False, indent=2))


def as_row(data: Any) -> None:
    """One of many: one line, so that a file of them can be read line by line."""
    typer.echo(json.dumps(data, ensure_ascii=False))


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table on a terminal; tabs between the columns, without the heads, in a pipe."""
    if not sys.stdout.isatty():
        for row in rows:
            typer.echo("\t".join(clean(cell) for cell in row))
        return
    shown = Table(*heads, box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for row in rows:
        # Text, not markup: a name in brackets is a name.
        shown.add_row(*(Text(clean(cell)) for cell in row))
    Console().print(shown)


def lines(texts: Iterable[str]) -> None:
    """Text with its indents, wrapped to the terminal; one line each in a pipe."""
    width = min(_WIDEST, shutil.get_terminal_size().columns) if sys.stdout.isatty() else None
    for text in texts:
        typer.echo(_wrapped(clean(text), width) if width else clean(text))


def _wrapped(text: str, width: int) -> str:
    indent = text[: len(text) - len(text.lstrip())]
    return textwrap.fill(text.strip(), width, initial_indent=indent, subsequent_indent=f"{indent}  ") or text


def clean(text: str) -> str:
    """Without what could move a terminal's cursor: some names are written by other people."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
