"""
The one place where a port meets whoever implements it.

    Settings + RuleSet ─▶ House, Ledger, Turns ─▶ Keeper ─┬─ Pad (launchpad)
                                                          ├─ SqlStore
                                                          ├─ NanoMdm, its webhook, the vault
                                                          ├─ log, metrics, people
                                                          └─ Desk ─▶ page, API, webhooks
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog
from starlette.types import ASGIApp

from mamd import __version__
from mamd.codec import Unreadable, read
from mamd.config.load import read_settings
from mamd.config.mistakes import Mistake
from mamd.config.settings import CommandCall, HostPort, MdmSettings, Settings, WebhookCall
from mamd.core.errors import Misconfigured
from mamd.core.rules import RuleSet
from mamd.core.storm import Watch
from mamd.daemon import service
from mamd.daemon.acts import Acts
from mamd.daemon.callers import Callers
from mamd.daemon.chores import Chores
from mamd.daemon.clock import SystemClock
from mamd.daemon.desk import KeepersDesk
from mamd.daemon.faults import FaultLog
from mamd.daemon.happening import Happening, Held, HouseChanged, RecordsSet
from mamd.daemon.holdfile import HoldFile
from mamd.daemon.house import House, MdmPlan, PortPlan
from mamd.daemon.keeper import Keeper
from mamd.daemon.ledger import Ledger
from mamd.daemon.turns import Turns
from mamd.launchpad.pad import Pad, PadSettings
from mamd.launchpad.pairing import Pairings, Supervision
from mamd.mdm import keyfile, nanomdm
from mamd.mdm.nanomdm_webhook import NanoMdmWebhook
from mamd.mdm.vault import Vault
from mamd.observe.log import TurnLog
from mamd.observe.metrics import Metrics
from mamd.observe.people import CommandPeople, WebhookPeople
from mamd.observe.requests import CountedMdm
from mamd.ports import Changes, Fault, Mdm, People, Snapshot, Webhook
from mamd.rulebook.compare import compare
from mamd.rulebook.devices import read_devices
from mamd.rulebook.lint import Site
from mamd.rulebook.load import load_all
from mamd.rulebook.switches import with_switches
from mamd.store import SqlStore
from mamd.web.app import make_app, make_webhook_app
from mamd.web.doors import Role, Token
from mamd.web.serve import Listener
from mamd.words.calls import calling

log = structlog.get_logger()

DEVICES_S: Final = 5.0
"""How often the device list is looked at for changes."""


@dataclass(frozen=True, slots=True)
class Files:
    """Everything that a site wrote, read at one moment. `mistakes` empty: it may be used."""

    settings: Settings | None
    rules: RuleSet | None
    mistakes: tuple[Mistake, ...]
    warnings: tuple[Mistake, ...]


def read_files(config: Path, environ: Mapping[str, str] = os.environ) -> Files:
    """Read configuration, rules and workflows; every mistake at once. Raises nothing."""
    found = read_settings(config, environ)
    if found.settings is None:
        return Files(None, None, found.mistakes, found.warnings)
    settings = found.settings
    site = Site(
        mdms=tuple(one.name for one in settings.mdms),
        launchpad=settings.launchpad.name,
        switched_mdms=settings.switched_mdms,
    )
    loaded = load_all([*settings.workflows, *settings.rules], site)
    mistakes = (*found.mistakes, *loaded.mistakes)
    warnings = (*found.warnings, *loaded.warnings)
    rules = with_switches(loaded.rules, settings.switched_mdms) if loaded.rules is not None else None
    return Files(settings, rules, mistakes, warnings)


def house_of(settings: Settings, rules: RuleSet) -> House:
    """Settings and rules as decisions need them."""
    launchpad = settings.launchpad
    return House(
        launchpad=launchpad.name,
        timezone=launchpad.timezone,
        rules=rules,
        labels=launchpad.labels,
        mode=settings.mode,
        recovery_mode=settings.recovery_mode,
        limits=settings.limits,
        storm=settings.storm,
        ports={one.path: PortPlan(one.label, one.is_charge_only) for one in launchpad.ports},
        mdms={
            one.name: MdmPlan(one.name, one.kind, one.url, one.clears_when_not_pairing)
            for one in settings.mdms
        },
        again_after_s=settings.people.again_after_s,
        version=__version__,
    )


def _plan(mdm: MdmSettings) -> MdmPlan:
    return MdmPlan(mdm.name, mdm.kind, mdm.url, mdm.clears_when_not_pairing)


async def run(settings: Settings, rules: RuleSet) -> None:
    """
    The daemon, until SIGTERM.

    Raises:
        Misconfigured: Something it was given is wrong; the line says what, and the cure.
    """
    _shut_out_others()
    async with _daemon(settings, rules) as parts:
        stop = asyncio.Event()
        service.on_signals(stop, lambda by: parts.desk.reload(by=by))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(loop(), name=loop.__qualname__) for loop in parts.loops]
            parts.chores.start()
            await parts.chores.check_mdms()
            service.notify("READY=1")
            log.info("daemon.started", launchpad=settings.launchpad.name, version=__version__)
            await stop.wait()
            service.notify("STOPPING=1")
            parts.chores.stop()
            for task in tasks:
                task.cancel()
    log.info("daemon.stopped")


def _shut_out_others() -> None:
    """What we write is ours alone, and no crash leaves our memory on the disk (promise 10)."""
    os.umask(0o077)
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@dataclass(frozen=True, slots=True)
class _Parts:
    """What a built daemon is run by."""

    keeper: Keeper
    desk: KeepersDesk
    chores: Chores
    others: tuple[Callable[[], Coroutine[Any, Any, None]], ...]

    @property
    def loops(self) -> tuple[Callable[[], Coroutine[Any, Any, None]], ...]:
        """Everything that goes on for ever."""
        faults = FaultLog(self.keeper.clock, self.desk.faults)
        return (self.keeper.run, faults.run, lambda: service.watchdog(self.keeper), *self.others)


@contextlib.asynccontextmanager
async def _daemon(settings: Settings, rules: RuleSet) -> AsyncIterator[_Parts]:
    """Everything built and connected; taken apart again at the end."""
    clock = SystemClock()
    vault = _vault(settings)
    metrics = Metrics()
    mdms = {one.name: CountedMdm(_mdm(one, vault), metrics) for one in settings.mdms}
    store = SqlStore(settings.state / "mamd.db")
    async with contextlib.AsyncExitStack() as stack:
        snapshot = await store.open()
        stack.push_async_callback(store.close)
        for mdm in mdms.values():
            stack.push_async_callback(mdm.close)
        await store.commit(Changes(rule_sets=(rules,)))
        ledger = Ledger(snapshot, _watch(snapshot))
        house = house_of(settings, rules)
        turns = Turns(ledger, house, {name: mdm.capabilities for name, mdm in mdms.items()})
        acts = Acts(mdms)
        keeper = Keeper(
            clock=clock,
            store=store,
            launchpad=_pad(settings, clock),
            turns=turns,
            observers=(TurnLog(), metrics),
            carry_out=acts.carry_out,
        )
        acts.keeper = keeper
        await _prime(keeper, mdms)
        _hold_old_state(keeper, snapshot)
        devices = _Devices(keeper, settings)
        devices.try_to_take()
        chores = Chores(keeper, mdms)
        callers = Callers(keeper, _people(settings), text=lambda rows, now: calling(house.launchpad, rows))
        hold_file = HoldFile(keeper, settings.state)
        hold_file.look()
        desk = KeepersDesk(
            keeper=keeper,
            webhooks=_webhooks(settings, vault),
            started=clock.now(),
            outer_faults=lambda: (
                *keeper.launchpad.faults(),
                *chores.faults(),
                *callers.faults,
                *devices.faults,
            ),
            mdm_faults=chores.faults_of,
            read_files_again=_Reload(settings.file, keeper).again,
            lift_hold_file=hold_file.remove,
        )
        await _listen(stack, settings, desk, metrics)
        yield _Parts(keeper, desk, chores, (callers.run, hold_file.run, devices.run, chores.watch_wall))


def _watch(snapshot: Snapshot) -> Watch:
    text = snapshot.meta.get("watch")
    try:
        return read(Watch, text) if text is not None else Watch()
    except Unreadable:
        return Watch()  # of an older mamd; a storm that is on begins again with its next onset


async def _prime(keeper: Keeper, mdms: Mapping[str, Mdm]) -> None:
    """Tell the adapters whom they hold tokens for, before anything is decided on it."""
    for record in keeper.ledger.records:
        mdm = mdms.get(record.mdm or "")
        if mdm is not None and mdm.capabilities.needs_unlock_token:
            await mdm.read(record, keeper.ledger.enrollment_of(record), now=keeper.clock.now())


def _hold_old_state(keeper: Keeper, snapshot: Snapshot) -> None:
    """A state that is older than what was last known outside it starts in hold (promise 14)."""
    if snapshot.is_from_the_past:
        line = "the state is older than what was last known outside it, as after a restored backup"
        keeper.put(Happening(keeper.clock.now(), word=Held("everything", line, "mamd")))


class _Devices:
    """The device list, imported at start and whenever the file changes."""

    def __init__(self, keeper: Keeper, settings: Settings) -> None:
        self._keeper = keeper
        self._settings = settings
        self._taken: tuple[int, int] | None = None
        self.faults: tuple[Fault, ...] = ()

    async def run(self) -> None:
        """For ever: take the list again when it has changed; a bad one changes nothing and is a fault."""
        clock = self._keeper.clock
        while True:
            await clock.sleep_until(clock.now().up + DEVICES_S)
            self.try_to_take()

    def try_to_take(self) -> None:
        """A bad list stops nothing: the devices known before go on, and the fault is shown."""
        try:
            if self.take():
                self.faults = ()
        except Misconfigured as error:
            cure = "mend the list (mamd check); the devices known before stay as they are"
            self.faults = (Fault("devices_refused", error.what.splitlines()[0], cure),)

    def take(self) -> bool:
        """
        Take the list in, if it is another than the last time; whether it was.

        Raises:
            Misconfigured: It has mistakes, or would lose too many devices; nothing is taken.
        """
        path = self._settings.devices
        if path is None or self._taken == (state := _state_of(path)):
            return False
        self._taken = state
        listed = read_devices(path, tuple(one.name for one in self._settings.mdms))
        if listed.records is None:
            raise Misconfigured("devices", "\n".join(str(one) for one in listed.mistakes))
        change = compare(tuple(self._keeper.ledger.records), listed.records)
        refusal = change.refusal or "; ".join(change.contradictions)
        if refusal:
            raise Misconfigured("devices", f"{path.name}: {refusal}")
        records = (*change.added, *(new for _, new in change.changed), *change.left)
        if records:
            word = RecordsSet(records, path.name, f"{len(records)} rows of {path.name}")
            self._keeper.put(Happening(self._keeper.clock.now(), word=word))
        return True


def _state_of(path: Path) -> tuple[int, int]:
    """When the file was changed, and its size; a missing one is told apart, too."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)


