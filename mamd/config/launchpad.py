"""Reads the section `launchpad` of mamd.yaml: this host, its hubs and the labels on its ports."""

import re
from dataclasses import replace
from typing import Final
from zoneinfo import ZoneInfo

from mamd.config import forms
from mamd.config.addresses import as_node, usbmuxd_address
from mamd.config.door import Door
from mamd.config.files import read_bytes
from mamd.config.forms import Form
from mamd.config.mistakes import Mistakes, Place, shown
from mamd.config.secret import LARGEST
from mamd.config.settings import LaunchpadSettings, PortSettings, SupervisionIdentity
from mamd.config.strict_yaml import Broken, Fields, Leaf, Node

_PORT_PATH: Final = re.compile(r"[0-9]{1,3}-[0-9]{1,3}(\.[0-9]{1,3}){0,6}")
_MODULE_FUNCTION: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def read_launchpad(node: Node | None, place: Place, door: Door) -> LaunchpadSettings | None:
    """The section `launchpad`."""
    if node is None:
        door.mistakes.add(place, "'launchpad' is missing", "write 'launchpad: {name: ward-3}'")
    form = door.form(node, "write it as {name: ward-3}")
    if form is None:
        return None
    blank = LaunchpadSettings(name="")
    found = LaunchpadSettings(
        name=form.need("name", forms.text, "give this Launchpad a name: 'name: ward-3'") or "",
        labels=form.read("labels", forms.many(forms.text)) or (),
        timezone=form.read("timezone", _timezone) or blank.timezone,
        usbmuxd=form.read("usbmuxd", usbmuxd_address) or blank.usbmuxd,
        sysfs=form.read("sysfs", door.path) or blank.sysfs,
        usb=form.read("usb", _usb) or None,
        is_supervised_only=form.read("pairing", forms.one_of(("any", "supervised_only")))
        == "supervised_only",
        supervision_identity=_identity(form.node("supervision_identity"), door),
        ports=_ports(form.node("ports"), door.mistakes),
    )
    if found.is_supervised_only and "supervision_identity" not in form:
        cure = "name the organisation's certificate and key under 'supervision_identity'"
        door.mistakes.add(form.at("pairing"), "'pairing: supervised_only' without an identity", cure)
    form.close()
    return _with_environment(found, door)


def _with_environment(found: LaunchpadSettings, door: Door) -> LaunchpadSettings:
    written = door.environ.get("USBMUXD_SOCKET_ADDRESS")
    if not written:
        return found
    address = usbmuxd_address(as_node("USBMUXD_SOCKET_ADDRESS", written), door.mistakes)
    return found if address is None else replace(found, usbmuxd=address)


def _timezone(node: Node, mistakes: Mistakes) -> ZoneInfo | None:
    found = forms.text(node, mistakes)
    if found is None:
        return None
    try:
        return ZoneInfo(found)
    except (KeyError, OSError, ValueError):  # not known; a folder; no name at all
        mistakes.add(node.place, f"there is no time zone {shown(found)}", "write it as Europe/Berlin")
    return None


def _usb(node: Node, mistakes: Mistakes) -> str | None:
    """`libusb1` gives "", which is the default."""
    if not isinstance(node, Fields):
        known = forms.one_of(("libusb1",))(node, mistakes)
        return "" if known else None
    form = Form(node, mistakes)
    found = form.need("python", forms.text, 'write it as {python: "module:function"}')
    form.close()
    if found is not None and not _MODULE_FUNCTION.fullmatch(found):
        mistakes.add(form.at("python"), f"{shown(found)} is no function", 'write it as "module:function"')
        return None
    return found


def _identity(node: Node | None, door: Door) -> SupervisionIdentity | None:
    form = door.form(node, "write it as {certificate: org.crt, key: {credential: org-key}}")
    if form is None:
        return None
    path = form.need("certificate", door.path, "name the organisation's certificate (PEM)")
    key = form.need("key", door.secret, "say where its key is: {credential: org-key}")
    form.close()
    certificate = None if path is None else read_bytes(path, door.mistakes, largest=LARGEST)
    return SupervisionIdentity(certificate, key) if certificate and key is not None else None


def _ports(node: Node | None, mistakes: Mistakes) -> tuple[PortSettings, ...]:
    if node is None or isinstance(node, Broken):
        return ()
    if not isinstance(node, Fields):
        forms.wrong_kind(node, mistakes, "'ports' is a mapping", 'write it as {2-1.1: "1"}')
        return ()
    read = [_port(key, value, mistakes) for key, value in node.pairs]
    found = [one for one in read if one is not None]
    for number, port in enumerate(found):
        if any(port.label == other.label for other in found[:number]):
            # An approval is given by the label, so a label must be one port's.
            mistakes.add(node.place, f"two ports have the label {shown(port.label)}", "give each its own")
    return tuple(found)


def _port(key: Leaf, value: Node, mistakes: Mistakes) -> PortSettings | None:
    if not _PORT_PATH.fullmatch(key.text):
        cure = "write it as the kernel does, such as 2-1.4 ('mamd status' shows it)"
        mistakes.add(key.place, f"{shown(key.text)} is no port", cure)
    if not isinstance(value, Fields):
        label = forms.text(value, mistakes)
        return None if label is None else PortSettings(key.text, label)
    form = Form(value, mistakes)
    label = form.read("label", forms.text) or key.text
    use = form.read("use", forms.one_of(("charge_only",)))
    form.close()
    return PortSettings(key.text, label, use == "charge_only")
