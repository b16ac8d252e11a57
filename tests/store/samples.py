"""Changes as a busy Launchpad makes them, for the stores' tests."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from mamd.core.commands import CallPerson, Reason
from mamd.core.conditions import Condition, Op
from mamd.core.enrollment import Enrolled, TokenState
from mamd.core.facts import Attachment, Enrollment, Ids, LinkState, Ownership, Record, Status
from mamd.core.link import Counts, Link
from mamd.core.rules import Rule, RuleSet, Trigger, When
from mamd.core.run import End, Run, RunState
from mamd.core.time import Now
from mamd.core.workflow import Action, Kind, Step, Workflow
from mamd.ports import CallRow, Changes, HoldRow, MdmCommand, Sealed, TurnRow

DAWN = datetime(2026, 11, 25, 6, 0, tzinfo=UTC)
CLEAR = Workflow(
    "clear-passcode",
    Kind.OVER_THE_AIR,
    "Take the passcode off.",
    (Step(Action.MDM_CLEAR_PASSCODE, until=(Condition("link", Op.IS, ("paired",)),), wait_s=300.0),),
)


def at(seconds: float = 0.0) -> Now:
    """A moment that many seconds after dawn."""
    return Now("boot-1", 1000.0 + seconds, DAWN + timedelta(seconds=seconds))


def turn(
    number: int, *, subject: str = "d-0001", seconds: float | None = None, rule_set: str = ""
) -> TurnRow:
    """The turn of that number; turns come a second apart."""
    wall = at(float(number) if seconds is None else seconds).wall
    return TurnRow(subject, "looked", wall, rule_set, {"number": number, "waited_s": number / 3})


def turns(count: int, first: int = 1) -> Changes:
    """So many turns, and nothing else."""
    return Changes(turns=[turn(number) for number in range(first, first + count)])


def run(number: int, *, device: str = "d-0001", closed: float | None = None, rule_set: str = "") -> Run:
    """An open run, or one that was closed that many seconds after dawn."""
    opened = Run(f"r-{number:04}", device, CLEAR, "not-pairing", at(), rule_set=rule_set)
    if closed is None:
        return opened
    return replace(opened, state=RunState.CLOSED, end=End.PROVEN, closed=at(closed))


def link(devnum: int = 7, *, state: LinkState = LinkState.UNPAIRED) -> Link:
    """A link at one attachment of port 2-1.4."""
    where = Attachment("boot-1", "2-1.4", devnum)
    return Link(where, at(), at(), state=state, counts=Counts(1.5, 0.0, 5.0, 0.1))


def record(number: int) -> Record:
    """A device of ours, with an ECID of all 64 bits."""
    ids = Ids(f"00008110-{number:016X}", 0xFFFF_0000_0000_0000 + number, f"SER{number}")
    return Record(f"d-{number:04}", ids, "Ward 3", Status.ACTIVE, "", Ownership.SHARED, labels=("a", "b"))


def command(number: int, state: str, *, asked: float = 0.0) -> MdmCommand:
    """A clear at an MDM, in some state."""
    return MdmCommand(f"r-{number:04}/0/0", f"c-{number:04}", "d-0001", "hospital", "clear", state, at(asked))


def call(key: str, *, is_settled: bool = False) -> CallRow:
    """A call to people."""
    person = CallPerson(key, Reason.CANNOT_CLEAR, "d-0001", (("port", "8"), ("since", "dawn")))
    return CallRow(person, DAWN, times=2, last=at(60), is_settled=is_settled)


def token(owner: str, marker: bytes = b"ciphertext") -> Sealed:
    """A sealed token; what is sealed is no text."""
    return Sealed(owner, "key-1", b"\x00\xffnonce", marker + b"\x00\xfe")


def enrolled(number: int) -> Enrolled:
    """One enrollment of a device."""
    return Enrolled(
        "hospital", f"E-{number}", Enrollment.ENROLLED, DAWN, token=TokenState.CURRENT, fingerprint="0a1b2c3d"
    )


def rules(hash_: str) -> RuleSet:
    """A rule set of one rule."""
    when = (When(Trigger.UNPAIRED, 5.0),)
    rule = Rule("not-pairing", "It helps nobody.", when, (Condition("locked", Op.IS, (True,)),), CLEAR.name)
    return RuleSet((rule,), (CLEAR,), hash_)


def everything() -> Changes:
    """One of each kind, so that nothing can be forgotten."""
    return Changes(
        turns=(turn(1), turn(2, subject="d-0002", rule_set="h-1")),
        records=(record(1), record(2)),
        links=(("d-0001", link()),),
        runs=(run(1, rule_set="h-1"), run(2, device="d-0002", closed=5)),
        commands=(command(1, "queued"), command(2, "acknowledged")),
        holds=(HoldRow("device:d-0002", "looks wrong", "ines", DAWN),),
        calls=(call("cause/d-0001/locked"), call("old", is_settled=True)),
        enrolled=(enrolled(1),),
        tokens=(token("hospital/E-1"),),
        rule_sets=(rules("h-1"),),
        meta=(("storm", '{"is_on":false}'),),
    )
