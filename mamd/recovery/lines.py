"""
What an executor says while it works, line by line, read without trusting it.

    bytes ──▶ Splitter ──▶ Phase, Device, Transfer, Progress, DataRequest, Checkpoint, Failed, Done
                      └──▶ Garbled: whatever is none of these, never an exception

Nothing grows with what an executor writes: a line is at most 16 KiB, a text in it at most 400 letters.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeAlias

LONGEST_LINE: Final = 16_384
LONGEST_TEXT: Final = 400
_LARGEST: Final = 2**64


class Stage(Enum):
    """How far an executor is. Each has a silence clock of its own."""

    FIND_RECOVERY = "find_recovery"
    TSS_AND_IBEC = "tss_and_ibec"
    WAIT_RESTORE_MODE = "wait_restore_mode"
    RESTORING = "restoring"


@dataclass(frozen=True, slots=True)
class Phase:
    """A stage has begun."""

    stage: Stage


@dataclass(frozen=True, slots=True)
class Device:
    """The device that the executor has found. `port` is its path in sysfs."""

    ecid: int | None = None
    serial: str | None = None
    product_type: str | None = None
    port: str | None = None


@dataclass(frozen=True, slots=True)
class Transfer:
    """Something is on its way to the device; `done` of `total` bytes."""

    name: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Progress:
    """restored's own word. `operation` is its number for what it does, as far as it was given."""

    operation: int | None
    name: str
    percent: int | None


@dataclass(frozen=True, slots=True)
class DataRequest:
    """The device asks for this kind of data."""

    kind: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """restored has passed a point of its own."""

    name: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt has failed. `status` is restored's number, where it gave one."""

    why: str
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """The executor says that it has succeeded. It counts only with exit code 0."""


@dataclass(frozen=True, slots=True)
class Garbled:
    """A line that is none of the contract's: what is wrong with it, and how it begins."""

    why: str
    beginning: str


Line: TypeAlias = Phase | Device | Transfer | Progress | DataRequest | Checkpoint | Failed | Done | Garbled


@dataclass(frozen=True, slots=True)
class Heard:
    """A line, and where the file goes on behind it: the offset to resume from."""

    line: Line
    end: int


class _Wrong(ValueError):
    """This line does not say what its kind has to say."""


class Splitter:
    """Cuts bytes into lines, from a given offset on, and keeps at most one line's beginning."""

    def __init__(self, offset: int = 0) -> None:
        self._rest = bytearray()
        self._is_too_long = False
        self._end = offset

    def feed(self, data: bytes) -> Iterator[Heard]:
        """The lines that these bytes complete."""
        *whole, rest = data.split(b"\n")
        for part in whole:
            self._keep(part)
            self._end += len(part) + 1
            yield Heard(self._taken(), self._end)
        self._keep(rest)
        self._end += len(rest)

    def last(self) -> Iterator[Heard]:
        """What stands behind the last line feed, once nobody writes any more."""
        if self._rest or self._is_too_long:
            yield Heard(self._taken(), self._end)

    def _keep(self, part: bytes) -> None:
        room = LONGEST_LINE - len(self._rest)
        self._is_too_long |= len(part) > room
        self._rest += part[:room]

    def _taken(self) -> Line:
        line = bytes(self._rest)
        too_long, self._is_too_long = self._is_too_long, False
        self._rest.clear()
        return _garbled("longer than a line may be", line) if too_long else read(line)


def read(line: bytes) -> Line:
    """One line, without its line feed. Whatever it is, this does not raise."""
    try:
        plain = json.loads(line)
        if not isinstance(plain, dict):
            raise _Wrong("not a JSON object")
        reader = _READERS.get(str(plain.get("event")))
        return reader(plain) if reader is not None else _garbled("an event that is not in the contract", line)
    except _Wrong as error:
        return _garbled(str(error), line)
    except (ValueError, RecursionError):
        return _garbled("not JSON", line)


def _garbled(why: str, line: bytes) -> Garbled:
    return Garbled(why, clipped(line[:LONGEST_TEXT].decode("utf-8", "replace"), 120))


def clipped(text: str, longest: int = LONGEST_TEXT) -> str:
    """The text on one line, printable, and no longer than this."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text[:longest])
    return printable.strip() + ("…" if len(text) > longest else "")


# ---------------------------------------------------------------------------------- what a line may say


def _phase(plain: Mapping[str, Any]) -> Phase:
    try:
        return Phase(Stage(plain.get("name")))
    except ValueError:
        raise _Wrong("a phase that is not in the contract") from None


def _device(plain: Mapping[str, Any]) -> Device:
    ecid = plain.get("ecid")
    if isinstance(ecid, str):
        try:
            ecid = int(ecid, 16)
        except ValueError:
            raise _Wrong("an ECID that is no number") from None
    texts = {name: _maybe_text(plain, name) for name in ("serial", "product_type", "port")}
    return Device(ecid=_whole(ecid) if ecid is not None else None, **texts)


def _transfer(plain: Mapping[str, Any]) -> Transfer:
    return Transfer(_text(plain, "name"), _whole(plain.get("done")), _whole(plain.get("total")))


def _progress(plain: Mapping[str, Any]) -> Progress:
    operation, percent = plain.get("op"), plain.get("percent")
    return Progress(
        operation=_whole(operation) if operation is not None else None,
        name=_maybe_text(plain, "name") or "",
        percent=min(100, _whole(percent)) if percent is not None else None,
    )


def _data_request(plain: Mapping[str, Any]) -> DataRequest:
    return DataRequest(_text(plain, "type"))


def _checkpoint(plain: Mapping[str, Any]) -> Checkpoint:
    return Checkpoint(_maybe_text(plain, "name") or "")


def _failed(plain: Mapping[str, Any]) -> Failed:
    status = plain.get("status")
    return Failed(_text(plain, "why"), _whole(status) if status is not None else None)


def _done(plain: Mapping[str, Any]) -> Done:
    return Done()


def _text(plain: Mapping[str, Any], name: str) -> str:
    value = plain.get(name)
    if not isinstance(value, str):
        raise _Wrong(f"'{name}' is not a text")
    return clipped(value)


def _maybe_text(plain: Mapping[str, Any], name: str) -> str | None:
    return None if plain.get(name) is None else _text(plain, name)


def _whole(value: object) -> int:
    """restored's plists carry unsigned 64 bits as negative numbers, too; those are counted unsigned."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise _Wrong("a number that is none")
    if not -_LARGEST < value < _LARGEST:
        raise _Wrong("a number out of all bounds")
    return int(value) % _LARGEST if value < 0 else int(value)


_READERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Line]]] = {
    "phase": _phase,
    "device": _device,
    "transfer": _transfer,
    "progress": _progress,
    "data_request": _data_request,
    "checkpoint": _checkpoint,
    "failed": _failed,
    "done": _done,
}
