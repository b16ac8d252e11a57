"""Rows of a journal as the store gives them, made by real turns of the core."""

from datetime import timedelta
from typing import Any

from mamd.codec import dump, dump_command, dump_event
from mamd.core.events import Looked
from mamd.core.facts import Attachment, Look
from mamd.core.turn import take
from mamd.ports import JournalRow
from tests.lives import LOCKED, MIDNIGHT, OPEN, RULES, Life, record


def rows(many: int) -> tuple[JournalRow, ...]:
    """The first turns of a device that comes locked, and is then unlocked."""
    life = Life("2-1.1", "1", record(1, "Ward phone 1")).plugged_in()
    looks = [LOCKED] * 3 + [OPEN] * many
    return tuple(_row(number, life, look) for number, look in enumerate(looks[:many], 1))


def _row(number: int, life: Life, look: Look) -> JournalRow:
    life.up += 1.0
    event = Looked(Attachment("boot-1", "2-1.1", 7), life._with_ids(look))
    was, turn = life.situation, take(life.situation, event, life.now, life.view, life.rules)
    body: dict[str, Any] = {
        "was": dump(was),
        "event": dump_event(event),
        "now": dump(life.now),
        "view": dump(life.view),
        "became": dump(turn.became),
        "commands": [dump_command(one) for one in turn.commands],
        "passed_over": list(turn.passed_over),
    }
    life.situation = turn.became
    wall = MIDNIGHT + timedelta(seconds=number)
    return JournalRow(number, "d-0001", "Looked", wall, RULES.hash, body, f"h{number - 1}", f"h{number}")
