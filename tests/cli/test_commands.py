"""The command line, as people and scripts use it: the real program beside a real socket."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from mamd.core.errors import No, Refused
from tests.cli.conftest import MAMD, Typed
from tests.desk import STRANGERS_UDID, FakeDesk, stormy
from tests.golden import assert_golden
from tests.rows import rows

ASKS = (
    ("status",), ("devices", "list"), ("devices", "show", "d-0002"), ("why", "d-0002"), ("journal",),
    ("journal", "--verify"), ("replay",),
)  # fmt: skip
TELLS = {
    ("start", "clear-passcode", "d-0002", "-r", "asked by Anna"): ("start", "clear-passcode", "d-0002"),
    ("hold", "everything", "--reason", "smoke"): ("hold", "everything"),
    ("release", "storm", "--reason", "hub is fine"): ("release", "storm"),
    ("approve", "r-0013", "--label", "13", "-r", "seen"): ("approve", "r-0013", "13"),
    ("retry", "r-0013", "-r", "MDM is back"): ("retry", "r-0013"),
    ("ack",): ("ack", "all"),
    ("ack", "d-0007"): ("ack", "cause/d-0007/trust_pending"),
    ("ack", "port:7"): ("ack", "cause/d-0007/trust_pending"),
    ("devices", "set", "d-0002", "status", "active"): ("set", "d-0002", "status", "active"),
}


async def test_the_status_of_a_ward_is_what_was_reviewed(mamd: Typed) -> None:
    """Every port as the shelf has it, with its clock."""
    ended = await mamd("status")
    assert ended.status == 0
    assert_golden("status-ward", ended.out.rstrip("\n"))


async def test_the_status_of_a_storm_is_what_was_reviewed(mamd: Typed, desk: FakeDesk) -> None:
    """Faults, storm, holds and calls come with what to do."""
    desk.seen = stormy()
    assert_golden("status-storm", (await mamd("status")).out.rstrip("\n"))


@pytest.mark.parametrize("words", ASKS, ids=" ".join)
async def test_every_command_that_shows_data_gives_it_to_programs(
    mamd: Typed, desk: FakeDesk, words: tuple[str, ...]
) -> None:
    """With --json, every line or the whole is JSON, and nothing else is said."""
    desk.rows = rows(4)
    ended = await mamd(*words, "--json")
    assert (ended.status, ended.err) == (0, "")
    told = (
        [json.loads(line) for line in ended.out.splitlines()]
        if words == ("journal",)
        else json.loads(ended.out)
    )
    assert told
    assert STRANGERS_UDID not in ended.out


@pytest.mark.parametrize(("words", "told"), TELLS.items(), ids=[" ".join(words) for words in TELLS])
async def test_a_persons_words_reach_the_daemon(
    mamd: Typed, desk: FakeDesk, words: tuple[str, ...], told: tuple[str, ...]
) -> None:
    """With who said it, and why; and one line says what was done."""
    ended = await mamd(*words)
    assert ended.status == 0, ended.err
    assert desk.told[0][: len(told)] == told
    assert len(ended.out.splitlines()) == 1


@pytest.mark.parametrize("words", [*ASKS, *TELLS], ids=" ".join)
async def test_without_a_daemon_it_says_so_in_one_line(alone: Typed, words: tuple[str, ...]) -> None:
    """Status 3, and where to look."""
    ended = await alone(*words)
    assert ended.status == 3
    assert ended.err.splitlines()[0] == "mamd: there is no daemon at /run/mamd/mamd.sock"
    assert "Traceback" not in ended.err + ended.out


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("why", "nobody"), 1), (("ack", "d-0001"), 1), (("check", "-c", "no-such.yaml"), 1),
        (("hold", "every\nthing", "-r", "why"), 1), (("why",), 2), (("frobnicate",), 2),
        (("hold", "everything"), 2), (("approve", "r-0013", "-r", "x"), 2), (("check",), 2), (("run",), 2),
        (("journal", "--since", "soon"), 2), (("replay", "no-such-file"), 2), (("--json", "status"), 2),
        (("run", "-c", "no-such.yaml"), 2), (("hold", "everything", "-r", " \t"), 2),
    ],
    ids=str,
)  # fmt: skip
async def test_a_persons_mistake_is_a_clear_line(
    mamd: Typed, desk: FakeDesk, words: tuple[str, ...], status: int
) -> None:
    """1 for no, 2 for wrong usage or a file that does not load; never a traceback, and nothing is done."""
    ended = await mamd(*words)
    assert ended.status == status, ended
    assert ended.err + ended.out
    assert "Traceback" not in ended.err + ended.out
    assert desk.told == []


async def test_a_no_is_said_in_the_daemons_own_line(mamd: Typed, desk: FakeDesk) -> None:
    """It says what would be right."""
    desk.refusal = Refused("mamd", "d-0013 is not at the port labelled '12'; look at the shelf", No.REJECTED)
    ended = await mamd("approve", "r-0013", "--label", "12", "-r", "seen")
    assert ended.status == 1
    assert ended.err == "mamd: d-0013 is not at the port labelled '12'; look at the shelf\n"


async def test_the_socket_is_found_in_the_configuration(alone: Typed, socket: Path, tmp_path: Path) -> None:
    """Even by somebody who may not read the secrets that the file names."""
    config = tmp_path / "here" / "mamd.yaml"
    secret = "mdm: [{name: h, kind: nanomdm, url: https://x.example, api_key: {file: /root/none}}]"
    config.write_text(f"http:\n  socket: {socket}\n{secret}\n")
    assert (await alone("why", "d-0001")).status == 0
    config.rename(tmp_path / "other.yaml")
    assert (await alone("why", "d-0001", "-c", str(tmp_path / "other.yaml"))).status == 0
    assert (await alone("why", "d-0001", MAMD_CONFIG=str(tmp_path / "other.yaml"))).status == 0
    assert (await alone("why", "d-0001", "--socket", str(socket))).status == 0


async def test_a_name_cannot_move_the_terminals_cursor(mamd: Typed, desk: FakeDesk) -> None:
    """Some names were written by other people."""
    one = desk.standings["watched"]
    assert one.record is not None
    desk.standings["watched"] = replace(one, record=replace(one.record, name="\x1b[2J\x07evil\nname"))
    for words in (("devices", "list"), ("why", "d-0002"), ("devices", "show", "d-0002")):
        out = (await mamd(*words)).out
        assert "\x1b" not in out
        assert "\x07" not in out


async def test_what_was_exported_is_taken_again_without_a_daemon(
    mamd: Typed, alone: Typed, desk: FakeDesk, tmp_path: Path
) -> None:
    """The same core comes to the same turns; a row that says otherwise is named."""
    desk.rows = rows(8)
    file = tmp_path / "journal.jsonl"
    file.write_text((await mamd("journal", "--export")).out)
    ended = await alone("replay", str(file))
    assert (ended.status, ended.out) == (0, "8 turns taken again, 0 differences\n")
    *others, last = file.read_text().splitlines()
    row = json.loads(last)
    row["body"]["became"]["link"]["episode"] = 7
    file.write_text("\n".join((*others, json.dumps(row))))
    ended = await alone("replay", str(file))
    assert ended.status == 1
    assert "row 8 (d-0001, Looked): became.link.episode was 7, and is 1" in ended.out


async def test_the_journal_of_one_device_from_a_time_on(program: Typed, desk: FakeDesk) -> None:
    """One line a turn, with what it became, in local time."""
    desk.rows = rows(4)
    ended = await program("journal", "--device", "d-0001", "--since", "2026-11-25T03:00:03")
    lines = ended.out.splitlines()
    assert len(lines) == 2
    assert "2026-11-25 03:00:03  d-0001  Looked  → " in lines[0]


async def test_following_shows_each_row_as_it_comes(
    socket: Path, here: Path, desk: FakeDesk, tmp_path: Path
) -> None:
    """Whoever watches sees the next turn without asking again, and the end of the daemon as one line."""
    desk.rows = rows(1)
    watching = await asyncio.create_subprocess_exec(
        MAMD, "journal", "--follow", "--json", "--socket", str(socket), stdout=asyncio.subprocess.PIPE
    )  # fmt: skip
    assert watching.stdout is not None
    assert json.loads(await watching.stdout.readline())["number"] == 1
    desk.rows = rows(2)
    desk.happens()
    assert json.loads(await watching.stdout.readline())["number"] == 2
    watching.terminate()
    await watching.communicate()


async def test_the_real_program_says_no_with_its_status(program: Typed) -> None:
    """What was shown above in one process is so in its own, too."""
    assert (await program("why", "nobody")).status == 1
    gone = await program("status", "--socket", "/nowhere/mamd.sock")
    assert (gone.status, gone.out) == (3, "")
    assert gone.err.startswith("mamd: there is no daemon at /nowhere/mamd.sock\n")


async def test_a_changed_journal_is_found_out(mamd: Typed, desk: FakeDesk) -> None:
    """Status 1, and which row."""
    desk.changed_rows = ("row 3 is not what it was",)
    ended = await mamd("journal", "--verify")
    assert (ended.status, ended.out) == (1, "row 3 is not what it was\n")


async def test_check_names_every_mistake_with_its_place(alone: Typed, tmp_path: Path) -> None:
    """FILE:LINE:COL, what, and what would be right."""
    config = tmp_path / "here" / "mamd.yaml"
    config.write_text("mode: atuo\nlaunchpad: {name: ward-3}\nfrobnicate: yes\n")
    ended = await alone("check")
    assert ended.status == 1
    assert "mamd.yaml:1:7: " in ended.out
    assert "mamd.yaml:3:" in ended.out
    config.write_text("launchpad: {name: ward-3}\n")
    assert (await alone("check")).status == 0
