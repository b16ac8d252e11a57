"""
Finds mamd.yaml and reads it into Settings, or says everything that is wrong with it.

The file is the first of: what `-c` names, what MAMD_CONFIG names, ./mamd.yaml, /etc/mamd/mamd.yaml.
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from mamd.config import forms
from mamd.config.door import Door, mode_at
from mamd.config.files import read_yaml_file
from mamd.config.forms import Form
from mamd.config.launchpad import read_launchpad
from mamd.config.mistakes import Mistake, Place
from mamd.config.secret import Secret
from mamd.config.sections import (
    read_governor,
    read_http,
    read_mdms,
    read_people,
    read_recovery,
)
from mamd.config.settings import LaunchpadSettings, Settings

SYSTEM_WIDE: Final = Path("/etc/mamd/mamd.yaml")
_LATER: Final = (
    ("custody", "take it out: check-out and check-in are not built"),
    ("passcode_policies", "take it out: policies are not pushed yet"),
    ("hub", "take it out: each Launchpad stands by itself"),
    ("database", "take it out: each Launchpad keeps its own under 'state'"),
)


class Read(NamedTuple):
    """What came of reading. `settings` is None if there is any mistake: what was in force goes on."""

    settings: Settings | None
    mistakes: tuple[Mistake, ...]
    warnings: tuple[Mistake, ...]


def find_config(option: Path | None, environ: Mapping[str, str], folder: Path) -> Path | None:
    """Which file to read; None if none was named and none is there. A named one need not exist."""
    if option is not None:
        return folder / option
    named = environ.get("MAMD_CONFIG")
    if named:
        return folder / named
    return next((path for path in (folder / "mamd.yaml", SYSTEM_WIDE) if os.path.exists(path)), None)


def read_settings(file: Path, environ: Mapping[str, str]) -> Read:
    """
    The settings of one file, with the environment and the credentials that it names.

    Raises nothing; reading twice gives the same while the files are the same.
    """
    door = Door(file.absolute().parent, environ)
    node = read_yaml_file(file, door.mistakes)
    form = door.form(node, "write it as 'launchpad: {name: ward-3}' and so on")
    settings = None if form is None else _settings(form, file, door)
    if door.mistakes or settings is None:
        return Read(None, door.mistakes.in_order(), ())
    return Read(settings, (), door.warnings.in_order())


def _settings(form: Form, file: Path, door: Door) -> Settings | None:
    for key, cure in _LATER:
        form.refuse(key, f"'{key}' is not in this version yet", cure)
    launchpad = read_launchpad(form.node("launchpad"), Place(str(file)), door)
    blank = Settings(file, launchpad or LaunchpadSettings(name=""))
    limits, storm = read_governor(form.node("governor"), door)
    settings = replace(
        blank,
        mode=mode_at(form, "mode", blank.mode),
        state=form.read("state", door.path) or blank.state,
        rules=form.read("rules", forms.many(door.existing)) or (),
        workflows=form.read("workflows", forms.many(door.existing)) or (),
        devices=form.read("devices", door.existing),
        mdms=read_mdms(form.node("mdm"), door),
        vault_key=_vault_key(form, door),
        recovery_mode=read_recovery(form.node("recovery"), door),
        limits=limits,
        storm=storm,
        people=read_people(form.node("people"), door),
        http=read_http(form.node("http"), door),
    )
    form.close()
    _warn(settings, door)
    return settings if launchpad is not None else None


def _vault_key(form: Form, door: Door) -> Secret | None:
    vault = door.form(form.node("vault"), "write it as {key: {credential: vault-key}}")
    if vault is None:
        return None
    key = vault.need("key", door.secret, "say where it is: {credential: vault-key}")
    vault.close()
    return key


def _warn(settings: Settings, door: Door) -> None:
    place = Place(str(settings.file))
    if not settings.rules and not settings.switched_mdms:
        cure = "write 'rules: [rules]', or 'clear_passcode_when_not_pairing: true' at an MDM"
        door.warnings.add(place, "no rule and no switch: no device will ever be helped", cure)
    if not settings.people.on_duty:
        cure = "add 'people: {on_duty: [{webhook: {credential: NAME}}]}'"
        door.warnings.add(place, "nobody is on duty: calls are seen on the page and in the log only", cure)
    if settings.devices is None:
        cure = "write 'devices: devices.csv'"
        door.warnings.add(place, "no list of devices: only those that were imported by hand are known", cure)
