"""How a simulated phone starts, and what goes wrong while it is restored: what outlives each of its modes.

iBoot reads it, restored reads it, and a test sets its faults; nothing here knows of USB.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from enum import Enum

FOR_EVER = -1


class Stage(Enum):
    """Which iBoot a phone in recovery mode runs: the one it has, or the one that a host sent it."""

    IBOOT = "iboot"
    IBEC = "ibec"


class RestoreFault(Enum):
    """What can go wrong on the way from recovery mode to a restored phone, each at one place of that way."""

    ENTER_RECOVERY_REFUSED = "enter_recovery_refused"  # SessionInactive, whatever the restrictions say
    IBEC_SLOW = "ibec_slow"  # comes back `slow_s` later
    IBEC_LOST = "ibec_lost"  # never comes back; only its buttons bring it back
    BOOTX_FALLS_BACK = "bootx_falls_back"  # to recovery mode, instead of restore mode
    RESTORED_SILENT = "restored_silent"  # before the erase begins
    RESTORED_SILENT_LATE = "restored_silent_late"  # after it began
    STATUS_EARLY = "status_early"  # `status` before the erase begins
    STATUS_LATE = "status_late"  # `status` after it began
    DROPS_EARLY = "drops_early"  # off the bus, and back in recovery mode, before the erase begins
    DROPS_LATE = "drops_late"  # the same in the middle of the image
    ASR_STALLS = "asr_stalls"  # takes no more of the image
    UNKNOWN_DATA_TYPE = "unknown_data_type"  # asks for data that no host knows, and waits
    UNKNOWN_COMPONENT = "unknown_component"  # asks for a component that the firmware lacks, and waits
    BASEBAND_REFUSED = "baseband_refused"  # and goes on
    BATTERY_WAIT = "battery_wait"  # charges for `slow_s` before it begins


@dataclass(slots=True)
class Boot:
    """What decides to what a phone starts, and how its restore goes.

    `auto_boot` is iBoot's variable; `has_system` is false from the moment an erase begins until a restore
    ends; `hung` means that only its buttons help. `faults` says how often each will still happen.
    """

    auto_boot: bool = True
    has_system: bool = True
    hung: bool = False
    stage: Stage = Stage.IBOOT
    ap_nonce: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    sep_nonce: bytes = field(default_factory=lambda: secrets.token_bytes(20), repr=False)
    faults: dict[RestoreFault, int] = field(default_factory=dict)
    status: int = 1015  # restored's own number, in its StatusMsg
    slow_s: float = 3.0
    gives_up_after_s: float = 120.0  # restored without a StartRestore (idevicerestore issue 262)
    away_s: float = 0.0  # how much longer its next start takes

    @property
    def to_system(self) -> bool:
        """Whether its next start ends in iOS and not in recovery mode."""
        return self.auto_boot and self.has_system

    def strikes(self, fault: RestoreFault) -> bool:
        """Whether that goes wrong now; it counts as one time."""
        left = self.faults.get(fault, 0)
        if left > 0:
            self.faults[fault] = left - 1
        return left != 0

    def roll_nonces(self) -> None:
        """Have other nonces, as after each start of the phone's own iBoot: older tickets fit no more."""
        self.ap_nonce, self.sep_nonce = secrets.token_bytes(32), secrets.token_bytes(20)
