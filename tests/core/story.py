"""
Tells what happens to one device, in the words of whoever stands before it.

    story.attach(LOCKED).after(seconds=5).then(ClearPasscode)
    story.accepted().after(minutes=5).then(WOULD_ERASE)
"""

from dataclasses import replace
from typing import Any

from mamd.core import commands as do
from mamd.core import events as ev
from mamd.core.commands import Reason
from mamd.core.errors import No
from mamd.core.facts import Attachment, Cause, Ids, LinkState, Record, UsbMode
from mamd.core.governor import Block
from mamd.core.link import Link
from mamd.core.rules import RuleSet
from mamd.core.run import End, Run
from tests.core.cast import NOT_PAIRING, ids_of, named, port, record_of, rules, word_of
from tests.core.model import Model, Shown

_BACKGROUND = (do.ReadMdmRecord, do.LookNow, do.StopCalling)


class Story:
    """One device, and the Launchpad around it. `then` asks what was done since the last `then`."""

    def __init__(self, ruleset: RuleSet | None = None, record: Record | None = None, **settings: Any) -> None:
        self.record = record or record_of(1)
        self.device = self.record.device
        self.model = Model(ruleset or rules(NOT_PAIRING), push_error="", **settings)
        self.model.records[self.device] = self.record
        self.model.words[self.device] = word_of()
        self.where = port(1)
        self.ids = ids_of(1)
        self._told = 0

    # ---------------------------------------------------------------------- what happens

    def attach(
        self,
        shown: Shown,
        *,
        ids: Ids | None = None,
        at: Attachment | None = None,
        mode: UsbMode = UsbMode.NORMAL,
        listed: bool = True,
    ) -> "Story":
        """It is plugged in, and looked at for the first time."""
        self.where = at or self.where
        self.model.attach(
            self.where, named(shown, ids or self.ids), Ids((ids or self.ids).udid), mode=mode, listed=listed
        )
        self.model.pass_time(0)
        return self

    def detach(self) -> "Story":
        """It is taken away."""
        self.model.detach(self.where)
        self.where = replace(self.where, devnum=self.where.devnum + 1)
        return self

    def shows(self, shown: Shown) -> "Story":
        """From now on it shows something else."""
        self.model.shows[self.where] = named(shown, self.ids)
        return self

    def after(self, *, seconds: float = 0, minutes: float = 0) -> "Story":
        """Time passes, with looks and repeats as they fall due."""
        self.model.pass_time(seconds + 60 * minutes)
        return self

    def looked(self, *shown: Shown) -> "Story":
        """Looks a tenth of a second apart, whatever is planned."""
        for one in shown:
            self.model.pass_time(0.1)
            self.model.look(self.where, shown=named(one, self.ids))
        return self

    def sleep(self, *, seconds: float) -> "Story":
        """The host sleeps."""
        self.model.sleep(seconds)
        return self

    def accepted(self, *, pushed: bool = True, act: str | None = None) -> "Story":
        """The MDM has the clear queued, and the device was told of it or not."""
        self.model.came_of(ev.Accepted(act or self.run.act, pushed))
        return self

    def put_off(self, *, retry_after_s: float = 15.0) -> "Story":
        """The MDM is down, or has no time."""
        self.model.came_of(ev.PutOff(self.run.act, "no answer", retry_after_s))
        return self

    def in_doubt(self) -> "Story":
        """Nobody knows whether the MDM took it."""
        self.model.came_of(ev.LeftInDoubt(self.run.act, "the line broke"))
        return self

    def turned_down(self, no: No) -> "Story":
        """The MDM says no."""
        self.model.came_of(ev.TurnedDown(self.run.act, no, "no"))
        return self

    def pushed(self, error: str = "") -> "Story":
        """A push went out, or not."""
        self.model.came_of(ev.Pushed(self.run.act, error))
        return self

    def answers(self, status: ev.AnswerStatus, error: str = "", act: str | None = None) -> "Story":
        """The device answers over the air."""
        self.model.heard(None)
        self.model.came_of(ev.CommandAnswered(self.device, act or self.run.act, status, error))
        return self

    def somebody_is_heard(self) -> "Story":
        """Another device of that MDM polls: the way is open."""
        self.model.heard(None)
        return self

    def is_heard(self) -> "Story":
        """This device polls its MDM."""
        self.model.heard(self.device)
        return self

    def enrolls_anew(self) -> "Story":
        """Authenticate."""
        self.model.reenroll(self.device)
        return self

    def approve(self, *, step: int | None = None) -> "Story":
        """A person allows the step."""
        run = self.run
        self.model.on_device(
            self.device, ev.Approved(run.run, run.step if step is None else step, "Kim", "seen it")
        )
        return self

    def retry(self) -> "Story":
        """A person wants it tried now."""
        self.model.on_device(self.device, ev.Retried(self.run.run, "Kim"))
        return self

    def start(self, workflow: str) -> "Story":
        """A person starts a workflow."""
        self.model.start(workflow, self.device)
        return self

    def hold(self, scope: str = "everything") -> "Story":
        """A person stops something."""
        self.model.holds.add(scope)
        return self.world("hold")

    def release(self, scope: str = "everything") -> "Story":
        """A person lifts a hold."""
        self.model.holds.discard(scope)
        return self.world("release")

    def world(self, what: str) -> "Story":
        """Something that governs the device changed."""
        self.model.on_device(self.device, ev.WorldChanged(what))
        return self

    def registry(self, **changed: object) -> "Story":
        """Somebody changes its row."""
        self.model.records[self.device] = replace(self.model.records[self.device], **changed)  # type: ignore[arg-type]
        return self.world("registry")

    def mdm_says(self, **changed: object) -> "Story":
        """From now on the MDM would say this of it."""
        self.model.words[self.device] = word_of(**changed)
        return self

    def restart(self) -> "Story":
        """The daemon is killed, and starts."""
        self.model.restart()
        return self

    # -------------------------------------------------------------------------- what is so

    def then(self, *expected: Any) -> "Story":
        """
        Exactly this was asked for since the last `then`: kinds of command, or reasons to call.

        Reading the MDM's word, looks, and pushes that went out are left unsaid.
        """
        unsaid = _BACKGROUND if self.model.push_error is None else (*_BACKGROUND, do.Push)
        fresh = [one for _, one in self.model.commands[self._told :] if not isinstance(one, unsaid)]
        self._told = len(self.model.commands)
        found = [one.reason if isinstance(one, do.CallPerson) else type(one) for one in fresh]
        assert found == list(expected), f"{found} instead of {list(expected)}"
        return self

    def nothing(self) -> "Story":
        """Nothing was asked for."""
        return self.then()

    def is_(self, state: LinkState, cause: Cause | None = None) -> "Story":
        """How the link stands."""
        assert (self.link.state, self.link.cause) == (state, cause)
        return self

    def waits_for(self, *blocks: Block) -> "Story":
        """What the run waits for."""
        assert self.run.blocks == blocks, self.run.blocks
        return self

    def is_because(self, reason: Reason | None) -> "Story":
        """The run's reason for waiting."""
        assert self.run.reason is reason, self.run.reason
        return self

    def ends(self, end: End, outcome: str | None = None) -> "Story":
        """The run has ended like that."""
        assert self.device not in self.model.runs, "the run is still open"
        last = self.model.closed[-1]
        assert last.end is end, last.end
        assert outcome is None or last.outcome == outcome, last.outcome
        return self

    def no_run(self) -> "Story":
        """No run was ever opened."""
        assert not self.model.runs
        assert not self.model.closed
        return self

    @property
    def link(self) -> Link:
        """The device's link."""
        return self.model.links[self.where]

    @property
    def run(self) -> Run:
        """The device's open run."""
        return self.model.runs[self.device]

    @property
    def last(self) -> Run:
        """The run that ended last."""
        return self.model.closed[-1]
