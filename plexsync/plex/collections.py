"""Collections and playlists in Plex: implements the two protocols in `plexsync.rules.collections.collection_servers`.

A collection is an item of its own that Plex makes of a tag. Its home and its order are not among its fields. Playlists are
those of the token's account. The pictures of both are uploaded and selected as those of items.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
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
from plexsync.plex.requests import UNWANTED_FIELDS, WITHOUT_FILES, PlexRequests, check_number, query, slice_of
from plexsync.rules.collections.collection_servers import (
    MOST_AT_ONCE,
    PREFS,
    ListedCollection,
    PlaylistEntry,
    PlexCollection,
    PlexPlaylist,
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
    """A collection, in a list or in full. In a list it has no locks."""

    type: str = ""
    smart: Flag = False
    collectionMode: Number | None = None
    collectionSort: Number | None = None


class MemberAnswer(msgspec.Struct):
    """A member of a collection, of any type."""

    ratingKey: Number


class HubAnswer(msgspec.Struct):
    """What the home can show, and where it does."""

    identifier: str = ""
    promotedToRecommended: Flag = False
    promotedToOwnHome: Flag = False
    promotedToSharedHome: Flag = False


class PlaylistAnswer(FullAnswer):
    """A playlist, in a list or as made."""

    type: str = ""
    smart: bool | int | str = False


class PlaylistPlace(msgspec.Struct):
    """An item of a playlist, and its place there."""

    ratingKey: Number
    playlistItemID: Number


class Hubs(msgspec.Struct):
    """All that the home can show of a library."""

    size: Number
    Hub: list[HubAnswer] = []


COLLECTIONS = msgspec.json.Decoder(Body[FullPage[CollectionAnswer]])
LISTED = msgspec.json.Decoder(Body[Page[CollectionAnswer]])
MEMBERS = msgspec.json.Decoder(Body[Page[MemberAnswer]])
HUBS = msgspec.json.Decoder(Body[Hubs])
PLAYLISTS = msgspec.json.Decoder(Body[FullPage[PlaylistAnswer]])
LISTED_PLAYLISTS = msgspec.json.Decoder(Body[Page[PlaylistAnswer]])
ENTRIES = msgspec.json.Decoder(Body[Page[PlaylistPlace]])


class CollectionClient:
    """The collections of a Plex, read and written by its client."""

    def __init__(self, requests: PlexRequests) -> None:
        self._requests = requests

    def list_collections(self, section: str, *, page: int = 500) -> Iterator[list[ListedCollection]]:
        """Every collection of a library by key, in pages without repeats; an incomplete list raises Unavailable."""
        return self._requests.walk(partial(self._page_of_collections, section), page)

    def read(self, keys: Sequence[str]) -> dict[str, PlexCollection]:
        """Collections in full by rating key, in one request; missing ones, and keys of other items, are left out."""
        return self._requests.existing(keys, COLLECTIONS, _collections)

    def members(self, key: str, *, page: int = 1000) -> list[str]:
        """The keys of a collection's items in the order of the collection. Raises Missing if it is gone."""
        pages = self._requests.walk(partial(self._page_of_members, key), page)
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
        for number in (key, item, after or "0"):
            check_number(number)
        behind = f"?after={after}" if after else ""
        self._requests.write("PUT", f"/library/collections/{key}/items/{item}/move{behind}", cap=LISTING_CAP)

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

    def _page_of_collections(self, section: str, start: int, size: int) -> tuple[list[ListedCollection], int]:
        check_number(section)
        asked = {"type": edits.COLLECTION, "sort": "id", "excludeFields": UNWANTED_FIELDS, **slice_of(start, size)}
        answer = self._requests.ask("GET", f"/library/sections/{section}/all?{query(asked)}", cap=LISTING_CAP)
        return self._requests.page(answer, LISTED, _listed, start, size)

    def _page_of_members(self, key: str, start: int, size: int) -> tuple[list[ListedCollection], int]:
        check_number(key)
        asked = {**WITHOUT_FILES, **slice_of(start, size)}
        answer = self._requests.ask("GET", f"/library/collections/{key}/items?{query(asked)}", cap=LISTING_CAP)
        return self._requests.page(answer, MEMBERS, _member, start, size)


