"""What a decision about one device is based on, gathered from the ledger and the house."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, tzinfo

from mamd.core.facts import MdmRecord, Record
from mamd.core.governor import MdmCan, View
from mamd.core.link import Link
from mamd.core.rules import RuleSet
from mamd.core.time import Now
from mamd.daemon.house import House
from mamd.daemon.ledger import Ledger


def view_of(
    ledger: Ledger,
    house: House,
    can: Mapping[str, MdmCan],
    record: Record | None,
    link: Link | None,
    now: Now,
    *,
    usbmuxd_up: bool,
) -> View:
    """The view of one device at this moment; of a stranger it holds nothing but the port."""
    port = house.port(link.attachment.port) if link is not None else None
    place = View(
        usbmuxd_up=usbmuxd_up,
        mode=house.mode,
        recovery_mode=house.recovery_mode,
        limits=house.limits,
        charge_only=port.charge_only if port is not None else False,
        port_label=port.label if port is not None else "",
        launchpad=house.launchpad,
        launchpad_labels=house.labels,
        minutes=_minutes(now.wall, house.timezone),
    )
    if record is None:
        return place
    storm = ledger.the_watch.storm
    mdm = record.mdm or ""
    return replace(
        place,
        record=record,
        mdm=_word(ledger, record),
        mdm_can=can.get(mdm),
        last_contact_any=ledger.contacts.get(mdm),
        seen_elsewhere=ledger.is_seen_twice(record.ids),
        holds=ledger.holds_for(record.device),
        is_storm=storm is not None,
        is_storm_member=storm is not None and record.device in storm.members,
        clears_in_hour=ledger.clears_in_hour(record.device, now),
        runs_today=ledger.runs_today(_limited(house.rules), now),
        open_clear=ledger.open_clear(record.device),
        next_run=ledger.next_run(),
    )


def _limited(rules: RuleSet) -> tuple[str, ...]:
    return tuple(rule.name for rule in rules.rules if rule.per_day is not None)


def _word(ledger: Ledger, record: Record) -> MdmRecord | None:
    """The MDM's word, with the last contact as we heard it ourselves: its clock is not ours."""
    word = ledger.words.get(record.device)
    return replace(word, last_contact=ledger.contacts.get(record.device)) if word is not None else None


def _minutes(wall: datetime, timezone: tzinfo) -> float:
    local = wall.astimezone(timezone)
    return local.hour * 60 + local.minute + local.second / 60
