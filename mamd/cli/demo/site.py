"""The site of the demo: one folder with everything that an operator would have written for it."""

import os
import secrets
import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Final

from mamd.cli.demo.cast import FILES, cast, scenario

MDM: Final = "hospital"


@dataclass(frozen=True, slots=True)
class Keys:
    """Secrets of one demo, random and never written into a file."""

    api: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    hmac: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    token: str = field(default_factory=lambda: secrets.token_urlsafe(16), repr=False)


@dataclass(frozen=True, slots=True)
class Site:
    """
    Where everything of one demo is.

    Attributes:
        listen: HOST:PORT of the status page.
        webhooks: HOST:PORT at which the MDM tells the daemon what happens.
    """

    folder: Path
    listen: str
    webhooks: str
    keys: Keys = field(default_factory=Keys)

    @property
    def config(self) -> Path:
        """The daemon's mamd.yaml."""
        return self.folder / "mamd.yaml"

    @property
    def socket(self) -> Path:
        """The daemon's unix socket."""
        return self.folder / "mamd.sock"

    @property
    def log(self) -> Path:
        """The daemon's log."""
        return self.folder / "mamd.log"

    @property
    def journal(self) -> Path:
        """Where the daemon's journal is written at the end."""
        return self.folder / "journal.jsonl"

    @property
    def page(self) -> str:
        """The address of the status page, its token included: it opens the page of this demo only."""
        return f"http://{self.listen}/?token={self.keys.token}"

    @property
    def webhook(self) -> str:
        """Where the MDM posts."""
        return f"http://{self.webhooks}/v1/webhooks/{MDM}"

    def write(self, places: Mapping[str, str]) -> None:
        """
        Write mamd.yaml, its rules and workflows and the device list.

        Args:
            places: Where the simulator said that its things are.
        """
        for name in ("rules.yaml", "workflows.yaml", "scenario.yaml"):
            shutil.copyfile(FILES / name, self.folder / name)
        (self.folder / "devices.csv").write_text(scenario().registry(MDM))
        text = Template((FILES / "mamd.yaml").read_text()).substitute(
            usbmuxd=places["usbmuxd"],
            sysfs=places["sysfs"],
            certificate=places["supervision_certificate"],
            key=places["supervision_key"],
            mdm=places["mdm"],
            listen=self.listen,
            webhooks=self.webhooks,
            ports="\n".join(f'    {role.port}: "{role.label}"' for role in cast()),
        )
        self.config.write_text(text)

    def environment(self, pager: str) -> dict[str, str]:
        """The daemon's: ours with the demo's secrets, and without what would lead it elsewhere."""
        mine = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
        return mine | {
            "MAMD_DEMO_API_KEY": self.keys.api,
            "MAMD_DEMO_HMAC_KEY": self.keys.hmac,
            "MAMD_DEMO_TOKEN": self.keys.token,
            "MAMD_DEMO_PAGER": pager,
        }


_ELSEWHERE: Final = frozenset({"USBMUXD_SOCKET_ADDRESS", "MAMD_CONFIG", "NOTIFY_SOCKET", "WATCHDOG_USEC"})


def free_port() -> int:
    """A port on loopback that nobody listens on at this moment."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
