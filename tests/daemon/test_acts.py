"""What the daemon asks MDMs for, and what it hears of it."""

from dataclasses import dataclass, field
from pathlib import Path

from mamd.core.commands import Push
from mamd.core.events import Event, Pushed
from mamd.core.facts import Ids, canonical_udid
from mamd.core.time import Now
from mamd.core.turn import Situation, Turn
from mamd.daemon.acts import AT_ONCE, Acts
from mamd.daemon.turns import Asked
from mamd.sim.characters import locked
from mamd.sim.record import Record
from tests.daemon.site import site

PATIENCE_S = 0.3


@dataclass
class Heard:
    """An observer that keeps what came of pushes."""

    errors: list[str] = field(default_factory=list)

    def turned(self, subject: str, was: Situation, event: Event, now: Now, turn: Turn) -> None:
        """Keep it."""
        if isinstance(event, Pushed):
            self.errors.append(event.error)


async def test_what_never_had_its_turn_before_a_hanging_mdm_was_not_sent(tmp_path: Path) -> None:
    """Five at a time ask an MDM; of those that wait behind them it is certain that nothing happened."""
    many = 2 * AT_ONCE + 1
    async with site(tmp_path) as here:
        phone = locked(1, name="ward-1").phone
        here.own(phone)
        record = here.keeper.ledger.find(Ids(canonical_udid(phone.identity.udid)))
        assert record is not None
        heard = Heard()
        here.keeper.observers = (heard,)
        await here.mdm.obey({"do": "fail", "how": "HANG_BEFORE"})
        acts = Acts(here.acts.mdms, deadline_s=PATIENCE_S)
        acts.keeper = here.keeper
        for number in range(many):
            acts.carry_out(Asked(Push(f"r-0001/0/{number}", record.device, "hospital"), record))
        await here.until(lambda: len(heard.errors) == many)
        sent = len(Record.read(here.pad.record.path, "mdm.request", call="push"))
    waited = [error for error in heard.errors if error == "all connections to it are waiting for answers"]
    assert AT_ONCE <= sent <= 2 * AT_ONCE
    assert waited
