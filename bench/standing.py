"""What the daemon costs while many devices stand there, and how soon it looks again after a kill -9."""

import time

from bench import machine
from bench.programs import until
from bench.table import Row, Spread, seconds
from bench.ward import Ward

SETTLE_S = 20.0


def rows(ward: Ward, words: str, aim: str, *, for_s: float) -> list[Row]:
    """CPU and memory of the daemon while nothing changes."""
    time.sleep(SETTLE_S)
    pid, begun = ward.daemon.pid, time.monotonic()
    cpu, busy = machine.cpu_s(pid), machine.busy_s()
    time.sleep(for_s)
    cpu, busy, passed = machine.cpu_s(pid) - cpu, machine.busy_s() - busy, time.monotonic() - begun
    looks = ward.looks(begun)
    per_look = f"{looks / passed:.0f} looks/s, {cpu / looks * 1000:.2f} ms of CPU a look"
    others = f"the machine as a whole {busy / passed * 100:.0f} %, the simulator included"
    return [
        Row(
            f"{words}: CPU of the daemon, of one core over {passed:.0f} s", f"{cpu / passed:.1%}", aim, others
        ),
        Row(f"{words}: of which", per_look),
        Row(f"{words}: resident memory", f"{machine.resident_mb(pid):.0f} MB", "<= 110 MB"),
    ]


def restarts(ward: Ward, *, times: int) -> list[Row]:
    """From a kill -9 with open runs, the daemon started anew at once, to its first look at a device."""
    ((runs,),) = ward.rows("select count(*) from runs where is_open")
    took = [_restart(ward) for _ in range(times)]
    each = ", ".join(map(seconds, took))
    what = f"kill -9 to the first look, {runs:,} open runs, {times} times"
    return [Row(what, f"{Spread.of(took).p50:.2f} s (each: {each})", "<= 2 s")]


def _restart(ward: Ward) -> float:
    killed = time.monotonic()
    ward.daemon.kill()
    ward.daemon.start()
    first = until(
        lambda: next(ward.look_times(killed), None), within_s=60, what="a look after the start", every_s=0.5
    )
    time.sleep(5)  # so that the next one meets a daemon that has settled
    return first - killed
