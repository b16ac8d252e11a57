"""Holds the house to its own rules, where no linter does."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parent.parent / "mamd"

# What the pure packages may take from the standard library is everything but the world.
WORLDLY = {
    "asyncio", "calendar", "concurrent", "contextvars", "ctypes", "fcntl", "glob", "http", "io",
    "locale", "logging", "mmap", "multiprocessing", "os", "pathlib", "platform", "queue", "random",
    "resource", "sched", "secrets", "select", "selectors", "shutil", "signal", "socket", "sqlite3",
    "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib", "uuid", "warnings",
    "zoneinfo",
}  # fmt: skip
PURE = ("core", "passcode")

# A library with a room of its own stays in it, so that its errors and its habits do, too.
ROOMS = {
    "pymobiledevice3": {"launchpad", "recovery", "sim"},
    "usb": {"launchpad", "recovery", "sim"},
    "sqlalchemy": {"store"},
    "alembic": {"store"},
    "apscheduler": {"daemon"},
}

# The only rooms that may know that there is a simulator.
KNOW_THE_SIMULATOR = {"sim", "wiring.py", "wiring", "cli", "__main__.py"}

LONGEST_FILE = 500
LONGEST_FUNCTION = 60

FILES = sorted(HOUSE.rglob("*.py"))
pytestmark = pytest.mark.parametrize("path", FILES, ids=[str(file.relative_to(HOUSE)) for file in FILES])


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: say the whole name of what is imported"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _room(path: Path) -> str:
    return path.relative_to(HOUSE).parts[0]


def test_the_pure_rooms_import_the_standard_library_and_of_it_no_world(path: Path) -> None:
    """What decides about a device sees no clock, no dice, no file and no wire."""
    if _room(path) not in PURE:
        return
    roots = {name.partition(".")[0] for name in _imports(path)} - {"mamd"}
    assert roots - set(sys.stdlib_module_names) == set(), "only the standard library"
    assert roots & WORLDLY == set(), "nothing that knows the world"


def test_a_library_stays_in_its_room(path: Path) -> None:
    """What talks to phones, to the database or to the log is found in one place."""
    roots = {name.partition(".")[0] for name in _imports(path)}
    strays = {root for root in roots & ROOMS.keys() if _room(path) not in ROOMS[root]}
    assert strays == set(), f"{strays} belongs to {[ROOMS[stray] for stray in strays]}"


def test_the_daemon_cannot_tell_a_simulator_from_the_world(path: Path) -> None:
    """What a rehearsal shows is what the real hub would have seen: the same code, with no way to know."""
    if _room(path) in KNOW_THE_SIMULATOR:
        return
    assert [name for name in _imports(path) if f"{name}.".startswith("mamd.sim.")] == []


def test_files_and_functions_can_be_read_at_a_sitting(path: Path) -> None:
    """No file is so long that what it does is hidden in it."""
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST_FILE
    too_long = [
        f"{node.name} ({node.end_lineno - node.lineno + 1} lines)"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > LONGEST_FUNCTION
    ]
    assert too_long == []


def test_a_module_says_why_it_exists(path: Path) -> None:
    """Whoever opens a file reads first what it is for."""
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_no_exception_is_swallowed_whole(path: Path) -> None:
    """A fault that nobody foresaw is never hidden."""
    hidden = [
        f"line {node.lineno}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler) and _catches_all(node.type) and _does_nothing(node.body)
    ]
    assert hidden == []


def _catches_all(kind: ast.expr | None) -> bool:
    return kind is None or (isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"})


def _does_nothing(body: list[ast.stmt]) -> bool:
    return all(isinstance(line, ast.Pass | ast.Continue) for line in body)
