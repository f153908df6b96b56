"""Collections in Plex: implements `plexsync.rules.collection_servers.PlexCollections`.

A collection is an item of its own that Plex makes of a tag. Its home and its order are not among its fields.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from urllib.parse import quote, urlencode

import msgspec

from plexsync.http.client import LISTING_CAP, MEGABYTE, Answer
from plexsync.plex import answers_collections, edits
from plexsync.plex.client import UNWANTED, UNWANTED_FIELDS, check_number
from plexsync.plex.history import PlexHistory
from plexsync.plex.paging import overlapping
from plexsync.rules.collection_servers import HOME_PLACES, PREFS, ListedCollection, PlexCollection
from plexsync.rules.plan_records import Edit
from plexsync.rules.traits import CollectionForm

COLLECTIONS = msgspec.json.Decoder(answers_collections.CollectionListAnswer)
MEMBERS = msgspec.json.Decoder(answers_collections.MembersAnswer)
HUBS = msgspec.json.Decoder(answers_collections.HubsAnswer)
# What the home can show: one line for each collection there.
HUBS_CAP = 4 * MEGABYTE
# The parameters for the places of the home, in the order of HOME_PLACES.
PROMOTIONS = ("promotedToRecommended", "promotedToOwnHome", "promotedToSharedHome")


class CollectionClient(PlexHistory):
    """A Plex client that also reads and writes collections."""

    def listed(self, section: str, *, page: int = 500) -> Iterator[list[ListedCollection]]:
        """Every collection of a library by key, in pages without repeats; an incomplete list raises Unavailable."""
        return overlapping(partial(self._page_of_collections, section), page, self._wire.foreign)

    def collections(self, keys: Sequence[str]) -> dict[str, PlexCollection]:
        """Collections in full by rating key, in one request; missing ones, and keys of other items, are left out."""
        return self._existing(keys, self._collections_in)

    def members(self, key: str, *, page: int = 1000) -> list[str]:
        """The keys of a collection's items in the order of the collection. Raises Missing if it is gone."""
        pages = overlapping(partial(self._page_of_members, key), page, self._wire.foreign)
        return [member.key for members in pages for member in members]

    def edit_collection(self, section: str, key: str, edit: Edit, form: CollectionForm) -> None:
        """One PUT of this form that applies all of `edit` to one collection; several if it is too long.

        Raises Missing if the collection is gone or the server does not take this form, Conflict if another collection of
        the library has the title, else as `edit`.
        """
        self._send_edit(partial(edits.targets, section, key, edit, form=form))

    def set_prefs(self, key: str, prefs: Mapping[str, str]) -> None:
        """Set settings of `PREFS`; '' sets Plex's default. Raises ValueError for another setting."""
        check_number(key)
        if not prefs or not prefs.keys() <= PREFS.keys():
            raise ValueError("a collection has no such setting")
        self._put(f"/library/metadata/{key}/prefs?{_query({name: prefs[name] or PREFS[name] for name in prefs})}")

    def move(self, key: str, item: str, *, after: str = "") -> None:
        """Put a member behind another one, or first. Raises Missing if one of them is no member.

        Plex answers with the members.
        """
        for number in (key, item, after or "0"):
            check_number(number)
        query = f"?after={after}" if after else ""
        self._ask("PUT", f"/library/collections/{key}/items/{item}/move{query}", cap=LISTING_CAP)

    def homes(self, section: str) -> dict[str, tuple[str, ...]]:
        """The collections of a library that its home manages, and where it shows each, in one request."""
        check_number(section)
        body = self._ask("GET", f"/hubs/sections/{section}/manage", cap=HUBS_CAP).body
        container = self._wire.decoded(HUBS, body).MediaContainer
        return self._checked(lambda: answers_collections.homes_of(container, section))

    def show_home(self, section: str, key: str, places: Collection[str], *, managed: bool) -> None:
        """Show a collection at exactly these places of the home, in one request; at none: take it out of the home.

        `managed`: the home has it, see `homes`.
        """
        check_number(section)
        check_number(key)
        if not set(places) <= set(HOME_PLACES):
            raise ValueError("the home has no such place")
        manage = f"/hubs/sections/{section}/manage"
        hub = f"{manage}/{answers_collections.hub_of(section, key)}"
        shown = {name: str(int(place in places)) for name, place in zip(PROMOTIONS, HOME_PLACES, strict=True)}
        if places and managed:
            self._ask("PUT", f"{hub}?{_query(shown)}")
        elif places:
            self._ask("POST", f"{manage}?{_query({'metadataItemId': key, **shown})}")
        elif managed:
            self._ask("DELETE", hub)

    def _collections_in(self, answer: Answer) -> dict[str, PlexCollection]:
        container = self._wire.decoded(COLLECTIONS, answer.body).MediaContainer
        return self._checked(lambda: answers_collections.collections_of(container))

    def _page_of_collections(self, section: str, start: int, size: int) -> tuple[list[ListedCollection], int]:
        check_number(section)
        query = {"type": edits.COLLECTION, "sort": "id", "excludeFields": UNWANTED_FIELDS, **_slice(start, size)}
        answer = self._ask("GET", f"/library/sections/{section}/all?{_query(query)}", cap=LISTING_CAP)
        container = self._wire.decoded(COLLECTIONS, answer.body).MediaContainer
        listed = self._checked(lambda: answers_collections.listed_of(container))
        return listed, self._total(container.totalSize, answer, start + len(listed) + (len(listed) == size))

    def _page_of_members(self, key: str, start: int, size: int) -> tuple[list[ListedCollection], int]:
        check_number(key)
        query = {"excludeElements": f"{UNWANTED},Media", "excludeFields": UNWANTED_FIELDS, **_slice(start, size)}
        answer = self._ask("GET", f"/library/collections/{key}/items?{_query(query)}", cap=LISTING_CAP)
        container = self._wire.decoded(MEMBERS, answer.body).MediaContainer
        members = self._checked(lambda: answers_collections.members_of(container))
        return members, self._total(container.totalSize, answer, start + len(members) + (len(members) == size))


def _slice(start: int, size: int) -> dict[str, str]:
    return {"X-Plex-Container-Start": str(start), "X-Plex-Container-Size": str(size)}


def _query(parameters: Mapping[str, str]) -> str:
    return urlencode(parameters, quote_via=quote)
