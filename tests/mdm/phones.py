"""Phones for tests of the MDM side: locked, not yet enrolled, their unlock tokens hold the mark."""

from mamd.sim.phone import Identity, Phone
from tests.canary import unlock_token


def locked_phone(number: int = 1) -> Phone:
    """A phone that its last user locked; the same number gives the same identity with a new token."""
    ecid = 0x0011_AAAA_0000_0000 + number
    identity = Identity(f"00008110-{ecid:016X}", f"MAMD{number:06d}", ecid, f"Ward phone {number}")
    return Phone(identity, passcode_set=True, locked=True, unlock_token=unlock_token())
