"""The first write of plays: the worker counts what it would do until you approve it, and queues its scenes after that."""

from dataclasses import dataclass, field

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READS
from plexsync.flows.plays.history_poll import CROWD, HistoryPoll, UnknownAccount
from plexsync.flows.plays.preview import PlaysPreviewer, item_pages
from plexsync.rules.errors import NeighbourError
from plexsync.rules.first_plays import FirstPlays, counted_text
from plexsync.rules.job import PLAYS, Why
from plexsync.rules.neighbours import Clock
from plexsync.rules.note_keys import PLAYS_APPROVED, PLAYS_COUNTED, PLAYS_QUEUED
from plexsync.store.database import Database

# Milliseconds after which plays are counted again: if there are new ones or scenes could not be read, and in any case.
PACE, LONGEST = 600_000, 86_400_000


@dataclass(eq=False)
class FirstRun:
    """Holds plays back until you have approved them. Belongs to the worker."""

    _store: Database
    _gates: Gates
    _clock: Clock
    _history: HistoryPoll
    _previewer: PlaysPreviewer
    # What was counted by this worker: the settings may have been others before.
    _counted: FirstPlays | None = field(default=None, init=False)

    def count(self) -> str:
        """Count what waits for your approval, if it is time to; returns why that is not possible now, or ''.

        The history was read just now.
        """
        try:
            counted = self._previewer.count(since=self._history.since) if self._is_due() else None
            if counted:
                with self._store.writing() as tx:
                    # The approval may have been given meanwhile.
                    if self._history.approved_since(tx) is None:
                        tx.notes.save(PLAYS_COUNTED, counted_text(counted))
                        self._counted = counted
        except (NeighbourError, UnknownAccount) as error:
            return str(error)
        return ""

    def _is_due(self) -> bool:
        account, counted, now = self._history.account(), self._counted, self._clock.now()
        with self._store.reading() as db:
            if self._history.approved_since(db) is not None:
                return False
            in_plex, _ = db.plays.count_history(account, since=self._history.since)
        if counted is None:
            return True
        is_same = counted.in_plex == in_plex and not counted.unread
        return not 0 <= now - counted.at < (LONGEST if is_same else PACE)

    def begin(self) -> int:
        """Queue the scenes of all saved plays once, after your approval; returns how many were queued now."""
        with self._store.reading() as db:
            since, approval = self._history.approved_since(db), db.notes.text(PLAYS_APPROVED)
            is_begun, asks = db.notes.text(PLAYS_QUEUED) == approval, bool(db.notes.text(PLAYS_COUNTED))
        if since is None or (is_begun and not asks) or not self._gates.is_open(*READS):
            return 0
        try:
            count = 0 if is_begun else self._queue(since)
        except (NeighbourError, UnknownAccount):
            # The next call tries again.
            return 0
        with self._store.writing() as tx:
            tx.notes.save(PLAYS_QUEUED, approval)
            tx.notes.save(PLAYS_COUNTED, "")
        return count

    def _queue(self, since: int) -> int:
        account, count = self._history.account(), 0
        with self._store.reading() as db:
            total, _ = db.plays.count_history(account, since=since)
        for items, heirs in item_pages(self._store, account, since=since):
            scenes = self._history.scenes_of([*items, *heirs])
            with self._store.writing() as tx:
                tx.jobs.want_all(PLAYS, scenes, Why.EDIT, self._clock.now(), behind=total > CROWD)
            count += len(scenes)
        return count
