"""The collections of Plex as a person sees them there: a wall of posters, and a page for each collection.

Everything is read when a page is opened. How Plex was before PlexSync worked is shown where a file says it
(`plexsync.app.wall_before`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlencode

from starlette.responses import Response

from plexsync.app.parts import Parts
from plexsync.app.wall_before import WallBefore, wall_before
from plexsync.engine.asked_probes import why_closed
from plexsync.engine.tickets import READ_PLEX
from plexsync.rules.collections import KnownCollection
from plexsync.rules.errors import Missing, Neighbour, NeighbourError, Refused, Unavailable
from plexsync.rules.wall import (
    WALL_PAGE,
    CollectionsPage,
    ItemsPage,
    Wall,
    WallCollection,
    WallLibrary,
    WallPicture,
    picture_at,
)
from plexsync.web.context import Busy
from plexsync.web.pages import Ask, PageNotFound, page
from plexsync.web.picture_cache import ShownPicture, shown_picture
from plexsync.web.picture_pages import passed_on

T = TypeVar("T")

HERE = "/wall"
NOW, BEFORE = "now", "before"
BUSY = "Plex is being read for another page, and that takes long. Try again in a moment."
GONE = {
    NOW: "Plex does not have this collection any more.",
    BEFORE: "This collection was not in Plex before PlexSync worked.",
}
MOST_PAGES = 100_000
# In the shape of a poster.
STAND_IN = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="200" height="300" viewBox="0 0 200 300" role="img">'
    '<text x="100" y="155" text-anchor="middle" font-family="sans-serif" font-size="18" fill="#767676">{}</text></svg>'
)


@dataclass(frozen=True)
class LibraryView:
    """The libraries, and a page of the collections of the chosen one."""

    libraries: Sequence[WallLibrary] = ()
    chosen: WallLibrary | None = None
    page: CollectionsPage = field(default_factory=CollectionsPage)


@dataclass(frozen=True)
class CollectionView:
    """A collection, and a page of its items."""

    collection: WallCollection
    page: ItemsPage


def library(ask: Ask) -> Response:
    """The collections of one library, a page at a time."""
    before, at = wall_before(ask.desk.parts.folder), page_number(ask)
    when = _when(ask, before)
    view, away = _read(ask, _past(before, when), lambda source: _library(source, ask.query.get("library", ""), at))
    view = view or LibraryView()
    chosen = view.chosen.key if view.chosen else ""
    return ask.show(
        "wall.html",
        before=before is not None,
        when=when,
        away=away,
        view=view,
        at=at,
        pages=_pages(view.page.total),
        address=lambda **query: _address(HERE, {"when": when, "library": chosen, **query}),
    )


def collection(ask: Ask) -> Response:
    """One collection: its poster, background and summary, and its items in their order."""
    key, before, at = str(ask.number("key")), wall_before(ask.desk.parts.folder), page_number(ask)
    when = _when(ask, before)
    try:
        view, away = _read(ask, _past(before, when), lambda source: _collection(source, key, at))
    except Missing:
        if before is None:
            raise PageNotFound from None
        view, away = None, GONE[when]
    return ask.show(
        "wall_collection.html",
        before=before is not None,
        when=when,
        away=away,
        key=key,
        view=view,
        at=at,
        pages=_pages(view.page.total) if view else 0,
        address=lambda **query: _address(f"{HERE}/{key}", {"when": when, **query}),
        dressed=_dressed(ask, key),
        back=_address(HERE, {"when": when, "library": view.collection.section if view else ""}),
    )


def _dressed(ask: Ask, key: str) -> Sequence[KnownCollection]:
    """What PlexSync knows of a collection, by the objects that it is of."""
    with ask.desk.parts.store.reading() as db:
        return db.collections.by_item([key])


def picture(ask: Ask) -> Response:
    """A picture of a collection or an item, as Plex shows it (`now`) or showed it (`before`)."""
    key, name, stamp, when = (str(ask.path.get(part, "")) for part in ("key", "name", "stamp", "when"))
    wanted = picture_at(f"/library/metadata/{key}/{name}/{stamp}")
    before = wall_before(ask.desk.parts.folder) if when == BEFORE else None
    if wanted is None or (before is None and when != NOW):
        raise PageNotFound
    return passed_on(ask, lambda parts: _picture(parts, before, wanted), STAND_IN)


def page_number(ask: Ask) -> int:
    """The page of a list that is asked for, from 1 on."""
    text = ask.query.get("page", "1")
    return int(text) if text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST_PAGES else 1


def _when(ask: Ask, before: WallBefore | None) -> str:
    return BEFORE if before and ask.query.get("when") == BEFORE else NOW


def _past(before: WallBefore | None, when: str) -> WallBefore | None:
    return before if when == BEFORE else None


def _read(ask: Ask, before: WallBefore | None, read: Callable[[Wall], T]) -> tuple[T | None, str]:
    """What the page shows, and why it can't be read now. Raises Missing.

    An open page asks for its changed parts again and again, and the wall is none of them.
    """
    if ask.live:
        return None, ""
    if before:
        return read(before), ""
    try:
        with ask.desk.looking() as parts:
            return read(_plex(parts)), ""
    except Missing:
        raise
    except NeighbourError as error:
        return None, f"Plex can’t be read now: {error}"
    except Busy:
        return None, BUSY


def _plex(parts: Parts) -> Wall:
    """Plex, if it may be asked: one page that can't be read is no evidence about it, so its gate is told nothing."""
    if reason := why_closed(parts.gates, READ_PLEX):
        raise Unavailable(Neighbour.PLEX, reason, sent=False)
    return parts.plex


def _library(source: Wall, key: str, at: int) -> LibraryView:
    libraries = source.wall_libraries()
    chosen = next((each for each in libraries if each.key == key), libraries[0] if libraries else None)
    if chosen is None:
        return LibraryView()
    collections = source.collections_page(chosen.key, start=(at - 1) * WALL_PAGE, size=WALL_PAGE)
    return LibraryView(libraries, chosen, collections)


def _collection(source: Wall, key: str, at: int) -> CollectionView:
    items = source.items_page(key, start=(at - 1) * WALL_PAGE, size=WALL_PAGE)
    return CollectionView(source.shown_collection(key), items)


def _picture(parts: Parts, before: WallBefore | None, wanted: WallPicture) -> ShownPicture:
    try:
        return shown_picture((before or _plex(parts)).wall_picture(wanted))
    except (Missing, Refused):
        return ShownPicture()


def _pages(total: int) -> int:
    return -(-total // WALL_PAGE)


def _address(path: str, query: dict[str, object]) -> str:
    """An address without what goes without saying."""
    left_out = ("", NOW, 1)
    meant = {name: value for name, value in query.items() if value not in left_out}
    return f"{path}?{urlencode(meant)}" if meant else path


routes = [
    page(HERE, library),
    page(f"{HERE}/{{key}}", collection),
    page("/pictures/wall/{when}/{key}/{name}/{stamp}", picture),
]
