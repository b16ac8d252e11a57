"""From the look that fills the 5 s to the request on the wire; and the same requests by httpx alone."""

import asyncio
import base64
import plistlib
import time
import uuid
from dataclasses import dataclass

import httpx

from bench.programs import until
from bench.table import Row, Spread, seconds
from bench.ward import Ward

CONNECTIONS = 5
PAUSE_S = 0.7


@dataclass(frozen=True, slots=True)
class Case:
    """So many devices due at once; `alone`: one after another, each by itself."""

    count: int
    alone: bool
    aim: str

    @property
    def words(self) -> str:
        """For the table."""
        return f"1 due, {self.count} times" if self.alone else f"{self.count:,} due at once"


def bring(ward: Ward, case: Case) -> None:
    """Attach all phones, and wait until the MDM was asked to clear each."""
    for name in ward.names if case.alone else ():
        ward.attach(name)
        time.sleep(PAUSE_S)
    if not case.alone:
        ward.attach(*ward.names)
    until(
        lambda: True if len(ward.asked()) == case.count else None,
        within_s=180,
        what=f"{case.count} clears are asked for",
        every_s=1.0,
    )


def rows(ward: Ward, case: Case) -> list[Row]:
    """What that was like, beside httpx. The daemon is ended for it."""
    openings, asked = ward.openings(), ward.asked()
    delays = [asked[udid] - openings[udid].up for udid in asked]
    late = Spread.of(openings[udid].late for udid in asked)
    spread, whole = Spread.of(delays), max(asked.values()) - min(one.up for one in openings.values())
    ward.daemon.end()
    plain = asyncio.run(_httpx_alone(ward, case))
    beside = Spread.of(plain)
    found = [
        Row(
            f"{case.words}: from the look that fills 5.000 s to the request on the wire",
            str(spread),
            case.aim,
            f"httpx alone: {beside}; p99 × {spread.p99 / beside.p99:.1f}",
        ),
        Row(f"{case.words}: that look came back so long after 5.000 s", str(late)),
    ]
    if not case.alone:
        ratio = f"httpx alone: {seconds(max(plain))}; × {whole / max(plain):.1f}"
        found.append(
            Row(f"{case.words}: from the first such look to the last request", seconds(whole), "", ratio)
        )
    return found


async def _httpx_alone(ward: Ward, case: Case) -> list[float]:
    """The same requests from a queue on five connections; how long after the start each was on the wire."""
    udids = [*ward.asked()]
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    auth = httpx.BasicAuth("nanomdm", ward.api_key)
    begun: dict[str, float] = {}
    async with httpx.AsyncClient(base_url=ward.mdm, auth=auth, limits=limits) as client:
        if case.alone:
            for udid in udids:
                await asyncio.sleep(PAUSE_S / 10)
                await _enqueue(client, udid, begun, time.monotonic())
        else:
            await _all_at_once(client, udids, begun)
    seen = ward.sim.seen("mdm.enqueue")
    return [one["at"] - begun[one["command_uuid"]] for one in seen if one["command_uuid"] in begun]


async def _all_at_once(client: httpx.AsyncClient, udids: list[str], begun: dict[str, float]) -> None:
    waiting, now = iter(udids), time.monotonic()

    async def work() -> None:
        for udid in waiting:
            await _enqueue(client, udid, begun, now)

    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(work())


async def _enqueue(client: httpx.AsyncClient, udid: str, begun: dict[str, float], since: float) -> None:
    name = str(uuid.uuid4()).upper()
    begun[name] = since
    command = {"RequestType": "ClearPasscode", "UnlockToken": base64.b64encode(bytes(1200))}
    body = plistlib.dumps({"Command": command, "CommandUUID": name})
    (await client.put(f"/v1/enqueue/{udid}", content=body)).raise_for_status()
