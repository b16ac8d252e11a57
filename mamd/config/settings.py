"""What an operator decided about this Launchpad, as frozen values with every default filled in."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from mamd.config.secret import Secret
from mamd.core.governor import Limits
from mamd.core.rules import Mode
from mamd.core.storm import StormLimits

ROLES: Final = ("view", "operate", "approve")
"""Of a token, from the one that may least; each may what those before it may."""


@dataclass(frozen=True, slots=True)
class HostPort:
    """Where to listen."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class PortSettings:
    """One port of a hub: its path in sysfs, and the label printed on the shelf."""

    path: str
    label: str
    is_charge_only: bool = False


@dataclass(frozen=True, slots=True)
class SupervisionIdentity:
    """The organisation's certificate and key, both as they lie in their files (PEM)."""

    certificate: bytes
    key: Secret


@dataclass(frozen=True, slots=True)
class LaunchpadSettings:
    """
    This host and its hubs.

    Attributes:
        usbmuxd: A path, `UNIX:/path` or `HOST:PORT`.
        usb: `module:function` that gives a pyusb backend; None is libusb.
    """

    name: str
    labels: tuple[str, ...] = ()
    timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    usbmuxd: str = "/var/run/usbmuxd"
    sysfs: Path = Path("/sys")
    usb: str | None = None
    is_supervised_only: bool = False
    supervision_identity: SupervisionIdentity | None = None
    ports: tuple[PortSettings, ...] = ()


@dataclass(frozen=True, slots=True)
class MdmSettings:
    """One MDM. `clears_when_not_pairing` is its switch `clear_passcode_when_not_pairing`."""

    name: str
    kind: str
    url: str
    api_key: Secret
    webhook_hmac_key: Secret | None = None
    clears_when_not_pairing: bool = False


@dataclass(frozen=True, slots=True)
class WebhookCall:
    """People are told at this address, which is a secret."""

    address: Secret


@dataclass(frozen=True, slots=True)
class CommandCall:
    """People are told by this program."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PeopleSettings:
    """Who is called, beside page, status, metric and log; and how long until they are called again."""

    on_duty: tuple[WebhookCall | CommandCall, ...] = ()
    again_after_s: float = 1800.0


@dataclass(frozen=True, slots=True)
class Token:
    """Who holds this token may what its role may, under this name."""

    name: str
    role: str
    token: Secret


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Where people, programs and MDMs reach the daemon. None: there is no such listener."""

    listen: HostPort | None = HostPort("127.0.0.1", 8780)
    socket: Path = Path("/run/mamd/mamd.sock")
    webhooks: HostPort | None = None
    tokens: tuple[Token, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """
    All of mamd.yaml.

    Attributes:
        file: Where it was read.
        rules, workflows: Files and folders, absolute.
        vault_key: None: STATE/vault.key, made at the first start.
        recovery_mode: How far erases by cable may go.
    """

    file: Path
    launchpad: LaunchpadSettings
    mode: Mode = Mode.AUTO
    state: Path = Path("/var/lib/mamd")
    rules: tuple[Path, ...] = ()
    workflows: tuple[Path, ...] = ()
    devices: Path | None = None
    mdms: tuple[MdmSettings, ...] = ()
    vault_key: Secret | None = None
    recovery_mode: Mode = Mode.OBSERVE
    limits: Limits = Limits()  # noqa: RUF009  a frozen value
    storm: StormLimits = StormLimits()  # noqa: RUF009  a frozen value
    people: PeopleSettings = PeopleSettings()
    http: HttpSettings = HttpSettings()

    @property
    def switched_mdms(self) -> tuple[str, ...]:
        """Names of the MDMs whose devices are cleared when they do not pair."""
        return tuple(mdm.name for mdm in self.mdms if mdm.clears_when_not_pairing)
