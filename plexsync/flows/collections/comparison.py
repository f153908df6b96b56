"""The comparison of collections: which of them have changed on either side since they were in step.

It lists each library and each kind of object, so that what is unchanged costs a five-hundredth of a request, and queues the
others. It decides nothing itself: the queued collections are inspected.
"""

import logging
from collections.abc import Callable, Mapping, Sequence

from plexsync.engine.tickets import READ_STASH, READS
from plexsync.engine.watching import Comparison, asked_pages
from plexsync.flows.collections.inspection import CollectionInspector, places_of
from plexsync.flows.collections.reads import by_name
from plexsync.flows.scenes.collection_names import save_counts
from plexsync.rules.collections.collection_order import ORDER, as_text, members_in, placed_order
from plexsync.rules.collections.collection_servers import OBJECT_SOURCES, CollectionSource, ListedCollection
from plexsync.rules.collections.collection_values import scenes_of
from plexsync.rules.collections.collections import CollectionRow
from plexsync.rules.queue.job import COLLECTION, Why
from plexsync.rules.queue.note_keys import COLLECTIONS_COMPARED, LAST_RECONCILE, WISHES
from plexsync.rules.servers.neighbours import Clock
from plexsync.rules.words.text import fold
from plexsync.store.database import Reader

log = logging.getLogger("PlexSync.collections")

PAGE = 500


class CollectionComparison(Comparison):
    """Compares known collections and playlists with both servers. `settings` represents those that decide what Plex shows.

    None: no collection is dressed. `counts`: the number of an object's scenes decides whether it has a collection.
    """

    what = "collections"

    def __init__(self, inspector: CollectionInspector, clock: Clock, settings: str | None, *, counts: bool) -> None:
        self._inspector = inspector
        self._store = inspector.store
        self._gates = inspector.gates
        self._clock = clock
        self._settings = settings
        self.counts = counts

    def is_due(self) -> bool:
        """Whether a full comparison of scenes has ended since the last time, or settings differ."""
        with self._store.reading() as db:
            if self._inspector.playlists.differ(db):
                return True
            scenes, noted = db.notes.number(LAST_RECONCILE), db.notes.text(COLLECTIONS_COMPARED)
            differ = _differ(db, self._settings)
        at, _, _ = noted.partition(" ")
        # Before the first full comparison there is nothing to compare that the scenes have not brought.
        return scenes is not None and (differ or not at.isdecimal() or int(at) < scenes)

    def compare(self, stopping: Callable[[], bool] = lambda: False) -> int | None:
        """Queue every collection that may be out of step; returns their number, None if stopped. Raises NeighbourError."""
        began = self._clock.now()
        self._gates.enter(*READS)
        self._inspector.identity.check_again(self._gates)
        with self._store.reading() as db:
            noted, differ = db.notes.text(COLLECTIONS_COMPARED).partition(" ")[2], _differ(db, self._settings)
            dressed = () if self._settings is None else db.sections.all()
            sections = {section.uuid or section.key: section.key for section in dressed}
            # Nothing is inspected in a library that is not synced.
            rows = {row.id: row for row in db.collections.every() if row.library in sections}
        wanted = set(rows) if differ else self._moved_in_plex(rows, sections)
        for source in () if differ else OBJECT_SOURCES:
            if stopping():
                return None
            if own := [row for row in rows.values() if row.object.source == source]:
                wanted |= self._changed_rows(source, own)
        if not differ:
            wanted |= self._reordered_groups(
                [row for row in rows.values() if row.object.source == "group" and ORDER in row.memory]
            )
        wanted |= self._inspector.playlists.changed_rows()
        with self._store.writing() as tx:
            tx.jobs.want_all(COLLECTION, wanted, Why.COMPARE, self._clock.now())
            self._inspector.playlists.save_compared(tx)
            tx.notes.save(COLLECTIONS_COMPARED, f"{began} {self._settings if differ else noted}")
        if wanted:
            log.info("%d collections may have changed and are inspected", len(wanted))
        return len(wanted)

    def _moved_in_plex(self, rows: Mapping[int, CollectionRow], sections: Mapping[str, str]) -> set[int]:
        moved = set()
        for library in sorted({row.library for row in rows.values()}):
            listed = [entry for page in self._inspector.reads.list_collections(sections[library]) for entry in page]
            by_key, by_title = {entry.key: entry for entry in listed}, by_name(listed)
            moved |= {row.id for row in rows.values() if row.library == library and _has_moved(row, by_key, by_title)}
        return moved

    def _changed_rows(self, source: str, rows: Sequence[CollectionRow]) -> set[int]:
        """The rows whose objects were changed, are not listed any more, or have crossed the least number of scenes."""
        pages = self._inspector.stash.object_stamps(source, page=PAGE, counted=self.counts)
        listed = asked_pages(self._gates, READ_STASH, pages, of_all=True)
        stamps = {stamp.id: stamp for page in listed for stamp in page}
        crossed = self._save_counts(rows, stamps) if self.counts else set()
        return crossed | {
            row.id
            for row in rows
            if row.object.id not in stamps or (row.item and stamps[row.object.id].updated_at != row.object_at)
        }

    def _save_counts(self, rows: Sequence[CollectionRow], stamps: Mapping[int, CollectionSource]) -> set[int]:
        """Save the numbers of scenes; those that cross the minimum queue their scenes, and are returned."""
        with self._store.writing() as tx:
            profiles = {section.key: self._inspector.reads.profile(section) for section in tx.sections.all()}
            synced = [row for row in rows if row.section in profiles and row.object.id in stamps]
            counts = {row.id: scenes_of(stamps[row.object.id], profiles[row.section]) for row in synced}
            save_counts(tx, counts, profiles, now=self._clock.now())
        # One that was never counted has a collection.
        minimum = {row.id: profiles[row.section].dressing.minimum for row in synced}
        return {
            row.id for row in synced if (0 <= row.scenes < minimum[row.id]) != (0 <= counts[row.id] < minimum[row.id])
        }

    def _reordered_groups(self, rows: Sequence[CollectionRow]) -> set[int]:
        """The groups whose scenes stand otherwise in Stash than when they were in step."""
        groups = self._inspector.reads.group_orders({row.object.id for row in rows})
        reordered = set()
        for row in rows:
            order = str(row.memory[ORDER].said)
            with self._store.reading() as db:
                places = places_of(db, members_in(order), groups.get(row.object.id, ()))
            if as_text(placed_order(members_in(order), places)) != order:
                reordered.add(row.id)
        return reordered


def _differ(db: Reader, settings: str | None) -> bool:
    """Whether the last comparison of collections had other settings.

    They count once the comparison of scenes has taken them: it comes first, and may wait for a yes.
    """
    noted = db.notes.text(COLLECTIONS_COMPARED).partition(" ")[2]
    return settings is not None and noted != settings and db.notes.text(WISHES) in ("", settings)


def _has_moved(
    row: CollectionRow, listed: Mapping[str, ListedCollection], names: Mapping[str, ListedCollection]
) -> bool:
    if not row.item:
        return fold(row.name) in names
    entry = listed.get(row.item)
    if entry is None:
        return True
    if row.owner == "foreign" and names.get(fold(row.name), entry).key != row.item:
        # Scenes carry another name by now, or have made a collection beside a smart one.
        return True
    return entry.stamp != row.stamp
