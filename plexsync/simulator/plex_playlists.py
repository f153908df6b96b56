"""The playlists of the simulated Plex. Each account has its own, and sees no others.

A playlist is an item without a library. It may hold an item several times, so each place in it has an id of its own. Its
items come from a content address: `server://MACHINE/com.plexapp.plugins.library/library/metadata/1,2,3`.
"""

import re
from collections.abc import Iterable
from dataclasses import replace

from plexsync.simulator.http import Answer
from plexsync.simulator.plex_asked import Asked
from plexsync.simulator.plex_composite import composite
from plexsync.simulator.plex_edits import apply_edit, read_edit
from plexsync.simulator.plex_model import DELETED, Item, Library, Section, Unacceptable
from plexsync.simulator.plex_render import Left, Node, Ready, Value, listed_node, lock_nodes, picture_path

CONTENT = re.compile(r"server://(\w+)/com\.plexapp\.plugins\.library/library/metadata/([\d,]+)")
VIDEO = "video"


class Playlists:
    """The playlists of a library's accounts. The caller holds the lock."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self.are_listed = True

    def of(self, account: int) -> list[Item]:
        """The playlists of an account, oldest first."""
        return [playlist for playlist in self._library.playlists.values() if playlist.account == account]

    def make(self, account: int, title: str, keys: Iterable[int], *, smart: str = "") -> Item:
        """A new playlist with these items."""
        library, now = self._library, self._library.now()
        playlist = Item(library.next_key(), _no_library(library), "playlist", updated_at=now, account=account)
        playlist.scalars, playlist.smart = {"title": title, "addedAt": now}, smart
        library.items[playlist.key] = library.playlists[playlist.key] = playlist
        self.add(playlist, keys)
        return playlist

    def add(self, playlist: Item, keys: Iterable[int]) -> None:
        """Put items at the end. One that does not exist is left out."""
        for key in keys:
            if (item := self._library.items.get(key)) and item.type == "movie":
                playlist.entries.append((self._library.next_entry(), key))
        self._library.touch(playlist)

    def take(self, playlist: Item, entry: int) -> None:
        """Take out what has this place. Raises `Unacceptable` (404) if nothing has."""
        self._place(playlist, entry)
        playlist.entries = [pair for pair in playlist.entries if pair[0] != entry]
        self._library.touch(playlist)

    def move(self, playlist: Item, entry: int, after: int | None) -> None:
        """Put an item behind another one, or first. Raises `Unacceptable` (404) for a place that does not exist."""
        moved = self._place(playlist, entry)
        behind = None if after is None else self._place(playlist, after)
        rest = [pair for pair in playlist.entries if pair != moved]
        rest.insert(rest.index(behind) + 1 if behind in rest else 0, moved)
        playlist.entries = rest
        self._library.touch(playlist)

    def remove(self, playlist: Item) -> None:
        """Delete a playlist."""
        del self._library.items[playlist.key], self._library.playlists[playlist.key]
        self._library.told("item", playlist, DELETED)

    @staticmethod
    def _place(playlist: Item, entry: int) -> tuple[int, int]:
        for pair in playlist.entries:
            if pair[0] == entry:
                return pair
        raise Unacceptable(404)

    # --- requests ------------------------------------------------------------------------------------------------------

    def listing(self, asked: Asked, account: int, largest: int | None) -> Answer:
        """The playlists of the account."""
        kind, smart = asked.params.get("playlistType", VIDEO), asked.params.get("smart")
        every = self.of(account) if self.are_listed else []
        shown = [one for one in every if kind == VIDEO and (smart is None or smart == str(int(bool(one.smart))))]
        return self._answer(asked, shown, largest)

    def create(self, asked: Asked, account: int, machine: str) -> Answer:
        """A new playlist, as documented; without an address, an empty one."""
        if asked.params.get("type") != VIDEO or not asked.params.get("title"):
            raise Unacceptable(400)
        smart = asked.params.get("uri", "") if asked.params.get("smart") == "1" else ""
        keys = () if smart or "uri" not in asked.params else _keys(asked, machine)
        return self._answer(asked, [self.make(account, asked.params["title"], keys, smart=smart)])

    def change(self, asked: Asked, account: int) -> Answer:
        """Read, edit or delete a playlist."""
        playlist = self._find(asked, account)
        if asked.request.method == "PUT":
            apply_edit(self._library, playlist, read_edit(self._library, asked.pairs))
            return Answer()
        if asked.request.method == "DELETE":
            self.remove(playlist)
            return Answer(204)
        return self._answer(asked, [playlist], with_locks=True)

    def contents(self, asked: Asked, account: int, machine: str, largest: int | None) -> Answer:
        """List, add or clear the items of a playlist."""
        playlist = self._find(asked, account)
        if asked.request.method == "GET":
            piece, totals, headers = asked.page(len(playlist.entries), largest)
            left = Left(asked.as_json, asked.names("excludeElements"), asked.names("excludeFields"))
            nodes: list[Node | Ready] = [self._entry(pair, left) for pair in playlist.entries[piece]]
            attributes: dict[str, Value] = {
                "size": len(nodes),
                "composite": _composite(playlist),
                "leafCount": len(playlist.entries),
                "playlistType": VIDEO,
                "ratingKey": str(playlist.key),
                "smart": bool(playlist.smart),
                "title": playlist.scalars.get("title"),
                **totals,
            }
            return asked.answer(Node("MediaContainer", attributes, nodes), headers)
        if playlist.smart:
            raise Unacceptable(400)
        if asked.request.method == "DELETE":
            playlist.entries = []
            self._library.touch(playlist)
        else:
            self.add(playlist, _keys(asked, machine))
        return self._answer(asked, [playlist])

    def change_entry(self, asked: Asked, account: int) -> Answer:
        """Take an item out of a playlist, or move it."""
        playlist, entry = self._find(asked, account), int(asked.groups[1])
        if playlist.smart:
            raise Unacceptable(400)
        if asked.request.method == "DELETE":
            self.take(playlist, entry)
        else:
            after = asked.params.get("after")
            if after is not None and not after.isdecimal():
                raise Unacceptable(400)
            self.move(playlist, entry, int(after) if after else None)
        return self._answer(asked, [playlist])

    def picture(self, asked: Asked, account: int) -> Answer:
        """The picture that Plex composes of the items' posters."""
        items = (self._library.items[key] for _, key in self._find(asked, account).entries)
        selected = ((item, item.selected["posters"]) for item in items)
        posters = [item.pictures["posters"][key] for item, key in selected if key is not None]
        return Answer(200, composite([poster for poster in posters if poster]), "image/png")

    def _find(self, asked: Asked, account: int) -> Item:
        playlist = self._library.playlists.get(int(asked.groups[0]))
        if playlist is None or playlist.account != account:
            raise Unacceptable(404)
        return playlist

    def _entry(self, pair: tuple[int, int], left: Left) -> Node:
        node = listed_node(self._library.items[pair[1]], left)
        return replace(node, attributes={**node.attributes, "playlistItemID": pair[0]})

    def _answer(
        self, asked: Asked, playlists: list[Item], largest: int | None = None, *, with_locks: bool = False
    ) -> Answer:
        piece, totals, headers = asked.page(len(playlists), largest)
        nodes: list[Node | Ready] = [playlist_node(one, with_locks=with_locks) for one in playlists[piece]]
        return asked.answer(Node("MediaContainer", {"size": len(nodes), **totals}, nodes), headers)


