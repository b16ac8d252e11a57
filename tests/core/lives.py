"""
Whole lives of the devices of one Launchpad, drawn by hypothesis: everything that can go wrong.

A life is a list of things that happen (`Happens`), each to one device or to all; living it is
pure, so the same life can be lived again with one thing changed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final

from hypothesis import given, seed, settings
from hypothesis import strategies as st

from mamd.core import commands as do
from mamd.core import events as ev
from mamd.core.errors import No
from mamd.core.facts import Custody, Ids, Ownership, Record, Status, UsbMode
from mamd.core.rules import Mode, RuleSet
from tests.core import cast
from tests.core.cast import ids_of, named, port, record_of, word_of
from tests.core.model import Model, Shown

DEVICES: Final = 4
"""As many as are attached at most; the last one is a stranger, or lies."""

LOCKED_ONES: Final = (
    cast.LOCKED,
    cast.LOCKED_WITH_RECORD,
    cast.LOCKED_NO_RECORD,
    cast.LOCKED_NO_ESCROW,
    cast.NEVER_UNLOCKED,
    cast.PAIRED_LOCKED,
)
OTHERS: Final = (
    cast.TRUST_PENDING,
    cast.TRUST_DENIED,
    cast.WRONG_IDENTITY,
    cast.STALE,
    cast.NO_RECORD,
    cast.PAIRED,
    cast.PAIRED,
    cast.PAIRS_WHEN_ASKED,
    cast.SILENT,
    cast.GARBLED,
    cast.HOST_FAULT,
    cast.REFUSED,
    cast.RESTORING,
)
RECORDS: Final[tuple[Mapping[str, Any], ...]] = (
    {},
    {},
    {},
    {"ownership": Ownership.CORPORATE},
    {"status": Status.RETIRED, "retired_reason": "expired"},
    {"status": Status.RETIRED, "retired_reason": "stolen"},
    {"status": Status.RETIRED, "retired_reason": "lost"},
    {"status": Status.RETIRED, "retired_reason": None},
    {"status": Status.PENDING},
    {"status": None},
    {"ownership": Ownership.PERSONAL},
    {"ownership": Ownership.UNKNOWN},
    {"left_import": True},
    {"is_held": True},
    {"custody": Custody.CHECKED_OUT},
    {"mdm": None},
    {"serial_only": True},
)
WORDS: Final[tuple[Mapping[str, Any] | None, ...]] = (
    {},
    {},
    {"has_token": False},
    {"has_token": False, "vault_sound": False},
    {"ownership": Ownership.PERSONAL},
    {"enrollment": None},
    {"lost_mode": True},
    {"passcode_set": False},
    None,
)
ANSWERS: Final = ("pushed", "queued", "put_off", "busy", "doubt", "doubt_queued", "silence", *No)


@dataclass(frozen=True)
class Happens:
    """One thing that happens."""

    what: str
    device: int = 0
    value: Any = None


@dataclass(frozen=True)
class Life:
    """Everything that happens on one Launchpad, and what was written down about it."""

    records: tuple[int, ...]
    rules: int
    mode: Mode
    happens: tuple[Happens, ...]


# --------------------------------------------------------------------------------- drawing


def _index(of: tuple[Any, ...]) -> st.SearchStrategy[int]:
    return st.integers(0, len(of) - 1)


_device = st.integers(0, DEVICES - 1)
_likely = st.sampled_from((0, 0, 0, 1, 1, 2))
"""Most of what happens, happens to few, so that lives come far."""
_shown = st.one_of(st.sampled_from(LOCKED_ONES), st.sampled_from(OTHERS))


NOTHING = st.none()


def _happens(what: str, value: st.SearchStrategy[Any] = NOTHING) -> st.SearchStrategy[Happens]:
    return st.builds(Happens, st.just(what), _likely, value)


_waits = _happens("waits", st.sampled_from((0.5, 2.0, 5.0, 6.0, 20.0, 70.0, 310.0, 310.0, 950.0)))
_answers = _happens("mdm_answers", st.sampled_from(ANSWERS))
_RULES: Final = (
    cast.rules(cast.NOT_PAIRING),
    cast.rules(cast.NOT_PAIRING, cast.LOCKED_ON_THE_DOCK, cast.SILENT_CALLS),
    cast.rules(replace(cast.NOT_PAIRING, run=cast.SURE_LADDER.name), cast.LOCKED_ON_THE_DOCK),
    cast.rules(replace(cast.NOT_PAIRING, run=cast.OVER_THE_AIR.name, per_day=2)),
    cast.rules(replace(cast.NOT_PAIRING, mode=Mode.APPROVE)),
    # What no loader would accept: the core does not depend on anybody having checked.
    cast.rules(replace(cast.NOT_PAIRING, when=(cast.When(cast.Trigger.ATTACHED, 0.0),))),
)

usual = st.one_of(
    _waits,
    _waits,
    _waits,
    _happens("shows", _shown),
    _happens("shows", st.sampled_from(LOCKED_ONES)),
    _happens("blinks", _shown),
    _happens("mdm_answers", st.sampled_from(("pushed", "pushed", "queued"))),
    _answers,
    _happens("pushes", st.sampled_from(("", "", "no way"))),
    _happens("device_answers", st.sampled_from((*ev.AnswerStatus, ev.AnswerStatus.ERROR))),
    _happens("heard", st.booleans()),
)
rare = st.one_of(
    _happens("goes"),
    _happens("comes", _shown),
    _happens("flaps", st.integers(1, 4)),
    _happens("lies", st.integers(0, 2)),
    _happens("mode", st.sampled_from(tuple(UsbMode))),
    _happens("listed", st.booleans()),
    _happens("enrolls_anew"),
    _happens("late_answer", st.sampled_from(tuple(ev.AnswerStatus))),
    _happens("late_word", st.sampled_from(ANSWERS)),
    _happens("word", _index(WORDS)),
    _happens("registry", _index(RECORDS)),
    _happens("reads", st.booleans()),
    _happens("usbmuxd", st.booleans()),
    _happens("restarts"),
    _happens("sleeps", st.sampled_from((3.0, 19.0, 25.0, 400.0, 90_000.0))),
    _happens("boots"),
    _happens("wall", st.sampled_from((-3600, 3600, -315_360_000, 315_360_000))),
    _happens("hold", st.sampled_from(("everything", "device:d-0000", "rule:not-pairing"))),
    _happens("release"),
    _happens("approved"),
    _happens("started", st.sampled_from(cast.WORKFLOWS)),
    _happens("retried"),
    _happens("storm"),
)
_BEGINNINGS: Final = (
    (),
    (Happens("waits", value=310.0), Happens("heard", value=False)),
    (Happens("waits", value=300.0), Happens("heard", value=False), Happens("waits", value=20.0)),
    (Happens("hold", value="everything"), Happens("waits", value=20.0)),
    (Happens("waits", value=70.0), Happens("shows", 1, cast.PAIRED)),
)
"""Lives often begin well on their way, or little of what is drawn would reach the end of a ladder."""

lives = st.builds(
    Life,
    records=st.tuples(st.just(0), _index(RECORDS), _index(RECORDS)),
    rules=_index(_RULES),
    mode=st.sampled_from((Mode.AUTO, Mode.AUTO, Mode.AUTO, Mode.APPROVE, Mode.OBSERVE)),
    happens=st.builds(
        lambda begins, goes_on: (*begins, *goes_on),
        st.sampled_from(_BEGINNINGS),
        st.lists(st.one_of(usual, usual, usual, rare), min_size=8, max_size=40),
    ),
)


# ---------------------------------------------------------------------------------- living


def over_lives(promise: Callable[[Life], None]) -> Callable[[], None]:
    """
    Hold a promise over many lives.

    In `make test` every promise is held over the same lives, so that each is lived only once;
    in `make soak` each promise has its own.
    """
    over = given(lives)(promise)
    return seed(20_261_125)(over) if settings.default.derandomize else over  # type: ignore[no-any-return, union-attr]


@lru_cache(maxsize=256)
def live(life: Life) -> Model:
    """Live it from the first attachment to the end; what happened is in the model's log. Do not change it."""
    return live_with(life, None)


