"""
USB devices as the rest of mamd sees them: `Pad` is the Launchpad of this host.

usbmux and lockdown are spoken here and nowhere else; what leaves this folder is plain data.
"""

from mamd.launchpad.pad import Pad, PadSettings
from mamd.launchpad.pairing import Pairings, Supervision

__all__ = ["Pad", "PadSettings", "Pairings", "Supervision"]
