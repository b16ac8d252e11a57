"""The adapter and its webhook against running servers: NanoMDM simulated and real, on either storage."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx
import pytest

from mamd.core.enrollment import Enrolled, KeepToken, MdmNews, NewsKind, TokenState, heard, is_repeated
from mamd.core.errors import Busy, Doubtful, Misconfigured, No, Refused, Unreachable
from mamd.core.events import AnswerStatus
from mamd.core.facts import Enrollment
from mamd.mdm.nanomdm import NanoMdm, client
from mamd.mdm.nanomdm_webhook import NanoMdmWebhook
from mamd.mdm.secret import Secret, fingerprint
from mamd.mdm.vault import Vault
from mamd.ports import Sealed, Target
from mamd.sim.mdm import SimMdm
from mamd.sim.mdm_apns import PushFault
from mamd.sim.mdm_device import MdmDevice
from mamd.sim.mdm_faults import Fault, FaultKind
from mamd.sim.mdm_queue import Storage
from mamd.sim.phone import Phone
from tests.canary import API_KEY, HMAC_KEY, unlock_token
from tests.mdm.phones import locked_phone
from tests.mdm.receiver import Event
from tests.mdm.sites import Site, simulated_site
from tests.mdm.test_vault import key, vault_key
from tests.mdm.vendors import NOW, RECORD

COMMAND = "0F2A7C35-6E0B-4C75-9E0C-7F4A5B1C2D3E"


@dataclass
class Books:
    """What a daemon would keep: enrolments, sealed tokens, and the news in the order in which they came."""

    webhook: NanoMdmWebhook
    enrolled: dict[str, Enrolled] = field(default_factory=dict)
    tokens: dict[str, Sealed] = field(default_factory=dict)
    news: list[MdmNews] = field(default_factory=list)
    _taken: set[str] = field(default_factory=set)

    def take(self, events: list[Event]) -> None:
        """Read all deliveries that have come and were not read before."""
        for event in events:
            if event.event_id not in self._taken:
                self._taken.add(event.event_id)
                self._take(event)

    def _take(self, event: Event) -> None:
        delivery = self.webhook.receive(event.headers, event.body)
        assert delivery.news is not None
        was = self.enrolled.get(delivery.news.enrollment_id)
        if is_repeated(was, delivery.news):
            return
        self.news.append(delivery.news)
        known, keep = heard(was, delivery.news)
        self.enrolled[known.enrollment_id] = known
        if keep is KeepToken.STORE and delivery.token is not None:
            self.tokens[known.enrollment_id] = delivery.token
        if keep is KeepToken.DESTROY:
            self.tokens.pop(known.enrollment_id, None)


class Ward:
    """A site with our side of it."""

    def __init__(self, site: Site, mdm: NanoMdm, books: Books) -> None:
        self.site, self.mdm, self.books = site, mdm, books

    async def enrol(self, phone: Phone) -> MdmDevice:
        """Enrol a phone, and hear of it."""
        before = len(self.site.receiver.events)
        device = await self.site.mdm.enrol(phone)
        await self.site.receiver.wait_for(
            lambda it: it.topic == "mdm.TokenUpdate" and it in self.site.receiver.events[before:]
        )
        self.books.take(self.site.receiver.events)
        return device

    def target(self, phone: Phone) -> Target:
        return Target("d-0001", phone.udid, self.books.tokens.get(phone.udid))

    async def clear(self, phone: Phone) -> bool:
        return await self.mdm.clear_passcode(self.target(phone), command_id=COMMAND)

    async def answer(
        self, status: AnswerStatus = AnswerStatus.ACKNOWLEDGED, command_id: str = COMMAND
    ) -> MdmNews:
        """The news of a device's answer to a command."""
        await self.site.receiver.result(command_id, status.value)
        self.books.take(self.site.receiver.events)
        return next(it for it in self.books.news if (it.command_id, it.status) == (command_id, status))


def _ward(site: Site, http: httpx.AsyncClient) -> Ward:
    vault = Vault([vault_key(key())])
    webhook = NanoMdmWebhook("hospital", Secret(HMAC_KEY.encode()), vault)
    return Ward(site, NanoMdm("hospital", http, vault), Books(webhook))


@pytest.fixture
async def ward(site: Site) -> AsyncIterator[Ward]:
    """One ward on each of the four servers."""
    made = _ward(site, client(site.mdm.url, API_KEY))
    yield made
    await made.mdm.close()


async def test_a_locked_phone_is_cleared_from_its_enrolment_to_its_answer(ward: Ward) -> None:
    """The token comes by webhook, the command goes with it, the phone is unlocked and says so."""
    phone = locked_phone()
    await ward.enrol(phone)
    known = ward.books.enrolled[phone.udid]
    assert (known.state, known.token, known.serial) == (Enrollment.ENROLLED, TokenState.CURRENT, phone.serial)
    assert known.fingerprint == fingerprint(phone.unlock_token)
    record = await ward.mdm.read(RECORD, known, now=NOW)
    assert record is not None
    assert record.has_token
    assert await ward.clear(phone) is True
    news = await ward.answer()
    assert (news.kind, news.enrollment_id) == (NewsKind.ANSWERED, phone.udid)
    assert not phone.passcode_set


