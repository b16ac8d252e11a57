"""
What the core's values are called by people: one place for all words on the page, in the
terminal, in the log and in calls. Pure: it reads no clock and touches nothing.
"""

from mamd.words.calls import calling
from mamd.words.cures import cure_for
from mamd.words.facts import phrase, value
from mamd.words.fill import begun
from mamd.words.moments import ago, at, lasting, running
from mamd.words.said import SAID, hindrance, say
from mamd.words.why import heading, why
from mamd.words.wording import Said

__all__ = [
    "SAID",
    "Said",
    "ago",
    "at",
    "begun",
    "calling",
    "cure_for",
    "heading",
    "hindrance",
    "lasting",
    "phrase",
    "running",
    "say",
    "value",
    "why",
]
