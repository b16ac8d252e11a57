"""Looks at what the demo shows: that the reasons of a `mamd why` come out short and whole."""

import io

from rich.console import Console

from mamd.cli.demo.cast import cast
from mamd.cli.demo.judge import Verdict
from mamd.cli.demo.show import Show, in_short

WAITING = (
    "hub-1 (d-0013, serial F2L0000421MD), on port 13",
    "",
    "How it stands",
    "  It does not pair, since 04:48:44: it is locked with a passcode.",
    "",
    "Why",
    "  Rule not-pairing began clear-passcode-then-erase 9 s ago.",
    "",
    "What comes next",
    "  Before the next step (clear the passcode) it waits:",
    "    too many devices stopped pairing at once",
)
ENDED = (
    *WAITING[:8],
    "What was done",
    "  04:47:50  asked the MDM to clear the passcode",
    "  04:47:51  ended: unlocked",
)


def test_what_a_phone_waits_for_is_said():
    """Whoever reads the table sees why nothing is done to a phone of the storm."""
    assert in_short(WAITING) == (
        "Rule not-pairing began clear-passcode-then-erase 9 s ago. "
        "It waits: too many devices stopped pairing at once."
    )


def test_what_came_of_it_is_said():
    """Of a run that ended its end is what matters."""
    assert in_short(ENDED) == "Rule not-pairing began clear-passcode-then-erase 9 s ago. Ended: unlocked."


def test_how_it_stands_is_said_where_nothing_was_done():
    """A phone that is left alone is described instead."""
    assert in_short(WAITING[:5]) == "It does not pair, since 04:48:44: it is locked with a passcode."


def test_what_is_wrong_stands_in_the_table():
    """A story that did not come true says so where it went wrong."""
    written = io.StringIO()
    role = cast()[0]
    verdicts = (Verdict(role, "nothing was seen", ("no clear was asked for",)), Verdict(None, "20 phones"))
    Show(Console(file=written, width=160), headless=True).outcome(verdicts, {role.name: "nobody knows"})
    assert "NO" in written.getvalue()
    assert "nothing was seen. WRONG: no clear was asked for" in written.getvalue()
    assert "nobody knows" in written.getvalue()
    assert "yes: 20 phones." in written.getvalue()
