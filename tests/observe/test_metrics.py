"""Figures that agree with what happened, and name no device."""

import contextlib
import re
from dataclasses import replace

import pytest

from mamd.core import events as ev
from mamd.core.commands import Reason
from mamd.core.errors import Busy, Doubtful, Misconfigured, Refused, Trouble, Unreachable
from mamd.core.turn import take
from mamd.observe.metrics import Metrics
from mamd.observe.requests import CountedMdm
from mamd.ports import Capabilities, MdmCommand, Target
from tests.characters import EVERYBODY
from tests.desk import HOLD, ward
from tests.lives import LOCKED, OPEN, Life, moment, record


def figures(metrics: Metrics, **changes: object) -> dict[str, float]:
    """All figures by their name and labels."""
    text = metrics.text(replace(ward(), **changes)).decode()  # type: ignore[arg-type]
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


class Counted(Life):
    """A life that is counted as the daemon counts it."""

    metrics: Metrics

    def takes(self, event: ev.Event) -> "Counted":
        turn = take(self.situation, event, self.now, self.view, self.rules)
        self.metrics.turned("d-0002", self.situation, event, self.now, turn)
        super().takes(event)
        return self


@pytest.fixture
def life() -> Counted:
    """A locked phone that has just been asked to be cleared."""
    one = Counted("2-1.2", "2", record(2, "Ward phone 2"))
    one.metrics = Metrics()
    one.plugged_in()
    one.looked(LOCKED, until=7.5)
    return one


def test_a_cleared_device_is_one_run_one_action_and_one_delay(life: Counted) -> None:
    """From the first verdict to the request, in buckets that tell 5.0 from 5.1 seconds."""
    life.accepted().looked(OPEN, until=20.0)
    seen = figures(life.metrics)
    assert seen['mamd_actions_total{action="mdm.clear_passcode",outcome="accepted"}'] == 1
    assert seen['mamd_runs_total{outcome="unlocked",workflow="clear-passcode-then-erase"}'] == 1
    assert seen["mamd_clear_delay_seconds_count"] == 1
    assert seen['mamd_clear_delay_seconds_bucket{le="5.0"}'] == 1
    assert seen['mamd_action_seconds_count{action="mdm.clear_passcode"}'] == 1


def test_an_erase_that_would_be_done_is_counted_once(life: Counted) -> None:
    """And the person is called about it once, however many looks follow."""
    life.accepted().looked(LOCKED, until=100.0).heard_elsewhere().looked(LOCKED, until=500.0)
    seen = figures(life.metrics)
    assert seen['mamd_actions_total{action="recovery.erase_and_update",outcome="would"}'] == 1
    assert seen['mamd_people_called_total{reason="would_erase"}'] == 1


def test_a_refusal_of_the_governor_is_counted_by_its_reason() -> None:
    """A hold on everything shows as one refusal, not as one a look."""
    one = Counted("2-1.2", "2", record(2, "Ward phone 2"))
    one.metrics = Metrics()
    one.plugged_in()
    one.view = replace(one.view, holds=("everything",))
    one.looked(LOCKED, until=60.0)
    seen = figures(one.metrics)
    assert seen['mamd_governor_refusals_total{reason="held"}'] == 1


def test_what_stands_now_is_read_off_the_launchpad() -> None:
    """Links, causes, holds, orphans and the last look."""
    left = MdmCommand("r/0/0", "C", "d-0001", "hospital", "clear_passcode", "orphan", moment(0))
    orphaned = replace(EVERYBODY["cleared"], commands=(left,))
    seen = figures(Metrics(), holds=(HOLD,), ports=(orphaned, EVERYBODY["watched"], EVERYBODY["silent"]))
    assert seen['mamd_links{state="paired"}'] == 1
    assert seen['mamd_links{state="unpaired"}'] == 2
    assert seen['mamd_unpaired{cause="no_answer"}'] == 1
    assert seen["mamd_holds"] == 1
    assert seen["mamd_orphaned_clears"] == 1
    assert seen["mamd_usbmuxd_up"] == 1
    assert seen["mamd_last_look_timestamp_seconds"] == moment(416.0).wall.timestamp()


def test_no_figure_names_a_device() -> None:
    """A thousand devices must not make a thousand series, and figures travel far."""
    text = Metrics().text(ward()).decode()
    assert not re.search(r"d-\d{4}|F2LQ|00008101|Ward phone", text)


@pytest.mark.parametrize("name", [
    "mamd_links", "mamd_unpaired", "mamd_runs_total", "mamd_actions_total", "mamd_action_seconds",
    "mamd_clear_delay_seconds", "mamd_governor_refusals_total", "mamd_holds", "mamd_orphaned_clears",
    "mamd_mdm_requests_total", "mamd_mdm_request_seconds", "mamd_last_look_timestamp_seconds",
    "mamd_usbmuxd_up", "mamd_people_called_total",
])  # fmt: skip
def test_every_figure_of_the_contract_is_there(name: str) -> None:
    """From the first scrape on."""
    text = Metrics().text(ward()).decode()
    assert re.search(rf"^# TYPE {name.removesuffix('_total')}(_total)? ", text, re.MULTILINE)


def test_two_daemons_in_one_process_do_not_share_a_figure() -> None:
    """Each has a registry of its own."""
    one, other = Metrics(), Metrics()
    one.person_called(Reason.STORM)
    assert 'mamd_people_called_total{reason="storm"}' in figures(one)
    assert 'mamd_people_called_total{reason="storm"}' not in figures(other)


class _Mdm:
    """An MDM that answers one thing."""

    name = "hospital"
    capabilities = Capabilities()

    def __init__(self, trouble: Trouble | None) -> None:
        self.trouble = trouble

    async def clear_passcode(self, target: Target, *, command_id: str) -> bool:
        if self.trouble is not None:
            raise self.trouble
        return True

    async def push(self, target: Target) -> None:
        return None


@pytest.mark.parametrize(
    ("trouble", "outcome"),
    [
        (None, "done"), (Busy("h", "w"), "busy"), (Unreachable("h", "w"), "unreachable"),
        (Doubtful("h", "w"), "doubtful"), (Refused("h", "w"), "refused"),
        (Misconfigured("h", "w"), "misconfigured"),
    ],
    ids=lambda one: str(one),
)  # fmt: skip
async def test_each_request_to_an_mdm_is_counted_by_how_it_ended(
    trouble: Trouble | None, outcome: str
) -> None:
    """The answer, be it an error, goes on unchanged."""
    metrics = Metrics()
    counted = CountedMdm(_Mdm(trouble), metrics)  # type: ignore[arg-type]
    with contextlib.suppress(Trouble) if trouble is None else pytest.raises(type(trouble)):
        assert await counted.clear_passcode(Target("d-0001", "E1"), command_id="C")
    seen = figures(metrics)
    assert seen[f'mamd_mdm_requests_total{{mdm="hospital",outcome="{outcome}"}}'] == 1
    assert seen['mamd_mdm_request_seconds_count{mdm="hospital"}'] == 1
