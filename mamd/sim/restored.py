"""restored: what answers on lockdownd's port while a phone is in restore mode.

A host asks what it is, begins a restore, or has it reboot; a second host may do so while the first one's
restore hangs. One `Restored` lives as long as the phone is enumerated; what was sent to it dies with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any

from mamd.sim.attachment import Attachment
from mamd.sim.phone import Phone
from mamd.sim.record import Record
from mamd.sim.restoring import Restoring
from mamd.sim.tunnel import HostGone, Plist, Stream

RESTORED_PORT = 62078
FIRST_DATA_PORT = 49152
PROTOCOL_VERSION = 15


class Restored:
    """restored on one attachment. It listens once it is made; `stop` it when the phone leaves the bus."""

    def __init__(self, attachment: Attachment, record: Record, apple: str | None) -> None:
        self._attachment, self._record, self._apple = attachment, record, apple
        self._tasks: set[asyncio.Task[None]] = set()
        self._ports = count(FIRST_DATA_PORT)
        self._loop = asyncio.get_running_loop()
        self._patience = self._loop.call_later(self.phone.boot.gives_up_after_s, self._give_up)
        self.listen(RESTORED_PORT, self._serve)

    @property
    def phone(self) -> Phone:
        """The phone that it runs on."""
        return self._attachment.phone

    @property
    def apple(self) -> str | None:
        """The origin of what stands for Apple's servers."""
        return self._apple

    def stop(self) -> None:
        """End all conversations; twice: nothing."""
        self._patience.cancel()
        self._attachment.listens.clear()
        for task in list(self._tasks):
            task.cancel()

    def note(self, kind: str, **fields: Any) -> None:
        """Write down what is seen of this phone's restore."""
        self._record.note(f"restore.{kind}", device=self.phone.udid, **fields)

    def listen(
        self, port: int, serve: Callable[[Stream], Coroutine[Any, Any, None]], order: str = ">"
    ) -> None:
        """Have `serve` answer everybody who connects to that port."""

        def accept(transport: asyncio.Transport) -> Stream:
            stream = Stream(transport, order)
            self.spawn(self._conversation(serve(stream), stream))
            return stream

        self._attachment.listens[port] = accept

    def data_port(self, order: str = ">") -> tuple[int, asyncio.Future[Stream]]:
        """A fresh port, and the stream of the one host that connects to it."""
        number, waiting = next(self._ports), self._loop.create_future()

        def accept(transport: asyncio.Transport) -> Stream:
            stream = Stream(transport, order)
            self._attachment.listens.pop(number, None)
            waiting.set_result(stream)
            return stream

        self._attachment.listens[number] = accept
        return number, waiting

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Let something go on beside the rest, until its end or ours."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _conversation(self, serving: Coroutine[Any, Any, None], stream: Stream) -> None:
        try:
            await serving
        except HostGone:
            self.note("host_gone")
        finally:
            stream.close()

    async def _serve(self, stream: Stream) -> None:
        while True:
            request = await self._next(stream)
            if request is None:
                return
            name = str(request.get("Request"))
            self.note("request", request=name)
            if name == "StartRestore":
                await self._restore(stream)
                return
            stream.send_plist(self._answer(name, request))
            if name == "Reboot":
                self._loop.call_soon(self.phone.reboot)

    async def _next(self, stream: Stream) -> Plist | None:
        """The next request; None if the host hangs up between two of them."""
        try:
            return await stream.read_plist()
        except HostGone:
            return None

    def _answer(self, name: str, request: Plist) -> Plist:
        model = self.phone.identity.model
        if name == "QueryType":
            version = {"RestoreProtocolVersion": PROTOCOL_VERSION}
            return {"Request": name, "Type": "com.apple.mobile.restored", **version}
        if name == "QueryValue" and request.get("QueryKey") == "HardwareInfo":
            info = {"UniqueChipID": self.phone.ecid, "ChipID": model.chip, "BoardID": model.board}
            return {"Request": name, "HardwareInfo": info | {"ProductionMode": True}}
        if name == "QueryValue" and request.get("QueryKey") == "SavedDebugInfo":
            return {"Request": name, "SavedDebugInfo": {}}
        if name in ("Reboot", "Goodbye"):
            return {"Request": name, "Result": "Success"}
        return {"Request": name, "Error": "InvalidRequest"}

    async def _restore(self, stream: Stream) -> None:
        self._patience.cancel()
        await Restoring(self, stream).run()

    def _give_up(self) -> None:
        self.note("gave_up")
        self.phone.reboot()
