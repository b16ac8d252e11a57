"""Reads the other sections of mamd.yaml, each by one function: mdm, governor, recovery, people, http."""

from dataclasses import replace
from typing import Final

from mamd.config import forms
from mamd.config.addresses import host_port, is_in_clear, is_loopback, origin
from mamd.config.door import Door, mode_at
from mamd.config.forms import Form
from mamd.config.mistakes import Mistakes, nearest, shown
from mamd.config.settings import (
    ROLES,
    CommandCall,
    HostPort,
    HttpSettings,
    MdmSettings,
    PeopleSettings,
    Token,
    WebhookCall,
)
from mamd.config.strict_yaml import Broken, Leaf, Node
from mamd.core.governor import Limits
from mamd.core.rules import Mode
from mamd.core.storm import StormLimits

_OTHER_KINDS: Final = frozenset(
    [
        "jamf",
        "workspace-one",
        "intune",
        "simplemdm",
        "kandji",
        "fleet",
        "micromdm",
        "mosyle",
        "ivanti",
        "meraki",
    ]
)


# ----------------------------------------------------------------------------------------------- mdm


def read_mdms(node: Node | None, door: Door) -> tuple[MdmSettings, ...]:
    """The section `mdm`, a list."""
    if node is None or isinstance(node, Broken):
        return ()
    found: list[MdmSettings] = []
    for one in forms.items(node):
        form = door.form(one, "write it as '- name: hospital'")
        mdm = None if form is None else _mdm(form, door)
        if form is not None and mdm is not None and any(mdm.name == other.name for other in found):
            door.mistakes.add(
                form.at("name"), f"two MDMs are named {shown(mdm.name)}", "give each its own name"
            )
        elif mdm is not None:
            found.append(mdm)
    return tuple(found)


def _mdm(form: Form, door: Door) -> MdmSettings | None:
    name = form.need("name", forms.name, "give it a name; devices.csv and rules use it")
    if not _is_spoken(form, door.mistakes):
        return None
    url = form.need("url", origin, "write its origin: 'url: https://mdm.example.org'")
    api_key = form.need("api_key", door.secret, "say where it is: {credential: nanomdm-key}")
    hmac_key = form.read("webhook_hmac_key", door.secret)
    clears = form.read("clear_passcode_when_not_pairing", forms.yes_no) or False
    form.close()
    if url is not None and is_in_clear(url):
        cure = "use https: whoever reads along could clear passcodes"
        door.warnings.add(form.at("url"), "the MDM's key is sent in clear", cure)
    if "webhook_hmac_key" not in form:
        cure = "add 'webhook_hmac_key', and give NanoMDM the same with -webhook-hmac-key"
        door.warnings.add(form.place, "no webhook is let in, so no UnlockToken comes", cure)
    if name is None or url is None or api_key is None:
        return None
    return MdmSettings(name, "nanomdm", url, api_key, hmac_key, clears)


def _is_spoken(form: Form, mistakes: Mistakes) -> bool:
    kind = form.need("kind", forms.text, "write 'kind: nanomdm'")
    if kind == "nanomdm":
        return True
    if kind is not None:
        is_later = kind.replace("_", "-") in _OTHER_KINDS
        cure = "this version speaks nanomdm only" if is_later else nearest(kind, ("nanomdm",))
        what = f"'kind: {kind}' is not in this version yet" if is_later else f"there is no kind {shown(kind)}"
        mistakes.add(form.at("kind"), what, cure)
    return False


# ------------------------------------------------------------------------------- governor, recovery


def read_governor(node: Node | None, door: Door) -> tuple[Limits, StormLimits]:
    """The section `governor`: budgets, and when many at once are a fault of ours."""
    limits, storm = Limits(), StormLimits()
    form = door.form(node, "write it as {erases: {per_hour: 2}}")
    if form is None:
        return limits, storm
    erases = door.form(form.node("erases"), "write it as {at_once: 1, per_hour: 2, per_day: 5}")
    if erases is not None:
        limits = replace(
            limits,
            erases_at_once=_count(erases, "at_once", limits.erases_at_once, 100),
            erases_per_hour=_count(erases, "per_hour", limits.erases_per_hour, 1_000),
            erases_per_day=_count(erases, "per_day", limits.erases_per_day, 10_000),
        )
        erases.close()
    clears = door.form(form.node("clears"), "write it as {per_device_per_hour: 2}")
    if clears is not None:
        # Two an hour is promised, whatever a site writes.
        most = limits.clears_per_device_per_hour
        limits = replace(limits, clears_per_device_per_hour=_count(clears, "per_device_per_hour", most, most))
        clears.close()
    storm = _storm(form.node("storm"), door)
    form.close()
    return limits, storm


def _count(form: Form, key: str, default: int, most: int) -> int:
    found = form.read(key, forms.whole(0, most))
    return default if found is None else found


