"""What each hub and phone on the simulated bus says of itself: descriptors and strings (USB 2.0, chapter 9).

A description is plain data: it can be sent to other processes, and stays readable when the device is gone.
"""

from __future__ import annotations

from typing import Any

from mamd.sim.attachment import Attachment
from mamd.sim.phone import Mode
from mamd.sim.sysfs import APPLE, DFU_ID, RECOVERY_ID

HUB_CLASS, VENDOR_CLASS, DFU_CLASS = 0x09, 0xFF, 0xFE
HIGH_SPEED = 3  # libusb's number
BULK, INTERRUPT = 2, 3
MANUFACTURER, PRODUCT, SERIAL = 1, 2, 3
GET_DESCRIPTOR, STRING, ENGLISH = 6, 3, 0x0409
LONGEST_STRING = 126  # UTF-16 units that fit behind a length of one byte

Description = dict[str, Any]
Strings = dict[int, str]
Endpoint = tuple[int, int, int]  # address, kind, packet


def phone_description(attachment: Attachment) -> Description:
    """A phone as it is in its mode."""
    mode = attachment.phone.mode
    if mode is Mode.DFU:
        product, endpoints, kind = DFU_ID, [], DFU_CLASS
    elif mode is Mode.RECOVERY:
        product, endpoints, kind = RECOVERY_ID, [(0x81, BULK, 512), (0x04, BULK, 512)], DFU_CLASS
    else:
        product, kind = f"{attachment.phone.identity.model.product_id:04x}", VENDOR_CLASS
        endpoints = [(0x04, BULK, 512), (0x85, BULK, 512)]
    return _described(attachment.port, attachment.devnum, (APPLE, product), (0, kind), endpoints)


def hub_description(path: str, devnum: int) -> Description:
    """A hub; a root hub is the first thing on its bus."""
    names = ("1d6b", "0002") if path.startswith("usb") else ("0424", "2514")
    return _described(path, devnum, names, (HUB_CLASS, HUB_CLASS), [(0x81, INTERRUPT, 1)])


def phone_strings(attachment: Attachment) -> Strings:
    """A phone's strings: in recovery mode the first one holds the nonces (libirecovery)."""
    phone = attachment.phone
    if phone.mode.speaks_usbmux:
        names = {MANUFACTURER: "Apple Inc.", PRODUCT: phone.identity.model.device_class}
        return names | {SERIAL: phone.identity.usb_serial}
    dfu, boot = phone.mode is Mode.DFU, phone.boot
    return {
        MANUFACTURER: f" NONC:{boot.ap_nonce.hex().upper()} SNON:{boot.sep_nonce.hex().upper()}",
        PRODUCT: f"Apple Mobile Device ({'DFU' if dfu else 'Recovery'} Mode)",
        SERIAL: phone.identity.recovery_serial(dfu=dfu),
    }


def hub_strings(path: str) -> Strings:
    """A hub's strings."""
    if path.startswith("usb"):
        return {MANUFACTURER: "Linux xhci-hcd", PRODUCT: "xHCI Host Controller", SERIAL: "0000:00:14.0"}
    return {MANUFACTURER: "Microchip", PRODUCT: "USB 2.0 hub"}


def string_descriptor(strings: Strings, index: int) -> bytes | None:
    """The descriptor of a string, or of the list of languages (index 0); None if there is none."""
    if index == 0:
        return bytes([4, STRING]) + ENGLISH.to_bytes(2, "little")
    if index not in strings:
        return None
    text = strings[index][:LONGEST_STRING].encode("utf-16-le")
    return bytes([len(text) + 2, STRING]) + text


def device_descriptor(described: Description) -> dict[str, Any]:
    """The fields of the device descriptor and those that libusb adds, as pyusb names them."""
    return {
        "bLength": 18, "bDescriptorType": 1, "bcdUSB": 0x0200, "bDeviceClass": described["classes"][0],
        "bDeviceSubClass": 0, "bDeviceProtocol": 0, "bMaxPacketSize0": 64,
        "idVendor": int(described["ids"][0], 16), "idProduct": int(described["ids"][1], 16),
        "bcdDevice": 0x0100, "iManufacturer": MANUFACTURER, "iProduct": PRODUCT, "iSerialNumber": SERIAL,
        "bNumConfigurations": 1, "address": described["address"], "bus": described["bus"],
        "port_number": described["ports"][-1] if described["ports"] else 0,
        "port_numbers": tuple(described["ports"]) or None, "speed": HIGH_SPEED,
    }  # fmt: skip


def configuration_descriptor() -> dict[str, Any]:
    """The one configuration that each of them has."""
    return {
        "bLength": 9, "bDescriptorType": 2, "wTotalLength": 9, "bNumInterfaces": 1, "bConfigurationValue": 1,
        "iConfiguration": 0, "bmAttributes": 0x80, "bMaxPower": 250, "extra_descriptors": b"",
    }  # fmt: skip


def interface_descriptor(described: Description) -> dict[str, Any]:
    """The one interface of it."""
    return {
        "bLength": 9, "bDescriptorType": 4, "bInterfaceNumber": 0, "bAlternateSetting": 0,
        "bNumEndpoints": len(described["endpoints"]), "bInterfaceClass": described["classes"][1],
        "bInterfaceSubClass": 0xFE, "bInterfaceProtocol": 2, "iInterface": 0, "extra_descriptors": b"",
    }  # fmt: skip


def endpoint_descriptor(endpoint: Endpoint) -> dict[str, Any]:
    """One endpoint of that."""
    address, kind, packet = endpoint
    return {
        "bLength": 7, "bDescriptorType": 5, "bEndpointAddress": address, "bmAttributes": kind,
        "wMaxPacketSize": packet, "bInterval": 0, "bRefresh": 0, "bSynchAddress": 0,
        "extra_descriptors": b"",
    }  # fmt: skip


def _described(
    path: str, devnum: int, ids: tuple[str, str], classes: tuple[int, int], endpoints: list[Endpoint]
) -> Description:
    bus, _, rest = path.removeprefix("usb").partition("-")
    return {
        "path": path,
        "bus": int(bus),
        "address": devnum,
        "ports": [int(part) for part in rest.split(".")] if rest else [],
        "ids": ids,
        "classes": classes,
        "endpoints": endpoints,
    }
