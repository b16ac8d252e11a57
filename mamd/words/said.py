"""
Says each value of the core in a person's words, with what to do about it where something can be done.

Every member of every enum that a person can meet has its words, and a test sees to it.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final

from mamd.core.governor import Block
from mamd.words.of_blocks import BLOCKS
from mamd.words.of_devices import (
    ANSWERS,
    CAUSES,
    CUSTODIES,
    LINKS,
    OWNERSHIPS,
    PAIR_ANSWERS,
    STATUSES,
    USB_MODES,
)
from mamd.words.of_reasons import REASONS
from mamd.words.of_runs import ACTIONS, ENDS, IMPOSSIBLES, KINDS, MODES, PROOFS, RUNS, TRIGGERS
from mamd.words.wording import Said

_TABLES: Final[tuple[Mapping[Enum, Said], ...]] = (
    LINKS, CAUSES, BLOCKS, REASONS, ENDS, PROOFS, RUNS, ACTIONS, ANSWERS, PAIR_ANSWERS, STATUSES,
    OWNERSHIPS, CUSTODIES, MODES, TRIGGERS, KINDS, IMPOSSIBLES, USB_MODES,
)  # type: ignore[assignment]  # a mapping of one enum is read here as one of any  # fmt: skip

SAID: Final[Mapping[Enum, Said]] = {member: said for table in _TABLES for member, said in table.items()}
"""Every member of every enum above."""


def hindrance(reason: str) -> Said:
    """The words for what stops a device from being helped; a text that is no code is its own words."""
    return BLOCKS[Block(reason)] if reason in {block.value for block in Block} else Said(reason, reason)


def say(value: Enum) -> Said:
    """The words for one value of the core. Every value that people meet has some."""
    return SAID[value]
