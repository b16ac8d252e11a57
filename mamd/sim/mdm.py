"""The simulated MDM as a whole: the server, the push service, and the MDM client of each enrolled phone.

async with SimMdm(api_key=…, webhook_url=…, hmac_key=…, notes=record) as mdm:
    device = await mdm.enrol(phone)
    mdm.fail(Fault(FaultKind.HANG_AFTER, times=1))
"""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Self

from mamd.sim.mdm_apns import Apns
from mamd.sim.mdm_device import Manners, MdmDevice
from mamd.sim.mdm_faults import Fault
from mamd.sim.mdm_queue import Storage
from mamd.sim.mdm_server import TOPIC, NanoMdmFake, Unrecorded
from mamd.sim.mdm_webhook import Notes
from mamd.sim.mdm_wire import Client
from mamd.sim.phone import Phone


class SimMdm:
    """A NanoMDM with its devices, on loopback. `server`, `apns` and `devices` have switches for faults."""

    def __init__(
        self,
        api_key: str,
        *,
        webhook_url: str | None = None,
        hmac_key: str | None = None,
        notes: Notes | None = None,
        storage: Storage = Storage.FILEKV,
        leaky: bool = False,
        port: int = 0,
    ) -> None:
        self._notes = notes or Unrecorded()
        self.apns = Apns()
        self.server = NanoMdmFake(
            api_key,
            webhook_url=webhook_url,
            hmac_key=hmac_key,
            apns=self.apns,
            notes=self._notes,
            storage=storage,
            leaky=leaky,
            port=port,
        )
        self.devices: dict[str, MdmDevice] = {}
        self._client = Client()

    @property
    def url(self) -> str:
        """What the `url` of this MDM in mamd.yaml would say."""
        return self.server.url

    async def __aenter__(self) -> Self:
        await self.server.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for device in self.devices.values():
            await device.stop()
        await self.server.__aexit__(kind, error, trace)
        self._client.close()

    async def stop(self) -> None:
        """Take the server down: connections are refused, what is queued stays."""
        await self.server.go_down()

    async def start(self) -> None:
        """Bring the server back at the same address."""
        await self.server.come_back()

    async def enrol(self, phone: Phone, manners: Manners | None = None) -> MdmDevice:
        """Enrol a phone and have it woken by pushes; a phone that is enrolled enrols again."""
        device = self.device(phone, manners)
        await device.enrol()
        device.start()
        return device

    def device(self, phone: Phone, manners: Manners | None = None) -> MdmDevice:
        """The MDM client of this phone, made if need be, and not yet enrolled then."""
        found = self.devices.get(phone.udid)
        if found is None:
            phone.on_change(lambda changed, _: self.phone_changed(changed.udid))
            found = self.devices[phone.udid] = MdmDevice(
                phone,
                self.server.device_url,
                topic=TOPIC,
                apns=self.apns,
                notes=self._notes,
                manners=manners,
                client=self._client,
            )
        elif manners is not None:
            found.manners = manners
        return found

    async def enrol_all(self, phones: Iterable[Phone]) -> None:
        """Enrol many, one after the other."""
        for phone in phones:
            await self.enrol(phone)

    def fail(self, fault: Fault | None) -> None:
        """Put a fault of the server's API in force, or none."""
        self.server.fail(fault)

    def phone_changed(self, udid: str) -> None:
        """Tell a phone's MDM client that the phone changed; a phone without one is no matter."""
        if udid in self.devices:
            self.devices[udid].phone_changed()
