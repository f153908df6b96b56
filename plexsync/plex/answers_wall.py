"""Decodes what Plex answers about collections and their items, as a page shows them."""

import msgspec

from plexsync.plex.answers import Flag, Number, check_size, digits, whole_number
from plexsync.rules.wall import CollectionsPage, ItemsPage, WallCollection, WallItem, WallPicture, picture_at


class ShownAnswer(msgspec.Struct):
    """A collection, or an item of one."""

    ratingKey: Number
    type: str = ""
    title: str | None = None
    summary: str | None = None
    year: Number | None = None
    thumb: str | None = None
    art: str | None = None
    childCount: Number | None = None
    smart: Flag = False
    librarySectionID: Number | None = None


class Shown(msgspec.Struct):
    """A page of these, or one of them; the library of all of them."""

    size: Number
    totalSize: Number | None = None
    librarySectionID: Number | None = None
    Metadata: list[ShownAnswer] = []


class ShownListing(msgspec.Struct):
    """The body of such a page."""

    MediaContainer: Shown


def collections_of(container: Shown, section: str, total: int) -> CollectionsPage:
    """A page of the collections of a library. A Plex that lists other things as well shows them here as none."""
    check_size(container.size, container.Metadata)
    collections = [_collection(shown, section) for shown in container.Metadata if shown.type == "collection"]
    return CollectionsPage(collections, total)


def collection_of(container: Shown) -> WallCollection | None:
    """The collection; None if it is something else."""
    check_size(container.size, container.Metadata)
    for shown in container.Metadata:
        section = digits(shown.librarySectionID) or digits(container.librarySectionID)
        if shown.type == "collection" and section:
            return _collection(shown, section)
    return None


def members_of(container: Shown, total: int) -> ItemsPage:
    """A page of the items of a collection."""
    check_size(container.size, container.Metadata)
    items = [
        WallItem(_key(shown), shown.title or "", digits(shown.year), _poster(shown)) for shown in container.Metadata
    ]
    return ItemsPage(items, total)


def _collection(shown: ShownAnswer, section: str) -> WallCollection:
    return WallCollection(
        key=_key(shown),
        section=section,
        title=shown.title or "",
        summary=shown.summary or "",
        members=whole_number(shown.childCount or 0),
        is_smart=shown.smart in (True, "1", "true"),
        poster=_poster(shown),
        background=picture_at(shown.art or ""),
    )


def _poster(shown: ShownAnswer) -> WallPicture | None:
    return picture_at(shown.thumb or "")


def _key(shown: ShownAnswer) -> str:
    key = digits(shown.ratingKey)
    if not key:
        raise ValueError("a key that is no number")
    return key
