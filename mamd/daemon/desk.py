"""The desk: what people ask of the daemon and tell it, answered from the ledger."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from mamd.core import events as ev
from mamd.core.errors import No, Refused
from mamd.core.facts import (
    Attachment,
    Custody,
    Ids,
    LinkState,
    Ownership,
    Record,
    Status,
    canonical_udid,
    ecid_of,
)
from mamd.core.governor import Block, not_ours
from mamd.core.link import Link
from mamd.core.rules import RuleSet
from mamd.core.run import Run
from mamd.core.time import Now
from mamd.core.turn import Situation, explain
from mamd.daemon import happening as said
from mamd.daemon.keeper import Keeper
from mamd.desk import MdmStanding, Overview, Standing
from mamd.ports import Delivery, Fault, JournalRow, Webhook

EVERYTHING = "everything"


@dataclass(slots=True)
class KeepersDesk:
    """mamd.desk.Desk over one keeper."""

    keeper: Keeper
    webhooks: Mapping[str, Webhook]
    started: Now
    outer_faults: Callable[[], tuple[Fault, ...]]
    mdm_faults: Callable[[str], tuple[Fault, ...]]
    read_files_again: Callable[[str], Awaitable[str]]
    lift_hold_file: Callable[[], None] = lambda: None

    # ------------------------------------------------------------------------------ asking

    def overview(self) -> Overview:
        """The Launchpad at a glance."""
        keeper, ledger, house = self.keeper, self.keeper.ledger, self.keeper.turns.house
        now = keeper.clock.now()
        ports = self._ports(now)
        hindrances = self._hindrances(now)
        helpable = len(ledger.records) - sum(hindrances.values())
        return Overview(
            launchpad=house.launchpad,
            version=house.version,
            now=now,
            started=self.started,
            mode=house.mode,
            recovery_mode=house.recovery_mode,
            usbmuxd_up=keeper.turns.usbmuxd_up,
            last_look=keeper.last_look,
            faults=self.faults(),
            ports=ports,
            runs=tuple(run for run in ledger.runs if run.is_open),
            holds=tuple(ledger.holds),
            calls=ledger.open_calls(),
            storm=ledger.the_watch.storm,
            mdms=self._mdms(),
            rules=house.rules,
            strangers=sum(1 for port in ports if port.is_stranger),
            known=len(ledger.records),
            helpable=helpable,
            hindrances=tuple((name, count) for name, count in hindrances.most_common()),
        )

    def _ports(self, now: Now) -> tuple[Standing, ...]:
        """Every named port, and every other one that somebody is attached to, as the shelf has them."""
        ledger, house = self.keeper.ledger, self.keeper.turns.house
        attached = {link.attachment.port: link for link in ledger.links if link.state is not LinkState.GONE}
        paths = sorted({*house.ports, *attached}, key=lambda path: _in_order(house.port(path).label))
        return tuple(
            self._at_port(path, attached[path], now) if path in attached else self._empty(path)
            for path in paths
        )

    def _empty(self, path: str) -> Standing:
        plan = self.keeper.turns.house.port(path)
        return Standing(path, plan.label, None, Situation(), charge_only=plan.charge_only)

    def _at_port(self, path: str, link: Link, now: Now) -> Standing:
        record = self.keeper.ledger.owner(link)
        if record is not None:
            return self._standing(record, link, now)
        plan = self.keeper.turns.house.port(path)
        # Of a stranger's phone it is shown that there is one, and nothing else (promise 15).
        bare = Link(Attachment(link.attachment.boot, path, 0), link.attached, link.since, link.state)
        return Standing(
            path, plan.label, None, Situation(bare), charge_only=plan.charge_only, is_stranger=True
        )

    def _standing(self, record: Record, link: Link | None, now: Now) -> Standing:
        keeper, ledger, house = self.keeper, self.keeper.ledger, self.keeper.turns.house
        run = ledger.runs.get(record.device)
        view = keeper.turns.view(record, link, now)
        blocks, tested = (
            explain(link, view, now, house.rules) if link is not None else (not_ours(view, None), ())
        )
        plan = house.port(link.attachment.port) if link is not None else None
        return Standing(
            port=link.attachment.port if link is not None else None,
            label=plan.label if plan is not None else "",
            record=record,
            situation=Situation(link, run if run is not None and run.is_open else None),
            charge_only=plan.charge_only if plan is not None else False,
            view=view,
            blocks=blocks,
            tested=tested,
            next_look=keeper.plan(link.attachment) if link is not None else None,
            runs=(run,) if run is not None else (),
            commands=ledger.commands_of(record.device),
            calls=tuple(
                one for one in ledger.calls if one.call.device == record.device and not one.is_settled
            ),
            enrolled=ledger.enrollment_of(record),
        )

    def _mdms(self) -> tuple[MdmStanding, ...]:
        contacts = self.keeper.ledger.contacts
        return tuple(
            MdmStanding(
                one.name,
                one.kind,
                one.url,
                one.clears_when_not_pairing,
                contacts.get(one.name),
                self.mdm_faults(one.name),
            )
            for one in self.keeper.turns.house.mdms.values()
        )

    def _hindrances(self, now: Now) -> Counter[str]:
        """For each device that could not be helped, the first thing that stops it."""
        found: Counter[str] = Counter()
        for record in self.keeper.ledger.records:
            view = self.keeper.turns.view(record, None, now)
            enrolled = self.keeper.ledger.enrollment_of(record)
            blocks = [*not_ours(view, None), *_by_enrollment(record, enrolled is not None)]
            if blocks:
                found[blocks[0].value] += 1
        return found

    def devices(self) -> tuple[Standing, ...]:
        """Every device of the registry, attached or not."""
        now = self.keeper.clock.now()
        return tuple(
            self._standing(record, self.keeper.ledger.link_of(record), now)
            for record in sorted(self.keeper.ledger.records, key=lambda one: one.device)
        )

    async def device(self, name: str) -> Standing:
        """One device by any of its names, or what is at `port:LABEL`."""
        now = self.keeper.clock.now()
        if name.startswith("port:"):
            found = [one for one in self._ports(now) if name[5:] in (one.label, one.port)]
            if not found:
                raise Refused("mamd", f"there is no port {name[5:]}; `mamd status` lists them", No.NOT_FOUND)
            standing = found[0]
        else:
            record = self._record(name)
            standing = self._standing(record, self.keeper.ledger.link_of(record), now)
        if standing.record is None:
            return standing
        runs = await self.keeper.store.runs(device=standing.record.device, limit=20)
        return replace(standing, runs=runs)

    def _record(self, name: str) -> Record:
        wanted = name.strip()
        udid = canonical_udid(wanted)
        for ids in (Ids(udid=udid, ecid=ecid_of(udid)), Ids(ecid=_ecid(wanted)), Ids(serial=wanted.upper())):
            record = self.keeper.ledger.find(ids)
            if record is not None:
                return record
        names = (wanted.casefold(), wanted.upper())
        for record in self.keeper.ledger.records:
            if (
                record.device in names
                or (record.name or "").casefold() == names[0]
                or record.ids.serial in names
            ):
                return record
        raise Refused("mamd", f"no device is called {wanted}; `mamd devices list` shows all", No.NOT_FOUND)

    async def journal(
        self, *, device: str | None = None, after: int = 0, limit: int = 500, newest_first: bool = False
    ) -> tuple[JournalRow, ...]:
        """Rows of the journal."""
        subject = self._record(device).device if device is not None else None
        return await self.keeper.store.journal(
            subject=subject, after=after, limit=limit, newest_first=newest_first
        )

    async def verify(self) -> tuple[str, ...]:
        """Walk the journal's chain."""
        return await self.keeper.store.verify()

    async def rule_set(self, hash_: str) -> RuleSet:
        """The rules that a row of the journal names."""
        found = await self.keeper.store.rule_set(hash_)
        if found is None:
            raise Refused("mamd", f"no row of the journal names the rules {hash_}", No.NOT_FOUND)
        return found

    def faults(self) -> tuple[Fault, ...]:
        """What stops the daemon from helping now."""
        return (*self.keeper.faults, *self.outer_faults())

    async def changed(self, since: int) -> int:
        """Wait for news."""
        return await self.keeper.changed(since)

    # ------------------------------------------------------------------------------ telling

    async def hold(self, scope: str, *, by: str, reason: str) -> str:
        """Stop something."""
        named = self._scope(scope)
        await self._say(said.Held(named, reason, by))
        return named

    async def release(self, scope: str, *, by: str, reason: str) -> str:
        """Lift a hold, or what a storm left behind."""
        named = "storm" if scope == "storm" else self._scope(scope)
        if named != "storm" and self.keeper.ledger.holds.get(named) is None:
            raise Refused("mamd", f"there is no hold on {scope}; `mamd status` lists them", No.NOT_FOUND)
        if named == EVERYTHING:
            self.lift_hold_file()
        await self._say(said.Released(named, reason, by))
        return named

    def _scope(self, scope: str) -> str:
        if scope == EVERYTHING:
            return scope
        if scope.startswith("rule:"):
            names = [rule.name for rule in self.keeper.turns.house.rules.rules]
            if scope[5:] not in names:
                raise Refused(
                    "mamd", f"there is no rule {scope[5:]}; there are {', '.join(names)}", No.NOT_FOUND
                )
            return scope
        return f"device:{self._record(scope.removeprefix('device:')).device}"

    async def approve(self, run: str, *, label: str, by: str, reason: str) -> str:
        """Allow the present step of a run."""
        found = self._open_run(run)
        link = self.keeper.ledger.links.get(found.attachment) if found.attachment is not None else None
        printed = self.keeper.turns.house.port(link.attachment.port).label if link is not None else None
        if printed is None or label.strip() != printed:
            raise Refused("mamd", f"{found.device} is not at the port labelled {label!r}; look at the shelf")
        await self._tell(found.device, ev.Approved(found.run, found.step, by, reason))
        return f"{found.run}: step {found.step + 1} approved"

    def _open_run(self, run: str) -> Run:
        found = self.keeper.ledger.ran.get(run)
        if found is None or not found.is_open:
            raise Refused("mamd", f"there is no open run {run}; `mamd status` lists them", No.NOT_FOUND)
        return found

    async def start(self, workflow: str, device: str, *, by: str, reason: str) -> str:
        """Run a workflow on one device, by a person's word."""
        record = self._record(device)
        rules = self.keeper.turns.house.rules
        if rules.workflow(workflow) is None:
            names = ", ".join(one.name for one in rules.workflows)
            raise Refused("mamd", f"there is no workflow {workflow}; there are {names}", No.NOT_FOUND)
        open_one = self.keeper.ledger.runs.get(record.device)
        if open_one is not None and open_one.is_open:
            raise Refused("mamd", f"{record.called()} has an open run already: {open_one.run}")
        await self._tell(record.device, ev.Started(workflow, record.device, by, reason))
        run = self.keeper.ledger.runs.get(record.device)
        return run.run if run is not None else ""

    async def retry(self, run: str, *, by: str, reason: str) -> str:
        """Look again at a run that waits."""
        found = self._open_run(run)
        await self._tell(found.device, ev.Retried(found.run, by, reason))
        return found.run

    async def acknowledge(self, key: str, *, by: str) -> str:
        """I know; stop calling."""
        open_keys = [row.call.key for row in self.keeper.ledger.open_calls()]
        keys = tuple(one for one in open_keys if key in ("all", one))
        if not keys:
            raise Refused(
                "mamd", f"nobody is called about {key}; `mamd status` lists the calls", No.NOT_FOUND
            )
        await self._say(said.Acknowledged(keys, by))
        return ", ".join(keys)

    async def set_device(self, name: str, field: str, value: str, *, by: str) -> str:
        """Change one field of a device's record by a person's word."""
        record = self._record(name)
        by_person = tuple(sorted({*record.by_person, field}))
        changed = replace(_with_field(record, field, value), by_person=by_person)
        await self._say(said.RecordsSet((changed,), by, f"{field} of {record.device} is {value}"))
        return record.device

    async def reload(self, *, by: str) -> str:
        """Read configuration and rules again."""
        return await self.read_files_again(by)

    async def webhook(self, mdm: str, headers: Mapping[str, str], body: bytes) -> None:
        """Take one webhook; returns only when it is stored."""
        receiver = self.webhooks.get(mdm)
        if receiver is None:
            raise Refused("mamd", f"no MDM called {mdm} sends webhooks here", No.NOT_FOUND)
        delivery = receiver.receive(headers, body)
        if delivery.news is not None:
            await self.keeper.ask(_asking(self.keeper.clock.now(), delivery=delivery))

    async def _say(self, word: said.Word) -> None:
        await self.keeper.ask(_asking(self.keeper.clock.now(), word=word))

    async def _tell(self, device: str, event: ev.Event) -> None:
        await self.keeper.ask(_asking(self.keeper.clock.now(), event=event, device=device))


