"""A whole site inside one event loop: simulated phones and MDM, and the daemon's own parts, connected."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from mamd.core.conditions import Condition, Op
from mamd.core.facts import Ids, Ownership, Record, Status, canonical_udid
from mamd.core.rules import Mode, Rule, RuleSet, Trigger, When
from mamd.core.storm import StormLimits, Watch
from mamd.core.workflow import Action, Kind, Step, Workflow
from mamd.daemon.acts import Acts
from mamd.daemon.clock import SystemClock
from mamd.daemon.desk import KeepersDesk
from mamd.daemon.house import House, MdmPlan
from mamd.daemon.keeper import Keeper
from mamd.daemon.ledger import Ledger
from mamd.daemon.turns import Turns
from mamd.launchpad.pad import Pad, PadSettings
from mamd.mdm import nanomdm
from mamd.mdm.nanomdm_webhook import NanoMdmWebhook
from mamd.mdm.secret import Secret
from mamd.mdm.vault import Vault
from mamd.ports import Changes, Store
from mamd.sim.launchpad import SimLaunchpad
from mamd.sim.mdm_part import MdmPart
from mamd.sim.phone import Phone
from mamd.store import MemoryStore
from mamd.web.app import make_webhook_app
from mamd.web.serve import Listener
from tests.canary import API_KEY, HMAC_KEY

PAIRED = (Condition("link", Op.IS, ("paired",)), Condition("locked", Op.IS, (False,)))
ERASED = (Condition("erased", Op.IS, (True,)),)


def ladder(*, wait_s: float = 5.0) -> Workflow:
    """The shipped ladder with a shorter wait."""
    return Workflow(
        "clear-passcode-then-erase",
        Kind.RESCUE,
        "for tests",
        (
            Step(Action.MDM_CLEAR_PASSCODE, until=PAIRED, wait_s=wait_s, outcome="unlocked"),
            Step(Action.RECOVERY_ERASE_AND_UPDATE, until=ERASED, wait_s=60.0, outcome="erased"),
        ),
    )


def rules(*, for_s: float = 1.0, wait_s: float = 5.0, mode: Mode = Mode.AUTO) -> RuleSet:
    """The shipped rule with shorter times."""
    rule = Rule(
        "not-pairing",
        "for tests",
        (When(Trigger.UNPAIRED, for_s),),
        (Condition("cause", Op.IS, ("locked",)),),
        "clear-passcode-then-erase",
        mode,
    )
    return RuleSet((rule,), (ladder(wait_s=wait_s),), "tests")


@dataclass(slots=True)
class Site:
    """The parts, for tests to look at and to disturb."""

    pad: SimLaunchpad
    mdm: MdmPart
    keeper: Keeper
    desk: KeepersDesk
    acts: Acts

    def own(self, *phones: Phone, ownership: Ownership = Ownership.SHARED, **fields: object) -> None:
        """Put phones into the registry."""
        for phone in phones:
            one = phone.identity
            record = Record(
                self.keeper.ledger.new_device(),
                Ids(canonical_udid(one.udid), one.ecid, one.serial),
                one.name,
                Status.ACTIVE,
                "",
                ownership,
                "hospital",
            )
            self.keeper.ledger.put_record(record)

    def run_of(self, phone: Phone):
        """The newest run of a phone."""
        record = self.keeper.ledger.find(Ids(canonical_udid(phone.identity.udid)))
        assert record is not None
        return self.keeper.ledger.runs.get(record.device)

    async def until(self, true: Callable[[], object], *, within_s: float = 20.0) -> None:
        """Wait, turn by turn, until something holds."""
        async with asyncio.timeout(within_s):
            while not true():
                await self.keeper.changed(self.keeper.turns_taken)


@asynccontextmanager
async def site(
    folder: Path, *, rule_set: RuleSet | None = None, store: Store | None = None
) -> AsyncIterator[Site]:
    """Everything up and connected; the keeper runs until the block ends."""
    state = folder / "state"
    state.mkdir(parents=True)
    vault = Vault.from_file(state / "vault.key", make=True)
    clock = SystemClock()
    store = store or MemoryStore()
    snapshot = await store.open()
    used = rule_set or rules()
    await store.commit(Changes(rule_sets=(used,)))
    part = MdmPart(API_KEY, webhook_url=None, hmac_key=HMAC_KEY)
    async with SimLaunchpad(folder / "sim", parts=[part]) as pad:
        adapter = nanomdm.NanoMdm("hospital", nanomdm.client(part.mdm.url, API_KEY), vault)
        house = House(
            "ward-3",
            UTC,
            used,
            storm=StormLimits(),
            mdms={"hospital": MdmPlan("hospital", "nanomdm", part.mdm.url)},
        )
        acts = Acts({"hospital": adapter})
        turns = Turns(Ledger(snapshot, Watch()), house, {"hospital": adapter.capabilities})
        settings = PadSettings(str(pad.socket), state, clock.now().boot, pad.sysfs)
        keeper = Keeper(
            clock=clock, store=store, launchpad=Pad(settings), turns=turns, carry_out=acts.carry_out
        )
        acts.keeper = keeper
        webhook = NanoMdmWebhook("hospital", Secret(HMAC_KEY.encode()), vault)
        desk = KeepersDesk(keeper, {"hospital": webhook}, clock.now(), lambda: (), lambda mdm: (), _no_reload)
        listener = Listener(make_webhook_app(desk, is_signed=lambda mdm: True), host="127.0.0.1", port=0)
        await listener.open()
        await part.obey(
            {
                "do": "webhook",
                "url": f"http://{listener.address.removeprefix('http://')}/v1/webhooks/hospital",
            }
        )
        running = asyncio.create_task(keeper.run())
        try:
            yield Site(pad, part, keeper, desk, acts)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await listener.close()
            await adapter.close()
            await store.close()


async def _no_reload(by: str) -> str:
    return "nothing to read"
