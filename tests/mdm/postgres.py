"""A PostgreSQL of its own for a test: a fresh cluster on a unix socket, gone afterwards."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.needs import need

_USER = "postgres"  # the server refuses to run as root


class Postgres:
    """A running cluster."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = 0

    def database(self, schema: Path) -> str:
        """A new database with this schema; the answer is its address as Go's lib/pq takes it."""
        self._made += 1
        name = f"mdm{self._made}"
        self._psql("postgres", "-c", f"CREATE DATABASE {name}")
        self._psql(name, input=schema.read_text())
        return f"host={self._folder} user={_USER} dbname={name} sslmode=disable"

    def query(self, dsn: str, sql: str) -> str:
        """What psql prints for one statement, rows as lines and columns between |."""
        name = dict(word.split("=", 1) for word in dsn.split())["dbname"]
        return self._psql(name, "-At", "-c", sql)

    def _psql(self, database: str, *words: str, input: str | None = None) -> str:
        program = [need("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", self._folder, "-U", _USER]
        return _run([*program, "-d", database, *words], input)


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Start a cluster in a folder of its own, and stop and remove it afterwards (about two seconds)."""
    initdb, pg_ctl = need("initdb"), need("pg_ctl")
    # Short, because a socket's path has 107 bytes; and not below a folder that only root may enter.
    folder = Path(tempfile.mkdtemp(prefix="mamd-pg-", dir="/tmp"))
    data, log = folder / "data", folder / "log"
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    try:
        _as_user(folder)
        _run([*_prefix(), initdb, "-A", "trust", "-U", _USER, "-E", "UTF8", "--no-sync", "-D", data])
        _run([*_prefix(), pg_ctl, "-D", data, "-l", log, "-o", options, "-w", "-t", "30", "start"])
        try:
            yield Postgres(folder)
        finally:
            _run([*_prefix(), pg_ctl, "-D", data, "-m", "immediate", "-w", "stop"])
    finally:
        shutil.rmtree(folder)


def _as_user(folder: Path) -> None:
    if os.geteuid() == 0:
        shutil.chown(folder, _USER)


def _prefix() -> list[str | Path]:
    return [need("runuser"), "-u", _USER, "--"] if os.geteuid() == 0 else []


def _run(words: list[str | Path], input: str | None = None) -> str:
    done = subprocess.run(
        words, input=input, capture_output=True, text=True, cwd="/", timeout=60, check=False
    )
    assert done.returncode == 0, f"{Path(words[-1]).name}: {done.stderr or done.stdout}"
    return done.stdout