def _asking(
    now: Now,
    *,
    event: ev.Event | None = None,
    device: str | None = None,
    delivery: Delivery | None = None,
    word: said.Word | None = None,
) -> said.Happening:
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    return said.Happening(now, event, device=device, delivery=delivery, word=word, answer=answer)


def _by_enrollment(record: Record, is_enrolled: bool) -> tuple[Block, ...]:
    if record.mdm is None:
        return (Block.NO_MDM,)
    if record.ids.udid is None:
        return (Block.IDENTITY_UNKNOWN,)
    return () if is_enrolled else (Block.NOT_ENROLLED,)


def _ecid(text: str) -> int | None:
    try:
        return int(text, 16 if text.lower().startswith("0x") else 10)
    except ValueError:
        return None


def _in_order(label: str) -> tuple[int, int, str]:
    """Ports in the order that a person counts them: 2 before 10."""
    return (0, int(label), "") if label.isdigit() else (1, 0, label)


def _with_field(record: Record, field: str, value: str) -> Record:
    """One field of a record, from text. Raises Refused with what would be right."""
    setter = _FIELDS.get(field)
    if setter is None:
        raise Refused("mamd", f"{field} cannot be set; there are {', '.join(sorted(_FIELDS))}")
    try:
        return setter(record, value.strip())
    except ValueError:
        choices = _CHOICES.get(field, ())
        raise Refused("mamd", f"{field} cannot be {value!r}; say one of {', '.join(choices)}") from None


_CHOICES = {
    "status": [one.value for one in Status],
    "ownership": [one.value for one in Ownership],
    "custody": [one.value for one in Custody],
}
_FIELDS: Mapping[str, Callable[[Record, str], Record]] = {
    "name": lambda record, value: replace(record, name=value or None),
    "status": lambda record, value: replace(record, status=Status(value)),
    "retired_reason": lambda record, value: replace(record, retired_reason="" if value == "none" else value),
    "ownership": lambda record, value: replace(record, ownership=Ownership(value)),
    "custody": lambda record, value: replace(record, custody=Custody(value)),
    "mdm": lambda record, value: replace(record, mdm=value or None),
    "home": lambda record, value: replace(record, home=value or None),
    "labels": lambda record, value: replace(record, labels=tuple(value.replace(",", " ").split())),
}
