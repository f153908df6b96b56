"""Reads collections from Plex: by key, by name, with their members and their places in the home."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_PLEX
from plexsync.flows.scenes.batch_reads import BatchReader
from plexsync.rules.collection_servers import ListedCollection, PlexCollection, PlexCollections
from plexsync.rules.errors import Missing, Neighbour, NeighbourError
from plexsync.rules.text import fold

PAGE = 500


class CollectionReads:
    """Reads through the gates; every request is reported."""

    def __init__(self, plex: PlexCollections, gates: Gates) -> None:
        self._plex = plex
        self._gates = gates
        self._reader = BatchReader(gates)

    def of(self, keys: Iterable[str]) -> dict[str, PlexCollection | NeighbourError]:
        """Collections in full, in one request. Those that do not exist are left out."""
        return self._reader.read(Neighbour.PLEX, self._plex.read, keys)

    def listed(self, section: str) -> Iterator[list[ListedCollection]]:
        """All collections of a library, in pages of one request each."""
        pages = self._plex.listed(section, page=PAGE)
        while (page := self._gates.ask(READ_PLEX, lambda: next(pages, None), of_all=True)) is not None:
            yield page

    def by_name(self, section: str) -> Mapping[str, ListedCollection]:
        """All collections of a library by folded title. Of two, the one that items make comes before a smart one."""
        return by_name(entry for page in self.listed(section) for entry in page)

    def members(self, key: str) -> tuple[str, ...]:
        """The items of a collection in its order; none if it is gone."""
        try:
            return tuple(self._gates.ask(READ_PLEX, partial(self._plex.members, key)))
        except Missing:
            return ()

    def homes(self, section: str) -> dict[str, tuple[str, ...]]:
        """The places in the home of the library's collections that it manages."""
        return self._gates.ask(READ_PLEX, partial(self._plex.homes, section), of_all=True)


def by_name(listed: Iterable[ListedCollection]) -> dict[str, ListedCollection]:
    """These collections by folded title. Of two, the one that items make comes before a smart one."""
    names: dict[str, ListedCollection] = {}
    for entry in listed:
        if fold(entry.title) not in names or names[fold(entry.title)].smart:
            names[fold(entry.title)] = entry
    return names
