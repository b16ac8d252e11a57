"""A story for a whole Launchpad: who is there, what happens when; read from a file or by name, and played.

    about: A shift change.
    phones:
      - {name: ward-7, character: locked, number: 7, port: 1-1.4, at: 10}
    story:
      - {at: 30, act: detach, phone: ward-7}

Times are seconds from the beginning. A phone without `at` is there from the start; `at: never` means that the
story attaches it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mamd.sim import characters
from mamd.sim.acts import BadStep, play
from mamd.sim.characters import Beat, Character
from mamd.sim.keys import Supervision
from mamd.sim.launchpad import SimLaunchpad, port_number


class BadScenario(Exception):
    """This is no scenario; the text says what is wrong, and what would be right."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Who is there, and what happens, in seconds from the beginning."""

    about: str
    cast: tuple[Character, ...]
    beats: tuple[Beat, ...]

    async def play(self, launchpad: SimLaunchpad) -> None:
        """Prepare all phones, then do each step at its time, at the Launchpad's pace."""
        for character in self.cast:
            character.prepare(launchpad)
        await play(launchpad, self.beats)

    def registry(self, mdm: str = "") -> str:
        """The device list that a site with these phones would have, as CSV."""
        text = io.StringIO()
        rows = [character.registry_row(mdm) for character in self.cast]
        writer = csv.DictWriter(text, list(rows[0]) if rows else ["serial"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()


def staged(character: Character, port: str | None, at_s: float = 0.0) -> list[Beat]:
    """A character's arrival on a port, and its own beats after it."""
    arrival = Beat(at_s, {"act": "attach", "phone": character.phone.name, "port": port})
    return [arrival, *(Beat(at_s + beat.at_s, beat.step) for beat in character.beats)]


# Those that ship.


def ward(supervision: Supervision | None = None) -> Scenario:
    """One of each, and nothing more."""
    names = list(characters.BY_NAME)
    cast = [
        make(100 + n, name=f"ward-{n + 1}", supervision=supervision)
        for n, make in enumerate(characters.BY_NAME.values())
    ]
    beats = [beat for n, one in enumerate(cast) for beat in staged(one, port_number(n))]
    return Scenario(f"One of each: {', '.join(names)}.", tuple(cast), tuple(beats))


def shift_change(supervision: Supervision | None = None, *, count: int = 6, every_s: float = 4.0) -> Scenario:
    """Locked phones, brought by hand one after another."""
    cast = [characters.locked(200 + n, name=f"shift-{n + 1}", supervision=supervision) for n in range(count)]
    beats = [beat for n, one in enumerate(cast) for beat in staged(one, port_number(20 + n), n * every_s)]
    return Scenario("A shift change: locked phones brought by hand.", tuple(cast), tuple(beats))


def storm(supervision: Supervision | None = None, *, count: int = 8, at_s: float = 20.0) -> Scenario:
    """A hub goes and comes back with everybody locked and restarted: nobody pairs."""
    cast = [characters.healthy(300 + n, name=f"hub-{n + 1}", supervision=supervision) for n in range(count)]
    ports = [port_number(40 + n) for n in range(count)]
    beats = [beat for one, port in zip(cast, ports, strict=True) for beat in staged(one, port)]
    hub = ports[0].rpartition(".")[0]
    beats.append(Beat(at_s, {"act": "hub_off", "hub": hub}))
    for one in cast:
        beats += [Beat(at_s + 1, {"act": act, "phone": one.phone.name}) for act in ("set_passcode", "reboot")]
    beats.append(Beat(at_s + 2, {"act": "hub_on", "hub": hub}))
    return Scenario("A hub comes back with everybody unpaired.", tuple(cast), tuple(beats))


def crowd(supervision: Supervision | None = None, *, count: int = 1000) -> Scenario:
    """Very many healthy phones at once."""
    cast = [
        characters.healthy(1000 + n, name=f"crowd-{n + 1}", supervision=supervision) for n in range(count)
    ]
    beats = [beat for n, one in enumerate(cast) for beat in staged(one, port_number(n))]
    return Scenario(f"{count} healthy phones.", tuple(cast), tuple(beats))


SHIPPED: dict[str, Callable[..., Scenario]] = {
    "ward": ward,
    "shift-change": shift_change,
    "storm": storm,
    "crowd": crowd,
}


def play_act(pad: SimLaunchpad, *, scenario: str) -> None:
    """The act `play`: begin a scenario now, beside what goes on. Put it into `launchpad.acts["play"]`."""
    try:
        loaded = load(scenario, pad.supervision)
    except BadScenario as error:
        raise BadStep(str(error)) from error
    pad.tell(loaded.play(pad))


# From a file.


def load(name: str, supervision: Supervision | None = None) -> Scenario:
    """The shipped scenario of that name, or the one in that file. Raises `BadScenario`."""
    if name in SHIPPED:
        return SHIPPED[name](supervision)
    try:
        text = yaml.safe_load(Path(name).read_text())
    except OSError as error:
        known = ", ".join(SHIPPED)
        raise BadScenario(f"{name}: {error.strerror}; it is no shipped scenario either ({known})") from error
    except yaml.YAMLError as error:
        raise BadScenario(f"{name}: {error}") from error
    return _from_file(name, text, supervision)


def _from_file(name: str, text: object, supervision: Supervision | None) -> Scenario:
    if not isinstance(text, dict) or not text.keys() <= {"about", "phones", "story"}:
        raise BadScenario(f"{name}: a scenario has the keys about, phones and story, and no others")
    cast, beats = [], []
    for entry in _list(name, text, "phones"):
        character, arrival = _phone(name, entry, supervision)
        cast.append(character)
        beats += arrival
    beats += [_beat(name, entry) for entry in _list(name, text, "story")]
    return Scenario(str(text.get("about", "")), tuple(cast), tuple(beats))


def _list(name: str, text: dict[str, Any], key: str) -> list[dict[str, Any]]:
    entries = text.get(key) or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BadScenario(
            f"{name}: {key} is a list of dictionaries, such as {{name: ward-7, character: locked}}"
        )
    return entries


def _phone(name: str, entry: dict[str, Any], supervision: Supervision | None) -> tuple[Character, list[Beat]]:
    if not {"name", "character", "number"} <= entry.keys() <= {"name", "character", "number", "port", "at"}:
        raise BadScenario(
            f"{name}: a phone has name, character and number, and may have port and at: {entry}"
        )
    make = characters.BY_NAME.get(entry["character"])
    if make is None:
        known = ", ".join(characters.BY_NAME)
        raise BadScenario(f"{name}: no character is called {entry['character']!r}; there are {known}")
    if not isinstance(entry["number"], int):
        raise BadScenario(f"{name}: number is a whole number, not {entry['number']!r}; it makes the UDID")
    character = make(entry["number"], name=str(entry["name"]), supervision=supervision)
    if entry.get("at") == "never":
        return character, []
    return character, staged(character, entry.get("port"), _seconds(name, entry.get("at", 0)))


def _beat(name: str, entry: dict[str, Any]) -> Beat:
    if "act" not in entry or "at" not in entry:
        raise BadScenario(f"{name}: a step of the story has at and act: {entry}")
    return Beat(_seconds(name, entry["at"]), {key: value for key, value in entry.items() if key != "at"})


def _seconds(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise BadScenario(f"{name}: at is a number of seconds from the beginning, not {value!r}")
    return float(value)
