"""Finds the outside programs that tests talk to, and says how to get one that is missing."""

import os
import shutil
from glob import glob
from pathlib import Path
from typing import Final

import pytest

_REPOSITORY: Final = Path(__file__).resolve().parent.parent

_CURES: Final = {
    "idevice_id": "apt-get install libimobiledevice-utils",
    "ideviceinfo": "apt-get install libimobiledevice-utils",
    "idevicepair": "apt-get install libimobiledevice-utils",
    "ideviceenterrecovery": "apt-get install libimobiledevice-utils",
    "iproxy": "apt-get install libusbmuxd-tools",
    "inetcat": "apt-get install libusbmuxd-tools",
    "faketime": "apt-get install faketime",
    "libfaketime.so.1": "apt-get install libfaketime",
    "libfaketimeMT.so.1": "apt-get install libfaketime",
    "initdb": "apt-get install postgresql",
    "pg_ctl": "apt-get install postgresql",
    "postgres": "apt-get install postgresql",
    "psql": "apt-get install postgresql-client",
    "nanomdm": "GOBIN=$PWD/.tools/bin go install github.com/micromdm/nanomdm/cmd/nanomdm@v0.9.0",
}


def need(tool: str) -> Path:
    """
    Where `tool` is: a program, or a shared library by its file name.

    Looks in PATH, in .tools/bin, and where Debian keeps PostgreSQL's servers and libfaketime. Without it the
    test that asks is left out, with the way to get it as the reason (a failure under MAMD_TEST_STRICT=1).
    """
    found = find(tool)
    if found is None:
        cure = _CURES.get(tool, f"install {tool}")
        pytest.skip(f"{tool} is not on this machine ({cure})", allow_module_level=True)
    return found


def find(tool: str) -> Path | None:
    """Where `tool` is, or None: for tests that can do with or without it."""
    in_path = shutil.which(tool)
    if in_path is not None:
        return Path(in_path)
    ours = _REPOSITORY / ".tools" / "bin" / tool
    servers = _newest_first(f"/usr/lib/postgresql/*/bin/{tool}")
    places = [str(ours), *servers, *glob(f"/usr/lib/*/faketime/{tool}")]
    return next((Path(place) for place in places if os.path.isfile(place)), None)


def _newest_first(pattern: str) -> list[str]:
    return sorted(glob(pattern), key=lambda place: int(Path(place).parts[4].split(".")[0]), reverse=True)
