"""
Bounds where pymobiledevice3 11.45.0 has none, put on from outside: the library itself stays as it is.

    requests            no timeout            → one for connecting, one for the answer
    irecv.find          asked without a pause → ten times a second, and at the job's port only (usbs)
    IRecv._reinit       waits for 136 years   → `again_s`
    TSS                 IndexError for HTML   → unreachable; a refusal is told from an outage
    data ports          retried for ever      → `data_port_s`
    ProgressBar         drawn                 → said
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final
from xml.parsers.expat import ExpatError

import requests
from pymobiledevice3 import irecv
from pymobiledevice3.exceptions import ConnectionFailedError, TSSError
from pymobiledevice3.restore import asr, restore, tss
from pymobiledevice3.service_connection import ServiceConnection

from mamd.recovery import usbs
from mamd.recovery.causes import Cause, Ended
from mamd.recovery.job import Job, Limits
from mamd.recovery.lines import clipped
from mamd.recovery.speaker import Speaker, SpokenBar

PORT_PAUSE_S: Final = 0.2
_FOR_EVER: Final = 0xFFFFFFFF


def install(job: Job, speaker: Speaker) -> None:
    """Put all of them on, once for this process."""
    _bound_requests(job.limits)
    usbs.look_only_at(job.port)
    _bound_reinit(job.limits)
    _bound_data_ports(job.limits)
    _translate_tss()
    if job.tss is not None:
        tss.TSS_CONTROLLER_ACTION_URL = job.tss
    SpokenBar.speaker = speaker
    for module in (irecv, asr, restore):
        _replace(module, "ProgressBar", SpokenBar)


def _replace(module: Any, name: str, value: object) -> None:
    assert hasattr(module, name), f"pymobiledevice3 has changed: {module.__name__} has no {name}"
    setattr(module, name, value)


def _bound_requests(limits: Limits) -> None:
    original = requests.Session.request

    def request(self: requests.Session, *args: Any, **more: Any) -> requests.Response:
        if more.get("timeout") is None:
            more["timeout"] = (limits.connect_s, limits.answer_s)
        return original(self, *args, **more)

    _replace(requests.Session, "request", request)


def _bound_reinit(limits: Limits) -> None:
    reinit = irecv.IRecv._reinit

    def bounded_reinit(
        self: irecv.IRecv,
        ecid: int | None = None,
        timeout: float = _FOR_EVER,
        is_recovery: bool | None = None,
    ) -> None:
        within = limits.again_s if timeout == _FOR_EVER else timeout
        reinit(self, ecid=ecid, timeout=within, is_recovery=is_recovery)  # type: ignore[arg-type]

    _replace(irecv.IRecv, "_reinit", bounded_reinit)


def _bound_data_ports(limits: Limits) -> None:
    """The library's loops catch ConnectionFailedError and go on; what comes out of here ends them."""
    since: dict[int, float] = {}

    class Patient(ServiceConnection):
        @classmethod
        async def create_using_usbmux(
            cls, udid: str | None, port: int, *args: Any, **more: Any
        ) -> ServiceConnection:
            try:
                connection = await ServiceConnection.create_using_usbmux(udid, port, *args, **more)
            except ConnectionFailedError as error:
                began = since.setdefault(port, time.monotonic())
                if time.monotonic() - began > limits.data_port_s:
                    raise Ended(Cause.DEVICE_LOST, f"port {port} of the device never opened") from error
                await asyncio.sleep(PORT_PAUSE_S)
                raise
            since.pop(port, None)
            return connection

    _replace(restore, "ServiceConnection", Patient)


def _translate_tss() -> None:
    original = tss.TSSRequest.send_receive

    async def send_receive(self: tss.TSSRequest) -> tss.TSSResponse:
        return await _asked_of_tss(lambda: original(self))

    _replace(tss.TSSRequest, "send_receive", send_receive)


async def _asked_of_tss(ask: Callable[[], Coroutine[Any, Any, tss.TSSResponse]]) -> tss.TSSResponse:
    try:
        return await ask()
    except TSSError as error:
        # Apple's server says this of itself, too; that is no word about the build.
        is_outage = "internal error" in str(error).lower()
        cause = Cause.TSS_UNREACHABLE if is_outage else Cause.TSS_REFUSED
        raise Ended(cause, clipped(str(error))) from error
    except requests.RequestException as error:
        why = f"no answer from the signing server ({type(error).__name__})"
        raise Ended(Cause.TSS_UNREACHABLE, why) from error
    except (IndexError, ValueError, ExpatError) as error:
        raise Ended(Cause.TSS_UNREACHABLE, "what answered is not the signing server") from error
