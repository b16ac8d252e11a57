"""The MDM of a simulated Launchpad's phones, and the orders by which another process plays with it.

An order is plain JSON, so that a control API, a scenario and a site's rehearsal can all give it:

    {"do": "enrol"}                                         every phone that has an MDM, and those met later
    {"do": "fail", "how": "HANG_AFTER", "times": 1}         of the API; "how": null lifts it
    {"do": "fail_pushes", "how": "UNREGISTERED"}            commands are queued all the same
    {"do": "lose_events", "count": 1}                       as a webhook receiver that is down; -1: all
    {"do": "down"}, {"do": "up"}                            connections refused, and back on the same port
    {"do": "manners", "phone": UDID, "not_now": {"ClearPasscode": 2}}
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from enum import Enum
from typing import Any, TypeVar

from mamd.sim.launchpad import SimLaunchpad
from mamd.sim.mdm import SimMdm
from mamd.sim.mdm_apns import PushFault
from mamd.sim.mdm_device import Manners, Refused
from mamd.sim.mdm_faults import Fault, FaultKind
from mamd.sim.mdm_queue import Storage
from mamd.sim.phone import Phone

_Named = TypeVar("_Named", bound=Enum)
Order = Mapping[str, Any]


class BadOrder(ValueError):
    """An order that cannot be carried out; the text says which word is wrong and which are right."""


class MdmPart:
    """A `SimMdm` that lives and dies with a `SimLaunchpad`: pass it in `parts`.

    Nothing is enrolled at the start: an unlock token that comes before somebody listens to the
    webhook is lost. Give the order `enrol` once the daemon is there.
    """

    def __init__(
        self,
        api_key: str,
        *,
        webhook_url: str | None = None,
        hmac_key: str | None = None,
        storage: Storage = Storage.FILEKV,
        leaky: bool = False,
        port: int = 0,
    ) -> None:
        self._api_key, self._hmac_key, self._webhook_url = api_key, hmac_key, webhook_url
        self._storage, self._leaky, self._port = storage, leaky, port
        self._running: SimMdm | None = None
        self._phones: dict[str, Phone] = {}
        self._enrols = False
        self._enrolling: set[asyncio.Task[Any]] = set()

    @property
    def mdm(self) -> SimMdm:
        """The MDM itself, once it is started."""
        assert self._running is not None, "the MDM is started with its Launchpad"
        return self._running

    async def start(self, launchpad: SimLaunchpad) -> None:
        """Listen, and write what is seen into the Launchpad's record."""
        mdm = SimMdm(
            self._api_key,
            webhook_url=self._webhook_url,
            hmac_key=self._hmac_key,
            notes=launchpad.record,
            storage=self._storage,
            leaky=self._leaky,
            port=self._port,
        )
        self._running = await mdm.__aenter__()
        self._phones.update(launchpad.phones)

    async def stop(self) -> None:
        """Stop the server and all devices."""
        for task in self._enrolling:
            task.cancel()
        if self._running is not None:
            await self._running.__aexit__(None, None, None)
            self._running = None

    def met(self, phone: Phone) -> None:
        """Know a phone; after the order `enrol` it is enrolled at once, if it has an MDM."""
        self._phones[phone.udid] = phone
        if self._enrols and phone.mdm_enrolled:
            task = asyncio.get_running_loop().create_task(self.mdm.enrol(phone))
            self._enrolling.add(task)
            task.add_done_callback(self._enrolling.discard)

    async def obey(self, order: Order) -> None:
        """Carry out one order. Raises BadOrder for one that makes no sense or finds the MDM down."""
        what = order.get("do")
        if not isinstance(what, str) or what not in _ORDERS:
            raise BadOrder(f"unknown order {what!r}{_nearest(str(what), _ORDERS)}")
        try:
            await _ORDERS[what](self, order)
        except (OSError, Refused) as error:
            raise BadOrder(f"{what}: the MDM did not take it ({error}); is it down?") from error

    async def enrol_all(self) -> None:
        """Enrol every phone that has an MDM, and from now on those that are met."""
        self._enrols = True
        await self.mdm.enrol_all([phone for phone in self._phones.values() if phone.mdm_enrolled])

    def phone(self, udid: object) -> Phone:
        """The phone of that UDID; raises BadOrder where nobody has it."""
        if not isinstance(udid, str) or udid not in self._phones:
            raise BadOrder(f"no phone has the UDID {udid!r}")
        return self._phones[udid]


