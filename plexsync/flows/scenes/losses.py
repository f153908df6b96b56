"""Asks you before many scenes are treated as gone from Stash at once, or many items of a Plex library are forgotten.

An empty database, a wrong one, or a backup of last year: scenes that vanish together are most likely still wanted. So
before a scene counts as gone, the number of scenes in Stash is compared with those that were there when last seen. If
too many are missing (`plexsync.rules.match.losses`), Stash is on hold until they are back or you accept their loss. Scenes
that became gone within the last day count as well, so that many small losses are one. A scene of an accepted loss that
is back can be lost again only by another question.

A drive that is not mounted, a trash that was emptied, a library that was deleted by mistake: items that vanish together
are most likely coming back. So nothing is forgotten, and Plex is on hold until they are back or you accept their loss.
Items are told apart by their files: one whose file another item has by now was moved or added anew, and is not lost.
"""

import json
import logging
from collections.abc import Collection, Mapping, Sequence
from functools import partial

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_STASH
from plexsync.rules.match.losses import AcceptedLoss, accepted_loss, is_large
from plexsync.rules.queue.choices import ACCEPTED, Choice, remedy
from plexsync.rules.queue.job import DAY
from plexsync.rules.queue.note_keys import ITEMS_DROPPED, ITEMS_LOST, SCENES_LOST
from plexsync.rules.record_class import record
from plexsync.rules.records import LAST_ID, Section, SectionRow
from plexsync.rules.servers.errors import Barred, Neighbour
from plexsync.rules.servers.neighbours import Clock, Plex, Stash
from plexsync.rules.words.text import fold
from plexsync.store.database import Database, Reader

log = logging.getLogger("PlexSync.losses")

SCENES_ACCEPTED, ITEMS_ACCEPTED = ACCEPTED + Choice.SCENES_GONE, ACCEPTED + Choice.ITEMS_GONE


@record
class SceneLosses:
    """The scenes that one Stash has lost. Requests nothing while no scene is missing."""

    _store: Database
    _stash: Stash
    _gates: Gates
    _clock: Clock

    def known_among(self, ids: Collection[int]) -> frozenset[int]:
        """Those of these scenes that were in Stash when last seen."""
        with self._store.reading() as db:
            return frozenset(db.standings.of(ids))

    def ensure(self, ids: Collection[int]) -> None:
        """Raise Barred if Stash has lost too many scenes, among them these; or another NeighbourError.

        Costs one request if any of them was there when last seen, else none.
        """
        if ids and (lost := self.known_among(ids)):
            self._ensure(len(lost))

    def ensure_range(self, present: Collection[int], *, after: int, upto: int = LAST_ID) -> None:
        """As `ensure`, for the scenes with an id above `after`, up to `upto`. `present` are all of Stash in this range."""
        with self._store.reading() as db:
            lost = db.standings.count_missing(present, after=after, upto=upto)
        if lost:
            self._ensure(lost)

    def existing(self, ids: Sequence[int]) -> frozenset[int]:
        """Those of these scenes that Stash has, in one request. Raises as `ensure`."""

        def ask() -> frozenset[int]:
            scenes, count = self._stash.existing(ids)
            self._judge(0, count)
            return scenes

        return self._gates.ask(READ_STASH, ask, of_all=True)

    def check(self) -> None:
        """Raise Barred while a hold waits for scenes that are still missing and that you have not given up.

        A hold of any other cause costs no request.
        """
        with self._store.reading() as db:
            hold = db.holds.find(Neighbour.STASH)
            is_accepted = bool(db.notes.text(SCENES_ACCEPTED))
        if hold is None or hold.choice != Choice.SCENES_GONE:
            return
        missing = self._count_missing()
        if is_accepted:
            self._accept(missing)
        self._judge(missing, since=hold.since)

    def follow(self, *, compared: int = 0, present: int | None = None) -> None:
        """Take scenes that are back out of the loss that you accepted. Costs no request.

        `present`: how many scenes a comparison has met that began at the time `compared`.
        """
        with self._store.reading() as db:
            accepted = accepted_loss(db.notes.text(SCENES_LOST))
            if not accepted.count:
                return
            gone = db.jobs.count_lost(since=accepted.at)
            missing = None
            if present is not None and compared >= accepted.at:
                missing = max(0, db.standings.count() - present)
        if (followed := accepted.follow(gone, missing)) != accepted:
            with self._store.writing() as tx:
                tx.notes.save(SCENES_LOST, followed.text())

    def _ensure(self, lost: int) -> None:
        self._gates.ask(READ_STASH, partial(self._ask, lost), of_all=True)

    def _ask(self, lost: int) -> None:
        with self._store.reading() as db:
            is_accepted = bool(db.notes.text(SCENES_ACCEPTED))
        if is_accepted:
            self._accept(self._count_missing())
        _, count = self._stash.existing(())
        self._judge(lost, count)

    def _count_missing(self) -> int:
        """How many scenes are missing that were there when last seen."""
        missing = after = 0
        for page in self._stash.walk_ids():
            upto = page[-1][0]
            with self._store.reading() as db:
                missing += db.standings.count_missing([id for id, _ in page], after=after, upto=upto)
            after = upto
        with self._store.reading() as db:
            return missing + db.standings.count_missing((), after=after)

    def _judge(self, lost: int, count: int | None = None, *, since: int | None = None) -> None:
        """Raise Barred if too many are missing: at least `lost`, and at least as many as Stash has fewer than it had.

        `since`: when the hold began. What had become gone by then does not grow old meanwhile.
        """
        self.follow()
        now = self._clock.now()
        with self._store.reading() as db:
            size = db.standings.count()
            accepted = accepted_loss(db.notes.text(SCENES_LOST))
            recent = db.jobs.count_lost(since=accepted.begins(now if since is None else since))
        fewer = lost if count is None else size - count
        if accepted.is_over(now, recent):
            accepted, recent = AcceptedLoss(now), 0
            self._save(accepted)
        vanished = recent + max(lost, fewer) - accepted.count
        before = max(size + recent - accepted.count, vanished)
        if is_large(vanished, before):
            raise Barred(
                Neighbour.STASH,
                f"{vanished:,} of {before:,} scenes are gone from Stash: nothing is forgotten or undone. Go back to the"
                f" database that has them, or accept that they are gone ({remedy(Choice.SCENES_GONE)})",
                setting="stash_url",
                choice=Choice.SCENES_GONE,
            )

    def _accept(self, missing: int) -> None:
        self._save(AcceptedLoss(self._clock.now(), missing))
        log.warning("the loss of %d scenes was accepted", missing)

    def _save(self, loss: AcceptedLoss) -> None:
        with self._store.writing() as tx:
            tx.notes.save(SCENES_LOST, loss.text())
            tx.notes.save(SCENES_ACCEPTED, "")


