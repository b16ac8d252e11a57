"""What a simulated phone says of itself over lockdown, with a session and without one."""

from __future__ import annotations

from typing import Any

from mamd.sim import keys
from mamd.sim.phone import Phone

SINGLY_ONLY = ("DevicePublicKey",)  # answered over USB when asked for by name, and in no dump


def without_session(phone: Phone) -> dict[str, Any]:
    """The keys that a phone tells any host: those of a dump of iOS 13 and those clients ask first."""
    identity, model = phone.identity, phone.identity.model
    return {
        "BasebandVersion": "3.60.02",
        "BoardId": model.board,
        "BuildVersion": identity.build,
        "CPUArchitecture": "arm64e",
        "ChipID": model.chip,
        "DeviceClass": model.device_class,
        "DeviceColor": "1",
        "DeviceName": identity.name,
        "DieID": identity.ecid,
        "HardwareModel": model.hardware_model,
        "HasSiDP": True,
        "PartitionType": "GUID_partition_scheme",
        "ProductName": "iPhone OS",
        "ProductType": identity.product_type,
        "ProductVersion": identity.product_version,
        "ProductionSOC": True,
        "ProtocolVersion": "2",
        "SupportedDeviceFamilies": [1],
        "TelephonyCapability": model.device_class == "iPhone",
        "UniqueChipID": identity.ecid,
        "UniqueDeviceID": identity.udid,
        "WiFiAddress": identity.wifi_address,
    } | phone.lies


def with_session(phone: Phone) -> dict[str, Any]:
    """All keys. PasswordProtected says whether the phone is locked now, not whether a passcode is set."""
    return without_session(phone) | {
        "ActivationState": "Activated",
        "BluetoothAddress": phone.identity.wifi_address,
        "ModelNumber": "MLPF3",
        "PasswordProtected": phone.locked,
        "SerialNumber": phone.serial,
        "TimeZone": "Europe/Berlin",
        "TrustedHostAttached": True,
        **phone.lies,
    }


def domain(phone: Phone, name: str) -> dict[str, Any]:
    """The values of a domain other than the global one; none if we know of none."""
    known: dict[str, dict[str, Any]] = {
        "com.apple.mobile.battery": {
            "BatteryCurrentCapacity": phone.battery_percent,
            "BatteryIsCharging": phone.battery_percent < 100,
            "ExternalConnected": True,
            "FullyCharged": phone.battery_percent == 100,
            "HasBattery": True,
        },
        "com.apple.mobile.chaperone": {"DeviceIsChaperoned": phone.supervisor is not None},
    }
    return known.get(name, {})


def get_value(phone: Phone, request: dict[str, Any], *, in_session: bool) -> dict[str, Any]:
    """The answer to a GetValue request, without its echo."""
    name, key = request.get("Domain"), request.get("Key")
    if name is not None and not in_session:
        return {"Error": "GetProhibited"}
    if key in SINGLY_ONLY:
        return {"Key": key, "Value": keys.device_public_key()}
    values = domain(phone, str(name)) if name else (with_session if in_session else without_session)(phone)
    if key is None:
        return {"Value": values}
    if not isinstance(key, str):
        return {"Error": "InvalidRequest"}
    if key in values:
        return {"Key": key, "Value": values[key]}
    forbidden = not in_session and key in with_session(phone)
    return {"Key": key, "Error": "GetProhibited" if forbidden else "MissingValue"}
