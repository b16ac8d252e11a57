"""Says what is wrong in a file that a person wrote, where it stands, and what would be right."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

_SHOWN = 60


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a file, counted from 1 as editors do; columns are characters."""

    file: str
    line: int = 1
    col: int = 1


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One thing that is wrong (or, of a linter, doubtful), and its cure, for people."""

    file: str
    line: int
    col: int
    what: str
    cure: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.col}: {self.what}; {self.cure}"


class Mistakes:
    """Gathers every mistake, so that a person reads them all at once."""

    def __init__(self) -> None:
        self._found: list[Mistake] = []

    def add(self, place: Place, what: str, cure: str) -> None:
        """Note one. Noting the same twice notes it once."""
        mistake = Mistake(place.file, place.line, place.col, what, cure)
        if mistake not in self._found:
            self._found.append(mistake)

    def __bool__(self) -> bool:
        return bool(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def in_order(self) -> tuple[Mistake, ...]:
        """All of them, by file, line and column."""
        return tuple(sorted(self._found))


def shown(text: str) -> str:
    """What a person wrote, in quotes, on one line and not too long."""
    plain = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
    return f"'{plain[:_SHOWN]}…'" if len(plain) > _SHOWN else f"'{plain}'"


def nearest(word: str, right: Iterable[str]) -> str:
    """The cure for a word that is not known: the one that looks most like it, else all there are."""
    known = list(right)
    # Slips are often of case, or of the one sign for the other.
    close = difflib.get_close_matches(word.casefold().replace("-", "_"), known, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"write one of: {', '.join(known)}" if known else "leave it out"
