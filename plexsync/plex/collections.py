"""Collections and playlists in Plex.

A collection is an item of its own that Plex makes of a tag. Its home and its order are not among its fields. Playlists are
those of the token's account. The pictures of both are uploaded and selected as those of items.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial

import msgspec

from plexsync.http.client import LISTING_CAP, MEGABYTE
from plexsync.plex import edits
from plexsync.plex.answers import (
    Body,
    Flag,
    FullAnswer,
    FullPage,
    Number,
    Page,
    check_size,
    digits,
    is_set,
    key_of,
    locks_of,
    rows_of,
    sort_title,
    whole_number,
)
from plexsync.plex.requests import UNWANTED_FIELDS, WITHOUT_FILES, K, PlexRequests, R, check_number, query, slice_of
from plexsync.rules.collections.collection_servers import (
    MOST_AT_ONCE,
    PREFS,
    ListedCollection,
    PlaylistEntry,
    PlexCollection,
    playlist_item,
)
from plexsync.rules.collections.collections import PLACES
from plexsync.rules.item import Item
from plexsync.rules.merge.plan_records import Edit
from plexsync.rules.merge.traits import CollectionForm

COLLECTION = "collection"
# The start of the address of a picture that Plex composes of the posters of the members.
COMPOSED = "/library/collections/"
# The start of the identifier of a hub that is a collection. The library and the key of the collection follow.
HUB = "custom.collection."
# What the home can show: one line for each collection there.
HUBS_CAP = 4 * MEGABYTE
# The parameters for the places of the home, in the order of PLACES.
PROMOTIONS = ("promotedToRecommended", "promotedToOwnHome", "promotedToSharedHome")


class CollectionAnswer(FullAnswer):
    """A collection or a playlist, in a list or in full. In a list it has no locks."""

    type: str = ""
    smart: Flag = False
    collectionMode: Number | None = None
    collectionSort: Number | None = None


class MemberAnswer(msgspec.Struct):
    """A member of a collection or a playlist, of any type, and its place in a playlist."""

    ratingKey: Number
    playlistItemID: Number = ""


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


COLLECTIONS = msgspec.json.Decoder(Body[FullPage[CollectionAnswer]])
LISTED = msgspec.json.Decoder(Body[Page[CollectionAnswer]])
MEMBERS = msgspec.json.Decoder(Body[Page[MemberAnswer]])
HUBS = msgspec.json.Decoder(Body[Hubs])


class CollectionClient:
    """The collections of a Plex, read and written by its client."""

    def __init__(self, requests: PlexRequests) -> None:
        self._requests = requests

    def list_collections(self, section: str, *, page: int = 500) -> Iterator[list[ListedCollection]]:
        """Every collection of a library by key, in pages without repeats; an incomplete list raises Unavailable."""
        check_number(section)
        asked = {"type": edits.COLLECTION, "sort": "id", "excludeFields": UNWANTED_FIELDS}
        return _listing(self._requests, f"/library/sections/{section}/all", asked, LISTED, _listed, page)

    def read(self, keys: Sequence[str]) -> dict[str, PlexCollection]:
        """Collections in full by rating key, in one request; missing ones, and keys of other items, are left out."""
        return self._requests.existing(keys, COLLECTIONS, _collections)

    def members(self, key: str, *, page: int = 1000) -> list[str]:
        """The keys of a collection's items in the order of the collection. Raises Missing if it is gone."""
        check_number(key)
        pages = _listing(self._requests, f"/library/collections/{key}/items", WITHOUT_FILES, MEMBERS, _member, page)
        return [member.key for members in pages for member in members]

    def edit_collection(self, section: str, key: str, edit: Edit, form: CollectionForm) -> None:
        """One PUT of this form that applies all of `edit` to one collection; several if it is too long.

        Raises Missing if the collection is gone or the server does not take this form, Conflict if another collection of
        the library has the title, else as `edit`.
        """
        self._requests.send_edit(partial(edits.targets, section, key, edit, form=form))

    def set_prefs(self, key: str, prefs: Mapping[str, str]) -> None:
        """Set settings of `PREFS`; '' sets Plex's default. Raises ValueError for another setting."""
        check_number(key)
        if not prefs or not prefs.keys() <= PREFS.keys():
            raise ValueError("a collection has no such setting")
        self._requests.write(
            "PUT", f"/library/metadata/{key}/prefs?{query({name: prefs[name] or PREFS[name] for name in prefs})}"
        )

    def move(self, key: str, item: str, *, after: str = "") -> None:
        """Put a member behind another one, or first. Raises Missing if one of them is no member.

        Plex answers with the members.
        """
        _move(self._requests, "/library/collections", key, item, after)

    def homes(self, section: str) -> dict[str, tuple[str, ...]]:
        """The collections of a library that its home manages, and where it shows each, in one request."""
        check_number(section)
        return self._requests.read(
            f"/hubs/sections/{section}/manage", HUBS, lambda hubs: _homes(hubs, section), cap=HUBS_CAP
        )

    def show_home(self, section: str, key: str, places: Collection[str], *, managed: bool) -> None:
        """Show a collection at exactly these places of the home, in one request; at none: take it out of the home.

        `managed`: the home has it, see `homes`.
        """
        check_number(section)
        check_number(key)
        if not set(places) <= set(PLACES):
            raise ValueError("the home has no such place")
        manage = f"/hubs/sections/{section}/manage"
        hub = f"{manage}/{_hub(section, key)}"
        promotions = {name: str(int(place in places)) for name, place in zip(PROMOTIONS, PLACES, strict=True)}
        if places and managed:
            self._requests.write("PUT", f"{hub}?{query(promotions)}")
        elif places:
            self._requests.write("POST", f"{manage}?{query({'metadataItemId': key, **promotions})}")
        elif managed:
            self._requests.write("DELETE", hub)


