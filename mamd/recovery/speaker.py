"""
The worker's voice: lines of the contract on standard output, few enough for a small disk.

What tells of the point of no return is on the disk before it happens; nothing else is worth a restore that
ends because a line could not be written.
"""

import json
import logging
import os
import time
from types import TracebackType
from typing import Any, Final

from mamd.recovery.causes import Cause, Ended
from mamd.recovery.lines import DataRequest, Progress, Stage, clipped
from mamd.recovery.progress import is_erasing

BETWEEN_S: Final = 1.0
"""A transfer that does not get on speaks as often as this."""
SHORTEST_S: Final = 0.2
"""One that does speaks at each percent, no more often than this, and at its end."""

_log = logging.getLogger(__name__)


class Speaker:
    """Says things on one file descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def phase(self, stage: Stage) -> None:
        """A stage begins."""
        self._say("phase", name=stage.value)

    def device(self, *, ecid: str, serial: str | None, product_type: str | None, port: str | None) -> None:
        """The device is found."""
        self._say("device", ecid=ecid, serial=serial, product_type=product_type, port=port)

    def transfer(self, name: str, done: int, total: int) -> None:
        """Something is on its way."""
        self._say("transfer", name=name, done=done, total=total)

    def progress(self, operation: int | None, name: str, percent: int | None) -> None:
        """restored's own word. That it erases is on the disk when this returns, if the disk can take it."""
        self._say("progress", op=operation, name=name, percent=percent)
        if is_erasing(Progress(operation, name, percent)):
            self._kept()

    def data_request(self, kind: str) -> None:
        """
        The device asks for data.

        Raises:
            Ended: It asks for its new system, and that cannot be noted: nothing is erased then.
        """
        is_said = self._say("data_request", type=kind)
        if is_erasing(DataRequest(kind)) and not (is_said and self._kept()):
            raise Ended(Cause.MISCONFIGURED, "the point of no return cannot be noted; make room on the disk")

    def checkpoint(self, name: str) -> None:
        """restored has passed a point of its own."""
        self._say("checkpoint", name=name)

    def failed(self, error: Ended) -> None:
        """The attempt has failed."""
        more = {"status": error.status} if error.status is not None else {}
        self._say("failed", why=error.why, cause=error.cause.value, **more)

    def done(self) -> None:
        """The attempt has succeeded."""
        self._say("done")

    def _say(self, event: str, **more: Any) -> bool:
        line = json.dumps({"event": event, **more}, separators=(",", ":")).encode() + b"\n"
        try:
            return os.write(self._descriptor, line) == len(line)
        except OSError as error:
            _log.warning("cannot say %s: %s", event, error)
            return False

    def _kept(self) -> bool:
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            _log.warning("cannot keep what was said: %s", error)
            return False
        return True


class SpokenBar:
    """pymobiledevice3's ProgressBar (progress.py), said instead of drawn."""

    speaker: Speaker
    """Set once, before the library draws its first bar: it makes its bars itself."""

    def __init__(
        self, total: float | None = None, desc: str = "", unit: str = "it", disable: bool = False
    ) -> None:
        self._total, self._name = int(total or 0), clipped(desc)
        self._done = 0.0
        self._said_percent, self._said_at = -1, float("-inf")

    @property
    def n(self) -> float:
        """How much is done."""
        return self._done

    @n.setter
    def n(self, value: float) -> None:
        self._done = value
        self._maybe_say()

    def update(self, n: float = 1) -> None:
        """So much more is done."""
        self.n = self._done + n

    def close(self) -> None:
        """It is over. What has no end of its own says so here."""

    def __enter__(self) -> "SpokenBar":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _maybe_say(self) -> None:
        percent = int(self._done * 100 / self._total) if self._total else 0
        now = time.monotonic()
        waits_s = SHORTEST_S if percent != self._said_percent else BETWEEN_S
        if percent == 100 != self._said_percent or now - self._said_at >= waits_s:
            self._said_percent, self._said_at = percent, now
            self.speaker.transfer(self._name, int(self._done), self._total)
