"""The real NanoMDM (v0.9.0), unchanged, with simulated phones enrolled in it by Apple's protocol.

    async with Receiver(HMAC_KEY) as receiver:
        async with real_nanomdm(tmp_path, FILEKV, receiver.url) as mdm:      # or pgsql(address)
            device = await mdm.enrol(phone)                     # its UnlockToken comes to the receiver
            mdm.apns.fault = PushFault.UNREGISTERED             # pushes fail: 500, but queued
            device.manners.not_now["ClearPasscode"] = 2
            await mdm.stop(); await mdm.start()                 # down and back: same port, same data

Any address may take the receiver's place, the product's own webhook listener above all.
"""

import asyncio
import base64
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mamd.sim.mdm_apns import Apns
from mamd.sim.mdm_device import Manners, MdmDevice
from mamd.sim.mdm_identity import Authority, push_certificate
from mamd.sim.mdm_server import TOPIC, Unrecorded
from mamd.sim.mdm_webhook import Notes
from mamd.sim.mdm_wire import Client
from mamd.sim.phone import Phone
from tests.canary import API_KEY, HMAC_KEY
from tests.mdm.fake_apns import FakeApns
from tests.needs import need


@dataclass(frozen=True, slots=True)
class StorageFlags:
    """Where this server keeps its data: the values of -storage and -storage-dsn."""

    kind: str
    dsn: str = field(default="")


FILEKV = StorageFlags("filekv")


def pgsql(dsn: str) -> StorageFlags:
    """A database made by `tests.mdm.postgres.Postgres.database(schema())`."""
    return StorageFlags("pgsql", dsn)


def schema() -> Path:
    """NanoMDM's tables for PostgreSQL, out of the very module that the program was built from."""
    found = subprocess.run(
        [need("go"), "mod", "download", "-json", "github.com/micromdm/nanomdm@v0.9.0"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    line = next(line for line in found.stdout.splitlines() if '"Dir"' in line)
    return Path(line.split('"')[3]) / "storage" / "pgsql" / "schema.sql"


class RealNanoMdm:
    """A NanoMDM process that can be stopped, killed and started again over the same data."""

    def __init__(
        self, folder: Path, storage: StorageFlags, webhook_url: str, push: FakeApns, authority: Authority,
        apns: Apns, notes: Notes,
    ) -> None:  # fmt: skip
        self.apns, self.log = apns, folder / "nanomdm.log"
        self._folder, self._storage, self._webhook_url = folder, storage, webhook_url
        self._push, self._authority, self._notes = push, authority, notes
        self._port = _free_port()
        self._process: asyncio.subprocess.Process | None = None
        self._client = Client()
        self._devices: dict[str, MdmDevice] = {}

    @property
    def url(self) -> str:
        """The origin of the API."""
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Start the process and wait until it answers; a second call does nothing."""
        if self._process is not None:
            return
        ca = self._folder / "ca.pem"
        ca.write_bytes(self._authority.pem)
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._words(ca), env=os.environ | self._push.environment, stdout=log, stderr=log,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        await self._answers()

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the process and wait for it; webhook events under way are lost. Twice is once."""
        if self._process is None:
            return
        process, self._process = self._process, None
        if process.returncode is None:
            process.send_signal(how)
        await process.wait()
        self._client.close()

    async def close(self) -> None:
        """Stop all devices and the process."""
        for device in self._devices.values():
            await device.stop()
        await self.stop()

    def device(self, phone: Phone, manners: Manners | None = None) -> MdmDevice:
        """The MDM client of this phone, with an identity of its own, made if need be."""
        found = self._devices.get(phone.udid)
        if found is None:
            phone.on_change(lambda changed, _: self._devices[changed.udid].phone_changed())
            found = self._devices[phone.udid] = MdmDevice(
                phone, f"{self.url}/mdm", topic=TOPIC, apns=self.apns, notes=self._notes, manners=manners,
                identity=self._authority.device(f"MDM identity {phone.serial}"),
            )  # fmt: skip
        return found

    async def enrol(self, phone: Phone, manners: Manners | None = None) -> MdmDevice:
        """Enrol a phone and have it woken by pushes; a phone that is enrolled enrols again."""
        device = self.device(phone, manners)
        await device.enrol()
        device.start()
        return device

    async def upload_push_certificate(self) -> None:
        """Let the server push to our phones; `real_nanomdm` has done this."""
        credentials = {"Authorization": basic_auth(API_KEY)}
        upload = push_certificate(TOPIC)
        answer = await self._client.call("PUT", f"{self.url}/v1/pushcert", upload, credentials)
        assert answer.status == 200, answer.body

    def _words(self, ca: Path) -> list[str]:
        dsn = self._storage.dsn or str(self._folder / "dbkv")
        return [
            str(need("nanomdm")), "-listen", f"127.0.0.1:{self._port}", "-api", API_KEY, "-ca", str(ca),
            "-storage", self._storage.kind, "-storage-dsn", dsn,
            "-webhook-url", self._webhook_url, "-webhook-hmac-key", HMAC_KEY,
        ]  # fmt: skip

    async def _answers(self) -> None:
        async with asyncio.timeout(20):
            while True:
                assert self._process is not None
                assert self._process.returncode is None, self.log.read_text()[-2000:]
                try:
                    await self._client.call("GET", f"{self.url}/version")
                    return
                except OSError:
                    await asyncio.sleep(0.02)  # a process says nothing when it begins to listen


@asynccontextmanager
async def real_nanomdm(
    folder: Path, storage: StorageFlags, webhook_url: str, *, notes: Notes | None = None
) -> AsyncIterator[RealNanoMdm]:
    """A running NanoMDM with the keys of `tests.canary`, a push service and a push certificate."""
    apns, authority = Apns(), Authority()
    async with FakeApns(apns, authority, folder) as push:
        mdm = RealNanoMdm(folder, storage, webhook_url, push, authority, apns, notes or Unrecorded())
        try:
            await mdm.start()
            await mdm.upload_push_certificate()
            yield mdm
        finally:
            await mdm.close()


def basic_auth(api_key: str) -> str:
    """The Authorization header of NanoMDM's API."""
    return "Basic " + base64.b64encode(f"nanomdm:{api_key}".encode()).decode()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
