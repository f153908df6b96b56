"""The requests to Plex that only `plexsync probe` sends."""

from plexsync.plex.client import FOUND_PAGE, PlexClient
from plexsync.plex.collections import COLLECTIONS
from plexsync.plex.requests import check_number, query
from plexsync.rules.merge.pictures import kind_of
from plexsync.rules.servers.errors import Missing, Neighbour, NeighbourError
from plexsync.rules.servers.scratch import ProbedItem


class ProbeClient(PlexClient):
    """A Plex client with the requests of the probe."""

    def read_item(self, key: str) -> ProbedItem:
        """One item in full; Missing if it is gone."""
        item = self.items([key]).get(key)
        if item is None:
            raise Missing(Neighbour.PLEX, f"{self.requests.server_name} has no item {key} in a library")
        return ProbedItem(item)

    def keys_with_title(self, section: str, title: str) -> list[str]:
        """The keys of the collections of a library with exactly this title."""
        check_number(section)
        target = f"/library/sections/{section}/collections?{query({'title': title})}"
        listed = self.requests.read(target, COLLECTIONS, lambda container: container.Metadata)
        return [str(collection.ratingKey) for collection in listed if collection.title == title]

    def loads(self, address: str) -> bool:
        """Whether the server gives its apps a picture from this address. An error says no: ask something else then."""
        try:
            content = self.picture(f"/photo/:/transcode?{query({'url': address, 'width': 40, 'height': 60})}")
        except NeighbourError:
            return False
        return kind_of(content) in ("jpeg", "png", "webp")

    @property
    def place(self) -> tuple[str, int]:
        """The host and the port of the server."""
        return self.requests.place

    def files_found(self, section: str, name: str) -> list[str]:
        """The paths of all files of the items that the filter by file finds, in one page."""
        entries, _ = self.requests.entries(section, {"file": name}, 0, FOUND_PAGE)
        return [part.path for entry in entries for part in entry.parts]
