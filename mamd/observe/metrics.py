"""
Figures for Prometheus: counted from committed turns, so that log and figures cannot disagree, and
read off the Launchpad at the moment of asking. No label ever names a device.
"""

from collections import Counter as Tally
from collections.abc import Iterable, Iterator
from typing import Final

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from mamd.core import commands as do
from mamd.core import events as ev
from mamd.core.commands import Reason
from mamd.core.facts import Cause, LinkState
from mamd.core.run import Run
from mamd.core.time import Now
from mamd.core.turn import Situation, Turn
from mamd.core.workflow import Action
from mamd.desk import Overview, Standing

DELAY_BUCKETS: Final = (5, 5.05, 5.1, 5.25, 5.5, 6, 8, 15, 30, 60, 300)
KEPT_CALLS: Final = 5000
"""Calls that are remembered so as not to be counted twice."""
_CLEAR: Final = Action.MDM_CLEAR_PASSCODE.value
_PUSH: Final = Action.MDM_PUSH.value
_ERASE: Final = Action.RECOVERY_ERASE_AND_UPDATE.value
_OUTCOMES: Final = {
    ev.Accepted: (_CLEAR, "accepted"),
    ev.PutOff: (_CLEAR, "put_off"),
    ev.LeftInDoubt: (_CLEAR, "in_doubt"),
    ev.TurnedDown: (_CLEAR, "turned_down"),
}


class Metrics:
    """
    An observer of turns that can say its figures.

    Each instance has a registry of its own, so two daemons in one test do not share a figure.
    """

    def __init__(self) -> None:
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._open: dict[str, None] = {}
        self._now = _OfNow()
        self._registry.register(self._now)
        self._runs = self._counter("runs", "Runs that ended.", "workflow", "outcome")
        self._actions = self._counter("actions", "What came of what was asked for.", "action", "outcome")
        self._refusals = self._counter("governor_refusals", "Why harsh things did not go ahead.", "reason")
        self._calls = self._counter("people_called", "Matters that a person was called about.", "reason")
        self._requests = self._counter("mdm_requests", "Requests to an MDM.", "mdm", "outcome")
        self._request_s = self._histogram("mdm_request_seconds", "How long an MDM took.", "mdm")
        self._action_s = self._histogram("action_seconds", "From asking until it was accepted.", "action")
        self._delay_s = Histogram(
            "mamd_clear_delay_seconds",
            "From the first verdict that a device does not pair to the request for a clear.",
            buckets=DELAY_BUCKETS,
            registry=self._registry,
        )

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"mamd_{name}", about, labels, registry=self._registry)

    def _histogram(self, name: str, about: str, *labels: str) -> Histogram:
        return Histogram(f"mamd_{name}", about, labels, registry=self._registry)

    def text(self, seen: Overview, devices: Iterable[Standing] | None = None) -> bytes:
        """
        All figures in the text format of Prometheus.

        Args:
            devices: Every device of the registry, for what is queued for those that are away;
                without it only attached ones count.
        """
        self._now.seen = seen
        self._now.devices = tuple(seen.ports if devices is None else devices)
        return generate_latest(self._registry)

    def mdm_asked(self, mdm: str, outcome: str, seconds: float) -> None:
        """One request to an MDM, whatever came of it."""
        self._requests.labels(mdm, outcome).inc()
        self._request_s.labels(mdm).observe(seconds)

    def person_called(self, reason: Reason) -> None:
        """A matter of no single device that a person was called about, such as a storm."""
        self._calls.labels(reason.value).inc()

    def turned(self, subject: str, was: Situation, event: ev.Event, now: Now, turn: Turn) -> None:
        """Count one committed turn."""
        for command in turn.commands:
            self._commanded(command, was, turn.became, now)
        after = turn.became.run
        if after is not None:
            self._ran(was.run, after, event, now)

    def _commanded(self, command: do.Command, was: Situation, became: Situation, now: Now) -> None:
        if isinstance(command, do.CallPerson):
            self._called(command)
        if isinstance(command, do.StopCalling):
            self._open = {key: None for key in self._open if not key.startswith(command.key)}
        if isinstance(command, do.ClearPasscode) and became.run is not None and became.link is not None:
            is_first = was.run is None or was.run.run != became.run.run or was.run.asked is None
            waited = now.since(became.link.since)
            if is_first and became.link.is_unpaired and waited is not None:
                self._delay_s.observe(waited)

    def _called(self, call: do.CallPerson) -> None:
        """One call for one matter: a turn may ask for the same call again and again."""
        if call.key in self._open:
            return
        self._open[call.key] = None
        if len(self._open) > KEPT_CALLS:
            del self._open[next(iter(self._open))]
        self.person_called(call.reason)

    def _ran(self, before: Run | None, after: Run, event: ev.Event, now: Now) -> None:
        is_same = before is not None and before.run == after.run
        known = before.blocks if is_same and before is not None else ()
        for block in after.blocks:
            if block not in known:
                self._refusals.labels(block.value).inc()
        if not after.is_open and (not is_same or before is None or before.is_open):
            self._runs.labels(after.workflow.name, after.outcome).inc()
        if after.reason is Reason.WOULD_ERASE and (before is None or before.reason is not after.reason):
            self._actions.labels(_ERASE, "would").inc()
        self._came_of(after, event, now)

    def _came_of(self, run: Run, event: ev.Event, now: Now) -> None:
        if isinstance(event, ev.Pushed):
            self._actions.labels(_PUSH, "failed" if event.error else "sent").inc()
        elif isinstance(event, ev.CommandAnswered) and event.act == run.act:
            self._actions.labels(_CLEAR, event.status.value.lower()).inc()
        elif isinstance(event, ev.Accepted | ev.PutOff | ev.LeftInDoubt | ev.TurnedDown):
            self._actions.labels(*_OUTCOMES[type(event)]).inc()
            took = now.since(run.asked)
            if isinstance(event, ev.Accepted) and took is not None:
                self._action_s.labels(_CLEAR).observe(took)


