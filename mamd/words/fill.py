"""Puts a device's own names into the commands of a cure, so that it can be typed as it stands."""

import re
from collections.abc import Mapping
from typing import Final

_NAMES: Final = re.compile(r"\b(DEVICE|RUN|LABEL|SCOPE)\b")


def filled(cure: str, names: Mapping[str, str | None]) -> str:
    """The cure with every name that is known; what is not known stays as it is, in capitals."""
    return _NAMES.sub(lambda found: names.get(found.group()) or found.group(), cure)


def begun(text: str) -> str:
    """The text as a sentence begins."""
    return text[:1].upper() + text[1:]
