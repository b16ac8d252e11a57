"""Tells what is seen on the wire as it happens: one short line for what a person would care about."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from mamd.cli.demo.cast import Role

Line = Mapping[str, object]
MOST: Final = 6
"""How often the same thing of the same phone is told."""


class Chronicle:
    """
    Reads a record as it grows. Each line of it that matters is told once.

    Args:
        begin: When the story began, in seconds of the record's clock.
    """

    def __init__(self, path: Path, roles: Mapping[str, Role], begin: float) -> None:
        self._path = path
        self._roles = roles
        self._begin = begin
        self._read = 0
        self._told: dict[str, int] = {}

    def news(self) -> Iterator[tuple[float, str]]:
        """What has been written since the last time, each with its time."""
        for line in self._lines():
            said = self._said(line)
            if said is not None:
                passed = max(0.0, float(str(line["at"])) - self._begin)
                yield passed, f"{int(passed // 60)}:{passed % 60:04.1f}  {said}"

    def _lines(self) -> Iterator[Line]:
        with self._path.open("rb") as record:
            record.seek(self._read)
            for text in record:
                if not text.endswith(b"\n"):
                    return  # half written; it is whole next time
                self._read += len(text)
                yield json.loads(text)

    def _said(self, line: Line) -> str | None:
        """The words for a line; the same thing of the same phone is told a few times only."""
        role = self._roles.get(str(line.get("device")))
        if line["kind"] == "call":
            return f"☎ on duty: {_CALLS.get(str(line['reason']), line['reason'])}{_at(str(line['port']))}"
        words = _words(line)
        if role is None or words is None:
            return None
        key = f"{role.name}/{words}"
        self._told[key] = self._told.get(key, 0) + 1
        return f"{role.name:<10} {words}" if self._told[key] <= MOST else None


def _at(port: str) -> str:
    return f" (port {port})" if port else ""


def _words(line: Line) -> str | None:
    kind = line["kind"]
    key = f"{kind}/{line.get('what') or line.get('request_type') or line.get('said')}"
    if kind == "lockdown" and line["request"] == "Pair":
        return _PAIRS.get(str(line["answer"]))
    return _WORDS.get(key)


_WORDS: Final = {
    "launchpad/attached": "is plugged in",
    "launchpad/detached": "is unplugged",
    "mdm.enqueue/ClearPasscode": "the MDM is asked to clear its passcode",
    "phone/passcode_cleared": "its passcode is gone",
    "phone/trusted": "pairs with this host",
    "phone/asked_to_trust": "asks: Trust This Computer?",
    "phone/rebooted": "restarts, and is locked now",
}
_PAIRS: Final = {"InvalidPairRecord": "does not take our pairing"}
_CALLS: Final = {
    "would_erase": "an erase is due",
    "trust_pending": "a phone waits for Trust",
    "bad_cable": "a cable is bad",
    "hidden": "a phone is hidden from usbmux",
    "storm": "too many phones stopped pairing at once: nothing is done to them",
    "way_not_open": "is the way from the MDM to its devices open?",
    "stale_record": "a pairing record does not fit any more",
}
