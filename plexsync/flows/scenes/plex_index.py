"""Keeps the local index of Plex files up to date. A new or scanned library is walked completely.

One request returns the marks of every library. A walk costs one request per 1,000 items. Items that a walk did not meet
are forgotten only after it is complete, so an interrupted walk loses nothing. Between scans, a library with a new
change mark is caught up: the changes since are listed, and everything is walked only if the number of items does not
add up.

A walk through a large library may take an hour. Only one runs at a time. A worker does not wait for the walk of another
thread, and entries corrected during a walk count as met by it.

Scenes whose items changed in Plex, or are gone from it, are queued as sweeps. PlexSync's own edits queue nothing: the
stamp that was read back after an edit identifies it.

The libraries: which are used now, which were made anew, and the scenes of the items that leave them.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from plexsync.engine.gates import Gates, outage
from plexsync.engine.tickets import READ_PLEX
from plexsync.flows.scenes.losses import ItemLosses
from plexsync.rules.item import Entry, Item
from plexsync.rules.queue.job import Kind, Lane, State, Why
from plexsync.rules.records import Section, SectionRow
from plexsync.rules.servers.errors import Barred, NeighbourError, Refused, Unavailable
from plexsync.rules.servers.neighbours import Clock, Plex
from plexsync.store.database import Database, Writer

log = logging.getLogger("PlexSync.index")

# Edits, including PlexSync's own, move a library's change mark, so the mark alone triggers a check only at this
# interval (ms).
CHANGE_PACE = 5 * 60_000
# Seconds between two requests for the marks, since many scenes may be missing at once.
MARKS_PACE = 2.0
# Seconds to leave a library alone that can't be listed: half as long as it has failed, within these limits.
UNLISTED_PACE = 10.0
LONGEST_UNLISTED = 600.0
# Seconds to wait even if the caller does not wait for a walk: the other thread may only be checking the marks.
PATIENCE = 1.0
# Stamps are whole seconds: an item may have changed again within the second of the newest one.
SECOND = 1
# This many absent scenes keep their place before the sweeps.
FEW = 50


class Indexer:
    """The index of one Plex. `wanted` counts the scenes queued for changes found during walks.

    `looks_only`: queue and wake nothing, and leave all changes to be found by others.
    """

    def __init__(self, store: Database, plex: Plex, gates: Gates, clock: Clock, *, looks_only: bool = False) -> None:
        self._store = store
        self._plex = plex
        self._gates = gates
        self.clock = clock
        self.losses = ItemLosses(store, plex, clock)
        self.libraries = Libraries(store, plex, gates, clock, self.losses)
        self._asked: float | None = None
        self._unlisted: dict[str, str] = {}
        self._failing_since: dict[str, float] = {}
        self._again_at: dict[str, float] = {}
        self._caught_up_at: dict[str, int] = {}
        self._looks_only = looks_only
        self.is_walked = False
        self._glanced: dict[str, Section] = {}
        # The worker and the poller share one index. Of two walks at once, each would remove what the other has just
        # met.
        self._lock = threading.Lock()
        # The number of the current walk, by the key of its library.
        self._walks: dict[str, int] = {}

    @property
    def wanted(self) -> int:
        """The number of scenes queued so far for changes found during walks."""
        return self.libraries.wanted

    def empty(self) -> bool:
        """Whether no library was ever walked completely; `is_walked` remembers that one was."""
        with self._store.reading() as db:
            self.is_walked = any(row.walked_at for row in db.sections.all())
        return not self.is_walked

    def gap(self) -> str:
        """Why the index may lack items that Plex has: one line about a library that could not be listed, or ''."""
        with self._store.reading() as db:
            rows = db.sections.all()
        never = [f"library {row.title} was never listed" for row in rows if not row.walked_at]
        unlisted = [text for row in rows if (text := self._unlisted.get(row.key))]
        return next(iter([*unlisted, *never]), "")

    def freshen(self, *, force: bool = False, soon: bool = False, wait: bool = True) -> bool | None:
        """Walk the libraries whose marks have moved (all if `force`). True if the index may have changed.

        Marks are requested every `MARKS_PACE` seconds at most, unless they have probably moved (`soon`). A library that
        can't be listed is retried later and does not block the others (see `gap`). While another thread is walking, the
        call waits, or (`wait` False) returns None for unknown.
        """
        if not self._lock.acquire(timeout=-1 if wait else PATIENCE):
            return None
        try:
            asked = self.clock.monotonic()
            if self._asked is not None and not (force or soon) and asked - self._asked < MARKS_PACE:
                return False
            ticket = self._gates.ticket(READ_PLEX)
            try:
                changed = self._renew(force=force)
            except NeighbourError as error:
                # A server that refuses to list its libraries, or every one of them, is not the expected server.
                failure = outage(error)
                self._gates.ill(ticket, failure)
                if failure is error:
                    raise
                raise failure from error
            # A list of libraries does not clear failed item reads, so no success is reported. The time is set only now,
            # so that an interrupted check is retried at once.
            self._asked = asked
            return changed
        finally:
            self._lock.release()

    def _renew(self, *, force: bool) -> bool:
        sections = self._plex.sections()
        with self._store.reading() as db:
            section_rows = {row.key: row for row in db.sections.all()}
        if self.libraries.are_others(sections, section_rows):
            # Perhaps on another server, whose keys name other items.
            self._gates.plex_check()
        dropped = self.libraries.drop_unlisted(sections, section_rows)
        forced = {section.key for section in sections} if force else self.losses.pending()
        first = not any(row.walked_at for row in section_rows.values())
        replaced = [] if self._looks_only else self.libraries.know_by_uuid(sections, section_rows)
        # The action for each library that has changed.
        stale = [
            (section, section_rows.get(section.key), look)
            for section in sections
            if (look := self._look(section, section_rows.get(section.key), force=section.key in forced, first=first))
        ]
        failures = [failure for section, row, look in stale if (failure := self._failure(section, row, look, first))]
        # The breaker ignores the failure of one library among several. Other reads show whether Plex is up.
        if first and len(failures) == len(stale) > 0:
            raise failures[0]
        return bool(dropped or replaced) or len(stale) > len(failures)

    def _look(self, section: Section, row: SectionRow | None, *, force: bool, first: bool) -> "Look | None":
        """How to check a library now; None if there is nothing to check, or it has to wait."""
        due = self._walk if force else self._due(section, row)
        # No scene waits for the results of the very first walk.
        if due is None or first or not self._looks_only:
            return due
        return None if self._glanced.get(section.key) == section and not force else self._glance

    def _glance(self, section: Section, row: SectionRow | None, _first: bool) -> None:
        """Add new items to the index and change nothing else. Marks and stamps stay, so others still see them as new."""
        pages = self._plex.entries(section.key)
        while (page := next(pages, None)) is not None:
            with self._store.writing() as tx:
                tx.index.save(page, walk=row.walked_at if row else 0)
        self._glanced[section.key] = section

    def _due(self, section: Section, row: SectionRow | None) -> "Look | None":
        """How to check a library now; None if there is nothing to check, or it has to wait."""
        if self.clock.monotonic() < self._again_at.get(section.key, 0.0):
            return None
        if row is None or not row.walked_at:
            return self._walk
        if section.scanning:
            return None
        if section.scanned_at != row.scanned_at:
            return self._walk
        looked = max(row.walked_at, self._caught_up_at.get(section.key, 0))
        if section.changed_at == row.changed_at or abs(self.clock.now() - looked) < CHANGE_PACE:
            return None
        return self._catch_up if row.stamp else self._walk

    def _failure(
        self, section: Section, row: SectionRow | None, look: "Look", first: bool
    ) -> Unavailable | Refused | None:
        """Check a library. Returns the error if it may concern this library alone."""
        try:
            look(section, row, first)
        except (Unavailable, Refused) as error:
            if isinstance(error, Unavailable) and not error.sent:
                raise
            self._put_off(section, error)
            if row is None:
                with self._store.writing() as tx:
                    tx.sections.save(SectionRow(section.key, section.title, uuid=section.uuid))
            return error
        self._unlisted.pop(section.key, None)
        return None

    def _put_off(self, section: Section, error: NeighbourError) -> None:
        now, text = self.clock.monotonic(), f"library {section.title} can't be listed: {error}"
        if section.key not in self._unlisted:
            log.warning("%s; what is known of it still counts", text)
            self._failing_since[section.key] = now
        self._unlisted[section.key] = text
        rest = (now - self._failing_since[section.key]) / 2
        self._again_at[section.key] = now + min(max(rest, UNLISTED_PACE), LONGEST_UNLISTED)

    def _walk(self, section: Section, row: SectionRow | None, first: bool) -> None:
        walk = self._walks[section.key] = self.clock.now()
        try:
            self._walk_all(section, row, first, walk)
        finally:
            del self._walks[section.key]

    def _walk_all(self, section: Section, row: SectionRow | None, first: bool, walk: int) -> None:
        with self._store.reading() as db:
            size = db.index.count_in(section.key)
        pages = self._plex.entries(section.key)
        count = news = stamp = 0
        while (page := next(pages, None)) is not None:
            count += len(page)
            stamp = max(stamp, newest(page))
            news += self._take(page, walk=walk)
        self.losses.ensure_walked(section, walk, size=size, met=count)
        # Before the mark is saved: after a kill in between, all of it is done again.
        scanned = row is None or row.scanned_at != section.scanned_at
        if not first and (news or scanned):
            self._wake(section)
        self.libraries.want_unmet(section, walk)
        with self._store.writing() as tx:
            forgotten = tx.index.sweep(section.key, walk=walk)
            tx.sections.save(
                SectionRow(
                    section.key, section.title, section.scanned_at, section.changed_at, walk, stamp, section.uuid
                )
            )
        log.info("library %s walked: %d items, %d forgotten", section.title, count, forgotten)

    def _catch_up(self, section: Section, row: SectionRow | None, first: bool) -> None:
        """List the changes since the last check, and walk everything if the number of items then does not add up."""
        last_row = row or SectionRow(section.key, section.title, uuid=section.uuid)
        try:
            caught_up = self._caught_up(section, last_row)
        except (Unavailable, Refused) as error:
            if isinstance(error, Unavailable) and not error.sent:
                raise
            # This Plex may not support the query.
            caught_up = False
        if not caught_up:
            self._walk(section, row, first)

    def _caught_up(self, section: Section, last_row: SectionRow) -> bool:
        pages = self._plex.changed_since(section.key, since=last_row.stamp - SECOND)
        count = news = 0
        stamp = last_row.stamp
        while (page := next(pages, None)) is not None:
            count += len(page)
            stamp = max(stamp, newest(page))
            news += self._take(page, walk=last_row.walked_at)
        total = self._plex.count(section.key)
        with self._store.reading() as db:
            if db.index.count_in(section.key) != total:
                return False
        if news:
            self._wake(section)
        self._caught_up_at[section.key] = self.clock.now()
        with self._store.writing() as tx:
            tx.sections.save(replace(last_row, changed_at=section.changed_at, stamp=stamp))
        log.info("library %s caught up with: %d items of %d have changed", section.title, count, total)
        return True

    def _take(self, page: Sequence[Entry], *, walk: int) -> int:
        """Add a page to the index, and queue the scenes of items that changed in Plex.

        Returns the number of new entries: those with changed files, and those known only from an inspection.
        """
        with self._store.writing() as tx:
            stamps = {entry.key: entry.stamp for entry in tx.index.entries([entry.key for entry in page])}
            moved = [entry.key for entry in page if stamps.get(entry.key) and stamps[entry.key] != entry.stamp]
            self.libraries.wanted += want_scenes_of(tx, moved, now=self.clock.now())
            glanced = sum(stamps.get(entry.key) == 0 < entry.stamp for entry in page)
            return tx.index.save(page, walk=walk, stamped=True) + glanced

    def _wake(self, section: Section) -> None:
        """Make absent scenes due at once, since their files may be in Plex now, and mark running ones for another look."""
        now = self.clock.now()
        with self._store.writing() as tx:
            woken = tx.jobs.wake_absent(now, limit=FEW)
        # A larger number goes behind edits.
        woken += self.libraries.in_batches(lambda tx: tx.jobs.wake_absent(now, limit=BATCH, lane=Lane.SWEEP))
        with self._store.writing() as tx:
            woken += tx.jobs.scan_finished(now)
        if woken:
            log.info("%s has new files: %d scenes are matched again", section.title, woken)

    def correct(self, entries: Sequence[Entry], *, gone: Sequence[str]) -> None:
        """Correct the entries of items that were just read, and forget those that are gone.

        Raises Barred if too many are gone by now.
        """
        if gone and not self._looks_only:
            ticket = self._gates.ticket(READ_PLEX)
            try:
                self.losses.ensure_dropped(gone)
            except Barred as error:
                self._gates.ill(ticket, error)
                raise
        with self._store.writing() as tx:
            if self._looks_only:
                # The entry stays, without its files, so that the next walk by others finds it missing.
                tx.index.save([replace(entry, parts=()) for entry in tx.index.entries(gone)], walk=0)
            else:
                tx.index.drop(gone)
            self._put(tx, entries)

    def _put(self, tx: Writer, entries: Sequence[Entry]) -> None:
        """Save items that Plex has now, as met by the current walk. Otherwise that walk would remove them."""
        for section in sorted({entry.section for entry in entries}):
            walk = self._walks.get(section) or self.clock.now()
            tx.index.save([entry for entry in entries if entry.section == section], walk=walk)

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Block walks inside the block, so that none removes as unmet what is saved there."""
        with self._lock:
            yield

    def find(self, names: list[str]) -> bool:
        """Ask Plex for files with these base names, one request per library and name. True if any was found."""
        with self._store.reading() as db:
            sections = [row.key for row in db.sections.all()]
        any_item = False
        for name in names:
            for section in sections:
                entries = self._gates.ask(READ_PLEX, partial(self._plex.find, section, name))
                if entries:
                    any_item = True
                    with self._store.writing() as tx:
                        self._put(tx, entries)
        return any_item


def newest(page: Sequence[Entry]) -> int:
    """The greatest stamp of a page."""
    return max((entry.stamp for entry in page), default=0)


Look = Callable[[Section, SectionRow | None, bool], None]


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
            tx.jobs.want(Kind.SCENE, id, Why.PLEX, now)
            news += row is None or row.state is State.IDLE
    return news
