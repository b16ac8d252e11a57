"""Plays the demo: start both sides, tell the story, show what happens, and judge it."""

import asyncio
import re
import signal
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, Final

import httpx

from mamd.cli.demo.asking import Asking
from mamd.cli.demo.cast import END_S, by_udid, cast
from mamd.cli.demo.chronicle import Chronicle
from mamd.cli.demo.judge import Verdict, judge
from mamd.cli.demo.pager import Pager
from mamd.cli.demo.processes import START_S, DidNotStart, daemon, export_journal, last_words, simulator
from mamd.cli.demo.show import Show, in_short, screen
from mamd.cli.demo.site import Site, free_port
from mamd.sim.record import Record

TICK_S: Final = 0.5
_ADDRESS: Final = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}")
GRACE_S: Final = 30.0
"""How much longer a slow host gets until everything has come true."""


def demo(seconds: float | None = None, http: str | None = None, headless: bool = False) -> int:
    """
    Play the demo to its end.

    Args:
        seconds: How long to go on at least, for whoever wants to look at the page; the story itself
            takes 80 seconds and is always told to its end.
        http: HOST:PORT of the status page; any free port of loopback if not given.
        headless: Plain lines, as without a terminal.

    Returns:
        0 if all of the story came true by the simulator's record of the wire; 1 if anything did not,
        or a process did not start; 2 if `http` is no address.
    """
    show = Show(screen(), headless=headless)
    if http is not None and not _ADDRESS.fullmatch(http):
        show.say(f"mamd demo: --http {http} is no address; write it as 127.0.0.1:8780")
        return 2
    folder = Path(tempfile.mkdtemp(prefix="mamd-demo-"))
    site = Site(folder, http or f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}")
    try:
        return asyncio.run(_until_told(_play(site, show, max(END_S, seconds or 0.0))))
    except DidNotStart as error:
        show.say(f"mamd demo: {error}")
    except (KeyboardInterrupt, asyncio.CancelledError):
        show.say(f"mamd demo: stopped; what was seen so far lies in {folder}")
    return 1


async def _until_told(playing: Coroutine[Any, Any, int]) -> int:
    """Play, and at SIGTERM end both processes before we do."""
    task = asyncio.ensure_future(playing)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


async def _play(site: Site, show: Show, until_s: float) -> int:
    show.say(f"mamd demo: everything of it is in {site.folder}")
    async with Pager(site.folder / "pager.jsonl") as pager, simulator(site) as places:
        site.write(places)
        async with daemon(site, pager.url) as process, Asking(site.socket) as asking:
            await _ready(asking, process, site)
            show.say(f"mamd demo: the status page is at {site.page}")
            show.say(
                "mamd demo: 20 simulated phones; the story takes 80 seconds, with waits of 20 s, not 5 min"
            )
            await _tell(places, show, asking, process, pager, site, until_s)
            verdicts = await _judged(places, pager)
            whys = await _whys(asking, site)
            await export_journal(site)
    show.outcome(verdicts, whys)
    show.say(f"mamd demo: record, logs and each phone's `mamd why` are in {site.folder}")
    show.say(f"mamd demo: to take all its turns again: mamd replay {site.journal}")
    return 0 if all(one.is_true for one in verdicts) else 1


async def _ready(asking: Asking, process: Process, site: Site) -> None:
    begin = time.monotonic()
    while not await asking.is_ready():
        if process.returncode is not None or time.monotonic() - begin > START_S:
            raise DidNotStart(f"the daemon did not start; the end of {site.log}:\n{last_words(site.log)}")
        await asyncio.sleep(0.2)


async def _tell(
    places: Mapping[str, str],
    show: Show,
    asking: Asking,
    process: Process,
    pager: Pager,
    site: Site,
    until_s: float,
) -> None:
    """Let the simulator play the story, and show what happens until its end."""
    begin = time.monotonic()
    async with httpx.AsyncClient(timeout=30.0) as http:
        step = {"act": "play", "scenario": str(site.folder / "scenario.yaml")}
        (await http.post(f"{places['control']}/acts", json=step)).raise_for_status()
    chronicles = [Chronicle(path, by_udid(), begin) for path in (Path(places["record"]), pager.path)]
    with show:
        while (left := begin + until_s - time.monotonic()) > 0:
            if process.returncode is not None:
                raise DidNotStart(f"the daemon ended; the end of {site.log}:\n{last_words(site.log)}")
            show.news([text for _, text in sorted(line for one in chronicles for line in one.news())])
            show.standings(cast(), await asking.standings(), left_s=left)
            await asyncio.sleep(min(TICK_S, left))


async def _judged(places: Mapping[str, str], pager: Pager) -> tuple[Verdict, ...]:
    """What became of everybody. A slow host may need longer; what is wrong for good stays so."""
    deadline = time.monotonic() + GRACE_S
    while True:
        verdicts = judge(cast(), Record.read(Path(places["record"])), pager.calls())
        if all(one.is_true for one in verdicts) or time.monotonic() >= deadline:
            return verdicts
        await asyncio.sleep(TICK_S)


async def _whys(asking: Asking, site: Site) -> Mapping[str, str]:
    """What `mamd why` says of each, kept in a file each; its first reason, for the table."""
    folder = site.folder / "why"
    folder.mkdir(exist_ok=True)
    found = {}
    for role in cast():
        lines = await asking.why(role.name)
        (folder / f"{role.name}.txt").write_text("\n".join(lines) + "\n")
        found[role.name] = in_short(lines)
    return found
