"""What a user would pick instead: a shell loop of libimobiledevice's tools over the same devices."""

import os
import resource
import shutil
import subprocess
import time

from bench import machine
from bench.table import Row, seconds
from bench.ward import Ward

LOOP = 'for udid in $(idevice_id -l); do idevicepair -u "$udid" validate; done'
SETTLE_S = 20.0


def rows(ward: Ward, words: str, *, for_s: float) -> list[Row]:
    """CPU for each device and sweep, of the daemon and of the loop. The daemon is ended in between."""
    ours = _ours(ward, for_s)
    ward.daemon.end()
    if shutil.which("idevicepair") is None or shutil.which("idevice_id") is None:
        return [Row(f"{words}: CPU a device and sweep", seconds(ours), "", "no libimobiledevice tools here")]
    loop, took = _sweep(ward)
    beside = f"shell loop: {seconds(loop)} ({took:.1f} s for the sweep); × 1/{loop / ours:.0f}"
    return [Row(f"{words}: CPU of the daemon a device and sweep", seconds(ours), "", beside)]


def _ours(ward: Ward, for_s: float) -> float:
    """A sweep is one look at each device."""
    time.sleep(SETTLE_S)
    begun, cpu = time.monotonic(), machine.cpu_s(ward.daemon.pid)
    time.sleep(for_s)
    return (machine.cpu_s(ward.daemon.pid) - cpu) / ward.looks(begun)


def _sweep(ward: Ward) -> tuple[float, float]:
    """Seconds of CPU a device that the loop's processes used, and how long one sweep took."""
    home = ward.folder / "home"
    home.mkdir(exist_ok=True)
    surroundings = {"PATH": os.environ["PATH"], "HOME": str(home)}
    surroundings["USBMUXD_SOCKET_ADDRESS"] = f"UNIX:{ward.folder / 'sim' / 'usbmuxd'}"
    before, begun = _children_s(), time.monotonic()
    subprocess.run(["sh", "-c", LOOP], env=surroundings, stdout=subprocess.DEVNULL, check=False)
    return (_children_s() - before) / len(ward.names), time.monotonic() - begun


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