async def _enrol(part: MdmPart, order: Order) -> None:
    if "phone" in order:
        await part.mdm.enrol(part.phone(order["phone"]))
    else:
        await part.enrol_all()


async def _check_out(part: MdmPart, order: Order) -> None:
    await part.mdm.device(part.phone(order.get("phone"))).check_out()


async def _down(part: MdmPart, _: Order) -> None:
    await part.mdm.stop()


async def _up(part: MdmPart, _: Order) -> None:
    await part.mdm.start()


async def _fail(part: MdmPart, order: Order) -> None:
    how, after = _named(FaultKind, order.get("how")), order.get("retry_after")
    calls, times = order.get("calls"), order.get("times")
    if how is None:
        part.mdm.fail(None)
        return
    fault = Fault(how, times=None if times is None else _count(times))
    fault.retry_after = None if after is None else str(after)
    if calls is not None:
        fault.calls = frozenset(map(str, calls))
    part.mdm.fail(fault)


async def _fail_pushes(part: MdmPart, order: Order) -> None:
    how = _named(PushFault, order.get("how"))
    if "phone" not in order:
        part.mdm.apns.fault = how
        return
    token = part.phone(order["phone"]).push_token
    part.mdm.apns.faults.pop(token, None)
    if how is not None:
        part.mdm.apns.faults[token] = how


async def _lose_events(part: MdmPart, order: Order) -> None:
    part.mdm.server.webhook.lose = _count(order.get("count", -1))


async def _webhook(part: MdmPart, order: Order) -> None:
    part.mdm.server.webhook.url = str(order["url"]) if order.get("url") else None


async def _manners(part: MdmPart, order: Order) -> None:
    settings = {name: value for name, value in order.items() if name not in ("do", "phone")}
    known = [setting.name for setting in fields(Manners) if setting.name != "fails"]
    for name in settings:
        if name not in known:
            raise BadOrder(f"phones have no manner {name!r}{_nearest(name, known)}")
    manners = part.mdm.device(part.phone(order.get("phone"))).manners
    for name, value in settings.items():
        _check_manner(name, value, getattr(manners, name))
    for name, value in settings.items():
        setattr(manners, name, value)
    part.mdm.phone_changed(str(order["phone"]))


_ORDERS: dict[str, Callable[[MdmPart, Order], Awaitable[None]]] = {
    "enrol": _enrol,
    "check_out": _check_out,
    "down": _down,
    "up": _up,
    "fail": _fail,
    "fail_pushes": _fail_pushes,
    "lose_events": _lose_events,
    "webhook": _webhook,
    "manners": _manners,
}


def _check_manner(name: str, value: object, now: object) -> None:
    wanted = (int, float) if isinstance(now, float) else type(now)
    if not isinstance(value, wanted) or isinstance(value, bool) is not isinstance(now, bool):
        raise BadOrder(f"{name} is {value!r}, but would have to be like {now!r}")


def _named(kind: type[_Named], name: object) -> _Named | None:
    if name is None:
        return None
    if not isinstance(name, str) or name not in kind.__members__:
        raise BadOrder(f"no fault is called {name!r}{_nearest(str(name), kind.__members__)}")
    return kind[name]


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadOrder(f"{value!r} is not a count")
    return value


def _nearest(word: str, known: Any) -> str:
    near = get_close_matches(word, known, 1, 0.5)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"