def _storm(node: Node | None, door: Door) -> StormLimits:
    blank = StormLimits()
    if isinstance(node, Leaf) and node.text == "none":
        cure = (
            "write {share: 30 %, at_least: 3, within: 10 min}: a failing hub looks like many locked devices"
        )
        door.warnings.add(node.place, "'storm: none'", cure)
        return replace(blank, is_on=False)
    form = door.form(node, "write none, or {share: 30 %, at_least: 3, within: 10 min}")
    if form is None:
        return blank
    share = form.read("share", forms.percent)
    found = replace(
        blank,
        share=blank.share if share is None else share / 100,
        at_least=form.read("at_least", forms.whole(2, 1_000)) or blank.at_least,
        within_s=form.read("within", forms.duration) or blank.within_s,
    )
    form.close()
    return found


def read_recovery(node: Node | None, door: Door) -> Mode:
    """The section `recovery`. This version decides erases and does not do them."""
    form = door.form(node, "write it as {mode: observe}")
    if form is None:
        return Mode.OBSERVE
    mode = mode_at(form, "mode", Mode.OBSERVE)
    if mode is not Mode.OBSERVE:
        cure = "write 'mode: observe': this version decides erases and does not do them"
        door.mistakes.add(
            form.at("mode"), f"'recovery: {{mode: {mode.value}}}' is not in this version yet", cure
        )
    for key in ("executor", "firmware"):
        form.refuse(key, f"'{key}' is not in this version yet", "take it out: no device is erased by it")
    form.close()
    return Mode.OBSERVE


# -------------------------------------------------------------------------------------- people, http


def read_people(node: Node | None, door: Door) -> PeopleSettings:
    """The section `people`."""
    blank = PeopleSettings()
    form = door.form(node, "write it as {on_duty: [{webhook: {credential: teams}}]}")
    if form is None:
        return blank
    ways = form.node("on_duty")
    read = [_way(one, door) for one in forms.items(ways)] if ways is not None else []
    again = form.read("again_after", forms.duration) or blank.again_after_s
    if again < 60.0:
        door.mistakes.add(form.at("again_after"), "people are called more than once a minute", "write 30 min")
    form.close()
    return PeopleSettings(tuple(one for one in read if one is not None), again)


def _way(node: Node, door: Door) -> WebhookCall | CommandCall | None:
    cure = "write {webhook: {credential: teams}} or {command: [tool, word]}"
    form = door.form(node, cure)
    if form is None:
        return None
    address = form.read("webhook", door.secret)
    words = form.read("command", forms.many(forms.text))
    form.close()
    if ("webhook" in form) == ("command" in form):
        door.mistakes.add(form.place, "a call is one of 'webhook' and 'command'", cure)
        return None
    if address is not None:
        return WebhookCall(address)
    return CommandCall(words) if words else None


def read_http(node: Node | None, door: Door) -> HttpSettings:
    """The section `http`."""
    blank = HttpSettings()
    form = door.form(node, "write it as {listen: 127.0.0.1:8780}")
    if form is None:
        return blank
    listen = _listener(form, "listen", door.mistakes) if "listen" in form else blank.listen
    found = HttpSettings(
        listen=listen,
        socket=form.read("socket", door.path) or blank.socket,
        webhooks=_listener(form, "webhooks", door.mistakes),
        tokens=_tokens(form.node("tokens"), door),
    )
    if listen is not None and not is_loopback(listen.host) and not found.tokens:
        cure = "add 'tokens', or listen on 127.0.0.1"
        door.warnings.add(form.at("listen"), "it listens for others and nobody has a token", cure)
    if found.webhooks is not None and found.webhooks.port and found.webhooks == found.listen:
        cure = "give webhooks a port of their own: an MDM must reach them, and must not reach approvals"
        door.mistakes.add(form.at("webhooks"), "'webhooks' and 'listen' are the same", cure)
    form.close()
    return found


def _listener(form: Form, key: str, mistakes: Mistakes) -> HostPort | None:
    node = form.node(key)
    if node is None or (isinstance(node, Leaf) and node.text == "none"):
        return None
    return host_port(node, mistakes)


def _tokens(node: Node | None, door: Door) -> tuple[Token, ...]:
    found: list[Token] = []
    for one in forms.items(node) if node is not None else ():
        form = door.form(one, "write it as {name: desk, role: view, token: {file: PATH}}")
        if form is None:
            continue
        name = form.need("name", forms.name, "say whose it is: 'name: desk'")
        role = form.need("role", forms.one_of(ROLES), f"write one of: {', '.join(ROLES)}")
        token = form.need("token", door.secret, "say where it is: {file: PATH}")
        form.close()
        if any(name == other.name for other in found):
            door.mistakes.add(
                form.at("name"), f"two tokens are named {shown(name or '')}", "give each its own name"
            )
        elif name is not None and role is not None and token is not None:
            found.append(Token(name, role, token))
    return tuple(found)
