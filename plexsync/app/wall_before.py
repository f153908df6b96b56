"""How the collections of Plex looked before PlexSync worked: a file in the folder of the database.

Only `plexsync demo` makes it. It is a zip with one table of contents and the pictures, each under its place.
"""

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from plexsync.rules.errors import Missing, Neighbour, Refused
from plexsync.rules.wall import (
    WALL_PAGE,
    CollectionsPage,
    ItemsPage,
    Wall,
    WallCollection,
    WallItem,
    WallLibrary,
    WallPicture,
)

FILE = "wall-before.zip"
CONTENTS = "wall.json"


@dataclass(frozen=True)
class CollectionBefore:
    """A collection with its items."""

    collection: WallCollection
    items: Sequence[WallItem]


@dataclass(frozen=True)
class LibraryBefore:
    """A library with its collections, by sort title."""

    library: WallLibrary
    collections: Sequence[CollectionBefore]


class WallBefore:
    """The collections as they were: `Wall` of `plexsync.rules.wall`, from the file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        with zipfile.ZipFile(file) as kept:
            self._libraries = msgspec.json.decode(kept.read(CONTENTS), type=list[LibraryBefore])

    def wall_libraries(self) -> list[WallLibrary]:
        """The libraries."""
        return [each.library for each in self._libraries]

    def collections_page(self, section: str, *, start: int, size: int) -> CollectionsPage:
        """One page of a library's collections."""
        collections = [each.collection for each in self._all() if each.collection.section == section]
        return CollectionsPage(collections[start : start + size], len(collections))

    def shown_collection(self, key: str) -> WallCollection:
        """One collection."""
        return self._find(key).collection

    def items_page(self, collection: str, *, start: int, size: int) -> ItemsPage:
        """One page of a collection's items."""
        items = self._find(collection).items
        return ItemsPage(items[start : start + size], len(items))

    def wall_picture(self, picture: WallPicture) -> bytes:
        """The bytes of a picture."""
        with zipfile.ZipFile(self._file) as kept, suppress(KeyError):
            return kept.read(picture.place)
        raise Missing(Neighbour.PLEX, "that picture was not kept")

    def _find(self, key: str) -> CollectionBefore:
        for each in self._all():
            if each.collection.key == key:
                return each
        raise Missing(Neighbour.PLEX, "that collection was not kept")

    def _all(self) -> Iterator[CollectionBefore]:
        return (each for library in self._libraries for each in library.collections)


def wall_before(folder: Path) -> WallBefore | None:
    """The collections as they were; None if no file in the folder of the database says so."""
    file = folder / FILE
    return WallBefore(file) if file.exists() else None


def collection_count(source: Wall) -> int:
    """The number of collections in all libraries, in one small request for each."""
    pages = (source.collections_page(library.key, start=0, size=1) for library in source.wall_libraries())
    return sum(page.total for page in pages)


def keep_wall(plex: Wall, folder: Path) -> None:
    """Write down how the collections look now, with their pictures."""
    libraries = [LibraryBefore(library, list(_collections(plex, library.key))) for library in plex.wall_libraries()]
    with zipfile.ZipFile(folder / FILE, "w") as kept:
        kept.writestr(CONTENTS, msgspec.json.encode(libraries))
        for picture in _pictures(libraries):
            with suppress(Missing, Refused):
                kept.writestr(picture.place, plex.wall_picture(picture))


def _collections(plex: Wall, section: str) -> Iterator[CollectionBefore]:
    start, total = 0, 1
    while start < total:
        page = plex.collections_page(section, start=start, size=WALL_PAGE)
        yield from (CollectionBefore(each, list(_items(plex, each.key))) for each in page.collections)
        start, total = start + WALL_PAGE, page.total


def _items(plex: Wall, collection: str) -> Iterator[WallItem]:
    start, total = 0, 1
    while start < total:
        page = plex.items_page(collection, start=start, size=WALL_PAGE)
        yield from page.items
        start, total = start + WALL_PAGE, page.total


def _pictures(libraries: Sequence[LibraryBefore]) -> set[WallPicture]:
    collections = [each for library in libraries for each in library.collections]
    pictures = [picture for each in collections for picture in (each.collection.poster, each.collection.background)]
    pictures += [item.poster for each in collections for item in each.items]
    return {picture for picture in pictures if picture is not None}
