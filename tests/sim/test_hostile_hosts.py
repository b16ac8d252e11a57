"""Whatever a host sends, the simulated phone and its usbmuxd stay up."""

import plistlib
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mamd.sim.identity import Identity
from mamd.sim.keys import Sessions
from mamd.sim.launchpad import SimLaunchpad
from mamd.sim.lockdownd import _ANSWERS, LockdownConnection
from mamd.sim.phone import Phone
from mamd.sim.record import Record
from tests.sim.host import LENGTH, Mux

values = st.recursive(
    st.one_of(
        st.text("ab/.", max_size=4), st.integers(-(2**63), 2**64 - 1), st.binary(max_size=4), st.booleans()
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text("ab", max_size=2), inner)),
    max_leaves=6,
)
words = st.sampled_from(
    ["Key", "Domain", "HostID", "SessionID", "Service", "PairRecord", "PairingOptions", "QueryKey"]
)
requests = st.tuples(
    st.sampled_from([*_ANSWERS, "ValidatePair", "QueryValue"]), st.dictionaries(words, values)
)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """Somewhere to write to."""
    return Record(Path(tmp_path_factory.mktemp("hostile")) / "record.jsonl")


@given(asked=st.lists(requests, max_size=5))
def test_every_request_has_an_answer(record: Record, asked: list[tuple[str, dict[str, Any]]]) -> None:
    """Requests with anything in any place get one reply each, an error or not."""
    sent: list[bytes] = []
    phone = Phone(Identity.numbered(1), supervisor=b"us")
    lockdown = LockdownConnection(phone, Sessions(), record, sent.append, lambda: None)
    for name, fields in asked:
        payload = plistlib.dumps({"Request": name, **fields})
        lockdown.receive(LENGTH.pack(len(payload)) + payload)
    replies = [plistlib.loads(frame[LENGTH.size :]) for frame in sent]
    assert [reply["Request"] for reply in replies] == [name for name, _ in asked]


@given(st.binary(max_size=60), st.integers(1, 9))
def test_bytes_in_any_pieces(record: Record, data: bytes, size: int) -> None:
    """Rubbish in pieces of any size only ever closes the connection."""
    lockdown = LockdownConnection(
        Phone(Identity.numbered(1)), Sessions(), record, lambda _: None, lambda: None
    )
    for at in range(0, len(data), size):
        lockdown.receive(data[at : at + size])


async def test_usbmuxd_survives_what_it_is_sent(pad: SimLaunchpad, phone: Phone, seed: int) -> None:
    """Hundreds of odd messages, each on a connection of its own; then it answers as before."""
    pad.attach(phone)
    dice = random.Random(seed)
    odd: list[Any] = [None, -1, 1, 1 << 40, "", "x", b"x", [], {}, True, 1.5]
    kinds = ["Connect", "SavePairRecord", "ReadPairRecord", "DeletePairRecord", "Listen", "ListListeners"]
    for _ in range(300):
        names = dice.sample(["DeviceID", "PortNumber", "PairRecordID", "PairRecordData"], 3)
        fields = {name: value for name in names if (value := dice.choice(odd)) is not None}
        mux = await Mux.open(pad.socket)
        assert await mux.ask(dice.choice(kinds), **fields)
        mux.close()
    mux = await Mux.open(pad.socket)
    assert len((await mux.ask("ListDevices"))["DeviceList"]) == 1
    mux.close()
