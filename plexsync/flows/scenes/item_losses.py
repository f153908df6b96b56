"""Asks you before many items of a Plex library are forgotten at once.

A drive that is not mounted, a trash that was emptied, a library that was deleted by mistake: items that vanish together
are most likely coming back. So nothing is forgotten, and Plex is on hold until they are back or you accept their loss.
Items are told apart by their files: one whose file another item has by now was moved or added anew, and is not lost.
"""

import json
import logging
from collections.abc import Collection, Mapping, Sequence

from plexsync.rules.choices import ACCEPTED, Choice, remedy
from plexsync.rules.errors import Barred, Neighbour
from plexsync.rules.job import DAY
from plexsync.rules.losses import is_large
from plexsync.rules.neighbours import Clock, Plex
from plexsync.rules.note_keys import ITEMS_DROPPED, ITEMS_LOST
from plexsync.rules.records import Section, SectionRow
from plexsync.rules.text import fold
from plexsync.store.database import Database, Reader

log = logging.getLogger("PlexSync.losses")

NOTE = ACCEPTED + Choice.ITEMS_GONE


class ItemLosses:
    """The items that the libraries of one Plex have lost."""

    def __init__(self, store: Database, plex: Plex, clock: Clock) -> None:
        self._store = store
        self._plex = plex
        self._clock = clock

    def pending(self) -> frozenset[str]:
        """The libraries with a loss that no complete walk has settled yet."""
        with self._store.reading() as db:
            return frozenset(_numbers(db, ITEMS_LOST))

    def ensure_walked(self, section: Section, walk: int, *, size: int, met: int) -> None:
        """Raise Barred if a complete walk did not meet too many of the items of a library. It has had `size`, and met `met`.

        Items that vanished one by one since the walk before count as well, unless as many have come since.
        """
        with self._store.reading() as db:
            dropped = self._dropped(db).get(section.key, 0)
            lost = db.index.count_lost(section.key, walk=walk)
        before = size + dropped
        self._ensure(section.key, section.title, lost + min(dropped, max(0, before - met - lost)), before)
        self._settle({section.key})

    def ensure_dropped(self, keys: Sequence[str]) -> None:
        """Raise Barred if too many items of a library vanished since its last walk, the last of them these."""
        with self._store.reading() as db:
            lost = db.index.count_gone(keys)
            if not lost:
                return
            dropped, titles = self._dropped(db), {row.key: row.title for row in db.sections.all()}
            sizes = {section: db.index.count_in(section) for section in lost}
        total = {section: dropped.get(section, 0) + count for section, count in lost.items()}
        for section, count in total.items():
            self._ensure(section, titles.get(section, ""), count, sizes[section] + dropped.get(section, 0))
        with self._store.writing() as tx:
            tx.notes.save(ITEMS_DROPPED, json.dumps({**dropped, **total, "since": self._began(tx)}))

    def ensure_listed(self, sections: Sequence[Section], rows: Mapping[str, SectionRow]) -> None:
        """Raise Barred if Plex no longer has a library that the settings ask for, with too many items to forget at once.

        A library that another one of its title replaces was made anew, and one of another server is not missed.
        """
        titles = {fold(section.title) for section in sections}
        unlisted = [row for key, row in rows.items() if key not in {section.key for section in sections}]
        if any(_is_same(section, rows.get(section.key)) for section in sections):
            for row in unlisted:
                if self._is_used(row.title) and fold(row.title) not in titles:
                    with self._store.reading() as db:
                        size = db.index.count_in(row.key)
                    self._ensure(row.key, row.title, size, size)
        if unlisted:
            self._settle({row.key for row in unlisted})

    def check(self) -> None:
        """Raise Barred while a hold waits for items that are still missing and that you have not given up.

        A hold of any other cause costs no request.
        """
        with self._store.reading() as db:
            hold = db.holds.find(Neighbour.PLEX)
            lost, rows = _numbers(db, ITEMS_LOST), {row.key: row for row in db.sections.all()}
            is_accepted = bool(db.notes.text(NOTE))
        if hold is None or hold.choice != Choice.ITEMS_GONE or is_accepted:
            return
        listed = {section.key for section in self._plex.sections()}
        for key, size in lost.items():
            if key in rows and (key in listed or self._is_used(rows[key].title)):
                count = self._plex.count(key) if key in listed else 0
                if is_large(size - count, size):
                    raise _barred(rows[key].title, size - count, size)

    def _is_used(self, title: str) -> bool:
        return not self._plex.libraries or fold(title) in map(fold, self._plex.libraries)

    def _ensure(self, section: str, title: str, lost: int, size: int) -> None:
        """Raise Barred if so many items of a library are too many and you have not accepted it."""
        size = max(lost, size)
        if not is_large(lost, size):
            return
        with self._store.writing() as tx:
            if tx.notes.text(NOTE):
                log.warning("the loss of %d items of library %s was accepted", lost, title)
                return
            # Of an earlier walk: what has come since does not belong to the loss.
            noted = _numbers(tx, ITEMS_LOST)
            tx.notes.save(ITEMS_LOST, json.dumps({section: size} | noted))
        raise _barred(title, lost, size)

    def _settle(self, sections: Collection[str]) -> None:
        """Forget the losses of these libraries: they are back, were small, or were accepted."""
        with self._store.reading() as db:
            noted, dropped = _numbers(db, ITEMS_LOST), self._dropped(db)
            is_accepted = bool(db.notes.text(NOTE))
        others = {section: count for section, count in noted.items() if section not in sections}
        kept = {section: count for section, count in dropped.items() if section not in sections}
        ends = is_accepted and not others
        if (others, kept, ends) == (noted, dropped, False):
            return
        with self._store.writing() as tx:
            tx.notes.save(ITEMS_DROPPED, json.dumps({**kept, "since": self._began(tx)}))
            tx.notes.save(ITEMS_LOST, json.dumps(others))
            if ends:
                tx.notes.save(NOTE, "")

    def _dropped(self, db: Reader) -> dict[str, int]:
        """The number of items that vanished one by one, by library, since the last walk."""
        counts = _numbers(db, ITEMS_DROPPED)
        return {section: count for section, count in counts.items() if section != "since"} if self._is_fresh(db) else {}

    def _began(self, db: Reader) -> int:
        return _numbers(db, ITEMS_DROPPED)["since"] if self._is_fresh(db) else self._clock.now()

    def _is_fresh(self, db: Reader) -> bool:
        return 0 <= self._clock.now() - _numbers(db, ITEMS_DROPPED).get("since", -DAY) < DAY


def _barred(title: str, lost: int, size: int) -> Barred:
    return Barred(
        Neighbour.PLEX,
        f"{lost:,} of {size:,} items are gone from the Plex library {title}: nothing is forgotten. Bring them back (is a"
        f" drive not mounted?), or accept that they are gone ({remedy(Choice.ITEMS_GONE)})",
        setting="plex_libraries",
        choice=Choice.ITEMS_GONE,
    )


def _is_same(section: Section, row: SectionRow | None) -> bool:
    """Whether a listed library is the known one of its key."""
    return row is not None and (not row.uuid or not section.uuid or row.uuid == section.uuid)


def _numbers(db: Reader, note: str) -> dict[str, int]:
    """The numbers of a note, by name; none if it is missing or unreadable."""
    try:
        values = json.loads(db.notes.text(note) or "{}")
    except (ValueError, RecursionError):
        return {}
    pairs = values.items() if isinstance(values, dict) else ()
    return {str(key): value for key, value in pairs if type(value) is int}
