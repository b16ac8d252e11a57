"""The line to the daemon: HTTP over its unix socket, found by option, environment or configuration."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NoReturn
from urllib.parse import quote

import httpx

from mamd.cli.ends import Status, end
from mamd.config.files import read_yaml_file
from mamd.config.load import find_config
from mamd.config.mistakes import Mistakes
from mamd.config.settings import HttpSettings
from mamd.config.strict_yaml import Fields, Leaf, Node

WAIT_S: Final = 20.0


class Line:
    """
    One conversation with the daemon. Everything here ends the command with one line if there is no
    daemon (status 3) or it says no (status 1).
    """

    def __init__(self, socket: Path) -> None:
        _look_at(socket)
        self._socket = socket
        # Nothing is kept open between two questions, so there is nothing to be closed at any end.
        transport = httpx.HTTPTransport(uds=str(socket), limits=httpx.Limits(max_keepalive_connections=0))
        self._http = httpx.Client(transport=transport, base_url="http://mamd", timeout=WAIT_S)

    def get(self, path: str, **query: str | int | bool | None) -> Any:
        """What stands at an address of the API."""
        asked = {key: value for key, value in query.items() if value is not None}
        return self._said(lambda: self._http.get(path, params=asked))

    def device(self, name: str, what: str = "") -> Any:
        """What is known of one device, by any of its names."""
        return self.get(f"/v1/devices/{quote(name, safe=':')}{what}")

    def tell(self, path: str, word: Mapping[str, str] | None = None) -> Any:
        """A person's word."""
        return self._said(lambda: self._http.post(path, json=word or {}))

    def changes(self) -> Iterator[None]:
        """Once at the beginning and then whenever something changed, until the daemon goes."""
        try:
            with self._http.stream("GET", "/v1/events", timeout=httpx.Timeout(WAIT_S, read=60.0)) as events:
                yield None
                for line in events.iter_lines():
                    if line.startswith("event: changed"):
                        yield None
        except httpx.HTTPError as error:
            self._lost(error)
        end(Status.NO_DAEMON, "the daemon has gone")

    def _said(self, ask: Any) -> Any:
        try:
            answer: httpx.Response = ask()
        except httpx.HTTPError as error:
            self._lost(error)
        if answer.is_success:
            return answer.json()
        said = _plain(answer)
        end(Status.NO, said.get("error", f"the daemon answered {answer.status_code}"), said.get("cure", ""))

    def _lost(self, error: httpx.HTTPError) -> NoReturn:
        if isinstance(error, httpx.TimeoutException):
            end(Status.NO_DAEMON, f"the daemon at {self._socket} does not answer", _LOOK)
        if not os.access(self._socket, os.W_OK):
            _not_for_you(self._socket)
        _no_daemon(self._socket)


def _look_at(socket: Path) -> None:
    """End here if there is no socket, or not for this user."""
    try:
        socket.stat()
    except PermissionError:
        _not_for_you(socket)
    except OSError:
        _no_daemon(socket)


def _not_for_you(socket: Path) -> NoReturn:
    cure = "Ask again with sudo, or as a member of the group that the socket belongs to."
    end(Status.NO_DAEMON, f"you may not talk to the daemon at {socket}", cure)


def _no_daemon(socket: Path) -> NoReturn:
    end(Status.NO_DAEMON, f"there is no daemon at {socket}", _LOOK)


_LOOK: Final = "Is it running? See `systemctl status mamd`; --socket names another socket."


def _plain(answer: httpx.Response) -> Mapping[str, str]:
    try:
        said = answer.json()
    except json.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def find_socket(option: Path | None, config: Path | None) -> Path:
    """`--socket`, else MAMD_SOCKET, else what the configuration says, else the usual place."""
    if option is not None:
        return option
    named = os.environ.get("MAMD_SOCKET")
    if named:
        return Path(named)
    file = find_config(config, os.environ, Path.cwd())
    return (_configured(file) if file is not None else None) or HttpSettings().socket


def _configured(file: Path) -> Path | None:
    """
    Only the socket's place is read: whoever asks need not be allowed to read the daemon's secrets.
    """
    found = _field(_field(read_yaml_file(file, Mistakes()), "http"), "socket")
    return file.absolute().parent / found.text if isinstance(found, Leaf) else None


def _field(node: Node | None, key: str) -> Node | None:
    if not isinstance(node, Fields):
        return None
    return next((value for name, value in node.pairs if name.text == key), None)