class _OfNow(Collector):
    """Figures that are read off the Launchpad when somebody asks; nobody has to keep them right."""

    def __init__(self) -> None:
        self.seen: Overview | None = None
        self.devices: tuple[Standing, ...] = ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """All of them, from the last overview."""
        seen = self.seen
        if seen is None:
            return
        yield _gauge("holds", "Holds that only a person lifts.", len(seen.holds))
        yield _gauge("usbmuxd_up", "1 if usbmuxd answers.", float(seen.usbmuxd_up))
        if seen.last_look is not None:
            at = seen.last_look.wall.timestamp()
            yield _gauge("last_look_timestamp_seconds", "When a device was last looked at.", at)
        yield _gauge("orphaned_clears", "Clears that may still be queued, and are nobody's.", self._orphans())
        yield from _links(seen)

    def _orphans(self) -> int:
        return sum(command.state == "orphan" for one in self.devices for command in one.commands)


def _gauge(name: str, about: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"mamd_{name}", about, value=value)


def _links(seen: Overview) -> Iterator[GaugeMetricFamily]:
    links = [one.situation.link for one in seen.ports if one.situation.link is not None]
    states = Tally(link.state for link in links)
    causes = Tally(link.cause for link in links if link.cause is not None)
    by_state = GaugeMetricFamily("mamd_links", "Attached devices by how they stand.", labels=["state"])
    for state in LinkState:
        if state is not LinkState.GONE:
            by_state.add_metric([state.value], states[state])
    by_cause = GaugeMetricFamily(
        "mamd_unpaired", "Attached devices by why they do not pair.", labels=["cause"]
    )
    for cause in Cause:
        by_cause.add_metric([cause.value], causes[cause])
    yield by_state
    yield by_cause
