"""Where the simulated usbmuxd keeps pair records: /var/lib/lockdown on a real host."""

from __future__ import annotations

import os
import plistlib
import uuid
from pathlib import Path


class PairRecords:
    """A folder of pair records, one file a UDID, and the SystemBUID that stands for this host."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.system_buid = self._system_buid()

    def read(self, udid: object) -> bytes | None:
        """The record of that phone; None if there is none."""
        path = self._path(udid)
        return path.read_bytes() if path and path.is_file() else None

    def save(self, udid: object, data: object) -> bool:
        """Keep a record; whether it could be one."""
        path = self._path(udid)
        if path is None or not isinstance(data, bytes):
            return False
        fresh = path.with_suffix(".new")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
        fresh.replace(path)
        return True

    def delete(self, udid: object) -> bool:
        """Forget a record; whether there was one."""
        path = self._path(udid)
        if path is None or not path.is_file():
            return False
        path.unlink()
        return True

    def _path(self, udid: object) -> Path | None:
        plain = isinstance(udid, str) and udid and all(letter.isalnum() or letter == "-" for letter in udid)
        return self.folder / f"{udid}.plist" if plain else None

    def _system_buid(self) -> str:
        path = self.folder / "SystemConfiguration.plist"
        if not path.exists():
            path.write_bytes(plistlib.dumps({"SystemBUID": str(uuid.uuid4()).upper()}))
        return str(plistlib.loads(path.read_bytes())["SystemBUID"])
