"""Reads files that people name, with limits, and says plainly why one cannot be read."""

import os
import stat
from pathlib import Path

from mamd.config.mistakes import Mistakes, Place
from mamd.config.strict_yaml import LARGEST_FILE, Node, read_yaml


class NotAFile(Exception):
    """A folder, a pipe or a device stands where a file belongs."""


def read_regular(path: Path, largest: int) -> tuple[bytes, int]:
    """
    A regular file's bytes, one more than `largest` at most, and its mode. Waits on nothing.

    Raises:
        NotAFile: It is something else.
        OSError, ValueError: It cannot be opened; the name cannot be one.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise NotAFile
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(largest + 1), mode
    finally:
        os.close(descriptor)


def read_bytes(path: Path, mistakes: Mistakes, *, largest: int = LARGEST_FILE) -> bytes | None:
    """A regular file's bytes, one more than `largest` at most; None with its mistake noted."""
    place = Place(str(path))
    try:
        return read_regular(path, largest)[0]
    except NotAFile:
        mistakes.add(place, "this is not a file", "name a file")
    except (FileNotFoundError, NotADirectoryError):
        mistakes.add(place, "there is no such file", "make it, or name another")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "its name cannot be used"
        mistakes.add(place, f"it cannot be read ({why})", "give mamd the right to read it, or name another")
    return None


def read_yaml_file(path: Path, mistakes: Mistakes) -> Node | None:
    """The one document of a YAML file; None with its mistakes noted."""
    data = read_bytes(path, mistakes)
    return None if data is None else read_yaml(data, str(path), mistakes)