@record
class ItemLosses:
    """The items that the libraries of one Plex have lost."""

    _store: Database
    _plex: Plex
    _clock: Clock

    def pending(self) -> frozenset[str]:
        """The libraries with a loss that no complete walk has settled yet."""
        with self._store.reading() as db:
            return frozenset(_numbers(db, ITEMS_LOST))

    def ensure_walked(self, section: Section, walk: int, *, size: int, met: int) -> None:
        """Raise Barred if a complete walk did not meet too many of the items of a library. It has had `size`, and met `met`.

        Items that vanished one by one since the walk before count as well, unless as many have come since.
        """
        with self._store.reading() as db:
            dropped = self._count_dropped(db).get(section.key, 0)
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
            dropped, titles = self._count_dropped(db), {row.key: row.title for row in db.sections.all()}
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
        known = [(section.uuid, rows[section.key].uuid) for section in sections if section.key in rows]
        if any(not uuid or not before or uuid == before for uuid, before in known):
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
            is_accepted = bool(db.notes.text(ITEMS_ACCEPTED))
        if hold is None or hold.choice != Choice.ITEMS_GONE or is_accepted:
            return
        listed = {section.key for section in self._plex.sections()}
        for key, size in lost.items():
            if key in rows and (key in listed or self._is_used(rows[key].title)):
                count = self._plex.count(key) if key in listed else 0
                if is_large(size - count, size):
                    raise _loss_error(rows[key].title, size - count, size)

    def _is_used(self, title: str) -> bool:
        return not self._plex.libraries or fold(title) in map(fold, self._plex.libraries)

    def _ensure(self, section: str, title: str, lost: int, size: int) -> None:
        """Raise Barred if so many items of a library are too many and you have not accepted it."""
        size = max(lost, size)
        if not is_large(lost, size):
            return
        with self._store.writing() as tx:
            if tx.notes.text(ITEMS_ACCEPTED):
                log.warning("the loss of %d items of library %s was accepted", lost, title)
                return
            # Of an earlier walk: what has come since does not belong to the loss.
            noted = _numbers(tx, ITEMS_LOST)
            tx.notes.save(ITEMS_LOST, json.dumps({section: size} | noted))
        raise _loss_error(title, lost, size)

    def _settle(self, sections: Collection[str]) -> None:
        """Forget the losses of these libraries: they are back, were small, or were accepted."""
        with self._store.reading() as db:
            noted, dropped = _numbers(db, ITEMS_LOST), self._count_dropped(db)
            is_accepted = bool(db.notes.text(ITEMS_ACCEPTED))
        others = {section: count for section, count in noted.items() if section not in sections}
        elsewhere = {section: count for section, count in dropped.items() if section not in sections}
        ends = is_accepted and not others
        if (others, elsewhere, ends) == (noted, dropped, False):
            return
        with self._store.writing() as tx:
            tx.notes.save(ITEMS_DROPPED, json.dumps({**elsewhere, "since": self._began(tx)}))
            tx.notes.save(ITEMS_LOST, json.dumps(others))
            if ends:
                tx.notes.save(ITEMS_ACCEPTED, "")

    def _count_dropped(self, db: Reader) -> dict[str, int]:
        """The number of items that vanished one by one, by library, since the last walk."""
        counts = _numbers(db, ITEMS_DROPPED)
        return {section: count for section, count in counts.items() if section != "since"} if self._is_fresh(db) else {}

    def _began(self, db: Reader) -> int:
        return _numbers(db, ITEMS_DROPPED)["since"] if self._is_fresh(db) else self._clock.now()

    def _is_fresh(self, db: Reader) -> bool:
        return 0 <= self._clock.now() - _numbers(db, ITEMS_DROPPED).get("since", -DAY) < DAY


def _loss_error(title: str, lost: int, size: int) -> Barred:
    return Barred(
        Neighbour.PLEX,
        f"{lost:,} of {size:,} items are gone from the Plex library {title}: nothing is forgotten. Bring them back (is a"
        f" drive not mounted?), or accept that they are gone ({remedy(Choice.ITEMS_GONE)})",
        setting="plex_libraries",
        choice=Choice.ITEMS_GONE,
    )


def _numbers(db: Reader, note: str) -> dict[str, int]:
    """The numbers of a note, by name; none if it is missing or unreadable."""
    try:
        values = json.loads(db.notes.text(note) or "{}")
    except (ValueError, RecursionError):
        return {}
    pairs = values.items() if isinstance(values, dict) else ()
    return {str(key): value for key, value in pairs if type(value) is int}
