"""Keeping the local index of Plex files right: walked completely when a library is new or has been scanned.

One request tells the marks of every library. A walk costs one request per 1,000 items; what it did not meet is forgotten
only after it came to its end, so a walk that breaks off loses nothing.
"""

import logging
import threading
from collections.abc import Callable
from functools import partial

from sync.errors import Neighbour
from sync.ports import Clock, Plex, Section, SectionRow, Store, Writing
from worker.gates import READ, Gates

log = logging.getLogger("PlexSync.index")

# Edits (ours too) move a library's change mark, so on its own it asks for a walk only now and then.
CHANGE_PACE = 5 * 60_000
# Many scenes may be missing at once; the marks are asked for once in a while, not for each of them.
MARKS_PACE = 2.0
# So many rows are changed at once: a save in Stash must not wait for all of them.
BATCH = 1_000


class Indexer:
    """The index of one Plex."""

    def __init__(self, store: Store, plex: Plex, gates: Gates, clock: Clock) -> None:
        self._store = store
        self._plex = plex
        self._gates = gates
        self._clock = clock
        self._asked: float | None = None
        # The worker and the poller share one index: two walks at once would sweep away what the other has just met.
        self._lock = threading.Lock()

    def empty(self) -> bool:
        """Whether no library was ever walked to its end."""
        with self._store.reading() as db:
            return not any(row.walked_at for row in db.sections())

    def freshen(self, *, force: bool = False) -> bool:
        """Walk the libraries whose marks have moved (all when `force`); True when the index may have changed."""
        with self._lock:
            return self._freshen(force=force)

    def _freshen(self, *, force: bool) -> bool:
        asked = self._clock.monotonic()
        if self._asked is not None and not force and asked - self._asked < MARKS_PACE:
            return False
        # One report for all of it: a list of libraries that is told does not make up for a library that is not.
        changed = self._gates.ask(Neighbour.PLEX, READ, lambda: self._renew(force=force))
        # Only now: what broke off on the way is tried again at once.
        self._asked = asked
        return changed

    def _renew(self, *, force: bool) -> bool:
        sections = self._plex.sections()
        with self._store.reading() as db:
            known = {row.key: row for row in db.sections()}
        dropped = known.keys() - {section.key for section in sections}
        if dropped:
            there = [section.key for section in sections]
            self._in_batches(lambda tx: tx.drop_items(there, limit=BATCH))
            with self._store.writing() as tx:
                tx.drop_sections(there)
        stale = [section for section in sections if force or self._stale(section, known.get(section.key))]
        for section in stale:
            self._walk(section)
        self._notice_scans(stale, known)
        return bool(stale or dropped)

    def _stale(self, section: Section, row: SectionRow | None) -> bool:
        if row is None or not row.walked_at:
            return True
        if section.scanning:
            return False
        if section.scanned_at != row.scanned_at:
            return True
        rested = abs(self._clock.now() - row.walked_at) >= CHANGE_PACE
        return section.changed_at != row.changed_at and rested

    def _walk(self, section: Section) -> None:
        walk = self._clock.now()
        pages = self._plex.entries(section.key)
        count = 0
        while (page := next(pages, None)) is not None:
            count += len(page)
            with self._store.writing() as tx:
                tx.index(page, walk=walk)
        with self._store.writing() as tx:
            forgotten = tx.sweep_index(section.key, walk=walk)
            tx.save_section(SectionRow(section.key, section.title, section.scanned_at, section.changed_at, walk))
        log.info("library %s walked: %d items, %d forgotten", section.title, count, forgotten)

    def _notice_scans(self, walked: list[Section], known: dict[str, SectionRow]) -> None:
        """Absent scenes are due at once when a scan has finished since the library was last walked, or one was added."""
        before = {key: row.scanned_at for key, row in known.items() if row.walked_at}
        scanned = [s for s in walked if before and before.get(s.key) != s.scanned_at]
        if scanned:
            now = self._clock.now()
            woken = self._in_batches(lambda tx: tx.wake_absent(now, limit=BATCH))
            with self._store.writing() as tx:
                woken += tx.scanned(now)
            log.info(
                "scan of %s finished: %d absent scenes looked for again", ", ".join(s.title for s in scanned), woken
            )

    def _in_batches(self, change: Callable[[Writing], int]) -> int:
        """Change many rows a few at a time, with the database free for as long in between; returns how many."""
        total, count = 0, BATCH
        while count == BATCH:
            began = self._clock.monotonic()
            with self._store.writing() as tx:
                count = change(tx)
            total += count
            self._clock.sleep(self._clock.monotonic() - began)
        return total

    def find(self, names: list[str]) -> bool:
        """Ask Plex itself for files of these base names, one request a library and name; True when any was there."""
        with self._store.reading() as db:
            sections = [row.key for row in db.sections()]
        with self._lock:
            return self._find(sections, names)

    def _find(self, sections: list[str], names: list[str]) -> bool:
        found = False
        for name in names:
            for section in sections:
                entries = self._gates.ask(Neighbour.PLEX, READ, partial(self._plex.find, section, name))
                if entries:
                    found = True
                    with self._store.writing() as tx:
                        tx.index(entries, walk=self._clock.now())
        return found
