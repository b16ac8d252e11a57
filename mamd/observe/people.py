"""
Reaches people who are on duty: by a webhook or by a program of the site.

Both get the whole text; neither decides when to call. A webhook's address is a secret (who has it
can write there), so it is in no error, no log and no `repr`.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence
from typing import Final

import httpx

from mamd.core.errors import Busy, Refused, Unreachable
from mamd.ports import CallRow

DEADLINE_S: Final = 10.0


class WebhookPeople:
    """
    Posts `{"text": …, "calls": [{"key", "reason", "device"}]}` to one address (Teams, Slack and
    Mattermost read `text`). Follows no redirect: it would lead the text somewhere else.
    """

    name = "webhook"

    def __init__(self, address: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._address = address
        self._transport = transport

    def __repr__(self) -> str:
        return "WebhookPeople(<hidden>)"

    async def call(self, text: str, calls: Sequence[CallRow]) -> None:
        """Tell them. Raises Unreachable, Busy or Refused, without the address."""
        told = {"text": text, "calls": [_told(row) for row in calls]}
        try:
            async with httpx.AsyncClient(timeout=DEADLINE_S, transport=self._transport) as client:
                answer = await client.post(self._address, json=told)
        except httpx.TimeoutException:
            raise Unreachable(self.name, "no answer in time") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # `from None`: the error of httpx carries the request, and that the address.
            raise Unreachable(self.name, f"cannot be reached ({type(error).__name__})") from None
        _check(answer.status_code)


def _check(status: int) -> None:
    if 200 <= status < 300:
        return
    if status == 429 or status >= 500:
        raise Busy("webhook", f"answered {status}")
    raise Refused("webhook", f"answered {status}; see whether its address is still right")


def _told(row: CallRow) -> dict[str, str | None]:
    return {"key": row.call.key, "reason": row.call.reason.value, "device": row.call.device}


class CommandPeople:
    """
    Runs a program of the site with the text on standard input. No shell reads its words; it gets
    an environment without our secrets, and is ended with all that it started after its deadline.
    """

    name = "command"

    def __init__(self, words: Sequence[str], *, deadline_s: float = 30.0) -> None:
        assert words, "a command has at least its program's name"
        self._words = tuple(words)
        self._deadline_s = deadline_s

    async def call(self, text: str, calls: Sequence[CallRow]) -> None:
        """Tell them. Raises Unreachable if it cannot be run or does not end, Refused if it fails."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._words,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                env={key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TZ") if key in os.environ},
                start_new_session=True,
            )
        except OSError as error:
            raise Unreachable(self.name, f"{self._words[0]} cannot be run: {error.strerror}") from None
        try:
            async with asyncio.timeout(self._deadline_s):
                await process.communicate(f"{text}\n".encode())
        except TimeoutError:
            raise Unreachable(self.name, f"{self._words[0]} did not end in {self._deadline_s:g} s") from None
        finally:
            await _ended(process)
        if process.returncode != 0:
            raise Refused(self.name, f"{self._words[0]} ended with status {process.returncode}")


async def _ended(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