class _Reload:
    """Reads the files again for a running daemon; a bad set changes nothing."""

    def __init__(self, config: Path, keeper: Keeper) -> None:
        self._config = config
        self._keeper = keeper

    async def again(self, by: str) -> str:
        """What came of it, in one line."""
        files = read_files(self._config)
        if files.settings is None or files.rules is None or files.mistakes:
            for one in files.mistakes:
                log.error("files.refused", mistake=str(one))
            return (
                f"refused: {len(files.mistakes)} mistakes; the last good set goes on (mamd check lists them)"
            )
        await self._keeper.store.commit(Changes(rule_sets=(files.rules,)))
        self._keeper.turns.house = house_of(files.settings, files.rules)
        now = self._keeper.clock.now()
        self._keeper.put(Happening(now, word=HouseChanged(f"files read again by {by}")))
        self._keeper.replan()
        return f"{len(files.rules.rules)} rules, {len(files.rules.workflows)} workflows in force"


# ------------------------------------------------------------------------------ the adapters


def _vault(settings: Settings) -> Vault:
    if settings.vault_key is not None:
        return Vault(keyfile.keys_of_text(settings.vault_key.reveal(), "vault.key"))
    settings.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Vault.from_file(settings.state / "vault.key", make=True)


def _mdm(settings: MdmSettings, vault: Vault) -> Mdm:
    assert settings.kind == "nanomdm", "the configuration lets in no other kind yet"
    http = nanomdm.client(settings.url, settings.api_key.reveal().decode())
    return nanomdm.NanoMdm(settings.name, http, vault)


