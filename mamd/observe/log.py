"""
One line a turn, read from left to right: what it was, what happened, what it became, what was asked for.

    run.turned run=r-0412 device=d-0042 port=2-1.4 was=watching on=Looked became=waiting do=… waited_s=300.0

Whatever else writes to Python's own logging comes out here too, in the same form and redacted alike.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Final, TextIO

import structlog

from mamd.core import commands as do
from mamd.core.events import Event
from mamd.core.link import Link
from mamd.core.run import End, Run
from mamd.core.time import Now
from mamd.core.turn import Situation, Turn

HIDDEN: Final = "<hidden>"
_SECRET: Final = re.compile(
    r"token|secret|passw|passcode$|authorization|cookie|credential|private|escrow|api_?key|_key$|hmac|pem$",
    re.IGNORECASE,
)
# These libraries put whole addresses into their lines, and an address can be a secret.
_TALKATIVE: Final = ("httpx", "httpcore", "uvicorn", "asyncio", "apscheduler", "pymobiledevice3")

_log = structlog.get_logger("mamd")


def set_up(stream: TextIO | None = None, *, level: str = "INFO") -> None:
    """
    Write all logging to `stream` (standard error): for eyes on a terminal, else JSON, one object a line.

    May be called again; the last call counts.
    """
    out = stream if stream is not None else sys.stderr
    final = _for_eyes() if out.isatty() else structlog.processors.JSONRenderer(default=_unknown)
    structlog.configure(
        processors=[*_SHARED, final],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    _take_in_others(out, final)


def _for_eyes() -> Any:
    return structlog.dev.ConsoleRenderer(
        sort_keys=False, exception_formatter=structlog.dev.plain_traceback, pad_event_to=14
    )


def _unknown(value: object) -> str:
    """A value that JSON has no word for is named by its kind only: its text may say too much."""
    return f"<{type(value).__name__}>"


def _take_in_others(out: TextIO, final: Any) -> None:
    """Lines of libraries, from warnings on."""
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *_SHARED],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, final],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


def redacted(logger: Any, method: str, line: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """A processor of structlog: what a key calls a secret is not shown, nor are bytes, however deep."""
    return {key: _shown(key, value) for key, value in line.items()}


def _shown(key: object, value: object) -> object:
    if isinstance(value, bytes | bytearray | memoryview):
        return HIDDEN
    if isinstance(key, str) and _SECRET.search(key) and not isinstance(value, bool | None):
        return HIDDEN
    if isinstance(value, Mapping):
        return {inner: _shown(inner, its) for inner, its in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_shown(key, one) for one in value]
    return value


_SHARED: Final[list[Any]] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
    redacted,
]


class TurnLog:
    """Writes each committed turn: one line for its run if that turned, else one for its link."""

    def turned(self, subject: str, was: Situation, event: Event, now: Now, turn: Turn) -> None:
        """One committed turn of one device, or of a port whose device is not ours."""
        before, after = was.run, turn.became.run
        if after is not None and _has_turned(before, after):
            level = logging.ERROR if after.end is End.BROKEN else logging.INFO
            _log.log(level, "run.turned", **_of_run(before, after, event, turn))
        elif turn.became.link is not None and _has_moved(was.link, turn.became.link):
            _log.info("link.turned", **_of_link(subject, was.link, turn.became.link, event))


def _has_turned(before: Run | None, after: Run) -> bool:
    if before is None or before.run != after.run:
        return True
    return _gist(before) != _gist(after)


def _gist(run: Run) -> tuple[object, ...]:
    return (run.state, run.step, run.blocks, run.reason, run.act, run.told, run.answer, run.end, run.approved)


def _has_moved(before: Link | None, after: Link) -> bool:
    return before is None or (before.state, before.cause) != (after.state, after.cause)


def _of_run(before: Run | None, after: Run, event: Event, turn: Turn) -> dict[str, Any]:
    is_same = before is not None and before.run == after.run
    line: dict[str, Any] = {
        "run": after.run,
        "device": after.device,
        "port": after.attachment.port if after.attachment is not None else None,
        "was": before.state.value if is_same and before is not None else "new",
        "on": type(event).__name__,
        "became": after.state.value,
        "do": after.doing.do.value if after.workflow.steps and after.is_open else None,
        "asked": [_named(one) for one in turn.commands],
        "waited_s": round(after.waited_s, 1),
        "rule": after.rule,
        "by": after.by if after.is_person else None,
        "waits_for": [one.value for one in after.blocks],
        "reason": after.reason.value if after.reason is not None else None,
        "end": after.end.value if after.end is not None else None,
        "outcome": after.outcome,
        "proof": after.proof.value if after.proof is not None else None,
    }
    return {key: value for key, value in line.items() if value not in (None, "", [])}


def _of_link(subject: str, before: Link | None, after: Link, event: Event) -> dict[str, Any]:
    port = after.attachment.port
    line: dict[str, Any] = {
        # A stranger's turns are known by their port; nothing else of it is written down.
        "device": subject if subject.startswith("d-") else None,
        "port": port,
        "was": before.state.value if before is not None else "new",
        "on": type(event).__name__,
        "became": after.state.value,
        "cause": after.cause.value if after.cause is not None else None,
        "unpaired_s": round(after.counts.unpaired_s, 1) or None,
    }
    return {key: value for key, value in line.items() if value is not None}


_COMMANDS: Final[Mapping[type[do.Command], str]] = {
    do.ClearPasscode: "mdm.clear_passcode",
    do.Push: "mdm.push",
    do.Cancel: "mdm.cancel",
    do.ReadMdmRecord: "mdm.read",
    do.LookNow: "look",
    do.CallPerson: "call_a_person",
    do.StopCalling: "stop_calling",
    do.Hold: "hold",
}


def _named(command: do.Command) -> str:
    name = _COMMANDS[type(command)]
    return f"{name}:{command.reason.value}" if isinstance(command, do.CallPerson) else name