def live_with(life: Life, after_each: Callable[[Model], None] | None) -> Model:
    """The same, asking something of the model after everything that happens."""
    one = Living(life)
    for happens in life.happens:
        getattr(one, f"_{happens.what}")(happens)
        one.model.pass_time(0)
        if after_each is not None:
            after_each(one.model)
    one.model.pass_time(1.0)
    return one.model


def ruleset(life: Life) -> RuleSet:
    """The rules of that life."""
    return _RULES[life.rules]


def _record(number: int, kind: int) -> Record:
    changed = dict(RECORDS[kind])
    record = record_of(number)
    if changed.pop("serial_only", False):
        return replace(record, ids=Ids(serial=record.ids.serial))
    return replace(record, **changed)


@dataclass
class Living:
    """A life being lived: what the world outside the model remembers."""

    life: Life
    model: Model = field(init=False)
    devnum: int = 0
    answer: Any = "pushed"
    acts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.model = Model(_RULES[self.life.rules], mode=self.life.mode, push_error="")
        for number, kind in enumerate(self.life.records):
            record = _record(number, kind)
            self.model.records[record.device] = record
            self.model.words[record.device] = word_of()
        self.model.answer_clear = self._answer_clear
        for number in (0, 1):
            self._comes(Happens("comes", number, cast.LOCKED))
            self.model.pass_time(10.0)

    def _where(self, number: int) -> Any:
        return next((one for one in self.model.links if one.port == f"1-{number}"), None)

    def _name(self, happens: Happens) -> str:
        return f"d-{happens.device:04d}"

    # the cable

    def _comes(self, happens: Happens) -> None:
        if self._where(happens.device) is not None:
            return
        self.devnum += 1
        where = port(happens.device, self.devnum, self.model.boot)
        ids = ids_of(happens.device)
        self.model.attach(where, named(happens.value, ids), Ids(ids.udid))

    def _goes(self, happens: Happens) -> None:
        self.model.detach(self._where(happens.device))

    def _flaps(self, happens: Happens) -> None:
        for _ in range(happens.value):
            where = self._where(happens.device)
            shown = self.model.shows[where] if where is not None else cast.LOCKED
            self._goes(happens)
            self.model.pass_time(0.7)
            self._comes(replace(happens, value=shown))
            self.model.pass_time(1.5)

    def _lies(self, happens: Happens) -> None:
        """A stranger's device takes the name of one of ours, on the bus or only in its answers."""
        where = self._where(DEVICES - 1)
        ids = ids_of(happens.device)
        if where is None:
            self.devnum += 1
            on_bus = Ids(ids.udid) if happens.value == 0 else Ids(ids_of(DEVICES - 1).udid)
            where = port(DEVICES - 1, self.devnum, self.model.boot)
            shown = cast.PAIRED if happens.value == 1 else cast.LOCKED
            self.model.attach(where, named(shown, ids), on_bus)
        else:
            self.model.detach(where)

    def _shows(self, happens: Happens) -> None:
        where = self._where(happens.device)
        if where is not None:
            self.model.shows[where] = named(happens.value, ids_of(happens.device))

    def _blinks(self, happens: Happens) -> None:
        """One look that sees something else."""
        where = self._where(happens.device)
        if where is not None and self.model.links[where].listed:
            self.model.pass_time(0.3)
            self.model.look(where, shown=named(happens.value, ids_of(happens.device)))

    def _mode(self, happens: Happens) -> None:
        where = self._where(happens.device)
        if where is not None:
            self.model.attach(where, self.model.shows[where], Ids(), mode=happens.value)

    def _listed(self, happens: Happens) -> None:
        where = self._where(happens.device)
        if where is not None:
            self.model.attach(where, self.model.shows[where], Ids(), listed=happens.value)

    def _storm(self, happens: Happens) -> None:
        """The hub comes back: everybody leaves and appears again at once."""
        there = [(one, self.model.shows[one]) for one in self.model.links]
        for where, _ in there:
            self.model.detach(where)
        for where, shown in there:
            self.devnum += 1
            ids = shown.look.ids if shown.look.ids.udid else Ids(ids_of(int(where.port[2:])).udid)
            new = replace(where, devnum=self.devnum, boot=self.model.boot)
            self.model.attach(new, shown, Ids(ids.udid))

    # the MDM

    def _mdm_answers(self, happens: Happens) -> None:
        self.answer = happens.value

    def _answer_clear(self, act: str) -> None:
        self.acts.append(act)
        events: dict[Any, Any] = {
            "pushed": ev.Accepted(act, True),
            "queued": ev.Accepted(act, False),
            "put_off": ev.PutOff(act, "no answer"),
            "busy": ev.PutOff(act, "later", 90.0),
            "doubt": ev.LeftInDoubt(act, "broke"),
        }
        if isinstance(self.answer, No):
            self.model.came_of(ev.TurnedDown(act, self.answer, "no"))
        elif self.answer in events:
            self.model.came_of(events[self.answer])
        elif self.answer == "doubt_queued":
            self.model.came_of(ev.LeftInDoubt(act, "broke"))

    def _late_word(self, happens: Happens) -> None:
        """What the MDM says comes late, again, or about something long over."""
        if self.acts:
            was, self.answer = self.answer, happens.value
            self._answer_clear(self.acts[min(happens.device, len(self.acts) - 1)])
            self.answer = was

    def _pushes(self, happens: Happens) -> None:
        self.model.push_error = happens.value

    def _device_answers(self, happens: Happens) -> None:
        for clear in self.model.clears:
            if clear.device == self._name(happens) and clear.state in ("queued", "orphan", "sending"):
                self.model.heard(None)
                self.model.came_of(ev.CommandAnswered(clear.device, clear.act, happens.value, "12"))

    def _late_answer(self, happens: Happens) -> None:
        if self.acts:
            act = self.acts[min(happens.device, len(self.acts) - 1)]
            self.model.came_of(ev.CommandAnswered(self._name(happens), act, happens.value))

    def _heard(self, happens: Happens) -> None:
        self.model.heard(self._name(happens) if happens.value else None)

    def _enrolls_anew(self, happens: Happens) -> None:
        self.model.reenroll(self._name(happens))

    def _word(self, happens: Happens) -> None:
        changed = WORDS[happens.value]
        self.model.words[self._name(happens)] = word_of(**changed) if changed is not None else None

    def _reads(self, happens: Happens) -> None:
        self.model.reads_work = happens.value

    # the house, the host, people

    def _waits(self, happens: Happens) -> None:
        self.model.pass_time(happens.value)

    def _registry(self, happens: Happens) -> None:
        record = _record(happens.device, happens.value)
        self.model.records[record.device] = record
        self.model.read.pop(record.device, None)
        self.model.everybody(ev.WorldChanged("registry"))

    def _usbmuxd(self, happens: Happens) -> None:
        self.model.usbmuxd_up = happens.value
        self.model.everybody(ev.WorldChanged("usbmuxd"))

    def _restarts(self, happens: Happens) -> None:
        self.model.restart()

    def _sleeps(self, happens: Happens) -> None:
        self.model.sleep(happens.value)

    def _boots(self, happens: Happens) -> None:
        """A power cut: another boot, and everybody who was there appears again at once."""
        self.model.boot = f"boot-{self.devnum + 2}"
        self.model.up = 30.0
        self.model.restart()
        self._storm(happens)

    def _wall(self, happens: Happens) -> None:
        self.model.wall_step += timedelta(seconds=happens.value)

    def _hold(self, happens: Happens) -> None:
        self.model.holds.add(happens.value)
        self.model.everybody(ev.WorldChanged("hold"))

    def _release(self, happens: Happens) -> None:
        self.model.holds.clear()
        self.model.everybody(ev.WorldChanged("release"))

    def _approved(self, happens: Happens) -> None:
        run = self.model.runs.get(self._name(happens))
        if run is not None:
            self.model.on_device(run.device, ev.Approved(run.run, run.step, "Kim"))

    def _started(self, happens: Happens) -> None:
        self.model.start(happens.value.name, self._name(happens))

    def _retried(self, happens: Happens) -> None:
        run = self.model.runs.get(self._name(happens))
        if run is not None:
            self.model.on_device(run.device, ev.Retried(run.run, "Kim"))


def clears(model: Model) -> list[tuple[float, do.Command]]:
    """Every clear that was asked for, with its time."""
    return [(now.up, one) for now, one in model.commands if isinstance(one, do.ClearPasscode)]


__all__ = ["Happens", "Life", "Shown", "clears", "live", "lives", "ruleset"]
