"""Polls where scenes were left in Plex, and queues those whose resume point in Stash may have to follow.

It asks Plex for the items of each library that were watched since the newest viewing of the last poll: one request for
a library while nobody watches. The end of a poll is saved in the transaction that queues its scenes. A Plex that
neither filters nor sorts by that moment lists the whole library, so it is asked once a day.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from plexsync.engine.gates import Gates
from plexsync.engine.server_identity import ServerIdentity
from plexsync.engine.tickets import READ_PLEX, READ_STASH
from plexsync.engine.watching import asked_pages
from plexsync.flows.plays.history_poll import HistoryPoll, UnknownAccount, want_many
from plexsync.flows.scenes.inspection_records import Inspection
from plexsync.plex.history import PlexHistory
from plexsync.rules.item import ViewState
from plexsync.rules.plays.plays import OWNER
from plexsync.rules.plays.resume import is_news, newest
from plexsync.rules.queue.job import PLAYS, Why
from plexsync.rules.servers.errors import Missing, NeighbourError
from plexsync.rules.servers.neighbours import Clock
from plexsync.rules.words.status_words import DOWN
from plexsync.store.database import Database, Writer

log = logging.getLogger("PlexSync.resume")

# The note of the server, of the second from which on a library was read, and of the second of its newest viewing then.
READ_UNTIL = "resume:until:"
# Seconds for which a Plex that lists the whole library is not asked again.
DAY = 86_400.0
UNAPPROVED = "the first write of plays is not approved yet"
OTHER_ACCOUNT = "resume points are those of the owner's account, and watch_account is another one"


@dataclass(eq=False)
class ResumePoll:
    """Watches what the account of the token has watched. For one thread, except for `observe`."""

    _store: Database
    _plex: PlexHistory
    _gates: Gates
    _clock: Clock
    _identity: ServerIdentity
    _history: HistoryPoll
    _is_refused: bool = field(default=False, init=False)
    # By library: the viewings of the last poll that the next one lists again, and until when it is not asked.
    _listed: dict[str, dict[str, ViewState]] = field(default_factory=dict, init=False)
    _rests_until: dict[str, float] = field(default_factory=dict, init=False)

    def poll(self) -> str:
        """Read what was watched since the last time; returns why that is not possible now, '' if it was."""
        if not self._gates.is_open(READ_PLEX, READ_STASH):
            return f"Plex or Stash is {DOWN}"
        try:
            if self._history.account() != OWNER:
                if not self._is_refused:
                    log.warning("%s: none are brought", OTHER_ACCOUNT)
                self._is_refused = True
                return OTHER_ACCOUNT
            self._identity.ensure(self._gates)
            with self._store.reading() as db:
                sections, server, since = db.sections.all(), db.servers.find(), self._history.approved_since(db)
            if since is None:
                return UNAPPROVED
            for section in sections:
                self._read(section.key, server.machine if server else "", since)
        except (NeighbourError, UnknownAccount) as error:
            return str(error)
        return ""

    def look(self) -> str:
        """As `poll`; that the first plays wait for your approval is no failure."""
        reason = self.poll()
        return "" if reason == UNAPPROVED else reason

    def _read(self, section: str, machine: str, since: int) -> None:
        if self._clock.monotonic() < self._rests_until.get(section, 0.0):
            return
        note, now = f"{READ_UNTIL}{section}", self._clock.now()
        with self._store.reading() as db:
            text = db.notes.text(note)
        # What was read of another server, or from a later second on, does not count.
        of_machine, start, last = (*text.split(" "), "", "", "")[:3]
        is_read = of_machine == machine and start.isdecimal() and last.isdecimal() and int(start) <= since
        end = int(last) if is_read else None
        # A moment in the future is from before a clock was set.
        until = 0 if end is None else min(end, now // 1000)
        viewings: dict[str, ViewState] = {}
        try:
            for page in asked_pages(self._gates, READ_PLEX, self._plex.viewings(section, since=max(until, since))):
                viewings |= page.viewings
                if not page.is_bounded:
                    self._rests_until[section] = self._clock.monotonic() + DAY
        except Missing:
            # The library is gone, and the index does not know yet.
            return
        listed = self._listed.get(section, {})
        # At first, only what has a resume point: what was watched to its end may be years old.
        fresh = [
            key for key, viewing in viewings.items() if (viewing.offset if end is None else listed.get(key) != viewing)
        ]
        until = max((until, *(viewing.moment for viewing in viewings.values())))
        scenes = self._history.scenes_of(sorted(fresh))
        with self._store.writing() as tx:
            want_many(tx, PLAYS, scenes, now)
            if text != (text_of_end := f"{machine} {since} {until}"):
                tx.notes.save(note, text_of_end)
        self._listed[section] = viewings

    def observe(self, tx: Writer, inspections: Sequence[Inspection], now: int) -> None:
        """Queue the inspected scenes with an item that was watched since their resume point was dealt with.

        Of the scenes that were never dealt with, those with an item that was left somewhere.
        """
        if not (self._history.rules.resume and self._history.tells_views):
            return
        since = self._history.approved_since(tx)
        if since is None:
            return
        created = {
            inspection.id: inspection.scene.created_at
            for inspection in inspections
            if inspection.scene and inspection.targets
        }
        memory = tx.watches.of(created)
        for inspection in inspections:
            viewings = {target.item.key: target.item.viewing for target in inspection.targets}
            watched, remembered = newest(viewings, since=since), memory.get(inspection.id)
            if inspection.id not in created or watched is None:
                continue
            if is_news(watched, remembered.last, now=now) if remembered else watched.viewing.offset:
                tx.jobs.want(PLAYS, inspection.id, Why.SWEEP, now)
