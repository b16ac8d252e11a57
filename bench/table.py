"""What was measured, as rows that a terminal and a document can show, so that both say the same."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """
    One figure.

    Attributes:
        what: What was measured, in words.
        value: The figure with its unit.
        aim: What it should be; empty where nobody has said.
        beside: What a user would have without mamd, and the ratio; empty where there is no such thing.
    """

    what: str
    value: str
    aim: str = ""
    beside: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        """All of it, in the order of the table's columns."""
        return (self.what, self.value, self.aim, self.beside)


HEAD = ("what", "measured", "aim", "beside")


def markdown(rows: Sequence[Row]) -> str:
    """The rows as a table for a document."""
    lines = [HEAD, ("---",) * len(HEAD), *(row.cells for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def plain(rows: Sequence[Row]) -> str:
    """The rows as a table for a terminal."""
    lines = [HEAD, *(row.cells for row in rows)]
    widths = [max(len(cells[column]) for cells in lines) for column in range(len(HEAD))]
    return "\n".join("  ".join(map(str.ljust, cells, widths)).rstrip() for cells in lines)


def seconds(value: float) -> str:
    """A time with a unit that suits it."""
    return f"{value * 1000:.1f} ms" if value < 1 else f"{value:.2f} s"


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle, the slowest hundredth and the slowest of some times, in seconds."""

    p50: float
    p99: float
    most: float

    @classmethod
    def of(cls, times: Iterable[float]) -> "Spread":
        """Of at least one time; the 99th percentile of fewer than a hundred is the slowest."""
        order = sorted(times)
        return cls(_part(order, 0.5), _part(order, 0.99), order[-1])

    def __str__(self) -> str:
        return f"p50 {seconds(self.p50)}, p99 {seconds(self.p99)}, max {seconds(self.most)}"


def _part(order: Sequence[float], share: float) -> float:
    return order[max(0, math.ceil(share * len(order)) - 1)]
