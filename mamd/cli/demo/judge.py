"""
Says whether the demo's story came true, by what was seen on the wire and never by the daemon's word.

    the simulator's record ─┐
                            ├─▶ judge ─▶ one verdict a phone, and one on the whole
    what reached the pager ─┘

Pure: it reads no file and no clock, so a wrong record can be planted and has to be found out.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from mamd.cli.demo.cast import WAIT_S, Fate, Role
from mamd.sim.record import Seen

LEAST_S: Final = 5.0
"""No device is cleared before it has been seen not pairing, or locked, for that long."""
DAMPED_S: Final = 50.0
"""For a minute after it came and went too often a device is left in peace; a little less is judged."""


@dataclass(frozen=True, slots=True)
class Call:
    """One matter that reached the person on duty. `at` is in seconds of the record's clock."""

    at: float
    reason: str
    port: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What became of one phone (or of the whole, without a role).

    `happened` is what was seen, `wrong` what should have been otherwise; empty: it came true.
    """

    role: Role | None
    happened: str
    wrong: tuple[str, ...] = ()

    @property
    def is_true(self) -> bool:
        """The story came true."""
        return not self.wrong


@dataclass(slots=True)
class Trace:
    """What was seen of one phone, in the order of time."""

    role: Role
    seen: Sequence[Seen]
    calls: Sequence[Call]
    wrong: list[str] = field(default_factory=list)

    def of(self, kind: str, **fields: object) -> list[Seen]:
        """All lines of that kind that have these fields."""
        return [
            one
            for one in self.seen
            if one.kind == kind and all(one[name] == value for name, value in fields.items())
        ]

    @property
    def attached(self) -> list[Seen]:
        return self.of("launchpad", what="attached")

    @property
    def clears(self) -> list[Seen]:
        """Requests to clear it, as they came in at the MDM."""
        return self.of("mdm.enqueue", request_type="ClearPasscode")

    @property
    def cleared(self) -> list[Seen]:
        """The passcode went."""
        return self.of("phone", what="passcode_cleared")

    @property
    def sessions(self) -> list[Seen]:
        """Sessions with it that opened: it was paired then."""
        return self.of("tls", answer="ok")

    @property
    def pairs(self) -> list[Seen]:
        return self.of("lockdown", request="Pair")

    @property
    def pushes(self) -> list[Seen]:
        return self.of("mdm.push", ok=True)

    def told(self, reason: str) -> list[Call]:
        """Calls about the port that it is on, for that reason."""
        return [one for one in self.calls if one.reason == reason and one.port == self.role.label]

    def expect(self, is_so: object, otherwise: str) -> None:
        """Note what is wrong unless it is so."""
        if not is_so:
            self.wrong.append(otherwise)


def judge(roles: Sequence[Role], seen: Sequence[Seen], calls: Sequence[Call]) -> tuple[Verdict, ...]:
    """One verdict a phone in the order given, then one on the whole."""
    traces = [Trace(role, [one for one in seen if one.device == role.udid], calls) for role in roles]
    verdicts = [_one(trace) for trace in traces]
    return (*verdicts, _whole(traces, seen, calls))


def _one(trace: Trace) -> Verdict:
    trace.expect(trace.attached, "it was never brought")
    _is_gentle(trace)
    happened = _FATES[trace.role.fate](trace) if trace.attached else "nothing"
    return Verdict(trace.role, happened, tuple(trace.wrong))


# ------------------------------------------------------------------------- what holds for all


def _is_gentle(trace: Trace) -> None:
    """Nothing but a clear is ever asked for, not too early, and at most once."""
    others = [one for one in trace.of("mdm.enqueue") if one["request_type"] != "ClearPasscode"]
    trace.expect(not others, "the MDM was asked for something other than a clear")
    trace.expect(len(trace.clears) <= 1, f"{len(trace.clears)} clears were asked for")
    trace.expect(not trace.of("lockdown", request="EnterRecovery"), "it was sent to recovery mode")
    for clear in trace.clears:
        waited = _since_attached(trace, clear)
        trace.expect(waited >= LEAST_S, f"a clear was asked for {waited:.1f} s after it was attached")


def _since_attached(trace: Trace, line: Seen) -> float:
    before = [one.at for one in trace.attached if one.at <= line.at]
    return line.at - before[-1] if before else 0.0


def _is_untouched(trace: Trace) -> None:
    trace.expect(not trace.clears, "a clear was asked for")
    trace.expect(not trace.cleared, "its passcode was taken off")


# --------------------------------------------------------------------------- fate by fate


def _cleared(trace: Trace) -> str:
    if not _is_cleared(trace):
        return "no clear came through"
    clear, gone = trace.clears[0], trace.cleared[0]
    later = [one for one in trace.sessions if one.at > gone.at]
    trace.expect(later, "no session opened after its passcode was gone")
    if not later:
        return "cleared, and never paired"
    waited = _since_attached(trace, clear)
    return (
        f"clear asked for {waited:.1f} s after it came, passcode gone after {gone.at - clear.at:.1f} s, "
        f"paired after {later[0].at - gone.at:.1f} s"
    )


def _is_cleared(trace: Trace) -> bool:
    trace.expect(trace.clears, "no clear was asked for")
    trace.expect(trace.cleared, "its passcode was not taken off")
    trace.expect(len(trace.cleared) <= 1, "its passcode was taken off twice")
    return bool(trace.clears and trace.cleared)


def _unlocked(trace: Trace) -> str:
    said = _cleared(trace)
    before = [one for one in trace.sessions if trace.clears and one.at < trace.clears[0].at]
    trace.expect(before, "it was not paired before the clear")
    return f"paired and locked at first; {said}"


def _erase_due(trace: Trace) -> str:
    trace.expect(trace.clears, "no clear was asked for")
    trace.expect(not trace.cleared, "it was cleared after all")
    told = trace.told("would_erase")
    trace.expect(len(told) == 1, f"{len(told)} calls said that its erase is due")
    pushes = [one for one in trace.pushes if trace.clears and one.at >= trace.clears[0].at]
    trace.expect(pushes, "the device was never told of the clear")
    if not told or not pushes:
        return "asked to clear, and nobody was told that it was in vain"
    waited = told[0].at - pushes[0].at
    trace.expect(waited >= WAIT_S, f"its erase was due after {waited:.1f} s")
    return f"asked to clear once; it never answered; a person was told {waited:.0f} s later; not erased"


def _left_alone(trace: Trace) -> str:
    _is_untouched(trace)
    trace.expect(not trace.pairs, f"{len(trace.pairs)} Pair requests were sent to it")
    trace.expect(not trace.pushes, "it was woken by a push")
    trace.expect(not [one for one in trace.calls if one.port == trace.role.label], "a person was called")
    looks = len(trace.of("lockdown", request="QueryType"))
    return f"looked at {looks} times; no Pair request, nothing asked of an MDM"


def _trust(trace: Trace) -> str:
    _is_untouched(trace)
    asked = trace.of("lockdown", request="Pair", answer="PairingDialogResponsePending")
    trace.expect(asked, "it never showed the Trust dialog")
    told = trace.told("trust_pending")
    trace.expect(len(told) == 1, f"{len(told)} calls said that it waits for Trust")
    return f"asked to trust {len(asked)} times; {_calls(told)}; nothing asked of the MDM"


def _cable(trace: Trace) -> str:
    _is_untouched(trace)
    came = len(trace.attached)
    trace.expect(came >= 3, f"its cable came loose only {came - 1} times")
    told = trace.told("bad_cable")
    trace.expect(len(told) == 1, f"{len(told)} calls were about its cable")
    trace.expect(not trace.pairs, "a Pair request was sent to it")
    last = trace.attached[-1].at
    trace.expect(
        not [one for one in trace.sessions if last < one.at < last + DAMPED_S],
        "it was still talked to after it had come and gone so often",
    )
    return f"plugged in {came} times within seconds; {_calls(told)} about the cable; left in peace then"


def _hidden(trace: Trace) -> str:
    _is_untouched(trace)
    trace.expect(not trace.of("lockdown"), "it was not hidden at all")
    told = trace.told("hidden")
    trace.expect(len(told) == 1, f"{len(told)} calls said that it is hidden")
    return f"on the bus, and never in usbmux; {_calls(told)}; nothing asked of the MDM"


def _storm(trace: Trace) -> str:
    _is_untouched(trace)
    back = trace.attached[-1]
    trace.expect(len(trace.attached) == 2, "its hub did not come back")
    trace.expect([one for one in trace.sessions if one.at < back.at], "it was not paired before the storm")
    trace.expect(not [one for one in trace.sessions if one.at > back.at], "it paired after the storm")
    refused = [one for one in trace.of("lockdown", answer="PasswordProtected") if one.at > back.at]
    trace.expect(refused, "nobody looked at it after the hub came back")
    trace.expect(not [one for one in trace.pushes if one.at > back.at], "it was woken by a push")
    return f"paired; back with its hub, locked, looked at {len(refused)} times; nothing asked of the MDM"


def _calls(told: Sequence[Call]) -> str:
    return {0: "nobody was called", 1: "one call"}.get(len(told), f"{len(told)} calls")


_FATES: Final[Mapping[Fate, Callable[[Trace], str]]] = {
    Fate.CLEARED: _cleared,
    Fate.ERASE_DUE: _erase_due,
    Fate.UNLOCKED: _unlocked,
    Fate.PERSONAL: _left_alone,
    Fate.STOLEN: _left_alone,
    Fate.TRUST: _trust,
    Fate.CABLE: _cable,
    Fate.HIDDEN: _hidden,
    Fate.STORM: _storm,
}


# ------------------------------------------------------------------------------- the whole


def _whole(traces: Sequence[Trace], seen: Sequence[Seen], calls: Sequence[Call]) -> Verdict:
    storms = [one for one in calls if one.reason == "storm"]
    hub = [trace.attached[-1].at for trace in traces if trace.role.fate is Fate.STORM and trace.attached]
    wrong = list(_wrong_as_a_whole({trace.role.udid for trace in traces}, seen))
    if len(storms) != 1:
        wrong.append(f"{len(storms)} alarms about the storm")
    elif hub and storms[0].at < max(hub):
        wrong.append("the alarm about the storm came before the storm")
    clears = sum(len(trace.clears) for trace in traces)
    gone = sum(len(trace.cleared) for trace in traces)
    happened = (
        f"{len(traces)} phones, {clears} clears asked for, {gone} passcodes taken off, nobody erased; "
        f"a person was called about {len(calls)} matters, {len(storms)} of them a storm"
    )
    return Verdict(None, happened, tuple(wrong))


def _wrong_as_a_whole(known: set[str], seen: Sequence[Seen]) -> Iterator[str]:
    for one in seen:
        if one.kind == "scenario":
            yield f"a step of the story failed: {one['why']}"
        if one.kind == "phone" and str(one["what"]).startswith("entered_"):
            yield f"a phone {str(one['what']).replace('_', ' ')} mode"
        if one.kind == "mdm.enqueue" and one.device not in known:
            yield "the MDM was asked for something about a phone that is not of the cast"
    if not any(one.kind == "mdm.enqueue" for one in seen):
        yield "the MDM was never asked for anything"
