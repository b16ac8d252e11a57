"""Shows the demo: a live table on a terminal, plain lines anywhere else, and the table at the end."""

from collections import deque
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mamd.cli.demo.cast import Role
from mamd.cli.demo.judge import Verdict

RECENT: Final = 20
PLAIN_WIDTH: Final = 160
"""Columns of the last table where there is no terminal that would say."""


def screen() -> Console:
    """Standard output; texts are shown as they are, without colours made up for them."""
    console = Console(highlight=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=PLAIN_WIDTH)


class Show:
    """What the person before the terminal sees. Between `with` and its end the table moves, if it can."""

    def __init__(self, console: Console, *, headless: bool) -> None:
        self._console = console
        self._live = None if headless or not console.is_terminal else Live(console=console, transient=True)
        self._recent: deque[str] = deque(maxlen=RECENT)

    def __enter__(self) -> "Show":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, line: str) -> None:
        """One line that stays."""
        self._console.print(Text(line), soft_wrap=True)

    def news(self, lines: Sequence[str]) -> None:
        """What happened since the last time."""
        self._recent.extend(lines)
        if self._live is None:
            for line in lines:
                self.say(line)

    def standings(self, roles: Sequence[Role], said: Mapping[str, str], *, left_s: float) -> None:
        """How the phones stand now, by UDID; only where the table can move."""
        if self._live is None:
            return
        table = Table(title=f"ward-3, simulated: {left_s:.0f} s to go", expand=True)
        table.add_column("port", min_width=5, no_wrap=True)
        table.add_column("phone", min_width=10, no_wrap=True)
        table.add_column("now, as the daemon sees it", ratio=1, no_wrap=True)
        rows = _together([(role, said.get(role.udid, "not here")) for role in roles])
        for row in rows:
            table.add_row(*row)
        room = max(3, self._console.height - len(rows) - 6)
        self._live.update(Group(table, Text("\n".join(list(self._recent)[-room:]))))

    def outcome(self, verdicts: Sequence[Verdict], whys: Mapping[str, str]) -> None:
        """What happened to each and why. `whys` by the phone's name, in the daemon's words."""
        table = Table(title="What became of each", show_lines=True)
        table.add_column("true")
        table.add_column("port", justify="right")
        table.add_column("phone", no_wrap=True)
        table.add_column("what was seen on the wire", ratio=1)
        table.add_column("why, by its mamd why", ratio=1)
        for one in verdicts:
            if one.role is not None:
                why = Text(whys.get(one.role.name, ""))
                table.add_row(_sign(one), one.role.label, one.role.name, Text(_seen(one)), why)
        self._console.print(table)
        for one in verdicts:
            if one.role is None:
                self.say(f"{_sign(one)}: {_seen(one)}.")


def _together(standings: Sequence[tuple[Role, str]]) -> list[tuple[str, str, str]]:
    """One row for neighbours of one kind that stand alike, so that all fit on a small terminal."""
    rows: list[tuple[str, str, str]] = []
    kinds = groupby(standings, key=lambda one: (one[0].name.partition("-")[0], one[1]))
    for (kind, said), alike in kinds:
        labels = [role.label for role, _ in alike]
        ports = labels[0] if len(labels) == 1 else f"{labels[0]}–{labels[-1]}"
        rows.append((ports, kind if len(labels) == 1 else f"{kind} × {len(labels)}", said))
    return rows


def _sign(verdict: Verdict) -> Text:
    return Text("yes", "green") if verdict.is_true else Text("NO", "bold red")


def _seen(verdict: Verdict) -> str:
    wrong = "" if verdict.is_true else f". WRONG: {'; '.join(verdict.wrong)}"
    return f"{verdict.happened}{wrong}"


def in_short(why: Sequence[str]) -> str:
    """The few lines of a `mamd why` that say why: who took it on, what came of it, what it waits for."""
    told = _sections(why)
    reasons, done, coming = (told.get(title, []) for title in ("Why", "What was done", "What comes next"))
    waits = coming[1:2] if coming and coming[0].endswith("it waits:") else []
    # What was done begins with its time.
    last = [done[-1].partition("  ")[2]] if done else []
    stands = told.get("How it stands", []) if not waits and not last else []
    waiting = [f"It waits: {one}" for one in waits]
    return " ".join(map(_sentence, [*stands[:1], *reasons[:1], *last, *waiting]))


def _sentence(line: str) -> str:
    """A line as one sentence among others."""
    return f"{line[:1].upper()}{line[1:].rstrip('.')}."


def _sections(why: Sequence[str]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    title = ""
    for line in why:
        if line and not line.startswith(" "):
            title = line
        elif line:
            found.setdefault(title, []).append(line.strip())
    return found
