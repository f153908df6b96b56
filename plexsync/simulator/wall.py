"""The collections of a simulated Plex as people see them there: a wall of posters, and a page for each collection.

Served at an address of its own, so also while Plex is down: as they are now, and as they were at `keep`. A further page has
covers in each shape that a poster can have, side by side.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from html import escape
from typing import Any
from urllib.parse import urlsplit

from plexsync.simulator.drawings import SQUARE, WIDE, drawn
from plexsync.simulator.http import Answer, HttpServer, Request
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_images import media_type

NOW, BEFORE, ALL = "now", "before", "all"
# The page of shapes: its covers, each with the anchors that make a difference, and what each shape shows of them.
SHAPES = "shapes"
COVERS = {
    "A wide cover in every shape": ("scene-7", WIDE, ("left", "centre", "right")),
    "A square one": ("scene-2", SQUARE, ("left", "centre", "right")),
    "A high one": ("scene-9", (360, 720), ("top", "centre")),
}
WORDS = {"as_is": "as Plex cuts it", "bars": "all of it, with bars", "blur": "all of it, on its own blur"}
ANCHORS = {"left": "its left", "centre": "its middle", "right": "its right", "top": "its top"}
Shaper = Callable[[bytes, str, str], bytes]
PICTURE = re.compile(r"/library/(?:metadata|collections)/([0-9]+)/(thumb|art|composite)/([0-9]+)(?:\?.*)?")
# Everything that a page leads to lies beside it.
LINK = re.compile(r'(?:href|src)="([^"/]+)"')
STYLE = """
body { background: #16181d; color: #e8eaee; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 76rem; padding: 1.25rem; }
a { color: inherit; } h1, h2 { font-weight: 600; } p { white-space: pre-line; } .soft { color: #9aa1ad; font-size: 0.85rem; }
nav a { margin-right: 1rem; } nav a[aria-current] { font-weight: 600; text-decoration: none; }
ol { display: grid; gap: 1.1rem 0.9rem; grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr)); padding: 0; }
ol { list-style: none; }
li > a { text-decoration: none; } bdi { display: block; font-weight: 500; line-height: 1.3; margin-top: 0.4rem; }
img { aspect-ratio: 2 / 3; background: #23262d; border-radius: 0.4rem; display: block; object-fit: cover; width: 100%; }
img.back { aspect-ratio: auto; height: 14rem; } img.front { float: left; margin: 1rem 1.25rem 1rem 0; width: 10rem; }
h2 { clear: both; }
"""


class Wall(HttpServer):
    """The pages. `/wall` leads to the wall of now.

    `shaper` makes the poster of a picture, by shape and anchor; without it there is no page of shapes.
    """

    def __init__(self, plex: PlexSim, port: int = 0, shaper: Shaper | None = None) -> None:
        super().__init__(port=port)
        self._plex = plex
        self._shaper = shaper
        self._before: dict[str, Answer] = {}
        self._kept = 0

    def keep(self) -> None:
        """Keep everything as it is now: that is what was there before."""
        self._kept = self.counts()[NOW]
        names = [ALL]
        for name in names:
            self._before[name] = answer = self._now(name)
            if answer.content_type == Answer.content_type:
                names += [other for other in dict.fromkeys(LINK.findall(answer.body.decode())) if other not in names]

    def counts(self) -> dict[str, int]:
        """The number of collections, by time."""
        sections = [section["key"] for section in self._listed("/library/sections")]
        return {BEFORE: self._kept, NOW: sum(len(self._plex.collections(section)) for section in sections)}

    def answer(self, request: Request) -> Answer:
        """Answer with a page or a picture."""
        when, _, name = request.path.strip("/").partition("/")
        if when in ("", "wall"):
            return Answer(302, headers={"Location": f"/{NOW}/{ALL}"})
        answer = self._before.get(name, _gone(name, when)) if when == BEFORE else self._now(name)
        if (when, name) == (NOW, ALL) and self._shaper:
            shapes = (
                f'{_shapes(list(COVERS)[:1])}<p><a href="../now/{SHAPES}">More covers in every shape</a></p></html>'
            )
            answer = replace(answer, body=answer.body.replace(b"</html>", shapes.encode()))
        tab = f'href="../{when}/'.encode()
        return replace(answer, body=answer.body.replace(tab, b'aria-current="page" ' + tab))

    def _now(self, name: str) -> Answer:
        key, _, picture = name.partition("-")
        kind, _, stamp = picture.partition("-")
        if name == ALL:
            return _page("Collections in Plex", name, "".join(self._all()))
        if key == SHAPES and self._shaper:
            return self._shaped(picture) if picture else _page("Shapes of posters", ALL, _shapes(COVERS))
        if not key.isdecimal():
            return _gone(name, NOW)
        if picture:
            room = "collections" if kind == "composite" else "metadata"
            return self._asked(f"/library/{room}/{key}/{kind}/{stamp}")
        of = next(iter(self._listed(f"/library/metadata/{key}")), {})
        return _page(of["title"], name, self._collection(of)) if of.get("type") == "collection" else _gone(name, NOW)

    def _shaped(self, picture: str) -> Answer:
        """The poster of a cover, by its number, shape and anchor."""
        number, shape, anchor = picture.split("-")
        name, size, _ = list(COVERS.values())[int(number)]
        cover = drawn(name, size)
        poster = self._shaper(cover, shape, anchor) if self._shaper and shape != "as_is" else cover
        return Answer(200, poster, content_type=media_type(poster))

    def _all(self) -> Iterator[str]:
        for section in self._listed("/library/sections"):
            collections = self._listed(f"/library/sections/{section['key']}/all?type=18&sort=titleSort")
            yield f"<h2><bdi>{escape(section['title'])}</bdi></h2>{_posters(collections, linked=True)}"

    def _collection(self, of: dict[str, Any]) -> str:
        items = self._listed(f"/library/collections/{of['ratingKey']}/items")
        summary = f"<p>{escape(of.get('summary') or 'It has no summary.')}</p>"
        head = _image(of.get("art"), "back") + _image(of.get("thumb"), "front")
        return f'{head}<p class="soft">{_members(of)}</p>{summary}<h2>Items, in Plex’s order</h2>{_posters(items)}'

    def _listed(self, path: str) -> list[dict[str, Any]]:
        answer = self._asked(path)
        container = json.loads(answer.body)["MediaContainer"] if answer.status == 200 else {}
        return [*container.get("Metadata", ()), *container.get("Directory", ())]

    def _asked(self, target: str) -> Answer:
        """Plex's answer, whatever fault its network has."""
        headers = {"x-plex-token": self._plex.token, "accept": "application/json"}
        return self._plex.answer(Request("GET", urlsplit(target).path, {}, target=target, headers=headers))


def _page(title: str, name: str, content: str, status: int = 200) -> Answer:
    times = ((NOW, "Now"), (BEFORE, "Before PlexSync"))
    tabs = "".join(f'<a href="../{when}/{name}">{words}</a>' for when, words in times)
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
        f'<nav><a href="{ALL}">All collections</a>{tabs}</nav><h1><bdi>{escape(title)}</bdi></h1>{content}</html>'
    )
    return Answer(status, text.encode())


