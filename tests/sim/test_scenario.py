"""Stories: shipped ones and those in files; and the process in which another one finds them played."""

import asyncio
import csv
import json
import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mamd.sim import characters
from mamd.sim.acts import perform
from mamd.sim.keys import Supervision
from mamd.sim.launchpad import SimLaunchpad
from mamd.sim.phone import Trust
from mamd.sim.record import Record
from mamd.sim.scenario import SHIPPED, BadScenario, load, ward
from tests.canary import API_KEY, MARKER
from tests.sim.host import Mux

FAST = 1000.0


async def test_the_ward_has_one_of_each(pad: SimLaunchpad, supervision: Supervision) -> None:
    """Every character is on a port of its own, with on file what its story says."""
    scenario = ward(supervision)
    pad.pace = FAST
    await scenario.play(pad)
    assert sorted(one.phone.name for one in scenario.cast) == sorted(p.name for p in pad.attached.values())
    on_file = [one.on_file.value for one in scenario.cast if pad.usbmuxd.pairings.read(one.phone.udid)]
    assert set(on_file) == {"paired", "stale"}
    flapped = Record.read(pad.record.path, "launchpad", device=pad.phone("ward-11").udid, what="attached")
    assert len(flapped) == 11


async def test_a_phone_that_is_brought_has_its_story(pad: SimLaunchpad) -> None:
    """A character brought by the control API flaps as it does in a scenario."""
    pad.pace = FAST
    await perform(pad, {"act": "bring", "character": "bad_cable", "name": "ward-1", "number": 1})
    await pad.told()
    attached = Record.read(pad.record.path, "launchpad", device=pad.phone("ward-1").udid, what="attached")
    assert len(attached) == 11


async def test_a_storm_leaves_everybody_locked(pad: SimLaunchpad) -> None:
    """A hub comes back, and all its phones have restarted and want their passcode."""
    scenario = SHIPPED["storm"](None, count=5, at_s=1.0)
    pad.pace = FAST
    await scenario.play(pad)
    assert len(pad.attached) == 5
    assert all(phone.locked and not phone.first_unlocked for phone in pad.attached.values())


@pytest.mark.parametrize("name", characters.BY_NAME)
def test_a_character_is_told(name: str, supervision: Supervision) -> None:
    """Each has a story and a moral in whole sentences, and pairs by its organisation or by a person."""
    one = characters.BY_NAME[name](1, name="ward-1", supervision=supervision)
    assert one.story.endswith(".")
    assert one.moral.endswith(".")
    alone = characters.BY_NAME[name](1, name="ward-1")
    assert alone.phone.supervisor is None
    assert one.phone.supervisor is not None or alone.phone.trust is one.phone.trust is not Trust.ACCEPT


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "story.yaml"
    path.write_text(text)
    return str(path)


async def test_a_story_from_a_file(pad: SimLaunchpad, tmp_path: Path) -> None:
    """A site writes who is there and what happens, and it does."""
    scenario = load(
        written(
            tmp_path,
            """
            about: Two phones, one of which is taken away.
            phones:
              - {name: ward-1, character: locked, number: 1, port: 1-1.4}
              - {name: ward-2, character: healthy, number: 2, at: never}
            story:
              - {at: 5, act: attach, phone: ward-2, port: 1-1.5}
              - {at: 6, act: detach, phone: ward-1}
              - {at: 7, act: lock, phone: nobody}
            """,
        )
    )
    pad.pace = FAST
    await scenario.play(pad)
    assert {port: phone.name for port, phone in pad.attached.items()} == {"1-1.5": "ward-2"}
    (failed,) = Record.read(pad.record.path, "scenario")
    assert failed["why"].startswith("no phone is called 'nobody'")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[1, 2]", "has the keys about, phones and story"),
        ("phone: []", "has the keys about, phones and story"),
        ("phones: {a: b}", "phones is a list"),
        (
            "phones: [{name: a, character: lost, number: 1}]",
            "no character is called 'lost'; there are healthy",
        ),
        ("phones: [{name: a}]", "a phone has name, character and number"),
        ("phones: [{name: a, character: locked, number: x}]", "number is a whole number"),
        ("phones: [{name: a, character: locked, number: 1, at: soon}]", "at is a number of seconds"),
        ("story: [{act: lock}]", "a step of the story has at and act"),
        ("story: [{at: -1, act: lock}]", "at is a number of seconds"),
        ("story: [", "while parsing"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_right(tmp_path: Path, text: str, says: str) -> None:
    """Each mistake names the file and what would be right."""
    with pytest.raises(BadScenario, match=r"story\.yaml") as error:
        load(written(tmp_path, text))
    assert says in str(error.value)


def test_a_name_that_is_nowhere() -> None:
    """Neither a file nor a shipped scenario: the shipped ones are listed."""
    with pytest.raises(BadScenario, match="ward, shift-change, storm, crowd"):
        load("nowhere")


@asynccontextmanager
async def process(
    folder: Path, *words: str, stdin: int | None = None
) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, Any]]]:
    """The simulator in a process of its own, and where it says that everything is."""
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mamd.sim", "--folder", str(folder), *words),
        env=os.environ | {"MAMD_SIM_API_KEY": API_KEY},
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
    )
    assert running.stdout is not None
    try:
        async with asyncio.timeout(30):
            yield running, json.loads(await running.stdout.readline())
    finally:
        if running.returncode is None:
            running.kill()
        await running.wait()


