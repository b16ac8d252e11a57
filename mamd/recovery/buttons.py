"""Which buttons bring which model into recovery mode (Apple's support article 118106), for people."""

import re
from dataclasses import dataclass
from typing import Final

UNTIL: Final = "until the screen shows a computer and a cable; an Apple logo is too early"


@dataclass(frozen=True, slots=True)
class Sequence:
    """What to press, in order. The device stays on its cable meanwhile."""

    steps: tuple[str, ...]

    def __str__(self) -> str:
        return "; ".join(self.steps)


_NO_HOME_PHONE: Final = Sequence(
    (
        "press and let go Volume Up",
        "press and let go Volume Down",
        f"hold the side button {UNTIL}",
    )
)
_NO_HOME_PAD: Final = Sequence(
    (
        "press and let go the volume button nearest to the top button",
        "press and let go the other volume button",
        f"hold the top button {UNTIL}",
    )
)
_VOLUME_DOWN: Final = Sequence((f"hold the side or top button and Volume Down together {UNTIL}",))
_HOME: Final = Sequence((f"hold Home and the side or top button together {UNTIL}",))
_ANY: Final = Sequence(
    (
        "with a Home button below the screen: hold Home and the side or top button together; "
        "without: press and let go Volume Up, then Volume Down, then hold the side or top button",
        f"keep holding {UNTIL}",
    )
)

_MODEL: Final = re.compile(r"(iPhone|iPad|iPod)(\d+),\d+\Z")
_PADS_WITH_HOME: Final = frozenset({*range(1, 8), 11, 12})
"""iPad1 to iPad7, iPad11 (mini 5, Air 3, 8th generation) and iPad12 (9th generation)."""


def sequence(product_type: str | None) -> Sequence:
    """The buttons of this model; of one that we do not know, a rule by what it looks like."""
    match = _MODEL.match(product_type or "")
    if match is None:
        return _ANY
    family, generation = match[1], int(match[2])
    if family == "iPad":
        return _HOME if generation in _PADS_WITH_HOME else _NO_HOME_PAD
    if family == "iPod":
        return _VOLUME_DOWN if generation >= 9 else _HOME
    if generation >= 10:  # iPhone 8 and later, with iPhone SE of the second and third generation
        return _NO_HOME_PHONE
    return _VOLUME_DOWN if generation == 9 else _HOME
