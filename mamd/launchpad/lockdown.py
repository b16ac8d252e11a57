"""
lockdownd's requests and answers as bytes and values (names as in libimobiledevice's lockdown.h).

What a device says is hostile until its shape has been checked: each value is taken only if it
looks like what it should be, and is else as good as not said.
"""

import re
from typing import Final

from mamd.core.facts import Answer, Ids, PairAnswer
from mamd.launchpad import plist
from mamd.launchpad.plist import Garbled, Message
from mamd.launchpad.sysfs import ids_of_udid

LABEL: Final = "mamd"

_PRODUCT: Final = re.compile(r"[A-Za-z]{3,16}\d{1,3},\d{1,3}")
_VERSION: Final = re.compile(r"\d{1,3}(\.\d{1,4}){0,3}")
_SERIAL: Final = re.compile(r"[0-9A-Z]{8,20}")
_ERROR: Final = re.compile(r"[A-Za-z0-9]{1,40}")
_ECIDS: Final = range(1 << 64)


def request(kind: str, **more: object) -> bytes:
    """A request, encoded."""
    return plist.encoded({"Label": LABEL, "Request": kind, **more})


QUERY_TYPE: Final = request("QueryType")
TYPES: Final = {"com.apple.mobile.lockdown": None, "com.apple.mobile.restored": Answer.RESTORING}

UDID: Final = request("GetValue", Key="UniqueDeviceID")
ECID: Final = request("GetValue", Key="UniqueChipID")
PRODUCT_TYPE: Final = request("GetValue", Key="ProductType")
OS_VERSION: Final = request("GetValue", Key="ProductVersion")
PUBLIC_KEY: Final = request("GetValue", Key="DevicePublicKey")
# lockdownd answers these inside a session only.
LOCKED: Final = request("GetValue", Key="PasswordProtected")
SERIAL: Final = request("GetValue", Key="SerialNumber")
BATTERY: Final = request("GetValue", Domain="com.apple.mobile.battery", Key="BatteryCurrentCapacity")


SESSION_ERRORS: Final = {
    "PasswordProtected": Answer.PASSWORD_PROTECTED,
    "EscrowLocked": Answer.PASSWORD_PROTECTED,
    "InvalidHostID": Answer.INVALID_HOST_ID,
    "MissingHostID": Answer.INVALID_HOST_ID,
    "InvalidPairRecord": Answer.INVALID_HOST_ID,
    "MissingPairRecord": Answer.INVALID_HOST_ID,
}
PAIR_ERRORS: Final = {
    "PasswordProtected": PairAnswer.PASSWORD_PROTECTED,
    "EscrowLocked": PairAnswer.ESCROW_LOCKED,
    "PairingDialogResponsePending": PairAnswer.DIALOG_PENDING,
    "UserDeniedPairing": PairAnswer.DENIED,
    "MCProtected": PairAnswer.WRONG_IDENTITY,
    "MCChallengeRequired": PairAnswer.WRONG_IDENTITY,
}


def error(reply: Message) -> str | None:
    """The name of the error in a reply; None if there is none. Raises `Garbled`."""
    name = reply.get("Error")
    if name is None:
        return None
    if not isinstance(name, str) or not _ERROR.fullmatch(name):
        raise Garbled("an error without a name")
    return name


def kind(reply: Message) -> Answer | None:
    """RESTORING, or None for a device in normal mode. Raises `Garbled`."""
    name = reply.get("Type")
    if not isinstance(name, str) or name not in TYPES:
        raise Garbled("neither lockdownd nor restored")
    return TYPES[name]


def session(reply: Message) -> tuple[Answer, bool]:
    """What StartSession got to hear, and whether TLS follows. Raises `Garbled`."""
    name = error(reply)
    if name is not None:
        if name not in SESSION_ERRORS:
            raise Garbled(f"StartSession: {name}")
        return SESSION_ERRORS[name], False
    if not isinstance(reply.get("SessionID"), str):
        raise Garbled("a session without an id")
    return Answer.SESSION, reply.get("EnableSessionSSL") is True


def value(reply: Message) -> object:
    """The value that was asked for; None if it was refused or is not there. Raises `Garbled`."""
    return None if error(reply) is not None else reply.get("Value")


def ids(udid: object, ecid: object) -> Ids:
    """Names as a device gives them without a session."""
    named = ids_of_udid(udid) if isinstance(udid, str) else Ids()
    # restored gives the ECID as a signed number, and so may others (libirecovery counts unsigned).
    is_number = isinstance(ecid, int) and not isinstance(ecid, bool)
    number = ecid & _ECIDS[-1] if is_number and isinstance(ecid, int) else None
    # Its own word, not the one that its UDID implies: the two are compared elsewhere.
    return Ids(udid=named.udid, ecid=number)


def serial(said: object) -> str | None:
    """A serial number that can be one."""
    return _text(said, _SERIAL)


def product_type(said: object) -> str | None:
    """Such as iPhone14,5."""
    return _text(said, _PRODUCT)


def os_version(said: object) -> str | None:
    """Such as 17.5.1."""
    return _text(said, _VERSION)


def flag(said: object) -> bool | None:
    """True, False or not said."""
    return said if isinstance(said, bool) else None


def percent(said: object) -> int | None:
    """0 to 100."""
    return said if isinstance(said, int) and not isinstance(said, bool) and 0 <= said <= 100 else None


def _text(said: object, shape: re.Pattern[str]) -> str | None:
    return said if isinstance(said, str) and shape.fullmatch(said) else None