@pytest.mark.parametrize("fault", list(PushFault))
async def test_a_push_that_fails_leaves_a_clear_that_waits(ward: Ward, fault: PushFault) -> None:
    """The command is queued, the phone was not told; once a push goes out, it is cleared."""
    phone = locked_phone()
    await ward.enrol(phone)
    ward.site.apns.fault = fault
    assert await ward.clear(phone) is False
    expected: dict[PushFault, type[Exception]] = {
        PushFault.BAD_TOKEN: Refused, PushFault.WRONG_TOPIC: Refused, PushFault.UNREGISTERED: Refused,
        PushFault.BAD_CERTIFICATE: Misconfigured, PushFault.TOO_MANY: Busy,
    }  # fmt: skip
    with pytest.raises(expected.get(fault, Unreachable)):
        await ward.mdm.push(ward.target(phone))
    assert phone.passcode_set
    ward.site.apns.fault = None
    await ward.mdm.push(ward.target(phone))
    await ward.answer()
    assert not phone.passcode_set


async def test_asking_again_under_the_same_id_asks_once(ward: Ward) -> None:
    """However often a clear is asked again, the phone gets it once."""
    phone = locked_phone()
    device = await ward.enrol(phone)
    await device.stop()
    assert [await ward.clear(phone) for _ in range(3)] == [True, True, True]
    done = await device.contact()
    assert [(it.request_type, it.command_uuid) for it in done] == [("ClearPasscode", COMMAND)]


async def test_an_enrolment_that_nobody_knows_cannot_be_woken(ward: Ward) -> None:
    """Tables say so at once; files queue it, and only the push says that there is no such device."""
    phone = locked_phone(9)
    ward.books.tokens[phone.udid] = Vault([vault_key(key())]).seal(f"hospital/{phone.udid}", unlock_token())
    if ward.site.storage is Storage.PGSQL:
        with pytest.raises(Refused) as caught:
            await ward.clear(phone)
        assert caught.value.why is No.NOT_FOUND
    else:
        assert await ward.clear(phone) is False
    with pytest.raises(Refused) as caught:
        await ward.mdm.push(ward.target(phone))
    assert caught.value.why is No.NOT_ENROLLED


async def test_a_wrong_token_is_the_devices_own_error(ward: Ward) -> None:
    """A token that does not fit is answered by the phone, in one line for people."""
    phone = locked_phone()
    await ward.enrol(phone)
    wrong = Vault([vault_key(key())]).seal(f"hospital/{phone.udid}", unlock_token())
    assert await ward.mdm.clear_passcode(Target("d-0001", phone.udid, wrong), command_id=COMMAND)
    news = await ward.answer(AnswerStatus.ERROR)
    assert news.error.startswith("MCPasscodeErrorDomain 5013")
    assert phone.passcode_set


async def test_a_phone_that_cannot_now_does_it_later(ward: Ward) -> None:
    """NotNow is news, and not the end."""
    phone = locked_phone()
    device = await ward.enrol(phone)
    device.manners.not_now["ClearPasscode"] = 1
    await ward.clear(phone)
    await ward.answer(AnswerStatus.NOT_NOW)
    assert phone.passcode_set
    await ward.mdm.push(ward.target(phone))
    await ward.answer()
    assert not phone.passcode_set


async def test_a_new_enrolment_brings_a_new_token(ward: Ward) -> None:
    """After a phone enrolled again only its new token is used, and clears what the old one could not."""
    phone = locked_phone()
    await ward.enrol(phone)
    old = ward.books.tokens[phone.udid]
    again = locked_phone()  # the same phone, set up anew
    device = ward.site.mdm.device(phone)
    await device.stop()
    device.phone = again
    await ward.enrol(again)
    known = ward.books.enrolled[phone.udid]
    assert (known.token, known.fingerprint) == (TokenState.CURRENT, fingerprint(again.unlock_token))
    assert ward.books.tokens[phone.udid] != old
    assert await ward.clear(again)
    await ward.answer()
    assert not again.passcode_set


async def test_a_phone_that_left_has_no_token(ward: Ward) -> None:
    """CheckOut ends it: not enrolled, and the token is destroyed."""
    phone = locked_phone()
    device = await ward.enrol(phone)
    await device.check_out()
    await ward.site.receiver.wait_for(lambda it: it.topic == "mdm.CheckOut")
    ward.books.take(ward.site.receiver.events)
    assert phone.udid not in ward.books.tokens
    assert await ward.mdm.read(RECORD, ward.books.enrolled[phone.udid], now=NOW) is None


