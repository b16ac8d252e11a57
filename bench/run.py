"""
Measures this machine, prints one table, and writes it into docs/measurements.md.

    make bench            all of it: about ten minutes, on a machine that has nothing else to do
    bench/run.py --quick  small counts, to see that it works; writes no document
    bench/run.py --only c,d
"""

import argparse
import asyncio
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from bench import clears, commits, machine, shell, standing
from bench.table import Row, markdown, plain
from bench.ward import healthy, locked, ward

DOCUMENT = Path(__file__).parent.parent / "docs" / "measurements.md"
TEMPLATE = Path(__file__).parent / "measurements.md"


class Sizes:
    """How much is measured."""

    def __init__(self, *, quick: bool) -> None:
        self.cases = (
            clears.Case(5 if quick else 30, True, "p99 <= 50 ms"),
            clears.Case(20 if quick else 100, False, "p99 <= 200 ms"),
            clears.Case(50 if quick else 1000, False, "p99 <= 1.5 s"),
        )
        self.crowd = 50 if quick else 1000
        self.watch_s = 10.0 if quick else 40.0
        self.restarts = 1 if quick else 5
        self.events = 5_000 if quick else 100_000
        self.commits = 500 if quick else 4_000
        self.shelf = 10 if quick else 100


def alone_and_some(sizes: Sizes) -> Iterator[Row]:
    """a: one due, and a hundred."""
    for case in sizes.cases[:-1]:
        with ward(locked(case.count)) as here:
            here.open()
            clears.bring(here, case)
            yield from clears.rows(here, case)


def many(sizes: Sizes, *, standing_too: bool, clears_too: bool) -> Iterator[Row]:
    """a and b: a thousand due at once; what they cost while they wait; and a kill -9 amid that."""
    case = sizes.cases[-1]
    with ward(locked(case.count)) as here:
        here.open()
        clears.bring(here, case)
        if standing_too:
            yield from standing.restarts(here, times=sizes.restarts)
            words = f"{case.count:,} attached, locked and waiting"
            yield from standing.rows(here, words, "<= 5 %", for_s=sizes.watch_s)
        if clears_too:
            yield from clears.rows(here, case)


def paired(sizes: Sizes) -> Iterator[Row]:
    """b: a thousand that pair."""
    with ward(healthy(sizes.crowd)) as here:
        here.open()
        here.daemon.end()
        here.start_daemon()
        here.attach(*here.names)
        here.stand("paired")
        words = f"{sizes.crowd:,} attached and paired"
        yield from standing.rows(here, words, "<= 1 %", for_s=sizes.watch_s)


def growth(sizes: Sizes) -> Iterator[Row]:
    """b: how memory grows, in a process of its own, so that nothing else is in it."""
    words = [sys.executable, "-m", "bench.inside", "200", str(sizes.events)]
    said = subprocess.run(words, check=True, capture_output=True, text=True, cwd=DOCUMENT.parent.parent)
    slope, rate = map(float, said.stdout.split())
    what = f"memory an event, over {sizes.events:,} events of 200 devices (looks, and one in 300 comes back)"
    yield Row(
        what, f"{slope:.1f} bytes", "<= 20 bytes", f"{rate:,.0f} events a second, decided and committed"
    )


def beside_the_shell(sizes: Sizes) -> Iterator[Row]:
    """d: a hundred that pair, and a hundred that are locked."""
    for words, cast, state in (("paired", healthy, "paired"), ("locked", locked, "unpaired")):
        with ward(cast(sizes.shelf)) as here:
            here.open()
            here.attach(*here.names)
            here.stand(state)
            yield from shell.rows(here, f"{sizes.shelf} devices, {words}", for_s=sizes.watch_s)


def measured(sizes: Sizes, only: frozenset[str]) -> Iterator[Row]:
    """All rows that were asked for, as they come."""
    if "a" in only:
        yield from alone_and_some(sizes)
    if only & {"a", "b"}:
        yield from many(sizes, standing_too="b" in only, clears_too="a" in only)
    if "b" in only:
        yield from paired(sizes)
        yield from growth(sizes)
    if "c" in only:
        yield from asyncio.run(commits.measure(sizes.commits))
    if "d" in only:
        yield from beside_the_shell(sizes)


def main() -> None:
    """Measure, print, and write the document if everything was measured in full."""
    options = _options()
    before = machine.others()
    begun = datetime.now(UTC)
    rows: list[Row] = []
    for row in measured(Sizes(quick=options.quick), options.only):
        print(row.what, "…", row.value, file=sys.stderr, flush=True)
        rows.append(row)
    when = _when(begun, before)
    print(f"\n{machine.described()}\n{when}\n\n{plain(rows)}")
    if not options.quick and options.only == ALL:
        text = TEMPLATE.read_text()
        DOCUMENT.write_text(text.format(machine=machine.described(), when=when, table=markdown(rows)))


def _when(begun: datetime, before: str) -> str:
    minutes = (datetime.now(UTC) - begun).total_seconds() / 60
    busy = f"the machine was {before} busy in the 10 s before it began"
    return f"{begun:%Y-%m-%d %H:%M} UTC, {minutes:.0f} minutes; {busy}"


ALL = frozenset("abcd")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/run.py", description="The figures of docs/measurements.md.")
    parser.add_argument("--quick", action="store_true", help="small counts; no document is written")
    parser.add_argument("--only", type=_letters, default=ALL, metavar="a,b", help="some of a, b, c, d")
    return parser.parse_args()


def _letters(text: str) -> frozenset[str]:
    letters = frozenset(text.split(","))
    if not letters <= ALL:
        raise argparse.ArgumentTypeError(f"{text}: write some of a,b,c,d")
    return letters


if __name__ == "__main__":
    main()
