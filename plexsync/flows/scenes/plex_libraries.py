"""The libraries in the index: which are used now, which were made anew, and the scenes of the items that leave them."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_PLEX
from plexsync.flows.scenes.item_losses import ItemLosses
from plexsync.rules.errors import NeighbourError
from plexsync.rules.item import Item
from plexsync.rules.job import Kind, State, Why
from plexsync.rules.neighbours import Clock, Plex
from plexsync.rules.records import Section, SectionRow
from plexsync.store.database import Database, Writer

log = logging.getLogger("PlexSync.index")

# The number of rows changed at once: a save in Stash must not wait for all of them.
BATCH = 1_000
# The number of no walk: every item of a library is unmet by it.
NO_WALK = -1


class Libraries:
    """The libraries that the index has of one Plex. `wanted` counts the scenes queued for changed or missing items."""

    def __init__(self, store: Database, plex: Plex, gates: Gates, clock: Clock, losses: ItemLosses) -> None:
        self._store = store
        self._plex = plex
        self._gates = gates
        self._clock = clock
        self._losses = losses
        self.wanted = 0

    @staticmethod
    def are_others(sections: Sequence[Section], section_rows: Mapping[str, SectionRow]) -> bool:
        """Whether a library is not listed any more, or is another one than before under its key."""
        unlisted = section_rows.keys() - {section.key for section in sections}
        return bool(unlisted) or any(_is_another(section, section_rows.get(section.key)) for section in sections)

    def drop_unlisted(self, sections: Sequence[Section], section_rows: dict[str, SectionRow]) -> bool:
        """Forget the libraries that are not used any more, and their items. True if there were any.

        Raises Barred if Plex has lost one of them.
        """
        section_keys = [section.key for section in sections]
        if not section_rows.keys() - set(section_keys):
            return False
        self._losses.ensure_listed(sections, section_rows)
        self.in_batches(lambda tx: tx.index.drop_outside(section_keys, limit=BATCH))
        with self._store.writing() as tx:
            tx.sections.drop(section_keys)
        return True

    def know_by_uuid(self, sections: Sequence[Section], section_rows: dict[str, SectionRow]) -> list[str]:
        """Save the uuids of libraries, and forget the items of those that were made anew; returns their keys.

        A library that was deleted and made anew, or another one with a key that was used before, has other items.
        """
        replaced = []
        for section in sections:
            row = section_rows.get(section.key)
            if row is None or not section.uuid or row.uuid == section.uuid:
                continue
            fresh = replace(row, uuid=section.uuid)
            if _is_another(section, row):
                log.warning("library %s is another one than before: its items are matched anew", section.title)
                self._forget_items(section)
                fresh = SectionRow(section.key, section.title, uuid=section.uuid)
                replaced.append(section.key)
            with self._store.writing() as tx:
                tx.sections.save(fresh)
            section_rows[section.key] = fresh
            self.in_batches(lambda tx: tx.memories.place(limit=BATCH))
        return replaced

    def _forget_items(self, section: Section) -> None:
        self.want_unmet(section, NO_WALK)
        self.in_batches(lambda tx: tx.index.drop_in(section.key, limit=BATCH))

    def are_unnamed(self, items: Sequence[Item]) -> bool:
        """Whether one of these items, just read, came without the uuid of its library, although that has one."""
        if not (sections := {item.section for item in items if not item.library}):
            return False
        with self._store.reading() as db:
            return any(row.uuid for row in db.sections.all() if row.key in sections)

    def have_changed(self) -> bool:
        """Ask Plex whether a library is not listed any more, or is another one. Raises NeighbourError."""
        sections = self._gates.ask(READ_PLEX, self._plex.sections, of_all=True)
        with self._store.reading() as db:
            return self.are_others(sections, {row.key: row for row in db.sections.all()})

    def is_foreign(self, items: Iterable[Item | NeighbourError]) -> bool:
        """Whether one of these items, just read, is in another library than the one that the index knows by its key."""
        with self._store.reading() as db:
            uuids = {row.key: row.uuid for row in db.sections.all()}
        return any(
            isinstance(item, Item) and bool(item.library) and uuids.get(item.section, "") not in ("", item.library)
            for item in items
        )

    def want_unmet(self, section: Section, walk: int) -> None:
        """Queue the scenes of items that are gone from a library, a few at a time."""
        after = ""
        while True:
            with self._store.writing() as tx:
                keys = tx.index.unmet(section.key, walk=walk, limit=BATCH, after=after)
                self.wanted += want_scenes_of(tx, keys, now=self._clock.now())
            if len(keys) < BATCH:
                return
            after = keys[-1]

    def in_batches(self, change: Callable[[Writer], int]) -> int:
        """Change many rows, a few at a time, with the database free for as long in between. Returns how many."""
        total, count = 0, BATCH
        while count == BATCH:
            began = self._clock.monotonic()
            with self._store.writing() as tx:
                count = change(tx)
            total += count
            self._clock.sleep(self._clock.monotonic() - began)
        return total


def _is_another(section: Section, row: SectionRow | None) -> bool:
    return row is not None and bool(row.uuid and section.uuid) and row.uuid != section.uuid


def want_scenes_of(tx: Writer, keys: Sequence[str], *, now: int) -> int:
    """Queue the scenes of these items as sweeps, except those that are gone from Stash.

    Returns how many of them had no row or were in sync.
    """
    news = 0
    for id in sorted(tx.index.scenes_of(keys)):
        row = tx.jobs.find(Kind.SCENE, id)
        if row is None or row.state is not State.GONE:
            tx.jobs.want(Kind.SCENE, id, Why.SWEEP, now)
            news += row is None or row.state is State.IDLE
    return news
