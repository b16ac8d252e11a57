"""What goes into one look, and what comes out of it: the values that `look` and `visit` share."""

from dataclasses import dataclass, field
from typing import Protocol

from mamd.core.facts import Answer, Ids, Look, PairAnswer
from mamd.launchpad.doors import Doors
from mamd.launchpad.mux import MuxDevice
from mamd.launchpad.pairing import Pairing
from mamd.launchpad.records import Records
from mamd.launchpad.wire import Address


class Mux(Protocol):
    """What a look must know of usbmuxd's health."""

    def asked_in_vain(self) -> None:
        """Somebody waits for an answer: find out soon whether usbmuxd itself still gives any."""
        ...

    def has_answered_since(self, at: float) -> bool:
        """Whether it has said anything sensible since `at` (the loop's time)."""
        ...


@dataclass(frozen=True, slots=True)
class Means:
    """What all looks share. `faults`: by UDID, why its record (or our keys) could not be used."""

    address: Address
    records: Records
    pairing: Pairing
    usbmuxd: Mux
    opening: Doors
    faults: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """
    One device to look at, and how.

    Attributes:
        udid: Canonical; None if what usbmuxd calls it can be none.
        pair: A Pair request may be sent.
        identify: Ask for everything.
        name: Ask for what it says of itself without a session.
        tls: Open the session to its end, and ask what is only said in there.
        is_let_in: It opened a session last time, so usbmuxd need not be asked for its record again.
    """

    device: MuxDevice
    udid: str | None
    pair: bool
    identify: bool
    name: bool = False
    tls: bool = False
    is_let_in: bool = False


@dataclass(slots=True)
class Findings:
    """A look in the making; it can be handed in at any moment."""

    stage: str = "connect"
    answer: Answer | None = None
    pair: PairAnswer = PairAnswer.NOT_SENT
    ids: Ids = field(default_factory=Ids)
    locked: bool | None = None
    product_type: str | None = None
    os_version: str | None = None
    battery_percent: int | None = None
    spoke: bool = False
    had_tls: bool = False
    is_named: bool = False

    def look(self) -> Look:
        """What is known so far."""
        assert self.answer is not None, "each way out of a look says why"
        return Look(
            answer=self.answer,
            pair=self.pair,
            ids=self.ids,
            locked=self.locked,
            product_type=self.product_type,
            os_version=self.os_version,
            battery_percent=self.battery_percent,
            stage=self.stage,
            spoke=self.spoke,
        )
