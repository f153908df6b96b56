"""Collections as a person sees them in Plex: what the page that shows them is told."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

# The number of posters on a page.
WALL_PAGE = 60
# What an address of a picture names: what it is of, its kind, and the stamp that changes with it.
ADDRESS = re.compile(r"/library/(?:metadata|collections)/([0-9]{1,19})/(thumb|art|composite)/([0-9]{1,20})(?:\?.*)?")
COMPOSITE = "composite"


class WallPicture(NamedTuple):
    """A picture in Plex: the poster (`thumb`), the background (`art`) or the poster that Plex made (`composite`)."""

    key: str
    name: str
    stamp: str

    @property
    def place(self) -> str:
        """Its name in an address of the dashboard."""
        return "/".join(self)


@dataclass(frozen=True)
class WallItem:
    """An item of a collection. `year` is '' if Plex has none."""

    key: str
    title: str
    year: str = ""
    poster: WallPicture | None = None


@dataclass(frozen=True)
class WallCollection:
    """A collection. `members` is the number of its items; Plex fills a smart one by itself."""

    key: str
    section: str
    title: str
    summary: str = ""
    members: int = 0
    is_smart: bool = False
    poster: WallPicture | None = None
    background: WallPicture | None = None


@dataclass(frozen=True)
class WallLibrary:
    """A library of Plex."""

    key: str
    title: str


@dataclass(frozen=True)
class CollectionsPage:
    """One page of the collections of a library, by sort title, and the number of all."""

    collections: Sequence[WallCollection] = ()
    total: int = 0


@dataclass(frozen=True)
class ItemsPage:
    """One page of the items of a collection, in its order, and the number of all."""

    items: Sequence[WallItem] = ()
    total: int = 0


class Wall(Protocol):
    """Where collections are read: Plex as it is now, or as it was. Raises `NeighbourError`, Missing for what is gone."""

    def wall_libraries(self) -> Sequence[WallLibrary]:
        """The synced libraries."""
        ...

    def collections_page(self, section: str, *, start: int, size: int) -> CollectionsPage:
        """One page of a library's collections, by sort title."""
        ...

    def shown_collection(self, key: str) -> WallCollection:
        """One collection."""
        ...

    def items_page(self, collection: str, *, start: int, size: int) -> ItemsPage:
        """One page of a collection's items, in its order."""
        ...

    def wall_picture(self, picture: WallPicture) -> bytes:
        """The bytes of a picture."""
        ...


def picture_at(address: str) -> WallPicture | None:
    """The picture that an address in an answer of Plex names; None for none, and for any other address."""
    named = ADDRESS.fullmatch(address)
    return WallPicture(*named.groups()) if named else None


def address_of(picture: WallPicture) -> str:
    """The address of a picture in Plex."""
    key, name, stamp = picture
    if name == COMPOSITE:
        return f"/library/collections/{key}/{name}/{stamp}?width=400&height=600"
    return f"/library/metadata/{key}/{name}/{stamp}"
