"""A disk that can be made full and empty again: a small tmpfs, or a bound on the size of files."""

import contextlib
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from tests.process.house import House

SIZE: Final = 12 * 1024 * 1024


class Disk(Protocol):
    """Where the daemon's state lies."""

    def fill(self, here: House) -> None:
        """From now on nothing more can be written."""
        ...

    def make_room(self, here: House) -> None:
        """Writing works again."""
        ...


class Tmpfs:
    """A file system of its own, filled by a file that stands in for everybody else's data."""

    def __init__(self, folder: Path) -> None:
        self._ballast = folder / "ballast"

    def fill(self, here: House) -> None:
        """Write until there is no room."""
        with self._ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))

    def make_room(self, here: House) -> None:
        """Take the file away."""
        self._ballast.unlink()


class Bound:
    """Where nothing can be mounted: the daemon's files may not grow, as if the disk ended there."""

    def fill(self, here: House) -> None:
        """No file may be longer than the write-ahead log is now; the daemon's log is far shorter."""
        longest = max(path.stat().st_size for path in here.state.glob("mamd.db*"))
        resource.prlimit(here.daemon.pid, resource.RLIMIT_FSIZE, (longest, resource.RLIM_INFINITY))

    def make_room(self, here: House) -> None:
        """Take the bound away."""
        unbound = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(here.daemon.pid, resource.RLIMIT_FSIZE, unbound)


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Disk]:
    """A folder on a small disk of its own where that can be mounted, else one with a bound."""
    folder.mkdir(mode=0o700)
    words = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "mamd-tests", str(folder)]
    if subprocess.run(words, capture_output=True).returncode != 0:
        yield Bound()
        return
    try:
        yield Tmpfs(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
