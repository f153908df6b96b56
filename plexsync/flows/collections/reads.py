"""What is known of a batch of collections, and what both servers have of them: by key, by name, with members and homes."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_PLEX, READ_STASH
from plexsync.engine.watching import asked_pages
from plexsync.flows.scenes.batch_reads import read_each
from plexsync.flows.scenes.rules import LookRules
from plexsync.plex.collections import CollectionClient
from plexsync.rules.collections.collection_order import CUSTOM, ORDER
from plexsync.rules.collections.collection_servers import (
    PLAYLIST,
    CollectionSource,
    ListedCollection,
    PlexCollection,
)
from plexsync.rules.collections.collection_values import name_object
from plexsync.rules.collections.collections import CollectionObject, CollectionRow
from plexsync.rules.collections.renamed_collections import FIELD, added_names
from plexsync.rules.merge.desired import Profile
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.merge.traits import CollectionForm, ServerTraits
from plexsync.rules.records import SectionRow
from plexsync.rules.servers.errors import Missing, Neighbour, NeighbourError
from plexsync.rules.words.text import fold
from plexsync.stash.collecting import StashCollecting
from plexsync.store.database import Reader

HOME = "home"
# The owners for which nothing has to be proven.
PROVEN = ("ours", "handed")
# While more scenes than this are queued, a group is not brought in order again: each of them may be one of its members.
MANY_SCENES = 50
PAGE = 500
# The number of members whose memories are read at once.
MEMBERS = 500


@dataclass
class CollectionBatch:
    """A batch of collections: what is known of it, and what the servers have of it.

    `rows` and the `sections` of those that are synced, `sources` in Stash, `collections` and the failures by row; `homes` by
    section, `members` by collection, the order of `groups` in Stash. `shared`: the rows whose collection is that of other
    objects, too, and those of them that have `parted` from it. `undoing`, `redoing`: it shows what that would do.
    """

    rows: dict[int, CollectionRow]
    sections: Mapping[int, SectionRow]
    form: CollectionForm
    traits: ServerTraits
    many_scenes: bool
    shared: Collection[int]
    undoing: TakenBack
    redoing: bool
    sources: Mapping[int, CollectionSource | NeighbourError] = field(default_factory=dict)
    collections: dict[int, PlexCollection] = field(default_factory=dict)
    failed: dict[int, NeighbourError] = field(default_factory=dict)
    homes: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    members: dict[str, tuple[str, ...]] = field(default_factory=dict)
    groups: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    parted: set[int] = field(default_factory=set)

    def synced_rows(self) -> list[tuple[CollectionRow, SectionRow]]:
        """The rows of libraries that are synced, each with its library."""
        return [(row, self.sections[id]) for id, row in self.rows.items() if id in self.sections]


def batch_of(db: Reader, ids: Sequence[int], undoing: TakenBack, *, redoing: bool) -> CollectionBatch:
    """What is known of these collections."""
    many = db.jobs.count_unsettled() > MANY_SCENES
    rows, all_sections = db.collections.of(ids), db.sections.all()
    by_uuid = {section.uuid: section for section in all_sections if section.uuid}
    by_key = {section.key: section for section in all_sections}
    sections = {id: by_uuid.get(row.library) if row.library else by_key.get(row.section) for id, row in rows.items()}
    traits = db.probes.present_traits()
    form: CollectionForm = "item" if traits.collection_edits == "item" else "section"
    synced = {id: section for id, section in sections.items() if section}
    objects = Counter((row.library, row.item) for row in db.collections.by_item({row.item for row in rows.values()}))
    shared = {id for id, row in rows.items() if objects[row.library, row.item] > 1}
    return CollectionBatch(rows, synced, form, traits, many, shared, undoing, redoing)


class CollectionReads:
    """Reads collections through the gates, with these rules; every request is reported."""

    def __init__(self, stash: StashCollecting, plex: CollectionClient, gates: Gates, rules: LookRules) -> None:
        self._stash = stash
        self._plex = plex
        self._gates = gates
        self._rules = rules

    def of(self, keys: Iterable[str]) -> dict[str, PlexCollection | NeighbourError]:
        """Collections in full, in one request. Those that do not exist are left out."""
        return read_each(self._gates, Neighbour.PLEX, self._plex.read, keys)

    def list_collections(self, section: str) -> Iterator[list[ListedCollection]]:
        """All collections of a library, in pages of one request each."""
        return asked_pages(self._gates, READ_PLEX, self._plex.list_collections(section, page=PAGE), of_all=True)

    def members(self, key: str) -> tuple[str, ...]:
        """The items of a collection in its order; none if it is gone."""
        try:
            return tuple(self._gates.ask(READ_PLEX, partial(self._plex.members, key)))
        except Missing:
            return ()

    def homes(self, section: str) -> dict[str, tuple[str, ...]]:
        """The places in the home of the library's collections that it manages."""
        return self._gates.ask(READ_PLEX, partial(self._plex.homes, section), of_all=True)

    def sources(self, rows: Iterable[CollectionRow]) -> dict[int, CollectionSource | NeighbourError]:
        """What Stash has of the objects of these rows, in one request. Objects that it does not have are left out."""
        objects = {row.id: row.object for row in rows}

        def ask(ids: list[int]) -> dict[int, CollectionSource]:
            wanted: dict[str, list[int]] = {}
            for id in ids:
                wanted.setdefault(source_in_stash(objects[id]), []).append(objects[id].id)
            answers = self._stash.objects({source: sorted(set(some)) for source, some in wanted.items()})
            pairs = {id: (source_in_stash(objects[id]), objects[id].id) for id in ids}
            return {id: answers[pair] for id, pair in pairs.items() if pair in answers}

        return read_each(self._gates, Neighbour.STASH, ask, objects)

    def group_orders(self, groups: Collection[int]) -> Mapping[int, tuple[int, ...]]:
        """The scenes of these groups in the order of Stash, in one request."""
        if not groups:
            return {}
        return self._gates.ask(READ_STASH, lambda: self._stash.group_order(sorted(groups)), of_all=True)

    def profile(self, section: SectionRow | None) -> Profile:
        """The profile of a library."""
        return self._rules.libraries.get(fold(section.title) if section else "", self._rules.profile)

    def is_ordered(self, row: CollectionRow, section: SectionRow) -> bool:
        """Whether the members are kept in the order of a group."""
        return row.object.source == "group" and "order" in self.profile(section).dressing.parts

    # --- a batch -----------------------------------------------------------------------------------------------------

    def read(self, batch: CollectionBatch) -> None:
        """Read what matters of a batch from Plex, and the orders of its groups from Stash."""
        self._add(batch, {row.id: row.item for row, _ in batch.synced_rows() if row.item and row.owner != "foreign"})
        self._add(batch, self._found(batch))
        groups = set()
        for id, collection in batch.collections.items():
            row, section, key = batch.rows[id], batch.sections[id], collection.item.key
            if (self.profile(section).dressing.home or concerns(row, HOME)) and section.key not in batch.homes:
                batch.homes[section.key] = self.homes(section.key)
            if collection.smart:
                continue
            # The members are read where their order or the owner has to be known.
            is_unproven = row.owner not in PROVEN or row.item != key
            is_ordered = self.is_ordered(row, section) and isinstance(batch.sources.get(id), CollectionSource)
            is_custom = collection.item.value("collectionSort") == CUSTOM
            if (is_unproven or is_ordered or (is_custom and concerns(row, ORDER))) and key not in batch.members:
                batch.members[key] = self.members(key)
            if is_ordered:
                groups.add(row.object.id)
        batch.groups = self.group_orders(groups)

    def _add(self, batch: CollectionBatch, keys: Mapping[int, str]) -> None:
        """Read these collections by row. One in another library than its row's is none of it: its key was dealt anew."""
        answers = self.of(keys.values()) if keys else {}
        for id, key in keys.items():
            answer = answers.get(key)
            if isinstance(answer, NeighbourError):
                batch.failed[id] = answer
            elif answer is not None and answer.item.section == batch.sections[id].key:
                batch.collections[id] = answer

    def _found(self, batch: CollectionBatch) -> dict[int, str]:
        """The keys of the others, by their names: that which scenes carry, or that of the template.

        One that was not ours is looked for as well, and one that is shared, if its object has another name than its title:
        scenes may carry another name by now.
        """
        keys: dict[int, str] = {}
        listings: dict[str, Mapping[str, ListedCollection]] = {}
        for row, section in batch.synced_rows():
            source, dressing, name = batch.sources.get(row.id), self.profile(section).dressing, ""
            if isinstance(source, CollectionSource):
                name = name_object(row.object, source, dressing).name
            collection, title = batch.collections.get(row.id), ""
            if collection and row.id in batch.shared and "name" not in dressing.parts:
                title = collection.item.value("title")
            is_left = bool(title and name) and fold(name) != fold(title)
            if (collection and not is_left) or row.id in batch.failed:
                continue
            if section.key not in listings:
                listings[section.key] = by_name(entry for page in self.list_collections(section.key) for entry in page)
            names = [name] if is_left or (name and row.owner == "foreign") else [row.name, name]
            listed = (listings[section.key].get(fold(name)) for name in names if name)
            if entry := next(filter(None, listed), None):
                keys[row.id] = entry.key
                if is_left:
                    batch.parted.add(row.id)
        return keys


