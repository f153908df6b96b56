"""Saves the items of a library as they are found, and puts them back. Safe to repeat, and after a kill at any moment."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from plexsync.app.parts import Assembled
from plexsync.plex.answers import UNMATCHED
from plexsync.plex.client import PlexClient
from plexsync.plex.providers import MatchedItem, ProviderClient
from plexsync.rules.item import Item
from plexsync.rules.merge.plan_records import Change, Memory
from plexsync.rules.provider.found_items import (
    OF_AGENTS,
    FoundState,
    ItemWayBack,
    document_of,
    found_in,
    is_other,
    moved_pictures,
    way_back,
)
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import Missing, Refused
from plexsync.store.database import Reader
from plexsync.store.ledger.provider_memory import FoundItem, ProviderRow

# The items of one request and one transaction, and the saved ones that are read together.
PAGE, SAVED_PAGE = 50, 1_000
# The items that a report names.
MOST_NAMED = 100
Progress = Callable[[int, int], None]


@dataclass
class PutBack:
    """What came of putting a library back, as rating keys.

    `kept`: with fields that somebody has edited since. `other`: gone, or another item by now. `not_whole`: that Plex did not
    put back whole, or whose saved state is damaged. `added`: not in the library when it was saved.
    """

    kept: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    not_whole: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)


@record
class SavedPage:
    """A page of saved items, and of what Plex has of them now."""

    states: dict[str, FoundState]
    damaged: list[str]
    now: dict[str, MatchedItem]


class LibraryItems:
    """The items of one library that asks PlexSync."""

    def __init__(self, parts: Assembled, row: ProviderRow, progress: Progress) -> None:
        self._store, self._plex = parts.store, parts.plex
        self._client = ProviderClient(parts.plex.requests)
        self._row = row
        self._progress = progress

    def keys(self) -> list[str]:
        """The keys of all items of the library."""
        return [entry.key for page in self._plex.entries(self._row.section) for entry in page]

    # --- as they were found ------------------------------------------------------------------------------------------

    def save(self) -> int:
        """Save the items that are not saved yet; returns how many the library has."""
        keys, saved = self.keys(), self._saved_keys()
        missing = [key for key in keys if key not in saved]
        for start in range(0, len(missing), PAGE):
            matches = self._client.items(missing[start : start + PAGE])
            documents = [(key, document_of(found_state(self._plex, matched))) for key, matched in matches.items()]
            with self._store.writing() as tx:
                tx.providers.save_items(self._row.library, documents)
            self._progress(len(keys) - len(missing) + start + len(matches), len(keys))
        return len(keys)

    def _saved_keys(self) -> set[str]:
        return {item.item for page in self._pages(SAVED_PAGE) for item in page}

    # --- back to that ------------------------------------------------------------------------------------------------

    def lock_back(self) -> None:
        """Lock what was found locked, and what PlexSync keeps in step: an agent that is asked changes no locked field."""
        for page in self._pages_now():
            with self._store.reading() as db:
                memories = memories_of(db, list(page.now))
            for key, matched in page.now.items():
                kept = {name for name, past in memories[key].items() if past.said and not past.undone}
                names = (page.states[key].item.locks - memories[key].keys()) | kept
                edit = {name: Change(None, lock=True) for name in names & set(OF_AGENTS) - matched.item.locks}
                if edit and not is_other(page.states[key], matched.item):
                    with suppress(Missing):
                        self._plex.edit(self._row.section, key, edit, cast=matched.item.cast)

    def match_back(self) -> None:
        """Give every item the guid back that it had. Plex then asks the agent that has given it."""
        for page in self._pages_now():
            self._match_page(page)

    def _match_page(self, page: SavedPage) -> None:
        for key, matched in page.now.items():
            state = page.states[key]
            if state.guid != matched.guid and not is_other(state, matched.item):
                with suppress(Missing, Refused):
                    # It was said before that an agent may not take its guids back.
                    match_as_found(self._client, state)

    def put_back(self) -> PutBack:
        """Put every item back that is not yet, then look what Plex has made of it."""
        result = PutBack()
        for page in self._pages_now(but_back=True):
            for key, way in self._ways(page).items():
                send_back(self._plex, self._row.section, key, way)
            with self._store.writing() as tx:
                tx.providers.mark_back(self._row.library, page.states)
        for page in self._pages_now():
            # What Plex had asked for may have come meanwhile.
            self._match_page(page)
            ways = self._ways(page)
            result.not_whole += page.damaged
            result.other += [key for key in page.states if key not in ways]
            result.kept += [key for key, way in ways.items() if way.kept]
            unlike = [key for key, way in ways.items() if not way.is_there]
            for key in unlike:
                send_back(self._plex, self._row.section, key, ways[key])
            again = self._now({key: page.states[key] for key in unlike})
            result.not_whole += [key for key, way in self._ways(again).items() if not way.is_there]
        saved = self._saved_keys()
        result.added = [key for key in self.keys() if key not in saved]
        return result

    def _ways(self, page: SavedPage) -> dict[str, ItemWayBack]:
        """The way back of each item that is still there."""
        with self._store.reading() as db:
            remembered = memories_of(db, list(page.now))
        ways = {}
        for key, matched in page.now.items():
            if not is_other(page.states[key], matched.item):
                ways[key] = item_way(self._plex, page.states[key], matched.item, remembered[key])
        return ways

    def _pages_now(self, *, but_back: bool = False) -> Iterator[SavedPage]:
        """The saved items with what Plex has of them; `but_back`: without those that are back already."""
        with self._store.reading() as db:
            total, done = db.providers.count_items(self._row.library), 0
        for page in self._pages(PAGE):
            states, damaged = dict[str, FoundState](), list[str]()
            for item in page:
                try:
                    if not (but_back and item.is_back):
                        states[item.item] = found_in(item.item, self._row.section, item.document)
                except ValueError:
                    damaged.append(item.item)
            yield self._now(states, damaged)
            done += len(page)
            self._progress(done, total)

    def _now(self, states: dict[str, FoundState], damaged: Sequence[str] = ()) -> SavedPage:
        return SavedPage(states, list(damaged), self._client.items(list(states)) if states else {})

    def _pages(self, size: int) -> Iterator[Sequence[FoundItem]]:
        after = ""
        while True:
            with self._store.reading() as db:
                page = db.providers.items(self._row.library, after=after, limit=size)
            if not page:
                return
            yield page
            after = page[-1].item


def found_state(plex: PlexClient, matched: MatchedItem) -> FoundState:
    """An item as Plex has it now, with the pictures that it shows."""
    item = matched.item
    shown = {name: (address, shown_picture(plex, item.key, name)) for name, address in item.pictures.items()}
    return FoundState(item, matched.guid, shown)


def shown_picture(plex: PlexClient, key: str, name: str) -> str:
    """The key of the picture that an item shows; '' if there is none."""
    try:
        offered = plex.pictures(key, name)
    except Missing:
        # It has gone since it was read.
        return ""
    return next((picture for picture, is_shown in offered.items() if is_shown), "")


def match_as_found(client: ProviderClient, state: FoundState) -> None:
    """Give an item the guid that it had."""
    if state.guid.startswith(UNMATCHED):
        client.unmatch(state.item.key)
    elif state.guid:
        client.match(state.item.key, state.guid, state.item.value("title"))


def item_way(plex: PlexClient, state: FoundState, now: Item, remembered: Collection[str]) -> ItemWayBack:
    """The way back of an item to what was found, without the fields that PlexSync remembers."""
    shown = {name: shown_picture(plex, now.key, name) for name in moved_pictures(state, now, remembered)}
    return way_back(state, now, remembered, shown)


def send_back(plex: PlexClient, section: str, key: str, way: ItemWayBack) -> None:
    """Send what puts an item back."""
    for name, picture in way.pictures.items():
        # A picture of an agent may be gone.
        with suppress(Missing, Refused):
            plex.show(key, name, picture) if picture else plex.hide(key, name)
    if way.edit:
        with suppress(Missing):
            plex.edit(section, key, way.edit, cast=way.cast)


def memories_of(db: Reader, keys: Sequence[str]) -> dict[str, Memory]:
    """What PlexSync remembers of each of these items."""
    owners = db.memories.owners(keys)
    memories = db.memories.of(sorted({scene for scenes in owners.values() for scene in scenes}))
    return {
        key: {name: past for scene in owners.get(key, ()) for name, past in memories.get((scene, key), {}).items()}
        for key in keys
    }
