"""`python -m mamd.sim`: a Launchpad without cables, in a process of its own.

Its first line on standard output is JSON and says where everything is; it ends at SIGTERM, SIGINT, or when
whoever holds its standard input closes it (with --until-eof).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from mamd.sim.control import Control
from mamd.sim.keys import Supervision
from mamd.sim.launchpad import SimLaunchpad
from mamd.sim.mdm_act import mdm_act
from mamd.sim.mdm_part import MdmPart
from mamd.sim.phone import Phone
from mamd.sim.record import Record
from mamd.sim.scenario import SHIPPED, BadScenario, Scenario, load, play_act

DEVICES = "devices.csv"  # what a site with the scenario's phones would have in its registry
API_KEY, HMAC_KEY = "MAMD_SIM_API_KEY", "MAMD_SIM_HMAC_KEY"  # in the environment: arguments are seen by all


def main(argv: list[str] | None = None) -> int:
    """Run until told to end. 0; 2 for wrong usage or a scenario that does not load."""
    options = _options(argv)
    options.folder.mkdir(parents=True, exist_ok=True)
    supervision = _supervision(options.folder)
    try:
        scenario = load(options.scenario, supervision) if options.scenario else None
    except BadScenario as error:
        print(error, file=sys.stderr)
        return 2
    if scenario is not None:
        (options.folder / DEVICES).write_text(scenario.registry(options.mdm_name))
    asyncio.run(_run(options, supervision, scenario))
    return 0


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m mamd.sim", description="A Launchpad without cables.")
    parser.add_argument("--folder", type=Path, required=True, help="where sockets, /sys and the record go")
    parser.add_argument("--scenario", help=f"a file, or one of {', '.join(SHIPPED)}")
    parser.add_argument("--pace", type=float, default=1.0, help="2 plays the story twice as fast")
    parser.add_argument(
        "--control", type=int, default=0, metavar="PORT", help="the control API's, on loopback"
    )
    parser.add_argument("--boot-s", type=float, default=0.0, help="how long a phone takes to start anew")
    parser.add_argument("--exits-with-last", action="store_true", help="usbmuxd exits with its last device")
    parser.add_argument(
        "--quiet", action="append", default=[], metavar="KIND", help="do not record this kind"
    )
    parser.add_argument("--until-eof", action="store_true", help="end when standard input ends")
    parser.add_argument("--mdm", type=int, metavar="PORT", help="the phones have an MDM, there (0: any port)")
    parser.add_argument("--mdm-name", default="", metavar="NAME", help="what the device list calls that MDM")
    parser.add_argument("--webhook", metavar="URL", help="where the MDM posts what happens")
    parser.add_argument(
        "--mark", default="", help="unlock tokens begin with this, so that leaks can be found"
    )
    options = parser.parse_args(argv)
    if options.mdm is not None and not os.environ.get(API_KEY):
        parser.error(
            f"--mdm needs the API key in the environment, as {API_KEY} (and {HMAC_KEY} for the webhook)"
        )
    return options


async def _run(options: argparse.Namespace, supervision: Supervision, scenario: Scenario | None) -> None:
    ended = asyncio.Event()
    _end_by(ended, until_eof=options.until_eof)
    control = Control(options.control)
    mdm = _mdm(options)
    launchpad = SimLaunchpad(
        options.folder,
        parts=[_Marks(options.mark.encode()), *([mdm] if mdm else []), control],
        record=Record(options.folder / "record.jsonl", skip=frozenset(options.quiet)),
        supervision=supervision,
        pace=options.pace,
        exits_with_last=options.exits_with_last,
        boot_s=options.boot_s,
    )
    async with launchpad:
        launchpad.acts["play"] = play_act
        if mdm is not None:
            launchpad.acts["mdm"] = mdm_act(mdm)
        _say_where(launchpad, control, mdm)
        if scenario is not None:
            launchpad.tell(scenario.play(launchpad))
        await ended.wait()


def _say_where(launchpad: SimLaunchpad, control: Control, mdm: MdmPart | None) -> None:
    places = {
        "usbmuxd": str(launchpad.socket),
        "sysfs": str(launchpad.sysfs),
        "record": str(launchpad.record.path),
        "control": control.url,
        "devices": str(launchpad.folder / DEVICES),
        "supervision_certificate": str(launchpad.folder / "organisation.crt"),
        "supervision_key": str(launchpad.folder / "organisation.key"),
    }
    if mdm is not None:
        places["mdm"] = mdm.mdm.url
    print(json.dumps(places), flush=True)


def _mdm(options: argparse.Namespace) -> MdmPart | None:
    if options.mdm is None:
        return None
    keys = os.environ[API_KEY], os.environ.get(HMAC_KEY)
    return MdmPart(keys[0], webhook_url=options.webhook, hmac_key=keys[1], port=options.mdm)


class _Marks:
    """A part that marks the unlock token of each phone, before its MDM sees it."""

    def __init__(self, mark: bytes) -> None:
        self._mark = mark

    async def start(self, launchpad: SimLaunchpad) -> None:
        """Nothing: phones are marked when they are met."""

    async def stop(self) -> None:
        """Nothing runs."""

    def met(self, phone: Phone) -> None:
        """Mark it."""
        phone.unlock_token = self._mark + phone.unlock_token


def _end_by(ended: asyncio.Event, *, until_eof: bool) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    if until_eof:
        loop.add_reader(
            sys.stdin.fileno(), lambda: None if os.read(sys.stdin.fileno(), 4096) else ended.set()
        )


def _supervision(folder: Path) -> Supervision:
    """The organisation that supervises the phones; made once a folder, so that a daemon can be given it."""
    certificate, key = folder / "organisation.crt", folder / "organisation.key"
    if not certificate.exists():
        made = Supervision.new("Simulated Organisation")
        key.touch(0o600)
        key.write_bytes(made.key)
        certificate.write_bytes(made.certificate)
    return Supervision(certificate.read_bytes(), key.read_bytes())


if __name__ == "__main__":
    sys.exit(main())
