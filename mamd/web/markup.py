"""
Builds HTML in which every text is escaped: what is not `Markup` is text, whoever it came from.
"""

import html
from collections.abc import Iterable


class Markup(str):
    """Text that is HTML already. Only `element` and `join` make it."""

    __slots__ = ()


def element(name: str, /, *parts: "str | Markup | None", **attributes: str | bool | None) -> Markup:
    """
    One element. `class_` stands for `class`, other underscores for dashes; True is a bare attribute.

    None as a part or an attribute is left out.
    """
    inner = "".join(_safe(part) for part in parts if part is not None)
    return Markup(
        f"<{name}{''.join(_attribute(key, value) for key, value in attributes.items())}>{inner}</{name}>"
    )


def void(name: str, /, **attributes: str | bool | None) -> Markup:
    """One element that has no content, such as `meta`."""
    return Markup(f"<{name}{''.join(_attribute(key, value) for key, value in attributes.items())}>")


def join(parts: Iterable["str | Markup | None"]) -> Markup:
    """Parts in a row."""
    return Markup("".join(_safe(part) for part in parts if part is not None))


def _safe(part: str) -> str:
    return part if isinstance(part, Markup) else html.escape(part)


def _attribute(key: str, value: str | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{html.escape(value)}"'
