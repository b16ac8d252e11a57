"""
The hold that needs no network and no daemon: a file in the state folder.

`mamd hold` writes it when the daemon does not answer. While it is there everything is held;
releasing takes it away.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mamd.core.errors import Unreachable
from mamd.daemon.happening import Happening, Held
from mamd.daemon.keeper import Keeper

EVERY_S: Final = 0.5
EVERYTHING: Final = "everything"


def hold_file(state: Path) -> Path:
    """Where the file lies."""
    return state / "hold"


def write_hold(state: Path, *, by: str, reason: str) -> None:
    """Hold everything from now on. Raises Unreachable where the file cannot be written."""
    try:
        hold_file(state).write_text(json.dumps({"by": by, "reason": reason}), encoding="utf-8")
    except OSError as error:
        raise Unreachable(str(hold_file(state)), f"cannot be written: {error.strerror}") from error


@dataclass(slots=True)
class HoldFile:
    """Watches the file for a keeper."""

    keeper: Keeper
    state: Path

    async def run(self) -> None:
        """For ever."""
        clock = self.keeper.clock
        while True:
            self.look()
            await clock.sleep_until(clock.now().up + EVERY_S)

    def look(self) -> None:
        """Hold everything if the file is there; called before the first turn, too."""
        if self.keeper.ledger.holds.get(EVERYTHING) is not None or not hold_file(self.state).exists():
            return
        by, reason = self._said()
        self.keeper.put(Happening(self.keeper.clock.now(), word=Held(EVERYTHING, reason, by)))

    def remove(self) -> None:
        """A person has released everything."""
        hold_file(self.state).unlink(missing_ok=True)

    def _said(self) -> tuple[str, str]:
        """Who and why. A file that somebody made by hand holds just as well."""
        try:
            said = json.loads(hold_file(self.state).read_text(encoding="utf-8"))
            return str(said["by"]), str(said["reason"])
        except (OSError, ValueError, KeyError, TypeError):
            return "the hold file", f"{hold_file(self.state)} is there"