class PlaylistClient:
    """The playlists of an account of Plex, read and written by its client."""

    def __init__(self, requests: PlexRequests) -> None:
        self._requests = requests

    def list_playlists(self, *, page: int = 500) -> Iterator[list[PlexCollection]]:
        """Every playlist of videos, in pages without repeats; an incomplete list raises Unavailable."""
        return _listing(self._requests, "/playlists", {"playlistType": "video"}, LISTED, _playlist, page)

    def entries(self, key: str, *, page: int = 1000) -> list[PlaylistEntry]:
        """The items of a playlist in its order. Raises Missing if it is gone."""
        check_number(key)
        pages = _listing(self._requests, f"/playlists/{key}/items", WITHOUT_FILES, MEMBERS, _entry, page)
        return [entry for entries in pages for entry in entries]

    def create(self, machine: str, title: str, items: Sequence[str]) -> str:
        """Make a playlist of these items, at most `MOST_AT_ONCE`; returns its rating key."""
        asked: dict[str, str | int] = {"type": "video", "smart": 0, "title": title, "uri": _content(machine, items)}
        answer = self._requests.ask("POST", f"/playlists?{query(asked)}")
        playlists, _ = self._requests.page(answer, LISTED, _playlist, 0, 1)
        if not playlists:
            raise self._requests.foreign("with no playlist")
        return playlists[0].key

    def add(self, machine: str, key: str, items: Sequence[str]) -> None:
        """Put these items, at most `MOST_AT_ONCE`, at the end of a playlist. Raises Missing if it is gone."""
        check_number(key)
        self._requests.write("PUT", f"/playlists/{key}/items?{query({'uri': _content(machine, items)})}")

    def remove(self, key: str, entry: str) -> None:
        """Take out what has this place in a playlist. Raises Missing if nothing has."""
        check_number(key)
        check_number(entry)
        self._requests.write("DELETE", f"/playlists/{key}/items/{entry}")

    def move(self, key: str, entry: str, *, after: str = "") -> None:
        """Put what has this place behind another place, or first. Raises Missing for a place that does not exist."""
        _move(self._requests, "/playlists", key, entry, after)

    def edit(self, key: str, edit: Edit) -> None:
        """Apply an edit of title and summary. Raises Missing if the playlist is gone."""
        self._requests.send_edit(partial(edits.targets, "0", key, edit, form="playlist"))

    def delete(self, key: str) -> None:
        """Delete a playlist. Raises Missing if it is gone."""
        check_number(key)
        self._requests.write("DELETE", f"/playlists/{key}")


def _listing(
    requests: PlexRequests,
    path: str,
    asked: Mapping[str, str | int],
    decoder: "msgspec.json.Decoder[Body[Page[R]]]",
    parse: Callable[[R], K],
    page: int,
) -> Iterator[list[K]]:
    def read(start: int, size: int) -> tuple[list[K], int]:
        answer = requests.ask("GET", f"{path}?{query({**asked, **slice_of(start, size)})}", cap=LISTING_CAP)
        return requests.page(answer, decoder, parse, start, size)

    return requests.walk(read, page)