class PlaylistClient:
    """The playlists of an account of Plex, read and written by its client."""

    def __init__(self, requests: PlexRequests) -> None:
        self._requests = requests

    def list_playlists(self, *, page: int = 500) -> Iterator[list[PlexPlaylist]]:
        """Every playlist of videos, in pages without repeats; an incomplete list raises Unavailable."""
        return self._requests.walk(self._page_of_playlists, page)

    def entries(self, key: str, *, page: int = 1000) -> list[PlaylistEntry]:
        """The items of a playlist in its order. Raises Missing if it is gone."""
        pages = self._requests.walk(partial(self._page_of_entries, key), page)
        return [entry for entries in pages for entry in entries]

    def create(self, machine: str, title: str, items: Sequence[str]) -> str:
        """Make a playlist of these items, at most `MOST_AT_ONCE`; returns its rating key."""
        asked: dict[str, str | int] = {"type": "video", "smart": 0, "title": title, "uri": _content(machine, items)}
        playlist, *_ = self._requests.parsed(
            self._requests.ask("POST", f"/playlists?{query(asked)}"), PLAYLISTS, _playlists
        )
        return playlist.key

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
        for number in (key, entry, after or "0"):
            check_number(number)
        self._requests.write("PUT", f"/playlists/{key}/items/{entry}/move{f'?after={after}' if after else ''}")

    def edit(self, key: str, edit: Edit) -> None:
        """Apply an edit of title and summary. Raises Missing if the playlist is gone."""
        self._requests.send_edit(partial(edits.targets, "0", key, edit, form="playlist"))

    def delete(self, key: str) -> None:
        """Delete a playlist. Raises Missing if it is gone."""
        check_number(key)
        self._requests.write("DELETE", f"/playlists/{key}")

    def _page_of_playlists(self, start: int, size: int) -> tuple[list[PlexPlaylist], int]:
        asked = {"playlistType": "video", **slice_of(start, size)}
        answer = self._requests.ask("GET", f"/playlists?{query(asked)}", cap=LISTING_CAP)
        return self._requests.page(answer, LISTED_PLAYLISTS, _playlist, start, size)

    def _page_of_entries(self, key: str, start: int, size: int) -> tuple[list[PlaylistEntry], int]:
        check_number(key)
        asked = {**WITHOUT_FILES, **slice_of(start, size)}
        answer = self._requests.ask("GET", f"/playlists/{key}/items?{query(asked)}", cap=LISTING_CAP)
        return self._requests.page(answer, ENTRIES, _entry, start, size)


def _content(machine: str, items: Sequence[str]) -> str:
    for item in items:
        check_number(item)
    if not 1 <= len(items) <= MOST_AT_ONCE or not machine.isalnum():
        raise ValueError(f"1 to {MOST_AT_ONCE} items of a server are added at once")
    return f"server://{machine}/com.plexapp.plugins.library/library/metadata/{','.join(items)}"


def _playlists(container: FullPage[PlaylistAnswer]) -> list[PlexPlaylist]:
    playlists = [_playlist(metadata) for metadata in rows_of(container)]
    if not playlists:
        raise ValueError("no playlist was made")
    return playlists


def _playlist(metadata: PlaylistAnswer) -> PlexPlaylist:
    pictures = {
        name: path for name, path in (("thumb", metadata.thumb),) if path and not path.startswith("/playlists/")
    }
    texts = {"title": metadata.title or "", "summary": metadata.summary or ""}
    item = playlist_item(key_of(metadata.ratingKey), texts, pictures, whole_number(metadata.updatedAt or 0))
    return PlexPlaylist(item, is_set(metadata.smart) or metadata.type != "playlist")


def _entry(metadata: PlaylistPlace) -> PlaylistEntry:
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
