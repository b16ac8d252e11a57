"""
What the desk says, as plain data for programs: codes to compare, and the words of the page beside them.

A stranger's device is only ever said to be there.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from enum import Enum
from typing import Any

from mamd import codec
from mamd.core.rules import RuleSet
from mamd.core.run import Run
from mamd.core.time import Now
from mamd.core.turn import Situation
from mamd.desk import MdmStanding, Overview, Standing
from mamd.ports import CallRow, Fault, HoldRow, JournalRow, MdmCommand
from mamd.words import calling, hindrance, say

Plain = dict[str, Any]


def launchpad(seen: Overview) -> Plain:
    """The Launchpad at a glance."""
    return {
        "name": seen.launchpad,
        "version": seen.version,
        "now": seen.now.wall.isoformat(),
        "started": seen.started.wall.isoformat(),
        "mode": seen.mode.value,
        "recovery_mode": seen.recovery_mode.value,
        "usbmuxd_up": seen.usbmuxd_up,
        "last_look": moment(seen.last_look),
        "last_look_age_s": seen.now.since(seen.last_look),
        "faults": faults(seen.faults),
        "storm": {
            "since": moment(seen.storm.opened),
            "devices": sorted(seen.storm.members),
            "text": "too many devices stopped pairing at once",
        }
        if seen.storm is not None
        else None,
        "mdms": [mdm(one, seen.now) for one in seen.mdms],
        "devices_known": seen.known,
        "devices_helpable": seen.helpable,
        "hindrances": [_hindrance(reason, many) for reason, many in seen.hindrances],
        "strangers": seen.strangers,
        "holds": [hold(one) for one in seen.holds],
        "calls": [call(one, seen.launchpad) for one in seen.calls],
        "open_runs": len(seen.runs),
    }


def _hindrance(reason: str, many: int) -> Plain:
    said = hindrance(reason)
    return {"reason": reason, "short": said.short, "text": said.text, "cure": said.cure, "devices": many}


def standing(one: Standing, now: Now) -> Plain:
    """One device or port as it stands. Of a stranger: that there is one, and where."""
    place: Plain = {"port": one.port, "label": one.label, "use": "charge_only" if one.charge_only else None}
    if one.record is None:
        return {**place, "device": None, "stranger": one.is_stranger}
    return {
        **place,
        "stranger": False,
        **_record(one),
        "link": link(one.situation, now),
        "run": run(one.situation.run, now) if one.situation.run is not None else None,
        "ours": not one.blocks,
        "blocks": [coded(block) for block in one.blocks],
        "rules": [
            {
                "rule": tested.rule,
                "holds": tested.holds,
                "lasted": tested.lasted,
                "conditions": dict(tested.conditions),
            }
            for tested in one.tested
        ],
        "next_look": _due(one.next_look.at, now) if one.next_look is not None else None,
        "calls": [call(row, "") for row in one.calls],
        "commands": [command(row) for row in one.commands],
    }


def _record(one: Standing) -> Plain:
    record = one.record
    assert record is not None
    return {
        "device": record.device,
        "name": record.name,
        "called": record.called(),
        "serial": record.ids.serial,
        "udid": record.ids.udid,
        "ecid": f"0x{record.ids.ecid:X}" if record.ids.ecid is not None else None,
        "status": record.status.value if record.status is not None else None,
        "retired_reason": record.retired_reason,
        "ownership": record.ownership.value,
        "custody": record.custody.value,
        "mdm": record.mdm,
        "home": record.home,
        "labels": list(record.labels),
    }


def link(situation: Situation, now: Now) -> Plain | None:
    """How it stands on its cable; None if it is not attached here."""
    one = situation.link
    if one is None:
        return None
    return {
        "state": one.state.value,
        "cause": one.cause.value if one.cause is not None else None,
        "short": say(one.cause if one.cause is not None else one.state).short,
        "text": say(one.cause if one.cause is not None else one.state).text,
        "cure": say(one.cause).cure if one.cause is not None else "",
        "since": moment(one.since),
        "locked": one.seen.locked if not one.is_locked else True,
        "last_look": moment(one.seen.at),
        "last_look_age_s": now.since(one.seen.at),
        "unpaired_s": round(one.counts.unpaired_s, 3),
        "locked_s": round(one.counts.locked_s, 3),
        "docked_s": round(one.counts.docked_s, 3),
        "model": one.seen.product_type,
        "os_version": one.seen.os_version,
        "battery_percent": one.seen.battery_percent,
    }


def run(one: Run, now: Now) -> Plain:
    """One run, open or closed."""
    is_open = one.is_open
    return {
        "run": one.run,
        "device": one.device,
        "workflow": one.workflow.name,
        "rule": one.rule,
        "by": one.by,
        "mode": one.mode.value,
        "state": one.state.value,
        "step": one.doing.do.value if one.workflow.steps else None,
        "doing": say(one.doing.do).short if one.workflow.steps else None,
        "waited_s": round(one.waited_s, 3),
        "wait_s": one.doing.wait_s if one.workflow.steps else None,
        "left_s": one.left_s if is_open and one.workflow.steps else None,
        "opened": moment(one.opened),
        "accepted": moment(one.accepted),
        "told": moment(one.told),
        "next_try": _due(one.wake_at, now) if is_open and one.wake_at is not None else None,
        "reason": coded(one.reason) if one.reason is not None else None,
        "blocks": [coded(block) for block in one.blocks],
        "closed": moment(one.closed),
        "end": one.end.value if one.end is not None else None,
        "outcome": one.outcome or None,
        "proof": one.proof.value if one.proof is not None else None,
    }


def mdm(one: MdmStanding, now: Now) -> Plain:
    """One MDM as seen from here; its address without anything that could be a secret."""
    return {
        "name": one.name,
        "kind": one.kind,
        "url": one.url,
        "clears_when_not_pairing": one.clears_when_not_pairing,
        "last_contact": moment(one.last_contact),
        "last_contact_age_s": now.since(one.last_contact),
        "faults": faults(one.faults),
    }


def hold(one: HoldRow) -> Plain:
    """One hold."""
    return {"scope": one.scope, "reason": one.reason, "by": one.by, "since": one.since.isoformat()}


def call(one: CallRow, launchpad_name: str) -> Plain:
    """One call to people."""
    return {
        "key": one.call.key,
        **coded(one.call.reason),
        "device": one.call.device,
        "details": dict(one.call.details),
        "since": one.since.isoformat(),
        "times": one.times,
        "acknowledged_by": one.acknowledged_by,
        "message": calling(launchpad_name, (one,)) if launchpad_name else None,
    }


def command(one: MdmCommand) -> Plain:
    """One command of ours at an MDM."""
    return {
        "kind": one.kind,
        "mdm": one.mdm,
        "state": one.state,
        "asked": moment(one.asked),
        "accepted": moment(one.accepted),
        "pushed": one.pushed,
        "answer": one.answer or None,
    }


def row(one: JournalRow) -> Plain:
    """One row of the journal."""
    return {
        "number": one.number,
        "subject": one.subject,
        "kind": one.kind,
        "wall": one.wall.isoformat(),
        "rule_set": one.rule_set,
        "body": one.body,
        "previous": one.previous,
        "hash": one.hash,
    }


def rules(seen: Overview) -> list[Plain]:
    """All rules in their order."""
    return [codec.dump(rule) for rule in seen.rules.rules]


def rule_set(rules: RuleSet) -> Plain:
    """A rule set, whole."""
    return {"rule_set": rules.hash, "rules": codec.dump(rules)}


def workflows(seen: Overview) -> list[Plain]:
    """All workflows."""
    return [codec.dump(workflow) for workflow in seen.rules.workflows]


def faults(found: Iterable[Fault]) -> list[Mapping[str, str]]:
    """Each fault with its cure."""
    return [{"name": one.name, "what": one.what, "cure": one.cure} for one in found]


def coded(value: Enum) -> Plain:
    """A code for programs, and what it says for people."""
    said = say(value)
    return {"code": value.value, "short": said.short, "text": said.text, "cure": said.cure}


def moment(when: Now | None) -> str | None:
    """A moment for programs: ISO 8601 in UTC."""
    return when.wall.isoformat() if when is not None else None


def _due(up: float, now: Now) -> str:
    return (now.wall + timedelta(seconds=max(0.0, up - now.up))).isoformat()
