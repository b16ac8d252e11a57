"""The person on duty: what the daemon calls when it may not go on, and what wrote down that it did."""

import json
import re
from pathlib import Path
from typing import Final

from mamd.cli.demo.judge import Call
from mamd.sim.mdm_wire import HttpServer, Request, Response
from mamd.sim.record import Record


class Pager:
    """A receiver of calls on loopback, in no process of the daemon's. `url` is known once it has started."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._record = Record(path)
        self._http = HttpServer(self._called)

    @property
    def url(self) -> str:
        """Where to call."""
        return f"{self._http.url}/on-duty"

    async def __aenter__(self) -> "Pager":
        await self._http.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.stop()
        self._record.close()

    def calls(self) -> tuple[Call, ...]:
        """Every call so far."""
        lines = Record.read(self.path, "call")
        return tuple(Call(line.at, line["reason"], line["port"] or "", line["text"]) for line in lines)

    async def _called(self, request: Request) -> Response:
        try:
            body = json.loads(request.body)
            matters = list(zip(body["calls"], _lines(body["text"], len(body["calls"])), strict=True))
            for call, line in matters:
                self._record.note("call", reason=call["reason"], port=_port(line), text=line)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self._record.note("unreadable", why=type(error).__name__)
            return Response(400)
        return Response(200)


def _lines(text: str, many: int) -> list[str]:
    """One line for each matter; a message about several begins with a line that says how many."""
    lines = text.splitlines()
    return lines if many == 1 else lines[1:]


def _port(line: str) -> str:
    """Where the person is sent: the label of a port."""
    found = _PORT.search(line)
    return found[1] if found is not None else ""


_PORT: Final = re.compile(r"\b[Pp]ort (\d+)\b")
