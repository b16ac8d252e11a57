"""What is written down is read again as it was, in every type that the core has."""

import dataclasses
import importlib
import pkgutil
import typing
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mamd.core
from mamd import codec
from mamd.core.commands import Command
from mamd.core.conditions import Condition, Op
from mamd.core.events import Event
from mamd.core.facts import Record
from mamd.core.run import RunTurn
from mamd.core.time import Now
from tests.values import any_of


def _values_of_the_core() -> list[type]:
    names = [one.name for one in pkgutil.iter_modules(mamd.core.__path__, "mamd.core.")]
    kinds = {
        kind
        for name in names
        for kind in vars(importlib.import_module(name)).values()
        if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind.__module__ == name
    }
    return sorted((kind for kind in kinds if _is_written_down(kind)), key=lambda kind: kind.__qualname__)


def _is_written_down(kind: type) -> bool:
    """Errors are not, nor is what lives only while a turn is taken; commands go by their own names."""
    hints = str(list(typing.get_type_hints(kind).values()))
    return not issubclass(kind, Exception) and not any(word in hints for word in ("Mapping", "ClearPasscode"))


KINDS = _values_of_the_core()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_every_value_of_the_core_is_read_as_it_was_written(kind: type, data: Any) -> None:
    """Nothing that a decision rested on is lost or rounded on its way through a row."""
    value = data.draw(any_of(kind))
    text = codec.write(value)
    again = codec.read(kind, text)
    assert again == value
    assert codec.write(again) == text


@given(event=any_of(Event))
def test_an_event_comes_back_as_what_it_was(event: Event) -> None:
    """A replay sees what the daemon saw."""
    plain = codec.dump_event(event)
    assert plain["type"] == type(event).__name__
    assert codec.load_event(plain) == event
    assert type(codec.load_event(plain)) is type(event)


@given(command=any_of(Command))
def test_a_command_comes_back_as_what_it_was(command: Command) -> None:
    """A replay asks for what the daemon asked for."""
    again = codec.load_command(codec.dump_command(command))
    assert again == command
    assert type(again) is type(command)


def test_yes_stays_yes_a_digit_in_quotes_stays_text_and_a_number_a_number() -> None:
    """A condition means the same after a restart as when it was loaded."""
    was = Condition("battery", Op.IN, (True, "5", 5.0, "true", 0.0, False))
    again = codec.load(Condition, codec.dump(was))
    assert [(type(one), one) for one in again.values] == [(type(one), one) for one in was.values]


def test_the_same_set_has_the_same_text_in_whatever_order_it_was_made() -> None:
    """The journal's hash depends on what was known, not on how the memory was laid out."""
    names = [f"d-{number:04}" for number in range(50)]
    one, other = _Crowd(frozenset(names)), _Crowd(frozenset(reversed(names)))
    assert codec.write(one) == codec.write(other)
    assert codec.dump(one)["names"] == names


@dataclasses.dataclass(frozen=True, slots=True)
class _Crowd:
    names: frozenset[str]


def test_what_could_not_be_read_again_is_not_written() -> None:
    """A slip in one turn fails that turn, and not the next start of the daemon."""
    with pytest.raises(codec.Unreadable, match=r"Record\.device"):
        codec.write(Record(device=typing.cast(str, None)))


def test_infinity_is_not_written() -> None:
    """JSON has no word for it, and nobody else could read the row."""
    with pytest.raises(codec.Unreadable, match="not plain JSON data"):
        codec.write(Now("boot", float("inf"), datetime(2026, 11, 25, tzinfo=UTC)))


def test_half_a_letter_from_a_hostile_message_stops_nothing() -> None:
    """A name that no file could hold is kept without the part that has no spelling."""
    assert codec.read(Record, codec.write(Record("d-1", name="a\ud800b"))).name == "a�b"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"device": 5}', '{"device": "d", "status": "nearly"}'],
)
def test_a_broken_text_is_told_in_one_line(text: str) -> None:
    """Whoever meets a damaged row reads where it is, and nothing of what was in it."""
    with pytest.raises(codec.Unreadable) as told:
        codec.read(Record, text)
    assert "\n" not in str(told.value)
    assert "nearly" not in str(told.value)


def test_a_type_that_nobody_knows_is_told() -> None:
    """A row of a newer mamd is not taken for something else."""
    with pytest.raises(codec.Unreadable, match="no such type: 'Exploded'"):
        codec.load_event({"type": "Exploded"})


def test_what_plain_data_could_not_tell_apart_is_not_dumped() -> None:
    """A push and a clear have the same fields; without its name one would be read as the other."""
    with pytest.raises(codec.Unreadable, match="by its own name"):
        codec.dump(RunTurn(typing.cast(Any, None)))


def test_a_whole_number_is_welcome_where_a_fraction_may_stand() -> None:
    """Five seconds are five seconds."""
    assert codec.read(Now, codec.write(Now("b", 5, datetime(2026, 11, 25, tzinfo=UTC)))).up == 5.0
    assert codec.load(Condition, codec.dump(Condition("battery", Op.IS, (5,)))).values == (5.0,)