def _webhooks(settings: Settings, vault: Vault) -> Mapping[str, Webhook]:
    return {
        one.name: NanoMdmWebhook(one.name, one.webhook_hmac_key, vault)
        for one in settings.mdms
        if one.webhook_hmac_key is not None
    }


def _pad(settings: Settings, clock: SystemClock) -> Pad:
    launchpad, identity = settings.launchpad, settings.launchpad.supervision_identity
    supervision = (
        Supervision.of(identity.certificate, identity.key.reveal()) if identity is not None else None
    )
    return Pad(
        PadSettings(
            usbmuxd=launchpad.usbmuxd,
            state=settings.state,
            boot=clock.now().boot,
            sysfs=launchpad.sysfs,
            pairing=Pairings.SUPERVISED_ONLY if launchpad.is_supervised_only else Pairings.ANY,
            supervision=supervision,
            charge_only=frozenset(one.path for one in launchpad.ports if one.is_charge_only),
        )
    )


def _people(settings: Settings) -> tuple[People, ...]:
    return tuple(_way(one) for one in settings.people.on_duty)


def _way(way: WebhookCall | CommandCall) -> People:
    if isinstance(way, CommandCall):
        return CommandPeople(way.words)
    return WebhookPeople(way.address.reveal().decode())


async def _listen(
    stack: contextlib.AsyncExitStack, settings: Settings, desk: KeepersDesk, metrics: Metrics
) -> None:
    """Open every door that the configuration names."""
    http = settings.http
    tokens = tuple(Token(one.name, Role(one.role), one.token.reveal().decode()) for one in http.tokens)
    signed = {one.name for one in settings.mdms if one.webhook_hmac_key is not None}
    app = make_app(
        desk,
        lambda: metrics.text(desk.overview(), desk.devices()),
        tokens,
        is_signed=signed.__contains__,
        zone=settings.launchpad.timezone,
    )
    listeners = [Listener(app, path=http.socket)]
    if http.listen is not None:
        listeners.append(_on(http.listen, app))
    if http.webhooks is not None:
        listeners.append(_on(http.webhooks, make_webhook_app(desk, is_signed=signed.__contains__)))
    for listener in listeners:
        await listener.open()
        stack.push_async_callback(listener.close)
        log.info("http.opened", address=listener.address)


def _on(place: HostPort, app: ASGIApp) -> Listener:
    return Listener(app, host=place.host, port=place.port)
