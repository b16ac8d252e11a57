"""
The daemon as a service: told to stop and to reload by signals, known to systemd.
"""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from mamd.daemon.keeper import Keeper

log = structlog.get_logger()

WATCHDOG_S: Final = 10.0


def notify(text: str) -> None:
    """
    Tell systemd, if it listens. Source: sd_notify(3), a datagram to $NOTIFY_SOCKET.

    By hand: it is six lines, and the library for it has had no release since 2017.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to_systemd, contextlib.suppress(OSError):
        to_systemd.connect("\0" + address[1:] if address.startswith("@") else address)
        to_systemd.sendall(text.encode())


def on_signals(stop: asyncio.Event, reload: Callable[[str], Awaitable[str]]) -> None:
    """SIGTERM and SIGINT end the daemon; SIGHUP has it read its files again."""
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    def begin_reload() -> None:
        task = loop.create_task(_reload(reload))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, stop.set)
    loop.add_signal_handler(signal.SIGHUP, begin_reload)


async def _reload(reload: Callable[[str], Awaitable[str]]) -> None:
    notify("RELOADING=1")
    log.info("files.read_again", result=await reload("SIGHUP"))
    notify("READY=1")


async def watchdog(keeper: Keeper) -> None:
    """
    Tell systemd that there is progress, not only that we breathe.

    The keeper takes a turn for it; if that cannot be committed, or takes too long, nothing is
    told, and systemd restarts us.
    """
    while True:
        await keeper.clock.sleep_until(keeper.clock.now().up + WATCHDOG_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WATCHDOG_S):
                await keeper.heartbeat()
            notify("WATCHDOG=1")
