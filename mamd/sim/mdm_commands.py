"""What a phone does with each MDM command, and what it says afterwards.

Only the commands that a Launchpad's MDM sends; any other is answered as a device answers what it
does not know. Keys and statuses are those of Apple's device-management schema.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from mamd.sim.phone import Mode

Fields = Mapping[str, Any]


class MdmPhone(Protocol):
    """What the MDM client on a phone needs to know of the phone."""

    @property
    def udid(self) -> str: ...
    @property
    def serial(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def product_version(self) -> str: ...

    mode: Mode
    mdm_enrolled: bool
    passcode_set: bool
    locked: bool
    first_unlocked: bool  # since it booted
    online: bool
    unlock_token: bytes
    push_token: bytes
    push_magic: str

    def clear_passcode(self, token: bytes) -> str | None:
        """Take the passcode off; None, or why not."""


@dataclass(frozen=True, slots=True)
class Result:
    """The answer to one command; `fields` may echo what the command held, so they stay out of logs."""

    status: str
    fields: Fields = field(default_factory=dict, repr=False)

    @staticmethod
    def error(domain: str, code: int, text: str) -> Result:
        """An Error with a chain of one link."""
        link = {
            "ErrorCode": code,
            "ErrorDomain": domain,
            "LocalizedDescription": text,
            "USEnglishDescription": text,
        }
        return Result("Error", {"ErrorChain": [link]})


NOT_NOW = Result("NotNow")


def execute(phone: MdmPhone, command: Fields) -> Result:
    """Do what the command asks; a command of an unknown type is refused, none raises."""
    kind = command.get("RequestType")
    if kind not in _EXECUTORS:
        return Result.error("MCMDMErrorDomain", 12021, f"“{kind}” is not a valid request type.")
    return _EXECUTORS[kind](phone, command)


def _clear_passcode(phone: MdmPhone, command: Fields) -> Result:
    token = command.get("UnlockToken")
    if not isinstance(token, bytes):  # Base64 in a <string> is the usual mistake
        return Result.error("MCMDMErrorDomain", 12008, "The request is malformed.")
    why_not = phone.clear_passcode(token)
    if why_not is not None:
        return Result.error("MCPasscodeErrorDomain", 5013, "Cannot clear passcode.")
    return Result("Acknowledged")


def _security_info(phone: MdmPhone, _: Fields) -> Result:
    if phone.locked:  # reported by many developers, though not in the schema
        return NOT_NOW
    return Result(
        "Acknowledged",
        {
            "SecurityInfo": {
                "HardwareEncryptionCaps": 3,
                "PasscodePresent": phone.passcode_set,
                "PasscodeCompliant": True,
                "PasscodeCompliantWithProfiles": True,
                "ManagementStatus": {"IsUserEnrollment": False},
            }
        },
    )


def _device_information(phone: MdmPhone, command: Fields) -> Result:
    known = {
        "UDID": phone.udid,
        "SerialNumber": phone.serial,
        "DeviceName": phone.name,
        "OSVersion": phone.product_version,
        "IsSupervised": True,
        "IsMDMLostModeEnabled": False,
    }
    queries = command.get("Queries", [])
    wanted = {name for name in queries if isinstance(name, str)} if isinstance(queries, list) else set()
    return Result(
        "Acknowledged", {"QueryResponses": {name: value for name, value in known.items() if name in wanted}}
    )


def _profile_list(_: MdmPhone, __: Fields) -> Result:
    return Result("Acknowledged", {"ProfileList": []})


_EXECUTORS: dict[Any, Callable[[MdmPhone, Fields], Result]] = {
    "ClearPasscode": _clear_passcode,
    "SecurityInfo": _security_info,
    "DeviceInformation": _device_information,
    "ProfileList": _profile_list,
}
