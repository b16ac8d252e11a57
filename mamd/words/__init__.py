"""
What the core's values are called by people: one place for all words on the page, in the
terminal, in the log and in calls. Pure: it reads no clock and touches nothing.
"""

from mamd.words.calls import calling
from mamd.words.facts import phrase, value
from mamd.words.moments import ago, at, lasting, running
from mamd.words.said import SAID, Said, hindrance, say
from mamd.words.why import heading, why

__all__ = [
    "SAID",
    "Said",
    "ago",
    "at",
    "calling",
    "heading",
    "hindrance",
    "lasting",
    "phrase",
    "running",
    "say",
    "value",
    "why",
]
