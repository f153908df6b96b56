"""A batch of collections: what is known of them, and what both servers have of them besides the objects in Stash."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_STASH
from plexsync.flows.collections.plex_reads import CollectionReads
from plexsync.flows.scenes.rules import LookRules
from plexsync.rules.collection_order import CUSTOM, ORDER
from plexsync.rules.collection_servers import (
    CollectionSource,
    ListedCollection,
    PlexCollection,
    StashCollections,
)
from plexsync.rules.collection_values import named
from plexsync.rules.collections import CollectionRow
from plexsync.rules.desired import Profile
from plexsync.rules.errors import NeighbourError
from plexsync.rules.records import SectionRow
from plexsync.rules.taken_back import TakenBack
from plexsync.rules.text import fold
from plexsync.rules.traits import CollectionForm, ServerTraits
from plexsync.store.database import Reader

HOME = "home"
# The owners for which nothing has to be proven.
PROVEN = ("ours", "handed")
# While more scenes than this are queued, a group is not brought in order again: each of them may be one of its members.
MANY_SCENES = 50
Sources = Mapping[int, CollectionSource | NeighbourError]


@dataclass(frozen=True)
class BatchRows:
    """What is known of a batch: its rows, the libraries of those that are synced by row, and the form of edits."""

    rows: Mapping[int, CollectionRow]
    sections: Mapping[int, SectionRow]
    form: CollectionForm
    traits: ServerTraits
    undoing: TakenBack = TakenBack.NO
    redoing: bool = False
    many_scenes: bool = False

    @property
    def are_previewed(self) -> bool:
        """Whether this shows what an undo or redo would do."""
        return bool(self.undoing) or self.redoing

    def without(self, ids: Collection[int]) -> "BatchRows":
        """The batch without these rows."""
        return replace(self, rows={id: row for id, row in self.rows.items() if id not in ids})

    def synced(self) -> dict[int, CollectionRow]:
        """The rows of libraries that are synced."""
        return {id: row for id, row in self.rows.items() if id in self.sections}


@dataclass
class BatchFacts:
    """What Plex has of a batch: collections and failures by row, and of both sides what matters of places and orders."""

    collections: dict[int, PlexCollection] = field(default_factory=dict)
    failed: dict[int, NeighbourError] = field(default_factory=dict)
    homes: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    members: dict[str, tuple[str, ...]] = field(default_factory=dict)
    groups: Mapping[int, tuple[int, ...]] = field(default_factory=dict)


class BatchReads:
    """Reads what matters of a batch from both servers, with these rules."""

    def __init__(self, stash: StashCollections, reads: CollectionReads, gates: Gates, rules: LookRules) -> None:
        self._stash = stash
        self._reads = reads
        self._gates = gates
        self._rules = rules

    def read(self, snapshot: BatchRows, sources: Sources) -> BatchFacts:
        """Read what matters of a batch."""
        read = BatchFacts()
        self._add(
            read,
            {id: row.item for id, row in snapshot.synced().items() if row.item and row.owner != "foreign"},
            snapshot,
        )
        self._add(read, self._found(read, snapshot, sources), snapshot)
        self._read_homes(read, snapshot)
        self._read_orders(read, snapshot, sources)
        return read

    def _add(self, read: BatchFacts, keys: Mapping[int, str], snapshot: BatchRows) -> None:
        """Read these collections by row. One in another library than its row's is none of it: its key was dealt anew."""
        answers = self._reads.of(keys.values()) if keys else {}
        for id, key in keys.items():
            answer = answers.get(key)
            if isinstance(answer, NeighbourError):
                read.failed[id] = answer
            elif answer is not None and answer.item.section == snapshot.sections[id].key:
                read.collections[id] = answer

    def _found(self, read: BatchFacts, snapshot: BatchRows, sources: Sources) -> dict[int, str]:
        """The keys of the others, by their names: that which scenes carry, or that of the template.

        One that was not ours is looked for as well: scenes may carry another name by now.
        """
        keys: dict[int, str] = {}
        listings: dict[str, Mapping[str, ListedCollection]] = {}
        for id, row in snapshot.synced().items():
            if id in read.collections or id in read.failed:
                continue
            section = snapshot.sections[id]
            if section.key not in listings:
                listings[section.key] = self._reads.by_name(section.key)
            source = sources.get(id)
            names = [row.name]
            if isinstance(source, CollectionSource):
                name = named(row.object, source, profile_of(self._rules, section).dressing).name
                names = [name] if row.owner == "foreign" else [row.name, name]
            listed = (listings[section.key].get(fold(name)) for name in names if name)
            if entry := next(filter(None, listed), None):
                keys[id] = entry.key
        return keys

    def _read_homes(self, read: BatchFacts, snapshot: BatchRows) -> None:
        for id in read.collections:
            section = snapshot.sections[id]
            is_asked = profile_of(self._rules, section).dressing.home or concerns(snapshot.rows[id], HOME)
            if is_asked and section.key not in read.homes:
                read.homes[section.key] = self._reads.homes(section.key)

    def _read_orders(self, read: BatchFacts, snapshot: BatchRows, sources: Sources) -> None:
        """Read the members where their order or the owner has to be known, and the order of the groups in Stash."""
        groups = set()
        for id, collection in read.collections.items():
            row, key = snapshot.rows[id], collection.item.key
            if collection.smart:
                continue
            is_unproven = row.owner not in PROVEN or row.item != key
            is_ordered = self.is_ordered(row, snapshot.sections[id]) and isinstance(sources.get(id), CollectionSource)
            is_custom = collection.item.value("collectionSort") == CUSTOM
            if (is_unproven or is_ordered or (is_custom and concerns(row, ORDER))) and key not in read.members:
                read.members[key] = self._reads.members(key)
            if is_ordered:
                groups.add(row.object.id)
        read.groups = self.group_orders(groups)

    def is_ordered(self, row: CollectionRow, section: SectionRow) -> bool:
        """Whether the members are kept in the order of a group."""
        return row.object.source == "group" and "order" in profile_of(self._rules, section).dressing.parts

    def group_orders(self, groups: Collection[int]) -> Mapping[int, tuple[int, ...]]:
        """The scenes of these groups in the order of Stash, in one request."""
        if not groups:
            return {}
        return self._gates.ask(READ_STASH, lambda: self._stash.group_order(sorted(groups)), of_all=True)


def profile_of(rules: LookRules, section: SectionRow | None) -> Profile:
    """The profile of a library."""
    title = fold(section.title) if section else ""
    return rules.libraries.get(title, rules.profile)


def batch_rows(db: Reader, ids: Sequence[int]) -> BatchRows:
    """What is known of these collections."""
    many = db.jobs.count_unsettled() > MANY_SCENES
    rows, all_sections = db.collections.of(ids), db.sections.all()
    by_uuid = {section.uuid: section for section in all_sections if section.uuid}
    by_key = {section.key: section for section in all_sections}
    sections = {id: by_uuid.get(row.library) if row.library else by_key.get(row.section) for id, row in rows.items()}
    traits = db.probes.present_traits()
    form: CollectionForm = "item" if traits.collection_edits == "item" else "section"
    return BatchRows(rows, {id: section for id, section in sections.items() if section}, form, traits, many_scenes=many)


def concerns(row: CollectionRow, name: str) -> bool:
    """Whether PlexSync has set this of the collection, or may have."""
    return name in row.memory or any(name in push.fields for push in row.pushing)
