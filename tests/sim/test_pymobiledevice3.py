"""pymobiledevice3's own command line meets the states that it tells apart."""

import json
import plistlib
from pathlib import Path

from mamd.sim.identity import Identity
from mamd.sim.keys import Supervision
from mamd.sim.launchpad import SimLaunchpad
from mamd.sim.phone import Phone, Restrictions, Trust
from mamd.sim.record import Record
from tests.sim.tools import pymobiledevice3


async def test_lists_and_tells(pad: SimLaunchpad) -> None:
    """`usbmux list` names all phones; `lockdown info` reads everything of a paired one, locked or not."""
    phones = [Phone(Identity.numbered(n, name=f"ward-{n}"), passcode_set=True, locked=True) for n in (1, 2)]
    pad.pair(phones[0])
    for phone in phones:
        pad.attach(phone)
    listed = json.loads((await pymobiledevice3(pad, "usbmux", "list")).text)
    assert [(one["Identifier"], one["DeviceName"]) for one in listed] == [(p.udid, p.name) for p in phones]
    told = await pymobiledevice3(pad, "lockdown", "info", "--udid", phones[0].udid)
    values = json.loads(told.text)
    assert (values["SerialNumber"], values["PasswordProtected"]) == (phones[0].serial, True)
    assert Record.read(pad.record.path, "lockdown", request="Pair") == []


async def test_a_locked_phone_cannot_be_paired(pad: SimLaunchpad) -> None:
    """`lockdown pair` says that the passcode is in the way; the record shows what was asked."""
    phone = Phone(Identity.numbered(1), passcode_set=True, locked=True)
    pad.attach(phone)
    said = await pymobiledevice3(pad, "lockdown", "pair", "--udid", phone.udid)
    assert said.status == 1
    assert "password protected" in said.text
    (pair,) = Record.read(pad.record.path, "lockdown", request="Pair")
    assert (pair["answer"], pair["supervised"]) == ("PasswordProtected", False)


async def test_pairs_once_somebody_taps_trust(pad: SimLaunchpad) -> None:
    """`lockdown pair` waits for Trust, then keeps a record with which a session opens; unpair ends it."""
    phone = Phone(Identity.numbered(1), trust=Trust.ACCEPT, trust_after_s=0.5)
    pad.attach(phone)
    said = await pymobiledevice3(pad, "lockdown", "pair", "--udid", phone.udid)
    assert said.status == 0
    answers = [line["answer"] for line in Record.read(pad.record.path, "lockdown", request="Pair")]
    assert (set(answers[:-1]), answers[-1]) == ({"PairingDialogResponsePending"}, "ok")
    told = await pymobiledevice3(pad, "lockdown", "info", "--udid", phone.udid)
    assert phone.serial in told.text
    assert (await pymobiledevice3(pad, "lockdown", "unpair", "--udid", phone.udid)).status == 0
    assert phone.trusts == {}


async def test_a_denied_and_a_prohibited_host(pad: SimLaunchpad) -> None:
    """Don't Trust and the restriction each end a pairing with their own error."""
    denied = Phone(Identity.numbered(1), trust=Trust.DENY)
    prohibited = Phone(Identity.numbered(2), restrictions=Restrictions(allow_host_pairing=False))
    for phone in (denied, prohibited):
        pad.attach(phone)
        assert (await pymobiledevice3(pad, "lockdown", "pair", "--udid", phone.udid)).status == 1
    answers = [line["answer"] for line in Record.read(pad.record.path, "lockdown", request="Pair")]
    assert answers == ["UserDeniedPairing", "MCProtected"]


async def test_the_organisation_pairs_a_phone_that_nobody_touches(
    pad: SimLaunchpad, supervision: Supervision, tmp_path: Path
) -> None:
    """`lockdown pair-supervised` signs the challenge and pairs; of a locked phone it believes too much."""
    identity = tmp_path / "identity.pem"
    identity.write_bytes(supervision.key + supervision.certificate)
    free = Phone(Identity.numbered(1), supervisor=supervision.der)
    locked = Phone(Identity.numbered(2), supervisor=supervision.der, passcode_set=True, locked=True)
    for phone in (free, locked):
        pad.attach(phone)
        said = await pymobiledevice3(pad, "lockdown", "pair-supervised", "--udid", phone.udid, str(identity))
        assert said.status == 0
    assert (len(free.trusts), len(locked.trusts)) == (1, 0)
    records = [plistlib.loads(pad.usbmuxd.pairings.read(one.udid) or b"") for one in (free, locked)]
    assert ["EscrowBag" in record for record in records] == [True, False]
