"""What NanoMDM remembers: enrolments, and for each its queue of commands.

Both storages that sites use are here, because they answer differently: key-value files take a
command for a device they never heard of, SQL refuses it. The defects of the key-value queue can
be switched on; they were published with the server (nanomdm v0.9.0, storage/kv/queue_ll.go) and
a client of it has to live with them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol


class Storage(Enum):
    """How this server keeps its data; decides how unknown ids and repeats are refused."""

    FILEKV = "filekv"
    PGSQL = "pgsql"


class NotQueued(Exception):
    """The command was queued for nobody; the text is what NanoMDM says in `command_error`."""


class StorageError(Exception):
    """The storage refuses what a device reports; the device is answered 500."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command as it was enqueued; handed out byte for byte."""

    uuid: str
    request_type: str
    raw: bytes = field(repr=False)  # a ClearPasscode holds the unlock token


@dataclass(frozen=True, slots=True)
class PushInfo:
    """What a push to one device needs."""

    topic: str
    magic: str = field(repr=False)
    token: bytes = field(repr=False)


class Queue(Protocol):
    """The commands that one device has not answered for good, oldest first."""

    async def append(self, uuid: str) -> None: ...
    def remove(self, uuid: str) -> None: ...
    def clear(self) -> None: ...
    def __iter__(self) -> Iterator[str]: ...


class SoundQueue:
    """A queue that keeps its promises, as in SQL."""

    def __init__(self) -> None:
        self._uuids: list[str] = []

    async def append(self, uuid: str) -> None:
        self._uuids.append(uuid)

    def remove(self, uuid: str) -> None:
        """Take a command out; one that is not there is no error, since devices repeat results."""
        self._uuids = [waiting for waiting in self._uuids if waiting != uuid]

    def clear(self) -> None:
        self._uuids = []

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._uuids))


class LeakyQueue:
    """The linked list of NanoMDM's key-value storage, its three defects included.

    Removing the last item leaves the pointer of the one before it; an item without pointers is
    taken for the only one, so that a repeated result empties the queue; and two commands that
    are appended at the same time overwrite each other.
    """

    def __init__(self) -> None:
        self._first = self._last = ""
        self._next: dict[str, str] = {}
        self._before: dict[str, str] = {}

    async def append(self, uuid: str) -> None:
        last = self._last
        await asyncio.sleep(0)  # the gap between reading and writing that loses commands
        if not last:
            self._first = self._last = uuid
            return
        self._next[last], self._before[uuid], self._last = uuid, last, uuid

    def remove(self, uuid: str) -> None:
        before, after = self._before.pop(uuid, ""), self._next.pop(uuid, "")
        if before and after:
            self._next[before], self._before[after] = after, before
        elif before:
            self._last = before
        elif after:
            self._first = after
            self._before.pop(after, None)
        else:
            self._first = self._last = ""

    def clear(self) -> None:
        for uuid in list(self)[:-1]:
            self._next.pop(uuid, None)
            self._before.pop(uuid, None)
        self._first = self._last = ""

    def __iter__(self) -> Iterator[str]:
        uuid = self._first
        while uuid:
            yield uuid
            uuid = self._next.get(uuid, "")


@dataclass(slots=True)
class Enrolment:
    """One enrolment id: who it is, how to push to it, what waits for it."""

    id: str
    queue: Queue
    push: PushInfo | None = None
    certificate: bytes | None = None
    known: bool = False
    enabled: bool = False
    tally: int = 0
    statuses: dict[str, str] = field(default_factory=dict)


class Store:
    """All enrolments and commands of one server, in memory."""

    def __init__(self, storage: Storage = Storage.FILEKV, *, leaky: bool = False) -> None:
        self.storage, self._leaky = storage, leaky
        self._enrolments: dict[str, Enrolment] = {}
        self._commands: dict[str, Command] = {}

    def enrolment(self, id: str) -> Enrolment:
        """The enrolment of that id, made if need be: a queue may come before its device."""
        if id not in self._enrolments:
            self._enrolments[id] = Enrolment(id, LeakyQueue() if self._leaky else SoundQueue())
        return self._enrolments[id]

    def push_info(self, id: str) -> PushInfo | None:
        found = self._enrolments.get(id)
        return found.push if found else None

    def waiting(self, id: str) -> list[str]:
        """The UUIDs of the commands that wait for this device, oldest first."""
        found = self._enrolments.get(id)
        return list(found.queue) if found else []

    async def enqueue(self, ids: Sequence[str], command: Command) -> None:
        """Queue one command for all of these ids, or raise NotQueued and queue it for none."""
        self._refuse(ids, command)
        self._commands[command.uuid] = command
        for id in ids:
            await self.enrolment(id).queue.append(command.uuid)

    def _refuse(self, ids: Sequence[str], command: Command) -> None:
        sql = self.storage is Storage.PGSQL
        if command.uuid in self._commands:
            raise NotQueued(
                'pq: duplicate key value violates unique constraint "commands_pkey"'
                if sql
                else f"command already exists: {command.uuid}"
            )
        if sql and any(self.push_info(id) is None for id in ids):
            raise NotQueued(
                'pq: insert or update on table "enrollment_queue" violates foreign key '
                'constraint "enrollment_queue_id_fkey"'
            )
        if sql and len(set(ids)) < len(ids):
            raise NotQueued('pq: duplicate key value violates unique constraint "enrollment_queue_pkey"')

    def report(self, id: str, status: str, uuid: str) -> None:
        """Take a device's report; everything but NotNow ends the command for this device."""
        if status == "Idle":
            return
        if not uuid:
            raise StorageError("empty command UUID")
        enrolment = self.enrolment(id)
        enrolment.statuses[uuid] = status
        if status != "NotNow":
            enrolment.queue.remove(uuid)

    def next_command(self, id: str, *, skip_not_now: bool) -> Command | None:
        """The oldest command that waits; after a NotNow those that were postponed are passed over."""
        enrolment = self.enrolment(id)
        for uuid in enrolment.queue:
            if not (skip_not_now and enrolment.statuses.get(uuid) == "NotNow"):
                return self._commands[uuid]
        return None
