"""One line a turn, with nothing in it that is a secret or a stranger's."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from mamd.core import events as ev
from mamd.core.facts import Attachment, UsbMode
from mamd.core.turn import take
from mamd.observe import log
from mamd.observe.log import TurnLog
from tests.desk import STRANGERS_UDID
from tests.lives import LOCKED, OPEN, Life, record

SECRET = "q9Zr4vT1kXw8bN2mC6yD3hJ7"


@pytest.fixture
def lines() -> Iterator[Any]:
    """What has been logged so far, as JSON; the logging of others is put back afterwards."""
    root, before = logging.getLogger(), (list(logging.getLogger().handlers), logging.getLogger().level)
    out = io.StringIO()
    log.set_up(out)
    yield lambda: [json.loads(line) for line in out.getvalue().splitlines()]
    root.handlers[:], root.level = before
    structlog.reset_defaults()


class Logged(Life):
    """A life that is logged as the daemon logs it."""

    def takes(self, event: ev.Event) -> "Logged":
        was = self.situation
        turn = take(was, event, self.now, self.view, self.rules)
        TurnLog().turned(self.record.device if self.record else "launchpad", was, event, self.now, turn)
        super().takes(event)
        return self


def test_a_line_reads_from_what_was_to_what_became(lines: Any) -> None:
    """Which run of which device, on what, and what was asked for by which rule."""
    Logged("2-1.2", "2", record(2, "Ward phone 2")).plugged_in().looked(LOCKED, until=7.5).accepted()
    runs = [line for line in lines() if line["event"] == "run.turned"]
    opened, watched = runs
    assert (opened["was"], opened["on"], opened["became"]) == ("new", "Looked", "acting")
    assert opened["asked"] == ["mdm.clear_passcode"]
    assert (watched["was"], watched["on"], watched["became"]) == ("acting", "Accepted", "watching")
    assert {"run", "device", "port", "do", "waited_s", "rule"} <= set(watched)


def test_a_look_that_changes_nothing_is_no_line(lines: Any) -> None:
    """Five minutes of waiting are not thirty lines."""
    life = Logged("2-1.2", "2", record(2, "Ward phone 2")).plugged_in().looked(LOCKED, until=7.5).accepted()
    before = len(lines())
    life.looked(LOCKED, until=60.0)
    assert len(lines()) == before


def test_a_link_that_changes_is_a_line_with_its_cause(lines: Any) -> None:
    """Whether a device pairs, and why not, is told once each time it changes."""
    Logged("2-1.2", "2", record(2, "Ward phone 2")).plugged_in().looked(OPEN, until=5.0)
    line = next(line for line in lines() if line["event"] == "link.turned")
    assert (line["device"], line["port"], line["became"]) == ("d-0002", "2-1.2", "paired")


def test_of_a_stranger_only_the_port_is_logged(lines: Any) -> None:
    """No identity of a device that is not ours is written anywhere."""
    life = Logged("2-2.8", "8", None).plugged_in()
    life.looked(LOCKED, until=10.0)
    text = json.dumps(lines())
    assert "2-2.8" in text
    assert STRANGERS_UDID not in text
    assert all("device" not in line for line in lines())


@pytest.mark.parametrize(
    "line",
    [
        {"token": SECRET}, {"api_key": SECRET}, {"unlock_token": SECRET}, {"hmac": SECRET},
        {"headers": {"Authorization": f"Basic {SECRET}"}}, {"body": SECRET.encode()}, {"cookie": [SECRET]},
        {"deep": [{"x": (SECRET.encode(),)}]}, {"EscrowBag": SECRET}, {"odd": bytearray(SECRET.encode())},
        {"private_key": {"pem": SECRET}},
    ],
    ids=str,
)  # fmt: skip
def test_secrets_and_bytes_are_not_shown(lines: Any, line: dict[str, Any]) -> None:
    """However deep they lie in what somebody logged."""
    structlog.get_logger().info("something.happened", **line)
    assert SECRET not in json.dumps(lines())
    assert len(lines()) == 1


def test_what_json_cannot_say_is_named_by_its_kind_only(lines: Any) -> None:
    """The text of an object may hold more than anybody foresaw."""

    class Vault:
        def __repr__(self) -> str:
            return SECRET

    structlog.get_logger().info("something.happened", what=Vault())
    assert lines()[0]["what"] == "<Vault>"


def test_a_library_that_logs_addresses_is_kept_quiet(lines: Any) -> None:
    """httpx writes whole addresses at its usual level, and one of them is a secret."""
    logging.getLogger("httpx").info("HTTP Request: POST https://example.org/%s", SECRET)
    logging.getLogger("somewhere").warning("disk %s is nearly full", "sda")
    assert [line["event"] for line in lines()] == ["disk sda is nearly full"]


def test_a_bug_is_logged_with_its_traceback_and_its_level(lines: Any) -> None:
    """It is found by whoever looks for errors."""
    life = Logged("2-1.2", "2", record(2, "Ward phone 2")).plugged_in().looked(LOCKED, until=7.5)
    life.takes(ev.Broke("Traceback: KeyError"))
    assert [line["level"] for line in lines() if line.get("end") == "broken"] == ["error"]


def test_on_a_terminal_it_is_for_eyes(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON is for machines; a person at a terminal reads columns."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    log.set_up(out)
    structlog.get_logger().info("daemon.started", launchpad="ward-3")
    structlog.reset_defaults()
    logging.getLogger().handlers.clear()
    assert "daemon.started" in out.getvalue()
    assert not out.getvalue().startswith("{")


def test_an_attachment_is_a_line_of_its_own(lines: Any) -> None:
    """Coming and going is seen in the log, too."""
    life = Logged("2-1.2", "2", record(2, "Ward phone 2")).plugged_in(mode=UsbMode.RECOVERY)
    life.takes(ev.Detached(Attachment("boot-1", "2-1.2", 7)))
    assert (lines()[-1]["was"], lines()[-1]["became"]) == ("recovery", "gone")
