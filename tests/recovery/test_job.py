"""What an executor is told reaches it whole, and nothing else is taken for a job."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mamd.recovery.job import BadJob, Limits, read
from tests.recovery.scripts import job


def test_a_job_is_read_as_it_was_written() -> None:
    """All 64 bits of an ECID, the simulator's USB and every limit arrive."""
    told = replace(job(), ecid=2**64 - 1, usb="a.b:c", tss="http://127.0.0.1:1", limits=Limits(find_s=0.5))
    assert read(told.line()) == told
    assert json.loads(told.line())["ecid"] == "0xFFFFFFFFFFFFFFFF"


@pytest.mark.parametrize(
    ("key", "value"),
    [("v", 2), ("ecid", 5), ("ecid", "0x"), ("ecid", "0x" + "1" * 17), ("port", ""), ("usb", "evil"),
     ("usb", {"python": "os:system('x')"}), ("attempt", 0), ("deadline_s", True), ("limits", 3),
     ("limits", {"find_s": "1"}), ("firmware", None), ("udid", 5), ("usbmux", "a\0b")],
)  # fmt: skip
def test_what_is_no_job_says_which_part_is_not(key: str, value: object) -> None:
    """An executor that was told half does nothing at all."""
    with pytest.raises(BadJob, match=r"job|'\w+'"):
        read(json.dumps({**json.loads(job().line()), key: value}))


@given(st.text())
def test_no_text_is_more_than_refused(text: str) -> None:
    """Whatever stands on its input, an executor refuses it in one line."""
    with pytest.raises(BadJob):
        read(text)


def test_words_are_filled_in_once() -> None:
    """What a firmware's path holds is not read as a name once more."""
    told = replace(job(), firmware="/x/{ecid}")
    assert told.words(("{firmware}", "{ecid}/{port}", "{}", "{udid")) == (
        "/x/{ecid}", "0x000D2C1834E2001E/2-1.4", "{}", "{udid",
    )  # fmt: skip
