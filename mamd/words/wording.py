"""The shape in which a value of the core is said in a person's words."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Said:
    """
    One value in words.

    Attributes:
        short: For a cell of a table: two to five words, without an "it".
        text: A clause that begins with "it", "the MDM" and the like, without a full stop.
        cure: A whole sentence for whoever stands there; empty where nothing is to be done.
    """

    short: str
    text: str
    cure: str = ""