def _gone(name: str, when: str) -> Answer:
    words = "was not in Plex before PlexSync worked" if when == BEFORE else "is not in Plex any more"
    return _page("Nothing here", name if name.isdecimal() else ALL, f"<p>This {words}.</p>", 404)


def _posters(rows: list[dict[str, Any]], *, linked: bool = False) -> str:
    shown = ((row, f"{_image(row.get('thumb'))}<bdi>{escape(row['title'])}</bdi>") for row in rows)
    entries = (
        f'<li><a href="{row["ratingKey"]}">{inside}</a><span class="soft">{_members(row)}</span></li>'
        if linked
        else f'<li>{inside}<span class="soft">{row.get("year") or ""}</span></li>'
        for row, inside in shown
    )
    return f"<ol>{''.join(entries)}</ol>" if rows else "<p>There is none.</p>"


def _shapes(covers: Iterable[str]) -> str:
    """Covers in every shape, each in a row."""
    rows = []
    for number, words in enumerate(covers):
        *_, anchors = COVERS[words]
        crops = "".join(_shape(number, "crop", anchor, ANCHORS[anchor]) for anchor in anchors)
        as_is, bars, blur = (_shape(number, shape, "", shown) for shape, shown in WORDS.items())
        rows.append(f"<h2>{words}</h2><ol>{as_is}{bars}{crops}{blur}</ol>")
    return "".join(rows)


def _shape(number: int, shape: str, anchor: str, words: str) -> str:
    name = f"{SHAPES}-{number}-{shape}-{anchor}"
    setting = f"{shape}, {anchor}" if anchor else shape
    return f'<li><img src="{name}" alt="" loading="lazy"><bdi>{setting}</bdi><span class="soft">{words}</span></li>'


def _members(of: dict[str, Any]) -> str:
    count = int(of.get("childCount") or 0)
    smart = ", smart" if str(of.get("smart", "0")).lower() in ("1", "true") else ""
    return f"{count:,} item{'' if count == 1 else 's'}{smart}"


def _image(address: str | None, kind: str = "") -> str:
    named = PICTURE.fullmatch(address or "")
    return f'<img class="{kind}" src="{"-".join(named.groups())}" alt="" loading="lazy">' if named else ""
