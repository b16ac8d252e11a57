"""What the daemon was told about this house, as far as decisions need it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo

from mamd.core.governor import Limits
from mamd.core.rules import Mode, RuleSet
from mamd.core.storm import StormLimits


@dataclass(frozen=True, slots=True)
class PortPlan:
    """A port as the shelf prints it."""

    label: str
    charge_only: bool = False


@dataclass(frozen=True, slots=True)
class MdmPlan:
    """One MDM as the configuration has it, without its secrets."""

    name: str
    kind: str
    url: str
    clears_when_not_pairing: bool = False


@dataclass(frozen=True, slots=True)
class House:
    """
    Settings and rules that are in force. Replaced as a whole by a reload.

    Attributes:
        again_after_s: How long until people are called again about the same matter.
    """

    launchpad: str
    timezone: tzinfo
    rules: RuleSet = RuleSet()  # noqa: RUF009  a frozen value
    labels: tuple[str, ...] = ()
    mode: Mode = Mode.AUTO
    recovery_mode: Mode = Mode.OBSERVE
    limits: Limits = Limits()  # noqa: RUF009  a frozen value
    storm: StormLimits = StormLimits()  # noqa: RUF009  a frozen value
    ports: Mapping[str, PortPlan] = field(default_factory=dict)
    mdms: Mapping[str, MdmPlan] = field(default_factory=dict)
    again_after_s: float = 1800.0
    version: str = ""

    def port(self, path: str) -> PortPlan:
        """A port's plan; one that the configuration does not name is labelled by its path."""
        return self.ports.get(path, PortPlan(path))