def call(url: str, body: Any = None) -> tuple[int, dict[str, Any]]:
    """POST the body as JSON, or GET if there is none."""
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(url, data, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


async def test_another_process_plays_with_it(tmp_path: Path) -> None:
    """All that a test can do, another process can; a wrong step changes nothing and says what is right."""
    words = ("--mdm", "0", "--mark", MARKER.decode())
    async with process(tmp_path / "pad", *words) as (running, places):
        control = places["control"]
        brought = {"act": "bring", "character": "locked", "name": "ward-1", "number": 1, "port": "1-1.1"}
        answers = [
            await asyncio.to_thread(call, control + "/acts", brought),
            await asyncio.to_thread(
                call, control + "/acts", [{"act": "unlock", "phone": "1-1.1"}, {"act": "x"}]
            ),
            await asyncio.to_thread(
                call, control + "/acts", {"act": "enter_mode", "phone": "ward-1", "mode": "off"}
            ),
            await asyncio.to_thread(call, control + "/acts", {"act": "mdm", "order": {"do": "enrol"}}),
            await asyncio.to_thread(call, control + "/acts", {"act": "mdm", "order": {"do": "enroll"}}),
            await asyncio.to_thread(call, control + "/nowhere"),
            await asyncio.to_thread(call, control + "/acts", {"act": "play", "scenario": "nowhere"}),
        ]
        assert [status for status, _ in answers] == [200, 400, 400, 200, 400, 404, 400]
        assert answers[1][1]["done"] == 1
        assert "restoring, recovery, dfu" in answers[2][1]["error"]
        _, state = await asyncio.to_thread(call, control + "/state")
        (phone,) = state["phones"]
        assert (phone["name"], phone["port"], phone["locked"]) == ("ward-1", "1-1.1", False)
        mux = await Mux.open(Path(places["usbmuxd"]))
        assert len((await mux.ask("ListDevices"))["DeviceList"]) == 1
        mux.close()
        running.send_signal(signal.SIGTERM)
        assert await running.wait() == 0
    assert MARKER.decode() not in Path(places["record"]).read_text()
    assert Record.read(Path(places["record"]), "mdm.device")


async def test_it_ends_with_whoever_started_it(tmp_path: Path) -> None:
    """Given --until-eof it never outlives whoever holds its standard input; it leaves a device list."""
    words = ("--scenario", "ward", "--until-eof", "--mdm-name", "hospital")
    async with process(tmp_path / "pad", *words, stdin=asyncio.subprocess.PIPE) as (running, places):
        rows = list(csv.DictReader(Path(places["devices"]).read_text().splitlines()))
        assert len(rows) == len(characters.BY_NAME)
        stolen = next(row for row in rows if row["retired_reason"] == "stolen")
        assert (stolen["status"], stolen["mdm"], int(stolen["ecid"], 0) > 0) == ("retired", "hospital", True)
        assert {row["ownership"] for row in rows} == {"shared", "personal"}
        assert running.stdin is not None
        running.stdin.close()
        assert await running.wait() == 0


async def test_a_scenario_that_does_not_load_is_one_clear_line(tmp_path: Path) -> None:
    """Wrong usage ends with status 2 and no traceback."""
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mamd.sim", "--folder", str(tmp_path), "--scenario", "nowhere"),
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await running.communicate()
    assert (running.returncode, said.decode().count("\n")) == (2, 1)
