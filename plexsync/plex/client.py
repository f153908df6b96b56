"""Plex over HTTP: implements `plexsync.rules.servers.neighbours.Plex`, and identifies the server."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Unpack
from unicodedata import normalize

import msgspec

from plexsync.http.address import by_address as by_address
from plexsync.http.client import LISTING_CAP
from plexsync.plex import answers, artwork, edits
from plexsync.plex.answers import Body
from plexsync.plex.collections import CollectionClient, PlaylistClient
from plexsync.plex.history import PlexHistory
from plexsync.plex.requests import (
    IDENTITY,
    ITEMS,
    PlexOptions,
    PlexRequests,
    check_number,
    is_plex as is_plex,
    plex_machine as plex_machine,
    query,
)
from plexsync.rules.item import Cast, Entry, Item
from plexsync.rules.match.paths import base_name
from plexsync.rules.merge.pictures import LARGEST
from plexsync.rules.merge.plan_records import Edit
from plexsync.rules.records import Section, ServerInfo
from plexsync.rules.servers.errors import Missing, Refused
from plexsync.rules.words.text import compose

FOUND_PAGE = 200
PICTURES = msgspec.json.Decoder(Body[answers.OfferedPictures])


class PlexClient:
    """One Plex Media Server: what it has, and the edits of its items. See `PlexRequests` for the options.

    `history`, `collections` and `playlists` share its connections.
    """

    def __init__(self, url: str, token: str, **options: Unpack[PlexOptions]) -> None:
        self.requests = PlexRequests(url, token, **options)
        self.libraries = self.requests.libraries
        self.history = PlexHistory(self.requests)
        self.collections = CollectionClient(self.requests)
        self.playlists = PlaylistClient(self.requests)

    def close(self) -> None:
        """Close every connection."""
        self.requests.close()

    @property
    def date(self) -> str:
        """The server's time at the last answer to this thread, as an HTTP date; '' if it sent none."""
        return self.requests.date

    def identity(self) -> tuple[str, str]:
        """The server's (name, version), in one authenticated request."""
        server = self.server()
        return server.name, server.version

    def server(self) -> ServerInfo:
        """The server's identifier, version and name, in one authenticated request."""
        own = self.requests.read("/", IDENTITY, lambda identity: identity)
        # A server may be named like its token.
        return ServerInfo(*map(self.requests.redacted, (own.machineIdentifier, own.version, own.friendlyName)))

    def sections(self) -> list[Section]:
        """The movie libraries to use, see `PlexRequests.sections`."""
        return self.requests.sections()

    def entries(self, section: str, *, page: int = 1000) -> Iterator[list[Entry]]:
        """Every item of a library, in pages without repeats; an incomplete listing raises Unavailable."""
        return self._pages(section, {}, page)

    def changed_since(self, section: str, *, since: int, page: int = 1000) -> Iterator[list[Entry]]:
        """The items of a library whose stamp is greater than `since`, in pages."""
        return self._pages(section, {"updatedAt>>": str(since)}, page)

    def count(self, section: str) -> int:
        """The number of items in a library, in one small request."""
        return self.requests.entries(section, {}, 0, 0)[1]

    def _pages(self, section: str, filters: Mapping[str, str], page: int) -> Iterator[list[Entry]]:
        """The items that match a filter, in pages without repeats."""
        return self.requests.walk(partial(self.requests.entries, section, filters), page)

    def find(self, section: str, name: str) -> list[Entry]:
        """The library's items that have a file of exactly this base name, as given, composed or decomposed.

        Plex compares code point by code point, so each form is a request of its own.
        """
        entries: dict[str, Entry] = {}
        for form in dict.fromkeys((name, normalize("NFC", name), normalize("NFD", name))):
            for page in self._pages(section, {"file": form}, FOUND_PAGE):
                named = [
                    entry
                    for entry in page
                    if any(compose(base_name(part.path)) == compose(name) for part in entry.parts)
                ]
                entries |= {entry.key: entry for entry in named}
                if not named:
                    # A Plex server that does not know the filter lists everything.
                    break
        return list(entries.values())

    def scan(self, section: str, folder: str) -> None:
        """Request a scan of one folder of a library, by its path in Plex; returns before the scan ends.

        All servers accept GET for this; Plex's documentation names only POST.
        """
        check_number(section)
        target = f"/library/sections/{section}/refresh?{query({'path': folder})}"
        try:
            self.requests.ask("GET", target)
        except (Missing, Refused):
            self.requests.ask("POST", target)

    def items(self, keys: Sequence[str]) -> dict[str, Item]:
        """Full items by rating key, in one request; missing ones are left out.

        A 404 for several can mean that only one is missing, or in the trash: they are then requested in halves. A 404
        that is not Plex's own, and an answer with nothing in it, count only if Plex proves meanwhile that it is up: it
        lists items, and one of them can be read (docs/decisions/0005-whose-404.md).
        """
        return self.requests.existing(keys, ITEMS, answers.items_of)

    def edit(self, section: str, key: str, edit: Edit, *, cast: Cast | None = None) -> None:
        """One PUT that applies all of `edit` to one item; several if it is too long (see `plexsync.plex.edits`).

        Raises ValueError for an invalid edit, Missing if the item is gone, TooLong if a single text or list is too
        long, once everything else was sent. The error says whether anything was applied.
        """
        self.requests.send_edit(partial(edits.targets, section, key, edit, cast=cast))

    def pictures(self, key: str, name: str) -> dict[str, bool]:
        """The item's pictures (`thumb` or `art`) by key, and whether each is the selected one; Missing if the item is
        gone.
        """
        check_number(key)
        return self.requests.read(artwork.shelf(key, name), PICTURES, answers.pictures_of, cap=LISTING_CAP)

    def picture(self, place: str) -> bytes:
        """The bytes of a picture at an address from an item's `pictures`."""
        return bytes(self.requests.ask("GET", place, cap=LARGEST).body)

    def upload(self, key: str, name: str, content: bytes) -> None:
        """Upload a picture to the item; Plex selects and locks it. Raises Refused if Plex rejects it."""
        check_number(key)
        self.requests.write_picture("POST", artwork.shelf(key, name), content)

    def show(self, key: str, name: str, picture: str) -> None:
        """Select one of the item's pictures. Raises Missing if the item has no such picture, or is gone itself.

        Plex answers with the new address of the selected picture, as plain text.
        """
        check_number(key)
        self.requests.write_picture("PUT", artwork.choice(key, name, picture))

    def hide(self, key: str, name: str) -> None:
        """Deselect the item's picture. Raises Refused or Missing if Plex is too old for it (before 1.43)."""
        check_number(key)
        self.requests.write_picture("DELETE", artwork.selected_path(key, name))

    def rate(self, key: str, rating: float | None) -> None:
        """Set the rating that the account gives an item, on a scale of 10; None clears it."""
        check_number(key)
        value = -1 if rating is None else rating
        self.requests.write("PUT", f"/:/rate?identifier=com.plexapp.plugins.library&key={key}&rating={value:g}")