def playlist_node(item: Item, *, with_locks: bool = False) -> Node:
    """A playlist, in a listing or on its own."""
    attributes: dict[str, Value] = {
        "ratingKey": str(item.key),
        "key": f"/playlists/{item.key}/items",
        "guid": f"com.plexapp.agents.none://{item.key:08x}",
        "type": "playlist",
        "title": item.scalars.get("title"),
        "titleSort": item.scalars.get("titleSort"),
        "summary": item.scalars.get("summary", ""),
        "smart": bool(item.smart),
        "playlistType": VIDEO,
        "composite": _composite(item),
        "thumb": picture_path(item, "posters") or None,
        "art": picture_path(item, "arts") or None,
        "duration": 0,
        "leafCount": len(item.entries),
        "addedAt": item.scalars.get("addedAt"),
        "updatedAt": item.updated_at,
    }
    return Node("Playlist", attributes, [*lock_nodes(item)] if with_locks else [], name="Metadata")


def _composite(item: Item) -> str:
    return f"/playlists/{item.key}/composite/{item.updated_at}"


def _keys(asked: Asked, machine: str) -> list[int]:
    found = CONTENT.fullmatch(asked.params.get("uri", ""))
    if found is None or found[1] != machine:
        raise Unacceptable(400)
    return [int(key) for key in found[2].split(",") if key]


def _no_library(library: Library) -> Section:
    return Section(0, "", "movie", (), "", "", "", 0, 0, 0, library.traits)
