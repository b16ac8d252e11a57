"""A desk with a whole ward on it: real values of the core, and a memory of what it was told."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from mamd.core.commands import CallPerson, Reason
from mamd.core.errors import No, Refused, Unreachable
from mamd.core.rules import Mode, RuleSet
from mamd.core.storm import Storm
from mamd.desk import MdmStanding, Overview, Standing
from mamd.ports import CallRow, Fault, HoldRow, JournalRow
from tests.characters import END, EVERYBODY
from tests.lives import RULES, moment

STRANGERS_UDID = "00008101-00FFFFFFFFFFFFFF"
"""The UDID of the stranger's phone; it must be seen nowhere."""
BLIND = Fault(
    "usbmuxd_silent",
    "usbmuxd does not answer, so no device can be seen",
    "Restart it: systemctl restart usbmuxd",
)
HOLD = HoldRow("rule:not-pairing", "too many at once", "anna", datetime(2026, 11, 25, 1, 40, tzinfo=UTC))


def ward(*, everybody: Mapping[str, Standing] = EVERYBODY) -> Overview:
    """The ward at seven minutes past three."""
    ports = tuple(one for one in everybody.values() if one.port is not None)
    return Overview(
        launchpad="ward-3",
        version="0.1.0",
        now=moment(END),
        started=moment(-3600.0),
        mode=Mode.AUTO,
        recovery_mode=Mode.OBSERVE,
        usbmuxd_up=True,
        last_look=moment(END - 4.0),
        faults=(),
        ports=tuple(sorted(ports, key=lambda one: int(one.label))),
        runs=tuple(one.situation.run for one in ports if one.situation.run is not None),
        holds=(),
        calls=tuple(row for one in ports for row in one.calls),
        storm=None,
        mdms=(MdmStanding("hospital", "nanomdm", "https://mdm.example.org", True, moment(END - 40.0)),),
        rules=RULES,
        strangers=1,
        known=230,
        helpable=214,
        hindrances=(("not_enrolled", 9), ("identity_unknown", 4), ("personal", 3)),
    )


def stormy() -> Overview:
    """The same ward after a hub came back, with usbmuxd gone and a hold."""
    storm = Storm(moment(60.0), moment(90.0), frozenset({"d-0001", "d-0002", "d-0003", "d-0004"}))
    call = CallRow(
        CallPerson("storm", Reason.STORM, None, (("devices", "d-0001, d-0002"),)), moment(60.0).wall
    )
    return replace(
        ward(),
        storm=storm,
        faults=(BLIND,),
        holds=(HOLD,),
        calls=(call,),
        usbmuxd_up=False,
        last_look=moment(3.0),
    )


@dataclass
class FakeDesk:
    """
    Answers like the daemon's desk, and keeps what it was told as (word, arguments).

    Attributes:
        is_full: The disk is full: nothing that is told can be stored.
        number: Goes up whenever something changes; `happens` moves it.
    """

    seen: Overview = field(default_factory=ward)
    standings: dict[str, Standing] = field(default_factory=lambda: dict(EVERYBODY))
    told: list[tuple[str, ...]] = field(default_factory=list)
    rows: tuple[JournalRow, ...] = ()
    changed_rows: tuple[str, ...] = ()
    is_full: bool = False
    number: int = 1
    webhooks: list[tuple[str, bytes]] = field(default_factory=list)
    refusal: Refused | None = None
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    def happens(self) -> None:
        """Something changes."""
        self.number += 1
        self._moved.set()
        self._moved = asyncio.Event()

    def overview(self) -> Overview:
        return self.seen

    def devices(self) -> tuple[Standing, ...]:
        return tuple(one for one in self.standings.values() if one.record is not None)

    async def device(self, name: str) -> Standing:
        for one in self.standings.values():
            if name.startswith("port:") and one.port is not None and name == f"port:{one.label}":
                return one
            if one.record is not None and name in (one.record.device, one.record.name, one.record.ids.serial):
                return one
        raise Refused("mamd", f"no device is called {name}; `mamd devices list` shows all", No.NOT_FOUND)

    async def journal(
        self, *, device: str | None = None, after: int = 0, limit: int = 500, newest_first: bool = False
    ) -> tuple[JournalRow, ...]:
        found = [row for row in self.rows if row.number > after and device in (None, row.subject)]
        ordered = sorted(found, key=lambda row: row.number, reverse=newest_first)
        return tuple(ordered[:limit])

    async def verify(self) -> tuple[str, ...]:
        return self.changed_rows

    async def rule_set(self, hash_: str) -> RuleSet:
        if hash_ != self.seen.rules.hash:
            raise Refused("mamd", f"no row of the journal names the rules {hash_}", No.NOT_FOUND)
        return self.seen.rules

    async def hold(self, scope: str, *, by: str, reason: str) -> str:
        return self._take("hold", scope, by, reason)

    async def release(self, scope: str, *, by: str, reason: str) -> str:
        return self._take("release", scope, by, reason)

    async def approve(self, run: str, *, label: str, by: str, reason: str) -> str:
        return self._take("approve", run, label, by, reason)

    async def start(self, workflow: str, device: str, *, by: str, reason: str) -> str:
        self._take("start", workflow, device, by, reason)
        return "r-0500"

    async def retry(self, run: str, *, by: str, reason: str) -> str:
        return self._take("retry", run, by, reason)

    async def acknowledge(self, key: str, *, by: str) -> str:
        return self._take("ack", key, by)

    async def set_device(self, name: str, field: str, value: str, *, by: str) -> str:
        return self._take("set", name, field, value, by)

    async def reload(self, *, by: str) -> str:
        return self._take("reload", by)

    async def webhook(self, mdm: str, headers: Mapping[str, str], body: bytes) -> None:
        if self.is_full:
            raise Unreachable("store", "the disk is full")
        if headers.get("x-hmac-signature") == "wrong":
            raise Refused(mdm, "the signature is wrong", No.FORBIDDEN)
        self.webhooks.append((mdm, body))

    def faults(self) -> tuple[Fault, ...]:
        return self.seen.faults

    async def changed(self, since: int) -> int:
        while self.number <= since:
            await self._moved.wait()
        return self.number

    def _take(self, *word: str) -> str:
        if self.is_full:
            raise Unreachable("store", "the disk is full, so nothing can be written down")
        if self.refusal is not None:
            raise self.refusal
        self.told.append(word)
        return word[1]
