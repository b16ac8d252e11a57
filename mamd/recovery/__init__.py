"""
Recovery mode and erase-and-update, each attempt in a process of its own.

    executor    starts, follows, adopts and ends attempts        worker, idevicerestore   our executors
    enter       the ladder into recovery mode                    leave                    the ways out again

pymobiledevice3's restore is spoken here and nowhere else; what leaves this folder is plain data. `enter` is
imported by its own name: it brings the library along.
"""

from mamd.recovery.attempts import BrokenRecord
from mamd.recovery.causes import Cause, Reason, Result
from mamd.recovery.executor import Attempt, Executors
from mamd.recovery.job import Job, Limits
from mamd.recovery.leave import Leaving
from mamd.recovery.settings import Clocks, ExecutorSettings, Ours

__all__ = [
    "Attempt",
    "BrokenRecord",
    "Cause",
    "Clocks",
    "ExecutorSettings",
    "Executors",
    "Job",
    "Leaving",
    "Limits",
    "Ours",
    "Reason",
    "Result",
]
