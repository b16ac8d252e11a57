"""The phones of the demo: who each is, where it is brought, and what has to become of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from mamd.sim.scenario import Scenario, load

FILES: Final = Path(str(files("mamd.cli.demo"))) / "files"
SCENARIO: Final = FILES / "scenario.yaml"
WAIT_S: Final = 20.0
"""How long the demo's workflow waits for a clear, in seconds; its file says so, too."""
STORY_S: Final = 65.0
"""When the last thing happens to the phones."""
END_S: Final = 80.0
"""When the demo looks at what became of them: the last act of the daemon would be 5 s after the story."""


class Fate(Enum):
    """What has to become of a phone, as a person would put it."""

    CLEARED = "cleared and paired"
    ERASE_DUE = "never cleared: its erase is due, and a person was told"
    UNLOCKED = "cleared where it lay, paired and locked"
    PERSONAL = "personal: left alone"
    STOLEN = "stolen: left alone"
    TRUST = "waits for somebody to tap Trust; a person was told"
    CABLE = "comes and goes: one alarm about its cable, nothing concluded"
    HIDDEN = "hidden from usbmux: a person was told, nothing was done"
    STORM = "in the storm: nothing done"


@dataclass(frozen=True, slots=True)
class Role:
    """One phone of the cast. `port` as the kernel names it, `label` as the shelf does."""

    name: str
    udid: str
    port: str
    label: str
    fate: Fate


_FATES: Final[Mapping[str, Fate]] = {
    "offline": Fate.ERASE_DUE,
    "locked": Fate.CLEARED,
    "docked": Fate.UNLOCKED,
    "personal": Fate.PERSONAL,
    "stolen": Fate.STOLEN,
    "untrusted": Fate.TRUST,
    "hidden": Fate.HIDDEN,
    "cable": Fate.CABLE,
    "shift": Fate.CLEARED,
    "hub": Fate.STORM,
}
"""By the first part of the name that the scenario gives."""


@cache
def scenario() -> Scenario:
    """The demo's story; read once, since making phones takes a while."""
    return load(str(SCENARIO))


@cache
def cast() -> tuple[Role, ...]:
    """Every phone, in the order of the shelf."""
    ports = {
        beat.step["phone"]: beat.step["port"] for beat in scenario().beats if beat.step["act"] == "attach"
    }
    names = {one.phone.name: one.phone.udid for one in scenario().cast}
    in_order = sorted(names, key=lambda name: ports[name])
    return tuple(
        Role(name, names[name], ports[name], str(number), _FATES[name.partition("-")[0]])
        for number, name in enumerate(in_order, 1)
    )


def by_udid() -> Mapping[str, Role]:
    """Who has that UDID."""
    return {role.udid: role for role in cast()}
