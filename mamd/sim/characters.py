"""The phones that a Launchpad meets, each with a story, so that demo, tests and rehearsals share their names.

A character is a phone in some state, what its host has on file about it, and what happens to it after it was
attached. `moral` is what should have become of it, in a sentence that an operator would agree with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from mamd.sim.identity import Identity
from mamd.sim.keys import Supervision
from mamd.sim.phone import Phone, Trust

if TYPE_CHECKING:
    from mamd.sim.launchpad import SimLaunchpad


class OnFile(Enum):
    """What the host has of an earlier pairing when the story begins."""

    NOTHING = "nothing"
    PAIRED = "paired"
    STALE = "stale"  # a record that the phone knows nothing of
    SPOILED = "spoiled"  # the right HostID, the wrong certificates


@dataclass(frozen=True, slots=True)
class Beat:
    """One step of a story, `at_s` seconds after the phone was attached."""

    at_s: float
    step: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Character:
    """A phone with its story, and what a registry should say of it (`status` and those after it)."""

    phone: Phone
    story: str
    moral: str
    on_file: OnFile = OnFile.NOTHING
    beats: tuple[Beat, ...] = ()
    status: str = "active"
    retired_reason: str = ""
    ownership: str = "shared"

    def registry_row(self, mdm: str = "") -> dict[str, str]:
        """The phone as a row of a site's device list; `mdm` is the name of its MDM there."""
        identity = self.phone.identity
        return {
            "serial": identity.serial,
            "udid": identity.udid,
            "ecid": f"0x{identity.ecid:X}",
            "name": identity.name,
            "status": self.status,
            "retired_reason": self.retired_reason,
            "ownership": self.ownership,
            "mdm": mdm if self.phone.mdm_enrolled else "",
        }

    def prepare(self, launchpad: SimLaunchpad) -> None:
        """Make the Launchpad know the phone and have on file what it should. The phone is not attached."""
        launchpad.meet(self.phone)
        prepare = {
            OnFile.PAIRED: launchpad.pair,
            OnFile.STALE: launchpad.leave_stale_record,
            OnFile.SPOILED: launchpad.spoil_record,
        }.get(self.on_file)
        if prepare is not None:
            prepare(self.phone)


def _phone(number: int, name: str, supervision: Supervision | None = None, **state: Any) -> Phone:
    """A supervised phone pairs with its organisation; any other has somebody beside it who taps Trust."""
    supervisor = supervision.der if supervision else None
    answer = Trust.NOBODY if supervision else Trust.ACCEPT
    return Phone(Identity.numbered(number, name=name), **{"supervisor": supervisor, "trust": answer} | state)


def healthy(number: int, *, name: str, supervision: Supervision | None = None) -> Character:
    """Comes back as it should."""
    phone = _phone(number, name, supervision)
    return Character(phone, "Comes back without a passcode, and pairs.", "Left alone.", OnFile.PAIRED)


def locked(number: int, *, name: str, supervision: Supervision | None = None) -> Character:
    """Its last user locked it, and this host has never paired with it."""
    phone = _phone(number, name, supervision, passcode_set=True, locked=True)
    return Character(phone, "Comes back locked; its MDM can clear it.", "Cleared, and paired then.")


def locked_stale(number: int, *, name: str, supervision: Supervision | None = None) -> Character:
    """Like `locked`, and the record that the host has is of a pairing that the phone has forgotten."""
    phone = _phone(number, name, supervision, passcode_set=True, locked=True)
    return Character(
        phone, "Comes back locked, with a stale record.", "Cleared, and paired anew.", OnFile.STALE
    )


def never_clears(number: int, *, name: str, supervision: Supervision | None = None) -> Character:
    """Locked, and out of its MDM's reach."""
    phone = _phone(number, name, supervision, passcode_set=True, locked=True, online=False)
    return Character(
        phone, "Comes back locked and offline.", "Asked to clear; nothing came; an erase is due."
    )


def rebooted(number: int, *, name: str, supervision: Supervision | None = None) -> Character:
    """Paired with this host, but not unlocked since it started: no session opens, and no Wi-Fi either."""
    phone = _phone(number, name, supervision, passcode_set=True, locked=True, first_unlocked=False)
    return Character(
        phone, "Restarted, and locked since.", "Asked to clear; it has no network.", OnFile.PAIRED
    )


def locked_on_the_dock(number: int, *, name: str, supervision: Supervision | None = None) -> Character:
    """Pairs, and is locked all the same."""
    phone = _phone(number, name, supervision, passcode_set=True, locked=True)
    return Character(phone, "Pairs, but is locked.", "Shown as paired and locked.", OnFile.PAIRED)


def personal(number: int, *, name: str, supervision: Supervision | None = None) -> Character:
    """Somebody charges their own phone."""
    phone = _phone(number, name, None, passcode_set=True, locked=True, mdm_enrolled=False, trust=Trust.NOBODY)
    story, moral = "Somebody's own phone, locked.", "Left alone: no Pair request, nothing asked of an MDM."
    return Character(phone, story, moral, ownership="personal")


def stolen(number: int, *, name: str, supervision: Supervision | None = None) -> Character:
    """A phone that was reported stolen turns up."""
    phone = _phone(number, name, supervision, passcode_set=True, locked=True)
    return Character(
        phone,
        "Retired as stolen, and here.",
        "Left alone; a person is told.",
        status="retired",
        retired_reason="stolen",
    )


def waiting_for_trust(number: int, *, name: str, supervision: Supervision | None = None) -> Character:
    """Unlocked, and nobody answers the Trust dialog."""
    phone = _phone(number, name, None, trust=Trust.NOBODY)
    return Character(phone, "Unlocked; asks whether to trust.", "A person is called; nothing is cleared.")


def trust_denied(number: int, *, name: str, supervision: Supervision | None = None) -> Character:
    """Somebody taps Don't Trust."""
    phone = _phone(number, name, None, trust=Trust.DENY)
    return Character(phone, "Unlocked; somebody taps Don't Trust.", "A person is called; nothing is cleared.")


def bad_cable(number: int, *, name: str, supervision: Supervision | None = None) -> Character:
    """Comes and goes every two seconds."""
    phone = _phone(number, name, supervision)
    beats = tuple(Beat(2.0 * turn, {"act": "replug", "phone": name}) for turn in range(1, 11))
    story, moral = "Its cable has a loose contact.", "One alarm about the port; no clear."
    return Character(phone, story, moral, OnFile.PAIRED, beats)


def hidden(number: int, *, name: str, supervision: Supervision | None = None) -> Character:
    """On the bus, and usbmuxd never lists it."""
    phone = _phone(number, name, supervision, passcode_set=True, locked=True, hidden=True)
    story = "USB restricted mode: on the bus, and silent."
    return Character(phone, story, "Shown as hidden; nothing is cleared.", OnFile.PAIRED)


BY_NAME: dict[str, Callable[..., Character]] = {
    make.__name__: make
    for make in (
        healthy,
        locked,
        locked_stale,
        never_clears,
        rebooted,
        locked_on_the_dock,
        personal,
        stolen,
        waiting_for_trust,
        trust_denied,
        bad_cable,
        hidden,
    )
}
