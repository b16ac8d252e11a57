"""One phone at one USB address on one port: what usbmuxd and the kernel would number."""

from __future__ import annotations

from dataclasses import dataclass, field

from mamd.sim.phone import Phone
from mamd.sim.tunnel import Accept


@dataclass(frozen=True, slots=True, eq=False)
class Attachment:
    """A phone as it was enumerated once; replugged or in another mode it is another attachment.

    `port` is the path of the port, such as 2-1.4; `devnum` the address that the bus gave it. `listens` says
    who answers on which of the phone's ports, besides lockdownd.
    """

    phone: Phone
    port: str
    devnum: int
    listens: dict[int, Accept] = field(default_factory=dict, repr=False)

    @property
    def busnum(self) -> int:
        """The number of the bus."""
        return int(self.port.partition("-")[0])

    @property
    def location(self) -> int:
        """LocationID as usbmuxd makes it on Linux (src/usb.c): bus and address, not the path of the port."""
        return self.busnum << 16 | self.devnum
