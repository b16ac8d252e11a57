"""Makes values of the house's own types for properties: every field is drawn, defaults too."""

import dataclasses
import types
import typing
from datetime import UTC, datetime
from functools import cache
from typing import Any

from hypothesis import strategies as st

_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=12),
    bool: st.booleans(),
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    type(None): st.none(),
    datetime: st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
}


@cache
def any_of(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a type: a dataclass, an enum, a union, a tuple, or a plain one."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return st.one_of([any_of(one) for one in inner])
    if origin is frozenset:
        return st.frozensets(any_of(inner[0]), max_size=3)
    if origin is tuple and len(inner) == 2 and inner[1] is Ellipsis:
        return st.lists(any_of(inner[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*(any_of(one) for one in inner))
    if dataclasses.is_dataclass(kind):
        return st.builds(kind, **{name: any_of(hint) for name, hint in typing.get_type_hints(kind).items()})
    return st.from_type(kind)
