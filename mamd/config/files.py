"""Reads files that people name, with limits, and says plainly why one cannot be read."""

import os
import stat
from pathlib import Path

from mamd.config.mistakes import Mistakes, Place
from mamd.config.strict_yaml import LARGEST_FILE, Node, read_yaml


def read_bytes(path: Path, mistakes: Mistakes, *, largest: int = LARGEST_FILE) -> bytes | None:
    """
    A regular file's bytes, one more than `largest` at most; None with its mistake noted.

    A pipe or a device is refused without waiting on it.
    """
    place = Place(str(path))
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                mistakes.add(place, "this is not a file", "name a file")
                return None
            return file.read(largest + 1)
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
