"""Playlists in Plex: implements `plexsync.rules.collections.collection_servers.PlexPlaylists`.

They are those of the token's account. Their pictures are uploaded and selected as those of items.
"""

from collections.abc import Iterator, Sequence
from functools import partial

import msgspec

from plexsync.http.client import LISTING_CAP
from plexsync.plex import edits
from plexsync.plex.answers import Body, FullAnswer, FullPage, Number, Page, is_set, key_of, rows_of, whole_number
from plexsync.plex.requests import WITHOUT_FILES, PlexRequests, check_number, query, slice_of
from plexsync.rules.collections.collection_servers import PlaylistEntry, PlexPlaylist
from plexsync.rules.collections.playlists import MOST_AT_ONCE, playlist_item
from plexsync.rules.merge.plan_records import Edit


class PlaylistAnswer(FullAnswer):
    """A playlist, in a list or as made."""

    type: str = ""
    smart: bool | int | str = False


class PlaylistPlace(msgspec.Struct):
    """An item of a playlist, and its place there."""

    ratingKey: Number
    playlistItemID: Number


MADE = msgspec.json.Decoder(Body[FullPage[PlaylistAnswer]])
LISTED = msgspec.json.Decoder(Body[Page[PlaylistAnswer]])
ENTRIES = msgspec.json.Decoder(Body[Page[PlaylistPlace]])


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
        playlist, *_ = self._requests.parsed(self._requests.ask("POST", f"/playlists?{query(asked)}"), MADE, _playlists)
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
        return self._requests.page(answer, LISTED, _playlist, start, size)

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
