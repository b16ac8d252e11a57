"""
An extracted firmware that many workers read at once without each holding its big parts in memory.

A member of two gigabytes that is read whole costs each worker as much again; mapped, all share one page
cache.
"""

import mmap
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from ipsw_parser.archive import DirectoryArchive  # type: ignore[import-untyped]
from ipsw_parser.ipsw import IPSW  # type: ignore[import-untyped]

MAPPED_FROM: Final = 256 * 2**20
"""Smaller members are read: they are stitched, and that wants bytes."""


class MappedDirectory(DirectoryArchive):  # type: ignore[misc]  # the library ships no types
    """A folder as an archive. Members are files below it, and nothing else."""

    def __init__(self, root: Path, mapped_from: int = MAPPED_FROM) -> None:
        super().__init__(root.resolve())
        self._folder = root.resolve()
        self._mapped_from = mapped_from

    def open(self, path: str) -> BinaryIO:
        """A member, for reading. Raises FileNotFoundError."""
        return self._inside(path).open("rb")

    def read(self, path: str) -> bytes:
        """A member's bytes; those of a big one are mapped, and behave as bytes do."""
        file = self._inside(path)
        if file.stat().st_size < self._mapped_from:
            return file.read_bytes()
        with file.open("rb") as opened:
            # The mapping outlives the file descriptor.
            return cast(bytes, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))

    def _inside(self, path: str) -> Path:
        """The manifest names its members; one that leads out of the folder is none."""
        file = (self._folder / path).resolve()
        if not file.is_relative_to(self._folder):
            raise FileNotFoundError(f"not a member of the firmware: {path}")
        return file


def opened(firmware: str) -> IPSW:
    """
    A firmware from a folder or an .ipsw file; never from the network.

    Raises:
        FileNotFoundError, BadZipFile: There is none.
    """
    path = Path(firmware)
    if path.is_dir():
        return _ipsw(MappedDirectory(path), path)
    if not path.is_file():
        raise FileNotFoundError(f"no firmware at {path.name}")
    return IPSW.create_from_path(str(path.resolve()))


def _ipsw(archive: Any, path: Path) -> IPSW:
    try:
        return IPSW(archive)
    except StopIteration as error:  # the library looks for the manifest with next()
        raise FileNotFoundError(f"no BuildManifest.plist in {path.name}") from error
