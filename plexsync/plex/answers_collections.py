"""Decodes what Plex answers about collections, as `plexsync.plex.answers` does for items."""

import msgspec

from plexsync.plex import answers
from plexsync.plex.answers import Flag, Number, check_size, digits, is_set, key_of, whole_number
from plexsync.rules.collection_servers import HOME_PLACES, PREFS, ListedCollection, PlexCollection
from plexsync.rules.item import Item

COLLECTION = "collection"
# The start of the address of a picture that Plex composes of the posters of the members.
COMPOSED = "/library/collections/"
# The start of the identifier of a hub that is a collection. The library and the key of the collection follow.
HUB = "custom.collection."


class CollectionAnswer(msgspec.Struct):
    """A collection, in a list or in full. In a list it has no locks."""

    ratingKey: Number
    type: str = ""
    librarySectionID: Number | None = None
    librarySectionUUID: str | None = None
    updatedAt: Number | None = None
    title: str | None = None
    titleSort: str | None = None
    summary: str | None = None
    smart: Flag = False
    childCount: Number | None = None
    thumb: str | None = None
    art: str | None = None
    collectionMode: Number | None = None
    collectionSort: Number | None = None
    Field: list[answers.FieldAnswer] = []


class CollectionsContainer(msgspec.Struct):
    """A page of collections, or some in full."""

    size: Number
    totalSize: Number | None = None
    librarySectionID: Number | None = None
    librarySectionUUID: str | None = None
    Metadata: list[CollectionAnswer] = []


class CollectionListAnswer(msgspec.Struct):
    """The body of collections."""

    MediaContainer: CollectionsContainer


class MemberAnswer(msgspec.Struct):
    """A member of a collection, of any type."""

    ratingKey: Number


class Members(msgspec.Struct):
    """A page of the members of a collection."""

    size: Number
    totalSize: Number | None = None
    Metadata: list[MemberAnswer] = []


class MembersAnswer(msgspec.Struct):
    """The body of members."""

    MediaContainer: Members


class HubAnswer(msgspec.Struct):
    """What the home can show, and where it does."""

    identifier: str = ""
    promotedToRecommended: Flag = False
    promotedToOwnHome: Flag = False
    promotedToSharedHome: Flag = False


class Hubs(msgspec.Struct):
    """All that the home can show of a library."""

    size: Number
    Hub: list[HubAnswer] = []


class HubsAnswer(msgspec.Struct):
    """The body of hubs."""

    MediaContainer: Hubs


def listed_of(container: CollectionsContainer) -> list[ListedCollection]:
    """The collections of a page. Whatever else is in it has no members and counts as smart: nothing is written to it."""
    check_size(container.size, container.Metadata)
    return [
        ListedCollection(
            key=key_of(metadata.ratingKey),
            title=metadata.title or "",
            smart=is_set(metadata.smart) or metadata.type != COLLECTION,
            members=whole_number(metadata.childCount or 0),
            stamp=whole_number(metadata.updatedAt or 0),
        )
        for metadata in container.Metadata
    ]


def collections_of(container: CollectionsContainer) -> dict[str, PlexCollection]:
    """The collections in full by rating key, without items of other types."""
    check_size(container.size, container.Metadata)
    collections = [_collection(metadata, container) for metadata in container.Metadata if metadata.type == COLLECTION]
    return {collection.item.key: collection for collection in collections}


def members_of(container: Members) -> list[ListedCollection]:
    """The members of a page, with their keys only."""
    check_size(container.size, container.Metadata)
    return [ListedCollection(key_of(metadata.ratingKey), "") for metadata in container.Metadata]


def homes_of(container: Hubs, section: str) -> dict[str, tuple[str, ...]]:
    """The collections of this library by key, and where the home shows each."""
    check_size(container.size, container.Hub)
    start = hub_of(section, "")
    return {
        hub.identifier.removeprefix(start): _places(hub) for hub in container.Hub if hub.identifier.startswith(start)
    }


def hub_of(section: str, key: str) -> str:
    """The identifier of the hub that is this collection."""
    return f"{HUB}{section}.{key}"


def _places(hub: HubAnswer) -> tuple[str, ...]:
    flags = (hub.promotedToRecommended, hub.promotedToOwnHome, hub.promotedToSharedHome)
    return tuple(place for place, flag in zip(HOME_PLACES, flags, strict=True) if is_set(flag))


def _collection(metadata: CollectionAnswer, container: CollectionsContainer) -> PlexCollection:
    section = digits(metadata.librarySectionID) or digits(container.librarySectionID)
    if not section:
        raise ValueError("a collection that does not name its library")
    locks = answers.locks_of(metadata.Field)
    settings = {"collectionMode": metadata.collectionMode, "collectionSort": metadata.collectionSort}
    pictures = (("thumb", metadata.thumb), ("art", metadata.art))
    item = Item(
        key=key_of(metadata.ratingKey),
        section=section,
        scalars={
            "title": metadata.title or "",
            "titleSort": answers.sort_title(metadata.title, metadata.titleSort, locks),
            "summary": metadata.summary or "",
            **{name: _setting(name, value) for name, value in settings.items()},
        },
        locks=locks,
        pictures={name: path for name, path in pictures if path and not path.startswith(COMPOSED)},
        stamp=whole_number(metadata.updatedAt or 0),
        library=metadata.librarySectionUUID or container.librarySectionUUID or "",
    )
    return PlexCollection(item, is_set(metadata.smart), whole_number(metadata.childCount or 0))


def _setting(name: str, value: Number | None) -> str:
    text = "" if value is None else str(value)
    return "" if text == PREFS[name] else text