def _move(requests: PlexRequests, path: str, key: str, item: str, after: str) -> None:
    for number in (key, item, after or "0"):
        check_number(number)
    behind = f"?after={after}" if after else ""
    requests.write("PUT", f"{path}/{key}/items/{item}/move{behind}", cap=LISTING_CAP)


def _content(machine: str, items: Sequence[str]) -> str:
    for item in items:
        check_number(item)
    if not 1 <= len(items) <= MOST_AT_ONCE or not machine.isalnum():
        raise ValueError(f"1 to {MOST_AT_ONCE} items of a server are added at once")
    return f"server://{machine}/com.plexapp.plugins.library/library/metadata/{','.join(items)}"


def _playlist(metadata: CollectionAnswer) -> PlexCollection:
    thumb = metadata.thumb or ""
    pictures = {"thumb": thumb} if thumb and not thumb.startswith("/playlists/") else {}
    texts = {"title": metadata.title or "", "summary": metadata.summary or ""}
    item = playlist_item(key_of(metadata.ratingKey), texts, pictures, whole_number(metadata.updatedAt or 0))
    return PlexCollection(item, is_set(metadata.smart) or metadata.type != "playlist")


def _entry(metadata: MemberAnswer) -> PlaylistEntry:
    return PlaylistEntry(key_of(metadata.playlistItemID), key_of(metadata.ratingKey))


def _listed(metadata: CollectionAnswer) -> ListedCollection:
    """A collection of a list. Whatever else is in it has no members and counts as smart: nothing is written to it."""
    return ListedCollection(
        key=key_of(metadata.ratingKey),
        title=metadata.title or "",
        smart=is_set(metadata.smart) or metadata.type != COLLECTION,
        stamp=whole_number(metadata.updatedAt or 0),
    )


def _collections(container: FullPage[CollectionAnswer]) -> dict[str, PlexCollection]:
    """The collections in full by rating key, without items of other types."""
    collections = [_collection(metadata, container) for metadata in rows_of(container) if metadata.type == COLLECTION]
    return {collection.item.key: collection for collection in collections}


def _member(metadata: MemberAnswer) -> ListedCollection:
    return ListedCollection(key_of(metadata.ratingKey), "")


def _homes(container: Hubs, section: str) -> dict[str, tuple[str, ...]]:
    """The collections of this library by key, and where the home shows each."""
    check_size(container.size, container.Hub)
    start = _hub(section, "")
    return {
        hub.identifier.removeprefix(start): _places(hub) for hub in container.Hub if hub.identifier.startswith(start)
    }


def _hub(section: str, key: str) -> str:
    """The identifier of the hub that is this collection."""
    return f"{HUB}{section}.{key}"


def _places(hub: HubAnswer) -> tuple[str, ...]:
    flags = (hub.promotedToRecommended, hub.promotedToOwnHome, hub.promotedToSharedHome)
    return tuple(place for place, flag in zip(PLACES, flags, strict=True) if is_set(flag))


def _collection(metadata: CollectionAnswer, container: FullPage[CollectionAnswer]) -> PlexCollection:
    section = digits(metadata.librarySectionID) or digits(container.librarySectionID)
    if not section:
        raise ValueError("a collection that does not name its library")
    locks = locks_of(metadata.Field)
    settings = {"collectionMode": metadata.collectionMode, "collectionSort": metadata.collectionSort}
    pictures = (("thumb", metadata.thumb), ("art", metadata.art))
    item = Item(
        key=key_of(metadata.ratingKey),
        section=section,
        scalars={
            "title": metadata.title or "",
            "titleSort": sort_title(metadata.title, metadata.titleSort, locks),
            "summary": metadata.summary or "",
            **{name: _setting(name, value) for name, value in settings.items()},
        },
        locks=locks,
        pictures={name: path for name, path in pictures if path and not path.startswith(COMPOSED)},
        stamp=whole_number(metadata.updatedAt or 0),
        library=metadata.librarySectionUUID or container.librarySectionUUID or "",
    )
    return PlexCollection(item, is_set(metadata.smart))


def _setting(name: str, value: Number | None) -> str:
    text = "" if value is None else str(value)
    return "" if text == PREFS[name] else text