def source_in_stash(object: CollectionObject) -> str:
    """The kind of object that Stash has: the playlists' are tags."""
    return "tag" if object.source == PLAYLIST else object.source


def by_name(listed: Iterable[ListedCollection]) -> dict[str, ListedCollection]:
    """These collections by folded title. Of two, the one that items make comes before a smart one."""
    names: dict[str, ListedCollection] = {}
    for entry in listed:
        if fold(entry.title) not in names or names[fold(entry.title)].smart:
            names[fold(entry.title)] = entry
    return names


def concerns(row: CollectionRow, name: str) -> bool:
    """Whether PlexSync has set this of the collection, or may have."""
    return name in row.memory or any(name in push.fields for push in row.pushing)


# --- whose it is -----------------------------------------------------------------------------------------------------


def is_made_by_us(db: Reader, title: str, members: Sequence[str]) -> bool:
    """Whether PlexSync gave this name to every one of these items, of which there is at least one.

    A smart collection is made by a query, so it is never PlexSync's. Once proven, it is remembered: an item that you add
    later makes the collection nobody else's.
    """
    name = fold(title)
    for start in range(0, len(members), MEMBERS):
        keys = members[start : start + MEMBERS]
        scenes = sorted({scene for owners in db.memories.pushers(keys).values() for scene in owners})
        memories, pushings = db.memories.of(scenes), db.pushings.of(scenes)
        given: dict[str, set[str]] = {key: set() for key in keys}
        for pair in {*memories, *pushings}:
            # As Stash and as Plex spell them.
            memory, pushing = memories.get(pair, {}), pushings.get(pair, ())
            names = {*(memory[FIELD].ours if FIELD in memory else ()), *added_names(memory, pushing)}
            given.setdefault(pair[1], set()).update(map(fold, names))
        if not all(name in given[key] for key in keys):
            return False
    return bool(members)
