"""Finds changes without hooks: everything in Stash that is newer than the newest change seen.

One request returns, for every kind, the count and the newest time. The newest objects are listed only if these have
moved. Stash writes whole seconds with its own offset and sorts them as text. So times are compared as instants, a
second is over only when it was seen again, and a listing with mixed offsets continues past the cursor by a day. Scenes
with a greater id than any before are new. If the count then does not add up (a deletion, a merge, a clock set back),
all ids are compared; for performers, studios, tags and groups, with those that scenes have shown.

Moved or renamed files change only their own times, so their scenes are found by file name. Reconcile finds the rest.
"""

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import TypeVar

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_PLEX, READ_STASH
from plexsync.engine.watching import asked_pages
from plexsync.flows.scenes.losses import SceneLosses
from plexsync.flows.scenes.plex_index import Indexer
from plexsync.flows.scenes.scene_identity import StashIdentity
from plexsync.rules.match.paths import base_name
from plexsync.rules.match.restored_stash import set_back_text
from plexsync.rules.queue.job import Kind, State, Why
from plexsync.rules.queue.note_keys import EDIT_BY_POLL, LAST_POLL, LAST_RECONCILE, STASH_BACK
from plexsync.rules.record_class import record
from plexsync.rules.records import LAST_ID, Newest, PollMark
from plexsync.rules.servers.errors import NeighbourError
from plexsync.rules.servers.neighbours import Clock, Stash
from plexsync.rules.words.status_words import DOWN
from plexsync.store.database import Database

K = TypeVar("K", int, str)

log = logging.getLogger("PlexSync.poll")

PAGE = 200
# The page size when everything is listed.
ALL = 2_000
CROWD = 20
CHUNK = 500
# Milliseconds before the end of the last poll from when on an edit may have come by a line or by the hook.
OVERLAP = 5_000
MIXED_OFFSETS_MARGIN = timedelta(hours=26)
# Milliseconds after which the second that a poll has met is over. Polls may follow each other within one second.
SECOND_OVER = 2_000
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
FILES = "poll:files"
# The number of file names per request. With more than `MANY_FILES` files, a full comparison finds the scenes.
NAMES = 50
MANY_FILES = 1_000


@record
class Polled:
    """What one poll queued, by kind. `reason` says what stopped it, '' if it was complete."""

    wanted: dict[Kind, int]
    reason: str = ""


