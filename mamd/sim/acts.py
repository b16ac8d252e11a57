"""What can be done to a simulated Launchpad, by name: the one vocabulary of scenarios and of the control API.

A step is a dictionary: `{"act": "attach", "phone": "ward-7", "port": "1-1.4"}`. Parts add acts of their own
to `launchpad.acts`.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

from mamd.sim import characters
from mamd.sim.characters import Beat
from mamd.sim.mux_client import UsbmuxdFault
from mamd.sim.phone import Fault, Mode, Trust
from mamd.sim.sysfs import BusFull

if TYPE_CHECKING:
    from mamd.sim.launchpad import SimLaunchpad

Act = Callable[..., Awaitable[None] | None]
Step = Mapping[str, Any]
Choice = TypeVar("Choice", bound=Enum)


class BadStep(Exception):
    """This step cannot be done; the text says why, and what would be right."""


class NoSuchPhone(BadStep):
    """No phone of that name, UDID, serial or port is known here."""


class PortTaken(BadStep):
    """There is a phone on this port already."""


async def perform(launchpad: SimLaunchpad, step: Step) -> None:
    """Do one step. Raises `BadStep`, and then nothing was done."""
    name, given = step.get("act"), {key: value for key, value in step.items() if key != "act"}
    act = launchpad.acts.get(name) if isinstance(name, str) else None
    if act is None:
        raise BadStep(f"no act is called {name!r}; there are {', '.join(sorted(launchpad.acts))}")
    try:
        bound = inspect.signature(act).bind(launchpad, **given)
    except TypeError as error:
        raise BadStep(f"{name}: {error}") from error
    try:
        waiting = act(*bound.args, **bound.kwargs)
    except (BusFull, TypeError, ValueError) as error:
        raise BadStep(f"{name}: {error}") from error
    if waiting is not None:
        await waiting


async def play(launchpad: SimLaunchpad, beats: Iterable[Beat]) -> None:
    """Do each step at its time from now, at the Launchpad's pace. One that fails is noted, and no more."""
    begin = asyncio.get_running_loop().time()
    for beat in sorted(beats, key=lambda beat: beat.at_s):
        await asyncio.sleep(begin + beat.at_s / launchpad.pace - asyncio.get_running_loop().time())
        try:
            await perform(launchpad, beat.step)
        except BadStep as error:
            launchpad.record.note("scenario", what="step failed", step=beat.step.get("act"), why=str(error))


def choice(kind: type[Choice], value: object) -> Choice:
    """The member of an enum that has that value. Raises `BadStep` with those there are."""
    try:
        return kind(value)
    except ValueError as error:
        raise BadStep(f"{value!r} is none of {', '.join(str(one.value) for one in kind)}") from error


# Cables and power.


def _attach(pad: SimLaunchpad, *, phone: str, port: str | None = None) -> None:
    pad.attach(pad.phone(phone), port)


def _detach(pad: SimLaunchpad, *, phone: str) -> None:
    pad.detach(pad.phone(phone))


def _replug(pad: SimLaunchpad, *, phone: str) -> None:
    pad.replug(pad.phone(phone))


def _hub_off(pad: SimLaunchpad, *, hub: str) -> None:
    pad.hub_off(hub)


def _hub_on(pad: SimLaunchpad, *, hub: str) -> None:
    pad.hub_on(hub)


def _bring(
    pad: SimLaunchpad, *, character: str, name: str, number: int, port: str | None = None, attach: bool = True
) -> None:
    """A phone that nobody saw before, in one of the states that `characters` knows; its story begins now."""
    make = characters.BY_NAME.get(character)
    if make is None:
        raise BadStep(f"no character is called {character!r}; there are {', '.join(characters.BY_NAME)}")
    made = make(number, name=name, supervision=pad.supervision)
    made.prepare(pad)
    if attach:
        pad.attach(made.phone, port)
        pad.tell(play(pad, made.beats))


