"""
One way to write values down as JSON data and to read them again, for rows, journal and answers.

    value ──dump──▶ plain data ──canonical──▶ text        the same value, always the same text
    value ◀──load── plain data
    value ◀──────────read────────────────────text

What cannot be read again is never written: the fault shows at the turn that made it, and not
at the start after a power cut.
"""

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from mamd.core.commands import Command
from mamd.core.events import Event

T = TypeVar("T")


class Unreadable(ValueError):
    """Data that is not what its place asks for. Says where, and shows nothing of the data."""


def dump(value: object) -> Any:
    """
    A value of the core as plain JSON data: enums by value, times as ISO text, sets sorted.

    Raises:
        Unreadable: A field holds what its type does not allow, or a union whose members plain
            data does not tell apart.
    """
    kind: Any = type(value)
    if _is_ambiguous(kind):
        raise Unreadable(f"{kind.__name__} holds events or commands; each is to be dumped by its own name")
    try:
        plain = _adapter(kind).dump_python(value, mode="json", warnings="error")
    except PydanticSerializationError:
        plain = _dumped_with_care(kind, value)
    return _with_sorted_sets(value, plain) if _has_sets(kind) else plain


def canonical(plain: Any) -> str:
    """
    The one text of plain data: keys sorted, no blanks, its own letters, numbers as `repr` has them.

    Half of a surrogate pair, which JSON from outside can bring, has no UTF-8 and becomes U+FFFD.

    Raises:
        Unreadable: It holds what JSON has no word for, such as infinity.
    """
    try:
        text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise Unreadable(f"not plain JSON data: {error}") from None
    return clean(text)


def clean(text: str) -> str:
    """The same text, with what has no UTF-8 replaced."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def write(value: object) -> str:
    """The canonical text of a value, read once to see that it can be. Raises Unreadable."""
    text = canonical(dump(value))
    read(type(value), text)
    return text


def read(kind: type[T], text: str) -> T:
    """
    A value from its text.

    Raises:
        Unreadable: The text is not JSON, or says something else than a value of that type.
    """
    asked: Any = kind
    try:
        value: T = _adapter(asked).validate_json(text, strict=True)
    except ValidationError as error:
        raise Unreadable(_first_fault(kind, error)) from None
    return value


def load(kind: type[T], plain: Any) -> T:
    """A value from plain JSON data, as `dump` gave it. Raises as `read` does."""
    return read(kind, canonical(plain))


def dump_event(event: Event) -> dict[str, Any]:
    """An event as plain data that names its type: `{"type": "Looked", …}`."""
    return {"type": type(event).__name__, **dump(event)}


def load_event(plain: Mapping[str, Any]) -> Event:
    """An event from what `dump_event` gave. Raises Unreadable."""
    event: Event = _named(_EVENTS, plain)
    return event


def dump_command(command: Command) -> dict[str, Any]:
    """A command as plain data that names its type: `{"type": "ClearPasscode", …}`."""
    return {"type": type(command).__name__, **dump(command)}


def load_command(plain: Mapping[str, Any]) -> Command:
    """A command from what `dump_command` gave. Raises Unreadable."""
    command: Command = _named(_COMMANDS, plain)
    return command


_EVENTS: Final = {kind.__name__: kind for kind in typing.get_args(Event)}
_COMMANDS: Final = {kind.__name__: kind for kind in typing.get_args(Command)}


def _named(kinds: Mapping[str, type], plain: Mapping[str, Any]) -> Any:
    kind = kinds.get(plain.get("type", ""))
    if kind is None:
        raise Unreadable(f"no such type: {plain.get('type')!r}")
    return load(kind, {key: value for key, value in plain.items() if key != "type"})


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _dumped_with_care(kind: Any, value: object) -> Any:
    """Something is not quite what its type says; a whole number for a fraction is, and reads as one."""
    plain = _adapter(kind).dump_python(value, mode="json", warnings="none")
    if load(kind, plain) != value:
        raise Unreadable(f"{kind.__name__}: what was written would not be read as the same")
    return plain


def _first_fault(kind: type, error: ValidationError) -> str:
    fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join((getattr(kind, "__name__", str(kind)), *(str(part) for part in fault["loc"])))
    return f"{place}: {fault['msg']}"


# ------------------------------------------------------------------------------ types


@cache
def _inside(kind: Any) -> frozenset[Any]:
    """A type and all that its fields and arguments are made of."""
    inner: list[Any] = list(typing.get_args(kind))
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        inner += typing.get_type_hints(kind).values()
    return frozenset({kind}).union(*(_inside(one) for one in inner))


@cache
def _is_ambiguous(kind: Any) -> bool:
    """Somewhere in it stands one of several dataclasses, and their data may look alike."""
    unions = (one for one in _inside(kind) if typing.get_origin(one) in (types.UnionType, typing.Union))
    return any(sum(map(dataclasses.is_dataclass, typing.get_args(one))) > 1 for one in unions)


@cache
def _has_sets(kind: Any) -> bool:
    """A set has no order of its own, and the same value must have the same text."""
    return any(typing.get_origin(one) is frozenset for one in _inside(kind))


def _with_sorted_sets(value: Any, plain: Any) -> Any:
    if isinstance(value, frozenset):
        inner = [_with_sorted_sets(one, its) for one, its in zip(value, plain, strict=True)]
        return sorted(inner, key=canonical)
    if isinstance(value, tuple):
        return [_with_sorted_sets(one, its) for one, its in zip(value, plain, strict=True)]
    if dataclasses.is_dataclass(value):
        return {name: _with_sorted_sets(getattr(value, name), its) for name, its in plain.items()}
    return plain
