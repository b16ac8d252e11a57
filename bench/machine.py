"""Names the machine and says how busy it was: a figure without them says nothing."""

import os
import platform
import sqlite3
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def described() -> str:
    """Cores, processor, system and the versions that matter, in one line."""
    return (
        f"{os.cpu_count()} cores, {_model()}, {_memory_gb():.0f} GB, Linux {platform.release()}, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )


def _model() -> str:
    return _field(Path("/proc/cpuinfo"), "model name") or platform.machine()


def _memory_gb() -> float:
    return float(_field(Path("/proc/meminfo"), "MemTotal").split()[0]) / 1024 / 1024


def _field(path: Path, name: str) -> str:
    for line in path.read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def others(for_s: float = 10.0) -> str:
    """How busy the machine is before anything is measured, of all its cores together."""
    before = busy_s()
    time.sleep(for_s)
    return f"{(busy_s() - before) / for_s / (os.cpu_count() or 1):.0%}"


def cpu_s(pid: int) -> float:
    """Seconds of CPU that a process has used so far, all of its threads together."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / TICKS


def busy_s() -> float:
    """Seconds of CPU that the whole machine has used so far, all cores together."""
    words = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    user, nice, system, _, _, irq, softirq, _ = map(int, words)
    return (user + nice + system + irq + softirq) / TICKS


def resident_mb(pid: int) -> float:
    """Resident memory of a process, in MB of 10⁶ bytes."""
    return int(_field(Path(f"/proc/{pid}/status"), "VmRSS").split()[0]) * 1024 / 1e6


def resident_bytes() -> int:
    """Resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
