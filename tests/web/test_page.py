"""The status page: what it shows, and that nobody else can write on it."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest

from mamd.core.facts import Record
from mamd.desk import Standing
from mamd.ports import Fault, HoldRow
from mamd.web import Role
from mamd.web.markup import element
from mamd.web.page import render
from tests.characters import EVERYBODY
from tests.desk import HOLD, STRANGERS_UDID, FakeDesk, stormy, ward
from tests.golden import assert_golden
from tests.web.conftest import Visit

BERLIN = ZoneInfo("Europe/Berlin")
EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&"


class _Reader(HTMLParser):
    """The page as a person without style and script reads it, and the elements that it is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("li", "p", "h1", "h2", "div", "section", "header", "footer"):
            self.texts.append("\n")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def read(html: str) -> _Reader:
    """The page, read."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader


def text_of(html: str) -> str:
    """The words of the page, line by line."""
    lines = (re.sub(r"\s+", " ", line).strip() for line in "".join(read(html).texts).splitlines())
    return "\n".join(line for line in lines if line)


def test_the_page_of_a_ward_says_what_was_reviewed() -> None:
    """Every port, every call and every figure, in words that need no colour."""
    assert_golden("page-ward", text_of(render(ward(), BERLIN)))


def test_the_page_of_a_storm_says_what_was_reviewed() -> None:
    """What is wrong comes first, with its cure."""
    assert_golden("page-storm", text_of(render(stormy(), BERLIN)))


def test_alarms_are_alerts_and_counts_are_status() -> None:
    """A screen reader interrupts for a storm and a fault only."""
    tags = read(render(stormy(), BERLIN)).tags
    assert [one["role"] for _, one in tags if "role" in one].count("alert") == 2
    calm = read(render(ward(), BERLIN)).tags
    assert "alert" not in [one.get("role") for _, one in calm]
    assert "status" in [one.get("role") for _, one in calm]


@pytest.mark.parametrize("name", EVERYBODY)
def test_every_tile_says_in_words_what_its_colour_says(name: str) -> None:
    """Whoever sees no colours misses nothing."""
    said = text_of(render(ward(everybody={name: EVERYBODY[name]}), BERLIN))
    words = ("ready", "mamd is on it", "needs a person", "left alone", "being looked at", "empty")
    assert EVERYBODY[name].port is None or any(word in said for word in words)


def _named(one: Standing, name: str) -> Standing:
    assert isinstance(one.record, Record)
    return replace(one, record=replace(one.record, name=name))


def test_a_name_with_markup_is_only_a_name() -> None:
    """Names, labels, reasons and faults may be written by anybody; none becomes a part of the page."""
    everybody = {
        name: _named(one, EVIL) if one.record is not None else one for name, one in EVERYBODY.items()
    }
    everybody["evil_label"] = replace(EVERYBODY["empty"], label="99")
    seen = replace(
        ward(everybody=everybody),
        launchpad=EVIL,
        holds=(HoldRow(EVIL, EVIL, EVIL, HOLD.since),),
        faults=(Fault("x", EVIL, EVIL),),
        hindrances=((EVIL, 3),),
        version=EVIL,
    )
    html = render(seen, BERLIN)
    tags = read(html).tags
    assert [one for tag, one in tags if tag == "script"] == [{"src": "/page.js", "defer": None}]
    assert not [one for tag, one in tags if tag == "img" or any(key.startswith("on") for key in one)]
    assert "alert(1)" in text_of(html)


def test_text_in_an_attribute_stays_in_it() -> None:
    """Quotes do not end it."""
    assert element("p", title='"><script>') == '<p title="&quot;&gt;&lt;script&gt;"></p>'


def test_of_a_strangers_phone_the_page_shows_only_the_port() -> None:
    """Neither who it is nor how it stands."""
    html = render(ward(everybody={"stranger": EVERYBODY["stranger"]}), BERLIN)
    assert STRANGERS_UDID not in html
    assert "A device that is not ours" in text_of(html)
    assert "ocked" not in text_of(html).replace("if they came back locked", "")


def test_the_page_brings_nothing_from_elsewhere() -> None:
    """A locked-down ward PC without a way out shows all of it."""
    html = render(ward(), BERLIN)
    addresses = re.findall(r'(?:src|href)="([^"]*)"', html)
    assert addresses
    assert all(address.startswith("/") and not address.startswith("//") for address in addresses)
    assert "style=" not in html


def test_without_scripts_the_page_loads_itself_anew() -> None:
    """It stays true without them, a little later."""
    assert '<noscript><meta http-equiv="refresh" content="15"></noscript>' in render(ward(), BERLIN)


async def test_style_and_script_come_from_here_with_their_types(visit: Visit) -> None:
    """Browsers are told not to guess, so the types must be right."""
    async with visit(Role.VIEW) as client:
        assert (await client.get("/page.css")).headers["content-type"] == "text/css; charset=utf-8"
        assert (await client.get("/page.js")).headers["content-type"] == "text/javascript; charset=utf-8"
        assert "no-such" not in (await client.get("/")).text


async def test_an_mdm_with_a_fault_is_an_alert(visit: Visit, desk: FakeDesk) -> None:
    """Its fault stands above everything else."""
    fault = Fault("mdm_refuses", "hospital refuses our key", "Give it the right api_key")
    desk.seen = replace(desk.seen, mdms=(replace(desk.seen.mdms[0], faults=(fault,)),))
    async with visit(Role.VIEW) as client:
        said = text_of((await client.get("/")).text)
    assert "hospital refuses our key" in said
    assert "has a fault" in said
