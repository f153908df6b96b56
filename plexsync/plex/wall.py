"""Collections of Plex as a person sees them: requests that only read."""

from urllib.parse import urlencode

import msgspec

from plexsync.http.client import LISTING_CAP
from plexsync.plex import answers_wall
from plexsync.plex.client import check_number
from plexsync.plex.collections import CollectionClient
from plexsync.rules.errors import Missing, Neighbour
from plexsync.rules.wall import CollectionsPage, ItemsPage, WallCollection, WallLibrary, WallPicture, address_of

COLLECTIONS = "18"
SHOWN = msgspec.json.Decoder(answers_wall.ShownListing)


class PlexWall(CollectionClient):
    """A Plex client that also reads how collections look: `Wall` of `plexsync.rules.wall`."""

    def wall_libraries(self) -> list[WallLibrary]:
        """The synced libraries, in one request."""
        return [WallLibrary(section.key, section.title) for section in self.sections()]

    def collections_page(self, section: str, *, start: int, size: int) -> CollectionsPage:
        """One page of a library's collections, by sort title, in one request."""
        check_number(section)
        query = {"type": COLLECTIONS, "sort": "titleSort"}
        container, total = self._shown(f"/library/sections/{section}/all", query, start, size)
        return self._checked(lambda: answers_wall.collections_of(container, section, total))

    def shown_collection(self, key: str) -> WallCollection:
        """One collection, in one request; Missing if Plex has none with this key."""
        check_number(key)
        answer = self._ask("GET", f"/library/metadata/{key}?skipRefresh=1")
        container = self._wire.decoded(SHOWN, answer.body).MediaContainer
        collection = self._checked(lambda: answers_wall.collection_of(container))
        if collection is None:
            raise Missing(Neighbour.PLEX, f"Plex has no collection {key}")
        return collection

    def items_page(self, collection: str, *, start: int, size: int) -> ItemsPage:
        """One page of a collection's items, in its order, in one request; Missing if the collection is gone."""
        check_number(collection)
        container, total = self._shown(f"/library/collections/{collection}/items", {}, start, size)
        return self._checked(lambda: answers_wall.members_of(container, total))

    def wall_picture(self, picture: WallPicture) -> bytes:
        """The bytes of a picture; Missing if Plex shows another one now."""
        return self.picture(address_of(picture))

    def _shown(self, path: str, query: dict[str, str], start: int, size: int) -> tuple[answers_wall.Shown, int]:
        """A page, and the number of all rows."""
        paging = {"X-Plex-Container-Start": str(start), "X-Plex-Container-Size": str(size)}
        answer = self._ask("GET", f"{path}?{urlencode({**query, **paging})}", cap=LISTING_CAP)
        container = self._wire.decoded(SHOWN, answer.body).MediaContainer
        return container, self._total(container.totalSize, answer, start + len(container.Metadata))