@record
class Poller:
    """Watches one Stash, and also whether Plex has finished a scan."""

    _store: Database
    _stash: Stash
    _indexer: Indexer
    _gates: Gates
    _clock: Clock
    _losses: SceneLosses
    _identity: StashIdentity

    def poll(self) -> Polled:
        """Queue what changed since the last poll. The first poll only stores the start; reconcile does the rest."""
        wanted: dict[Kind, int] = {}
        try:
            if not self._gates.is_open(READ_STASH):
                return Polled(wanted, f"Stash is {DOWN}")
            news = self._gates.ask(READ_STASH, self._stash.news, of_all=True)
            for kind, now in news.kinds.items():
                wanted[kind] = self._poll(kind, now)
            if news.files is not None:
                wanted[Kind.SCENE] += self._poll_files(news.files)
            self._losses.follow()
            if self._gates.is_open(READ_PLEX):
                # Edits in Stash do not wait for the walk of a comparison.
                self._indexer.freshen(wait=False)
        except NeighbourError as error:
            return Polled(wanted, str(error))
        with self._store.writing() as tx:
            tx.notes.save(LAST_POLL, str(self._clock.now()))
        return Polled(wanted)

    def _poll(self, kind: Kind, newest: Newest) -> int:
        cursor = self._cursor(f"poll:{kind}")
        if cursor is None:
            start = self._newest_second(newest, self._list(kind, newest), None)
            # Other objects may show on thousands of scenes. The first comparison covers those, so they do not count as
            # edits before.
            marks = [replace(mark, sure=mark.sure or kind is not Kind.SCENE) for mark in start]
            self._save_cursor(kind, self._move_cursor(None, newest), marks)
            return 0
        with self._store.reading() as db:
            unsure = db.poll_marks.unsure(kind)
        if cursor.is_at(newest) and not unsure:
            return 0
        listed = self._list(kind, cursor)
        older = self._identity.older(self._gates) if kind is Kind.SCENE and self._note_set_back(listed) else []
        since = _instant(cursor.updated_at)
        with self._store.reading() as db:
            known = db.poll_marks.of(kind, [id for id, _ in listed])
        changed = {
            id for id, text in listed if _instant(text) > since or id not in known or known[id].updated_at != text
        } | {*older, *(unsure_mark.id for unsure_mark in unsure)}
        if kind is not Kind.SCENE:
            changed |= self._vanished_ids(kind, newest, cursor, changed)
        self._want(kind, changed, again=frozenset(mark.id for mark in unsure))
        if kind is Kind.SCENE:
            # Earlier versions of PlexSync did not store `last`.
            last = cursor.last if cursor.last or not cursor.count else newest.last
            created = sum(id > last for id in changed)
            if newest.count != cursor.count + created or newest.last < last:
                self._compare_ids(last, changed)
        moved = self._move_cursor(cursor, newest)
        self._save_cursor(kind, moved, self._newest_second(newest, listed, moved))
        return len(changed)

    def _vanished_ids(self, kind: Kind, newest: Newest, cursor: Newest, changed: set[int]) -> set[int]:
        """The ids that scenes have shown and that no longer exist (merged or deleted), if the count is too low.

        A merge of tags changes no time, neither of the remaining tag nor of the scenes.
        """
        if newest.count >= cursor.count + len(changed):
            return set()
        with self._store.reading() as db:
            noted_ids = db.scene_names.shown_ids(kind)
        created = sum(id > max(noted_ids, default=0) for id in changed)
        if newest.count >= cursor.count + created:
            return set()
        everything = self._since(Newest(0, ""), lambda page: self._stash.recent(kind, page=page, size=ALL), ALL)
        return noted_ids - {id for id, _ in everything}

    def _move_cursor(self, cursor: "_Cursor | None", newest: Newest) -> "_Cursor":
        """The cursor at `newest`."""
        return _Cursor(newest.count, newest.updated_at, newest.last, met=self._first_met(cursor, newest.updated_at))

    def _first_met(self, cursor: "_Cursor | None", newest: str) -> int:
        """When a poll first met this newest second. It is now, if the clock was set back since then."""
        now = self._clock.now()
        return min(cursor.met, now) if cursor is not None and cursor.updated_at == newest else now

    def _is_over(self, met: int) -> bool:
        return self._clock.now() - met >= SECOND_OVER

    def _newest_second(self, newest: Newest, listed: list[tuple[int, str]], cursor: "_Cursor | None") -> list[PollMark]:
        """Marks of the newest second. These objects may change again within it, so the next poll queues them again."""
        last = _instant(newest.updated_at)
        second = [(id, text) for id, text in listed if _instant(text) == last]
        # You edit only a few objects per second. A larger number was imported, and is not queued again one by one.
        sure = len(second) > CROWD if cursor is None else self._is_over(cursor.met)
        return [PollMark(id, text, sure=sure) for id, text in second]

    def _list(self, kind: Kind, cursor: Newest) -> list[tuple[int, str]]:
        """The newest objects, down to the second of the cursor."""
        return list(self._since(cursor, lambda page: self._stash.recent(kind, page=page, size=PAGE), PAGE))

    def _since(self, cursor: Newest, ask: Callable[[int], list[tuple[K, str]]], size: int) -> Iterator[tuple[K, str]]:
        """List newest first, page by page, down to the second of the cursor."""
        since, offset = _instant(cursor.updated_at), cursor.updated_at[19:]
        page, mixed = 1, False
        while rows := self._gates.ask(READ_STASH, partial(ask, page)):
            yield from ((key, text) for key, text in rows if _instant(text) >= since)
            # From then on: times are sorted as text, so after a full page with the cursor's offset, newer ones with
            # another offset may follow.
            mixed = mixed or any(text[19:] != offset for _, text in rows)
            until = since - MIXED_OFFSETS_MARGIN if mixed else since
            if len(rows) < size or all(_instant(text) < until for _, text in rows):
                return
            page += 1

    def _note_set_back(self, listed: list[tuple[int, str]]) -> bool:
        """Note the scenes that had the newest time and are no longer listed with it; whether there are any.

        They were deleted, or Stash is an older one.
        """
        present = {id for id, _ in listed}
        with self._store.writing() as tx:
            marks = tx.poll_marks.newest(Kind.SCENE, limit=CROWD)
            missing = {mark.id: mark.updated_at for mark in marks if mark.id not in present}
            if missing and not tx.notes.text(STASH_BACK):
                tx.notes.save(STASH_BACK, set_back_text(missing))
        return bool(missing)

    def _want(self, kind: Kind, ids: Iterable[int], *, again: frozenset[int] = frozenset()) -> None:
        """Queue these; those in `again` may be what the last poll has queued already."""
        ordered = sorted(ids)
        for start in range(0, len(ordered), CHUNK):
            part = ordered[start : start + CHUNK]
            with self._store.writing() as tx:
                now = self._clock.now()
                news = [id for id in part if id not in again]
                if tx.jobs.count_stirred(kind, news, (tx.notes.number(LAST_POLL) or now) - OVERLAP) < len(news):
                    tx.notes.save(EDIT_BY_POLL, str(now))
                tx.jobs.want_all(kind, part, Why.EDIT, now, behind=len(ordered) > CROWD)
        if ordered:
            log.info("poll: %d changed (%s)", len(ordered), kind)

    def _compare_ids(self, last: int, wanted: set[int]) -> None:
        """Queue what differs between the rows and all ids of Stash.

        That is a scene that is gone (deleted or merged without a hook), one that is back, and a new one with an old
        time.
        """
        after = 0
        for page in asked_pages(self._gates, READ_STASH, self._stash.walk_ids()):
            ids = {id for id, _ in page}
            upto = page[-1][0]
            self._want(Kind.SCENE, self._find_misjudged(ids, after, upto) | {id for id in ids if id > last} - wanted)
            after = upto
        self._want(Kind.SCENE, self._find_misjudged(set(), after, LAST_ID))

    def _find_misjudged(self, present: set[int], after: int, upto: int) -> set[int]:
        """Rows in this range of ids that are gone although their scene is in `present`, or not gone although it is not.

        Raises Barred if too many scenes are gone at once.
        """
        self._losses.ensure_range(present, after=after, upto=upto)
        with self._store.reading() as db:
            rows = db.jobs.ids(Kind.SCENE, after=after, upto=upto)
            return {id for id, state in rows if (id in present) is (state is State.GONE)}

    def _poll_files(self, newest: Newest) -> int:
        """Queue the scenes of files newer than the newest seen. Returns how many."""
        cursor = self._cursor(FILES)
        if cursor is not None and cursor.sure and cursor.is_at(newest):
            return 0
        since = cursor or newest
        listed = self._since(since, lambda page: self._stash.recent_files(page=page, size=PAGE), PAGE)
        over = _instant(since.updated_at) if cursor and cursor.sure else EARLIEST
        files = dict(islice((entry for entry in listed if _instant(entry[1]) > over or not cursor), MANY_FILES + 1))
        # More files may change within the newest second. A crowd was imported, though, and came as scenes.
        crowd = sum(text == newest.updated_at for text in files.values()) > CROWD
        count = self._want_scenes_of(files) if cursor else 0
        met = self._first_met(cursor, newest.updated_at)
        sure = crowd or not newest.count or self._is_over(met)
        with self._store.writing() as tx:
            tx.notes.save(
                FILES, json.dumps(asdict(_Cursor(newest.count, newest.updated_at, newest.last, met=met, sure=sure)))
            )
        return count

    def _want_scenes_of(self, files: Mapping[str, str]) -> int:
        if len(files) > MANY_FILES:
            with self._store.writing() as tx:
                tx.notes.save(LAST_RECONCILE, "")
            log.info("poll: more than %d files have changed: a full comparison runs", MANY_FILES)
            return 0
        scenes: set[int] = set()
        paths = sorted(path for path in files if path)
        for start in range(0, len(paths), NAMES):
            names = sorted({base_name(path) for path in paths[start : start + NAMES]})
            rivals = self._gates.ask(READ_STASH, partial(self._stash.rivals, names))
            scenes |= {scene.id for scene in rivals if any(file.path in files for file in scene.files)}
        self._want(Kind.SCENE, scenes)
        return len(scenes)

    def _cursor(self, note: str) -> "_Cursor | None":
        """Where the last poll ended. If that is unreadable, a full comparison is requested, and this poll starts anew."""
        with self._store.reading() as db:
            text = db.notes.text(note)
        try:
            cursor = _Cursor(**json.loads(text)) if text else None
        except (ValueError, TypeError, RecursionError):
            cursor = None
        if cursor and any(type(getattr(cursor, field.name)) is not field.type for field in fields(cursor)):
            cursor = None
        if text and cursor is None:
            log.warning("what the last poll has noted (%s) can't be read: everything is to be compared", note)
            with self._store.writing() as tx:
                tx.notes.save(LAST_RECONCILE, "")
        return cursor

    def _save_cursor(self, kind: Kind, cursor: "_Cursor", marks: list[PollMark]) -> None:
        with self._store.writing() as tx:
            tx.poll_marks.forget(kind)
            tx.poll_marks.save(kind, marks)
            tx.notes.save(f"poll:{kind}", json.dumps(asdict(cursor)))


@record
class _Cursor(Newest):
    """Where the last poll ended. `met`: the moment, in milliseconds, when a poll first met the newest second.

    `sure`, of files: that second was over.
    """

    met: int = 0
    sure: bool = False

    def is_at(self, newest: Newest) -> bool:
        return newest == Newest(self.count, self.updated_at, self.last)


def _instant(text: str) -> datetime:
    """The instant of a Stash timestamp; the earliest one if the text is empty, unreadable or Go's zero time."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return EARLIEST
    return max(moment if moment.tzinfo else moment.replace(tzinfo=UTC), EARLIEST)
