"""The requests to Plex that only `plexsync probe` sends."""

from collections.abc import Sequence
from urllib.parse import quote, urlencode

import msgspec

from plexsync.plex import answers, answers_collections, edits
from plexsync.plex.client import FOUND_PAGE, PlexClient, check_number
from plexsync.rules.errors import Missing, Neighbour, NeighbourError
from plexsync.rules.pictures import kind_of
from plexsync.rules.plan_records import Change
from plexsync.rules.scratch import ProbedItem
from plexsync.rules.traits import CollectionForm


class ProbedAnswer(answers.ItemAnswer):
    """An item in full, with the fields that only the probe reads."""

    addedAt: answers.Number | None = None


class ProbedAnswers(msgspec.Struct):
    """Items in full."""

    size: answers.Number
    librarySectionID: answers.Number | None = None
    Metadata: list[ProbedAnswer] = []


class ProbedBody(msgspec.Struct):
    """The body of an item in full."""

    MediaContainer: ProbedAnswers


PROBED = msgspec.json.Decoder(ProbedBody)
COLLECTIONS = msgspec.json.Decoder(answers_collections.CollectionListAnswer)


class ProbeClient(PlexClient):
    """A Plex client with the requests of the probe."""

    def probed(self, key: str) -> ProbedItem:
        """One item in full; Missing if it is gone."""
        check_number(key)
        body = self._ask("GET", f"/library/metadata/{key}?skipRefresh=1").body
        container = self._wire.decoded(PROBED, body).MediaContainer
        items = answers.Items(
            size=container.size, librarySectionID=container.librarySectionID, Metadata=list(container.Metadata)
        )
        item = self._checked(lambda: answers.items_of(items)).get(key)
        if item is None:
            raise Missing(Neighbour.PLEX, f"{self._wire.server.name} has no item {key} in a library")
        metadata = next(entry for entry in container.Metadata if str(entry.ratingKey) == key)
        rating = item.scalars.get("userRating", "")
        added = self._checked(lambda: answers.whole_number(metadata.addedAt or 0))
        return ProbedItem(item, added, float(rating) if rating else None)

    def write(self, section: str, key: str, fields: Sequence[tuple[str, str]]) -> None:
        """Edit one movie by fields that are sent as they are; raises ValueError without an item."""
        check_number(section)
        check_number(key)
        query = "".join(f"&{quote(name, safe='')}={quote(value, safe='')}" for name, value in fields)
        self._put(f"/library/sections/{section}/all?type=1&id={key}{query}")

    def collections(self, section: str, title: str) -> list[str]:
        """The keys of the collections of a library with exactly this title."""
        check_number(section)
        query = urlencode({"title": title}, quote_via=quote)
        body = self._ask("GET", f"/library/sections/{section}/collections?{query}").body
        listed = self._wire.decoded(COLLECTIONS, body).MediaContainer.Metadata
        return [str(collection.ratingKey) for collection in listed if collection.title == title]

    def describe(self, section: str, key: str, summary: str, form: CollectionForm) -> None:
        """Write the summary of a collection, by its library or by the collection; Missing if the form is not accepted."""
        for target in edits.targets(section, key, {"summary": Change(summary)}, form=form):
            self._put(target)

    def summary(self, key: str) -> str:
        """The summary of a collection."""
        return self._collection(key).summary or ""

    def thumb(self, key: str) -> str:
        """The address of the selected poster of a collection, on the server itself."""
        return self._collection(key).thumb or ""

    def _collection(self, key: str) -> answers_collections.CollectionAnswer:
        check_number(key)
        body = self._ask("GET", f"/library/metadata/{key}").body
        listed = self._wire.decoded(COLLECTIONS, body).MediaContainer.Metadata
        return listed[0] if listed else answers_collections.CollectionAnswer(0)

    def loads(self, address: str) -> bool:
        """Whether the server gives its apps a picture from this address. An error says no: ask something else then."""
        query = urlencode({"url": address, "width": 40, "height": 60}, quote_via=quote)
        try:
            content = self.picture(f"/photo/:/transcode?{query}")
        except NeighbourError:
            return False
        return kind_of(content) in ("jpeg", "png", "webp")

    @property
    def place(self) -> tuple[str, int]:
        """The host and the port of the server."""
        return self._wire.place

    def files_found(self, section: str, name: str) -> list[str]:
        """The paths of all files of the items that the filter by file finds, in one page."""
        entries, _ = self._page(section, {"file": name}, 0, FOUND_PAGE)
        return [part.path for entry in entries for part in entry.parts]