async def test_a_server_that_is_down_is_named_and_used_again_when_it_is_back(ward: Ward) -> None:
    """Down: certainly nothing was done. Back: the same clear goes through."""
    phone = locked_phone()
    await ward.enrol(phone)
    assert await ward.mdm.check() == ()
    await ward.site.mdm.stop()
    with pytest.raises(Unreachable):
        await ward.clear(phone)
    assert [fault.name for fault in await ward.mdm.check()] == ["mdm_unreachable"]
    await ward.site.mdm.start()
    assert await ward.mdm.check() == ()
    assert await ward.clear(phone)
    await ward.answer()


async def test_a_wrong_key_is_found_before_it_is_needed(site: Site) -> None:
    """The check says that the key is wrong, and a clear says it too; neither says anything of the phone."""
    ward = _ward(site, client(site.mdm.url, "not-the-key"))
    assert [fault.name for fault in await ward.mdm.check()] == ["mdm_wrong_key"]
    phone = locked_phone()
    await ward.enrol(phone)
    with pytest.raises(Misconfigured) as caught:
        await ward.clear(phone)
    assert caught.value.why is No.AUTH_FAILED
    await ward.mdm.close()


async def test_a_result_that_was_lost_is_not_done_twice(ward: Ward) -> None:
    """The receiver was down when the phone answered: asking again under the same id sends it nothing new."""
    phone = locked_phone()
    device = await ward.enrol(phone)
    await device.stop()
    await ward.clear(phone)
    await ward.site.receiver.go_down()
    assert len(await device.contact()) == 1
    await ward.site.receiver.come_back()
    assert await ward.clear(phone) is True
    assert await device.contact() == []


# ------------------------------------------------------------ faults that only a simulation has


@dataclass
class Faulty:
    """A ward whose server can fail, and whose client waits for no answer longer than 0.3 s."""

    ward: Ward
    mdm: SimMdm


@pytest.fixture
async def faulty() -> AsyncIterator[Faulty]:
    async with simulated_site(Storage.FILEKV) as site:
        assert isinstance(site.mdm, SimMdm)
        http = client(site.mdm.url, API_KEY)
        http.timeout = httpx.Timeout(0.3)
        ward = _ward(site, http)
        yield Faulty(ward, site.mdm)
        site.mdm.fail(None)
        await ward.mdm.close()


@pytest.mark.parametrize(
    ("kind", "was_done"),
    [
        (FaultKind.HANG_AFTER, True),
        (FaultKind.RESET_AFTER, True),
        (FaultKind.HTML_502, True),
        (FaultKind.TRUNCATED, True),
        (FaultKind.HANG_BEFORE, False),
        (FaultKind.RESET_BEFORE, False),
        (FaultKind.UNAVAILABLE, False),
    ],
)
async def test_a_lost_answer_is_a_doubt_that_the_same_id_settles(
    faulty: Faulty, kind: FaultKind, was_done: bool
) -> None:
    """Whether it had been done or not: asked again, it is queued once, and the phone is cleared once."""
    phone = locked_phone()
    device = await faulty.ward.enrol(phone)
    await device.stop()
    faulty.mdm.fail(Fault(kind, calls=frozenset({"enqueue"}), times=1))
    with pytest.raises(Doubtful):
        await faulty.ward.clear(phone)
    assert await faulty.ward.clear(phone) is True
    assert [it.request_type for it in await device.contact()] == ["ClearPasscode"]


@pytest.mark.parametrize(("after", "wait_s"), [("7", 7.0), (None, 60.0)])
async def test_a_proxy_that_limits_us_is_obeyed(faulty: Faulty, after: str | None, wait_s: float) -> None:
    """429: nothing was done, and we come back when it says."""
    phone = locked_phone()
    await faulty.ward.enrol(phone)
    faulty.mdm.fail(Fault(FaultKind.TOO_MANY, times=1, retry_after=after))
    with pytest.raises(Busy) as caught:
        await faulty.ward.clear(phone)
    assert caught.value.retry_after_s == wait_s
    assert phone.passcode_set


async def test_a_login_page_is_a_wrong_address(faulty: Faulty) -> None:
    """A page for people is no MDM."""
    phone = locked_phone()
    await faulty.ward.enrol(phone)
    faulty.mdm.fail(Fault(FaultKind.HTML_200, times=1))
    with pytest.raises(Misconfigured):
        await faulty.ward.clear(phone)


async def test_a_repeated_result_is_heard_once(faulty: Faulty) -> None:
    """A phone that says its result twice has answered once."""
    phone = locked_phone()
    device = await faulty.ward.enrol(phone)
    device.manners.repeat_results = 1
    await faulty.ward.clear(phone)
    await faulty.ward.answer()
    await faulty.mdm.server.webhook.settled()
    faulty.ward.books.take(faulty.ward.site.receiver.events)
    assert [it.command_id for it in faulty.ward.books.news].count(COMMAND) == 1