# What people do to a phone.


def _lock(pad: SimLaunchpad, *, phone: str) -> None:
    pad.phone(phone).lock()


def _unlock(pad: SimLaunchpad, *, phone: str) -> None:
    pad.phone(phone).unlock()


def _set_passcode(pad: SimLaunchpad, *, phone: str) -> None:
    pad.phone(phone).set_passcode()


def _reboot(pad: SimLaunchpad, *, phone: str) -> None:
    pad.phone(phone).reboot()


def _erase(pad: SimLaunchpad, *, phone: str) -> None:
    pad.phone(phone).erase()


def _enter_mode(pad: SimLaunchpad, *, phone: str, mode: str) -> None:
    pad.phone(phone).enter_mode(choice(Mode, mode))


def _hide(pad: SimLaunchpad, *, phone: str) -> None:
    pad.phone(phone).hide()


def _show(pad: SimLaunchpad, *, phone: str) -> None:
    pad.phone(phone).show()


def _trust(pad: SimLaunchpad, *, phone: str, answer: str, after_s: float = 0.0) -> None:
    one = pad.phone(phone)
    one.trust, one.trust_after_s = choice(Trust, answer), float(after_s)


def _forget_hosts(pad: SimLaunchpad, *, phone: str) -> None:
    pad.phone(phone).forget_hosts()


def _online(pad: SimLaunchpad, *, phone: str, online: bool) -> None:
    one = pad.phone(phone)
    one.online = online
    one.changed("online" if online else "offline")


# What goes wrong.


def _faults(pad: SimLaunchpad, *, phone: str, faults: list[str]) -> None:
    """From now on the phone has these faults and no others."""
    pad.phone(phone).faults = {choice(Fault, fault) for fault in faults}


def _lies(pad: SimLaunchpad, *, phone: str, values: dict[str, Any]) -> None:
    """From now on lockdown says these values instead of the true ones."""
    pad.phone(phone).lies = dict(values)


def _usbmuxd_fault(pad: SimLaunchpad, *, fault: str | None) -> None:
    pad.usbmuxd.fault = None if fault is None else choice(UsbmuxdFault, fault)
    pad.record.note("usbmuxd", what="fault", fault=fault)


async def _usbmuxd_stop(pad: SimLaunchpad) -> None:
    await pad.usbmuxd.stop()


async def _usbmuxd_start(pad: SimLaunchpad) -> None:
    await pad.usbmuxd.start()


async def _usbmuxd_restart(pad: SimLaunchpad) -> None:
    await pad.usbmuxd.restart()


# Pairings that were made before.


def _pair(pad: SimLaunchpad, *, phone: str) -> None:
    pad.pair(pad.phone(phone))


def _leave_stale_record(pad: SimLaunchpad, *, phone: str) -> None:
    pad.leave_stale_record(pad.phone(phone))


def _spoil_record(pad: SimLaunchpad, *, phone: str) -> None:
    pad.spoil_record(pad.phone(phone))


ACTS: dict[str, Act] = {
    "attach": _attach,
    "detach": _detach,
    "replug": _replug,
    "hub_off": _hub_off,
    "hub_on": _hub_on,
    "bring": _bring,
    "lock": _lock,
    "unlock": _unlock,
    "set_passcode": _set_passcode,
    "reboot": _reboot,
    "erase": _erase,
    "enter_mode": _enter_mode,
    "hide": _hide,
    "show": _show,
    "trust": _trust,
    "forget_hosts": _forget_hosts,
    "online": _online,
    "faults": _faults,
    "lies": _lies,
    "usbmuxd_fault": _usbmuxd_fault,
    "usbmuxd_stop": _usbmuxd_stop,
    "usbmuxd_start": _usbmuxd_start,
    "usbmuxd_restart": _usbmuxd_restart,
    "pair": _pair,
    "leave_stale_record": _leave_stale_record,
    "spoil_record": _spoil_record,
}
