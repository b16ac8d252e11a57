"""
What can go wrong with what we asked for, named by what the caller can do about it.

    Trouble
    ├── Passing             nothing was done; ask again
    │   ├── Unreachable     no answer at all
    │   └── Busy            asked to come back later
    ├── Doubtful            it may have been done; find out before anything else
    └── Lasting             the answer is no, and will be no again
        ├── Refused         they will not; `why` says which kind of no
        └── Misconfigured   what we were given is wrong; an operator must mend it

None of these says anything about the *device*: an outage, a refusal or a wrong key never
leads to an erase (promise 3).
"""

from dataclasses import dataclass
from enum import Enum


class No(Enum):
    """Which kind of no a server gave. Only the last two can be certain about a device."""

    NOT_FOUND = "not_found"
    NOT_ENROLLED = "not_enrolled"
    PERSONAL = "personal"
    LOST_MODE = "lost_mode"
    FORBIDDEN = "forbidden"
    AUTH_FAILED = "auth_failed"
    REJECTED = "rejected"
    PROTOCOL = "protocol"
    UNSUPPORTED = "unsupported"
    NO_TOKEN = "no_token"


@dataclass(eq=False)
class Trouble(Exception):
    """
    Something asked of the world did not happen as asked.

    Args:
        who: Whom we asked, in an operator's words ("hospital", "usbmuxd").
        what: One clear line, without secrets and without the other side's raw text.
    """

    who: str
    what: str

    def __str__(self) -> str:
        return f"{self.who}: {self.what}"


@dataclass(eq=False)
class Passing(Trouble):
    """Nothing was done. Asking again is safe."""


@dataclass(eq=False)
class Unreachable(Passing):
    """No answer: not there, no network, no TLS. Certainly not processed."""


@dataclass(eq=False)
class Busy(Passing):
    """Asked to come back. `retry_after_s` is in seconds."""

    retry_after_s: float = 60.0


@dataclass(eq=False)
class Doubtful(Trouble):
    """It may or may not have been processed; asking again under the same id asks once."""


@dataclass(eq=False)
class Lasting(Trouble):
    """Asking again gives the same answer."""


@dataclass(eq=False)
class Refused(Lasting):
    """The answer is no."""

    why: No = No.REJECTED


@dataclass(eq=False)
class Misconfigured(Lasting):
    """Something an operator gave us is wrong: a key, an address, a missing privilege."""

    why: No = No.AUTH_FAILED
