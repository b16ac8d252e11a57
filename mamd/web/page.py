"""
The live status page: rendered here, readable without scripts, calm until somebody is needed.

    header: where, how far it may go, last proof of sight
    alerts: faults, storm          (role=alert)
    people: calls and holds        what somebody should do now
    shelf:  one tile a port
    site:   how many devices could be helped, and what stops the others; the MDMs
"""

from collections import Counter
from collections.abc import Callable
from datetime import tzinfo
from pathlib import Path
from typing import Final

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from mamd.core.rules import Mode
from mamd.desk import Desk, MdmStanding, Overview
from mamd.ports import CallRow, Fault, HoldRow
from mamd.web.markup import Markup, element, join, void
from mamd.web.tiles import MOODS, read, shelf
from mamd.words import ago, at, begun, hindrance, say
from mamd.words.calls import call_details, call_head

_FILES: Final = Path(__file__).parent / "files"
_TYPES: Final = {"page.css": "text/css", "page.js": "text/javascript"}


def make_page(desk: Desk, zone: tzinfo | None) -> APIRouter:
    """The page, its style and its script."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def page() -> Response:
        return HTMLResponse(render(desk.overview(), zone))

    for name in _TYPES:
        router.add_api_route(f"/{name}", _file(name), methods=["GET"])
    return router


def _file(name: str) -> Callable[[], Response]:
    content = (_FILES / name).read_bytes()

    def file() -> Response:
        return Response(content, media_type=f"{_TYPES[name]}; charset=utf-8")

    return file


def render(seen: Overview, zone: tzinfo | None) -> str:
    """The whole page."""
    body = element(
        "main",
        _header(seen),
        _alerts(seen, zone),
        _summary(seen),
        _people(seen, zone),
        element("section", element("h2", "Ports"), shelf(seen.ports, seen.now)),
        element("div", _site(seen), _mdms(seen), class_="columns"),
        _footer(seen, zone),
    )
    return _document(f"{seen.launchpad} · mamd", body)


def refused_page(status: int, error: str, cure: str) -> Response:
    """What a person sees who is not let in."""
    body = element(
        "main",
        element("header", element("h1", "mamd")),
        element(
            "section", element("p", f"{begun(error)}.", role="alert"), element("p", cure), class_="panel"
        ),
    )
    return HTMLResponse(_document("mamd", body), status)


def _document(title: str, body: Markup) -> str:
    head = element(
        "head",
        void("meta", charset="utf-8"),
        void("meta", name="viewport", content="width=device-width, initial-scale=1"),
        void("meta", name="color-scheme", content="light dark"),
        element("title", title),
        void("link", rel="stylesheet", href="/page.css"),
        element("noscript", void("meta", http_equiv="refresh", content="15")),
        element("script", src="/page.js", defer=True),
    )
    return "<!doctype html>\n" + element("html", head, element("body", body), lang="en")


# ------------------------------------------------------------------------------ the top


def _header(seen: Overview) -> Markup:
    return element(
        "header",
        element("h1", seen.launchpad),
        element("p", *_mode(seen), class_="mode"),
        _sight(seen),
    )


def _mode(seen: Overview) -> tuple[Markup, ...]:
    mode = element("span", f"Mode: {seen.mode.value}", class_="pill", title=f"{begun(say(seen.mode).text)}.")
    caution = "" if seen.mode is Mode.AUTO else f" {begun(say(seen.mode).text)}."
    return (mode, element("span", f"{caution} Erases are only reported by this version."))


def _sight(seen: Overview) -> Markup:
    """Not "OK", but when something was last really seen."""
    sight = f"Last proof of USB sight: {ago(seen.last_look, seen.now)}"
    usbmuxd = "usbmuxd answers" if seen.usbmuxd_up else "usbmuxd does not answer"
    return element("p", element("b", sight), f" · {usbmuxd}", class_="sight", role="status")


def _summary(seen: Overview) -> Markup:
    """The shelf in one line: how many stand how."""
    moods = Counter(read(one, seen.now).mood for one in seen.ports)
    parts = [_many(str(moods[mood]), word) for mood, word in MOODS if moods[mood]]
    parts.append(_many(f"{seen.helpable} of {seen.known}", "devices could be helped if they came back"))
    return element("p", join(parts), class_="summary", role="status")


def _many(many: str, of_what: str) -> Markup:
    return join((element("span", element("b", many), f" {of_what}"), " "))


def _alerts(seen: Overview, zone: tzinfo | None) -> Markup:
    faults = [*seen.faults, *(fault for one in seen.mdms for fault in one.faults)]
    return join((_storm(seen, zone), *(_fault(one) for one in dict.fromkeys(faults))))


def _fault(one: Fault) -> Markup:
    return element(
        "section", element("h2", "Fault"), element("p", one.what), element("p", one.cure, class_="cure"),
        class_="panel alert", role="alert",
    )  # fmt: skip


def _storm(seen: Overview, zone: tzinfo | None) -> Markup | None:
    storm = seen.storm
    if storm is None:
        return None
    since = at(storm.opened.wall, seen.now.wall, zone)
    return element(
        "section",
        element("h2", "Storm: nothing is erased here, and nothing of these devices is cleared"),
        element(
            "p",
            f"Since {since}, {len(storm.members)} devices stopped pairing at once. That looks like a hub, "
            "usbmuxd or this host, not like the devices.",
        ),
        element(
            "p",
            "Look at the hub, its power and usbmuxd. When it was no fault: mamd release storm.",
            class_="cure",
        ),
        element("p", ", ".join(sorted(storm.members)), class_="more"),
        class_="panel alert",
        role="alert",
    )


# ------------------------------------------------------------------------------ people


def _people(seen: Overview, zone: tzinfo | None) -> Markup | None:
    calls = [row for row in seen.calls if row.acknowledged_by is None]
    if not calls and not seen.holds:
        return None
    return element(
        "section",
        element("h2", "A person is needed" if calls else "On hold"),
        element("ul", join(_call(row, seen, zone) for row in calls), class_="rows") if calls else None,
        element("ul", join(_hold(row, seen, zone) for row in seen.holds), class_="rows")
        if seen.holds
        else None,
        class_="panel person",
        role="status",
    )


def _call(row: CallRow, seen: Overview, zone: tzinfo | None) -> Markup:
    return element(
        "li",
        element("span", "! ", aria_hidden="true"),
        call_head(row),
        element("small", f" Since {at(row.since, seen.now.wall, zone)}. {begun(call_details(row))}"),
    )


def _hold(row: HoldRow, seen: Overview, zone: tzinfo | None) -> Markup:
    since = at(row.since, seen.now.wall, zone)
    return element(
        "li",
        element("span", "‖ ", aria_hidden="true"),
        element("b", f"On hold: {_scope(row.scope)}"),
        f" – {row.reason} ",
        element("small", f"by {row.by}, since {since}; lifted with: mamd release {row.scope}"),
    )


def _scope(scope: str) -> str:
    kind, _, name = scope.partition(":")
    return f"{kind} {name}" if name else kind


# ---------------------------------------------------------------------------- the site


def _site(seen: Overview) -> Markup:
    hindrances = join(
        element("li", element("b", str(many)), f" {hindrance(reason).short}", _small(hindrance(reason).cure))
        for reason, many in seen.hindrances
        if many
    )
    strangers = (
        f"{seen.strangers} attached that {'is' if seen.strangers == 1 else 'are'} not ours; left alone."
    )
    return element(
        "section",
        element("h2", "This site's devices"),
        element(
            "p",
            element("b", f"{seen.helpable} of {seen.known}", class_="figure"),
            " could be helped if they came back locked.",
        ),
        element("p", "What stops the others:") if hindrances else None,
        element("ul", hindrances, class_="plain") if hindrances else None,
        element("p", strangers, class_="more") if seen.strangers else None,
        class_="panel",
    )


def _small(text: str) -> Markup | None:
    return element("small", f" – {text}") if text else None


def _mdms(seen: Overview) -> Markup:
    rows = join(_mdm(one, seen) for one in seen.mdms)
    return element(
        "section",
        element("h2", "MDMs"),
        element("ul", rows, class_="rows")
        if rows
        else element("p", "None is set up: nothing can be cleared."),
        class_="panel",
    )


def _mdm(one: MdmStanding, seen: Overview) -> Markup:
    switch = "clears what does not pair" if one.clears_when_not_pairing else "clears only by rule"
    sign, state = ("!", "has a fault") if one.faults else ("✓", "has no fault")
    heard = f"devices last heard {ago(one.last_contact, seen.now)}"
    return element(
        "li",
        element("span", f"{sign} ", aria_hidden="true"),
        element("b", one.name),
        f" ({one.kind}) {state}; {heard}; {switch}.",
    )


def _footer(seen: Overview, zone: tzinfo | None) -> Markup:
    now = seen.now.wall.astimezone(zone)
    running_since = f"running since {at(seen.started.wall, seen.now.wall, zone)}"
    return element(
        "footer", f"As of {now:%H:%M:%S} · mamd {seen.version}, {running_since} · mamd why DEVICE tells more"
    )
