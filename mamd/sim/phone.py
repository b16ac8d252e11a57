"""One simulated iPhone or iPad: how it stands, what is wrong with it, what people and the MDM do to it.

It knows nothing of sockets. `lockdownd` asks it, `trust` decides whom it trusts, people and the MDM act on it
through its methods, and whoever listens with `on_change` hears what happened.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from mamd.sim.boot import Boot, Stage
from mamd.sim.identity import Identity


class Mode(Enum):
    """What runs on the phone, as far as USB can tell."""

    NORMAL = "normal"
    SETUP = "setup"  # Setup Assistant: it pairs without a dialog (usbmuxd src/preflight.c)
    RESTORING = "restoring"  # looks like normal mode on USB, but restored answers on lockdown's port
    RECOVERY = "recovery"
    DFU = "dfu"

    @property
    def speaks_usbmux(self) -> bool:
        """Whether usbmuxd lists a phone in this mode."""
        return self not in (Mode.RECOVERY, Mode.DFU)


class Trust(Enum):
    """What the person who holds the phone does with the Trust dialog."""

    NOBODY = "nobody"  # the dialog stays
    ACCEPT = "accept"
    DENY = "deny"


class Locked(Enum):
    """What a locked phone answers, where reports about real phones differ and a site's phones may, too."""

    PASSWORD_PROTECTED = "PasswordProtected"
    ESCROW_LOCKED = "EscrowLocked"
    INVALID_HOST = "InvalidHostID"
    SESSION = "session"  # a session opens, but services do not start
    NO_ESCROW = "no_escrow"  # a supervised Pair is accepted without EscrowBag, and not kept (go-ios pair.go)


class Fault(Enum):
    """What can be wrong with a phone or its cable, apart from its state."""

    HANG_CONNECT = "hang_connect"  # Connect is never answered
    REFUSE_CONNECT = "refuse_connect"
    HANG_QUERY_TYPE = "hang_query_type"
    HANG_START_SESSION = "hang_start_session"
    HANG_TLS = "hang_tls"  # the client's hello is never answered
    HANG_PAIR = "hang_pair"
    GARBAGE = "garbage"  # a frame that is no plist
    OVERSIZED = "oversized"  # a frame that claims to hold 2 GiB
    TRUNCATED = "truncated"  # a frame whose second half never comes
    DEEP = "deep"  # a plist nested ten thousand deep
    FLOOD = "flood"  # two million bytes of plist
    DROP = "drop"  # closes instead of answering


@dataclass(frozen=True, slots=True)
class HostTrust:
    """A host that the phone trusts, as its Pair request named it. Certificates in PEM."""

    host_id: str
    system_buid: str
    host_certificate: bytes = field(repr=False)
    root_certificate: bytes = field(repr=False)
    device_certificate: bytes = field(repr=False)


@dataclass(slots=True)
class Restrictions:
    """What the MDM has restricted, by the names of com.apple.applicationaccess; the defaults are Apple's."""

    allow_host_pairing: bool = True
    allow_unpaired_external_boot_to_recovery: bool = False
    allow_usb_restricted_mode: bool = True


@dataclass(slots=True, eq=False)
class Phone:
    """A phone to attach to a `SimLaunchpad`. Change it through its methods, so that listeners hear of it.

    A phone without a passcode is never locked. `clock` counts seconds; only the Trust dialog asks it.
    """

    identity: Identity
    passcode_set: bool = False
    locked: bool = False
    first_unlocked: bool = True  # since its last start
    mode: Mode = Mode.NORMAL
    battery_percent: int = 80

    trusts: dict[str, HostTrust] = field(default_factory=dict)  # by HostID
    consented: set[str] = field(default_factory=set)  # the SystemBUIDs that were tapped Trust for
    trust: Trust = Trust.NOBODY
    trust_after_s: float = 0.0
    dialog_since: float | None = None
    denied: bool = False  # no new dialog until replugged (libimobiledevice issue 693)
    supervisor: bytes | None = field(default=None, repr=False)  # the organisation's certificate, DER
    challenge: bytes | None = field(default=None, repr=False)
    restrictions: Restrictions = field(default_factory=Restrictions)
    boot: Boot = field(default_factory=Boot)

    pair_before_first_unlock: Locked = Locked.PASSWORD_PROTECTED
    session_before_first_unlock: Locked = Locked.PASSWORD_PROTECTED
    supervised_pair_when_locked: Locked = Locked.NO_ESCROW
    recovery_needs_unlock: bool = False  # reported once, of iOS 15 and newer (libimobiledevice issue 1456)

    faults: set[Fault] = field(default_factory=set)
    lies: dict[str, Any] = field(default_factory=dict)  # values that lockdown says instead of the true ones
    hidden: bool = False  # on the bus and not in usbmux: USB restricted mode, usbmuxd's preflight

    mdm_enrolled: bool = True
    online: bool = True
    unlock_token: bytes = field(default_factory=lambda: secrets.token_bytes(64), repr=False)
    push_magic: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    push_token: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    _listeners: list[Callable[[Phone, str], None]] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        assert self.passcode_set or not self.locked, "a phone without a passcode cannot be locked"

    @property
    def udid(self) -> str:
        """As usbmux, lockdown and MDM say it: with its dash from A12 on."""
        return self.identity.udid

    @property
    def serial(self) -> str:
        """The serial number on the box."""
        return self.identity.serial

    @property
    def ecid(self) -> int:
        """The chip's number."""
        return self.identity.ecid

    @property
    def name(self) -> str:
        """The name that its user gave it."""
        return self.identity.name

    @property
    def product_type(self) -> str:
        """Such as iPhone14,5."""
        return self.identity.product_type

    @property
    def product_version(self) -> str:
        """The version of iOS."""
        return self.identity.product_version

    def on_change(self, listener: Callable[[Phone, str], None]) -> None:
        """Call `listener(phone, what)` after each change; `what` says what happened, in the past tense."""
        self._listeners.append(listener)

    def changed(self, what: str) -> None:
        """Tell the listeners. The methods below do; whoever sets a field by hand may."""
        for listener in list(self._listeners):
            listener(self, what)

    # What people do to it.

    def lock(self) -> None:
        """Lock the screen; without a passcode that locks nobody out."""
        self.locked = self.passcode_set
        self.changed("locked")

    def unlock(self) -> None:
        """Enter the passcode."""
        self.locked, self.first_unlocked = False, True
        self.changed("unlocked")

    def set_passcode(self) -> None:
        """Set a passcode; the phone stays unlocked until it is locked."""
        self.passcode_set = True
        self.changed("passcode_set")

    def forget_hosts(self) -> None:
        """Reset Location & Privacy: every host must be trusted anew."""
        self.trusts.clear()
        self.consented.clear()
        self.changed("forgot_hosts")

    def reboot(self) -> None:
        """Start anew, in normal mode: locked and not yet unlocked if there is a passcode.

        A phone that was told not to (EnterRecovery), or that has no system any more, starts to recovery mode.
        """
        if not self.boot.to_system:
            self.enter_mode(Mode.RECOVERY)
            return
        self.boot.hung = False
        self.mode = Mode.NORMAL
        self.locked, self.first_unlocked = self.passcode_set, not self.passcode_set
        self.replugged()
        self.changed("rebooted")

    def replugged(self) -> None:
        """The cable came off: a pending or denied Trust dialog is forgotten."""
        self.dialog_since, self.denied, self.challenge = None, False, None

    def enter_mode(self, mode: Mode) -> None:
        """Change the mode, as buttons, a restore or its end do."""
        self.mode, self.boot.hung = mode, False
        if not mode.speaks_usbmux:
            self.boot.stage = Stage.IBOOT
            self.boot.roll_nonces()
        self.replugged()
        self.changed(f"entered_{mode.value}")

    def enter_recovery(self) -> None:
        """Start to recovery mode, and to nothing else until told so."""
        self.boot.auto_boot = False
        self.enter_mode(Mode.RECOVERY)

    def start_ibec(self) -> None:
        """Run the iBoot that a host has sent: still recovery mode, still the same nonces."""
        self.mode, self.boot.stage = Mode.RECOVERY, Stage.IBEC
        self.changed("entered_ibec")

    def hang(self) -> None:
        """Leave the bus, and come back only by its buttons, whatever happens to the cable."""
        self.boot.hung = True
        self.changed("hung")

    def begin_erase(self) -> None:
        """The point of no return of a restore: there is no system any more, and nothing of what was on it."""
        self.boot.has_system = False
        self.changed("erase_began")

    def restored(self, version: str, build: str) -> None:
        """The end of a restore: another system, nothing of the old life, waiting at Setup Assistant."""
        self.identity = replace(self.identity, product_version=version, build=build)
        self.boot.has_system = self.boot.auto_boot = True
        self.erase()

    def erase(self) -> None:
        """Lose passcode, trust and enrollment, and wait at Setup Assistant."""
        self.passcode_set, self.locked, self.first_unlocked = False, False, True
        self.trusts.clear()
        self.consented.clear()
        self.mdm_enrolled = False
        self.enter_mode(Mode.SETUP)

    def hide(self) -> None:
        """Stay on the bus and leave usbmux, as USB restricted mode does."""
        self.hidden = True
        self.changed("hidden")

    def show(self) -> None:
        """Be in usbmux again."""
        self.hidden = False
        self.changed("shown")

    # What the MDM does to it.

    def clear_passcode(self, token: bytes) -> str | None:
        """Take the passcode off. None if it is off now (also if there was none), else why not."""
        if not secrets.compare_digest(token, self.unlock_token):
            return "The unlock token does not fit this device."
        self.passcode_set, self.locked, self.first_unlocked = False, False, True
        self.changed("passcode_cleared")
        return None
