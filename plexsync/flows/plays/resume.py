"""Resume points in the plays flow: where a scene is resumed in Stash follows where it was left in Plex.

Each job of the flow plans them with the plays, and writes them in a request of their own. The memory is saved before
that request, so one whose result is unknown is resolved by reading Stash again (`plexsync.rules.plays.resume`).

A poll asks Plex for the items of each library that were watched since the newest viewing of the last poll: one request for
a library while nobody watches. The end of a poll is saved in the transaction that queues its scenes. A Plex that
neither filters nor sorts by that moment lists the whole library, so it is asked once a day.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from plexsync.engine.expiry import Expiry
from plexsync.engine.gates import Gates
from plexsync.engine.server_identity import ServerIdentity
from plexsync.engine.tickets import READ_PLEX, READ_STASH
from plexsync.engine.watching import asked_pages
from plexsync.flows.plays.history_poll import HistoryPoll, UnknownAccount, want_many
from plexsync.flows.plays.writes import PlaysFinding, ResumePart
from plexsync.flows.scenes.inspection_records import Inspection
from plexsync.rules.item import Item, ViewState
from plexsync.rules.plays.plays import OWNER
from plexsync.rules.plays.resume import AHEAD, RememberedResume, Watched, is_news, newest, plan_resume
from plexsync.rules.plays.viewings import Viewing
from plexsync.rules.queue.job import PLAYS, Why
from plexsync.rules.record_class import record
from plexsync.rules.scene import WatchedScene
from plexsync.rules.servers.errors import Missing, NeighbourError
from plexsync.rules.servers.neighbours import Clock, PlexWatch
from plexsync.rules.words.status_words import DOWN
from plexsync.store.database import Database, Writer

log = logging.getLogger("PlexSync.resume")

# The note of the server, of the second from which on a library was read, and of the second of its newest viewing then.
READ_UNTIL = "resume:until:"
# Seconds for which a Plex that lists the whole library is not asked again.
DAY = 86_400.0
UNAPPROVED = "the first write of plays is not approved yet"
OTHER_ACCOUNT = "resume points are those of the owner's account, and watch_account is another one"


@record
class ResumePoints:
    """Plans and saves the resume points of scenes, for the plays flow."""

    _history: HistoryPoll
    _clock: Clock
    _expiry: Expiry

    def join(
        self,
        finding: PlaysFinding,
        items: Sequence[Item],
        watches: Sequence[Viewing],
        remembered: RememberedResume | None,
        *,
        since: int | None,
    ) -> PlaysFinding:
        """The finding with the plan for the resume point of its scene, which has these items and viewings.

        While it is watched, its place changes with each report, and is left alone.
        `since`: the moment from which on you have approved that something is written; None before that.
        """
        is_moving = any(viewing.is_running(self._clock.now()) for viewing in watches)
        is_told = self._history.rules.resume and self._history.tells_views and not is_moving
        viewings = {item.key: item.viewing for item in items} if is_told else {}
        return self.plan(finding, None if since is None else newest(viewings, since=since), remembered)

    def plan(self, finding: PlaysFinding, watched: Watched | None, remembered: RememberedResume | None) -> PlaysFinding:
        """The finding with the plan for this viewing; None: to put back the resume point, if that was asked for."""
        if finding.watched is None:
            return finding
        now = self._clock.now()
        current = replace(remembered, until=self._expiry.until(remembered.until)) if remembered else None
        plan = plan_resume(
            watched,
            finding.watched.position,
            current,
            seconds=finding.watched.resume_seconds,
            duration=round(files[0].duration * 1000) if (files := finding.watched.scene.files) else 0,
            played_at=_played_at(finding, finding.watched, now),
            now=now,
            longest=self._expiry.longest,
        )
        return replace(finding, resume=(remembered, plan))

    @staticmethod
    def save(tx: Writer, finding: PlaysFinding, *, until: int) -> ResumePart | None:
        """Save what was found, and what is sent before it is: by the write of what is returned, until then."""
        watched = finding.watched
        if finding.resume is None or watched is None:
            return None
        created_at, (remembered, plan) = watched.scene.created_at, finding.resume
        if plan.resolved:
            tx.watches.save(finding.id, created_at, plan.resolved)
        if plan.send is None or plan.send.sending is None:
            return None
        opened = replace(plan.send, until=until)
        tx.watches.save(finding.id, created_at, opened)
        return ResumePart(remembered, opened)


def _played_at(finding: PlaysFinding, watched: WatchedScene, now: int) -> int:
    """The second of the newest play in Stash that is not from Plex; 0 if there is none.

    One that is far in the future says nothing: it would keep every viewing in Plex away.
    """
    plan = finding.plan
    from_plex = {*finding.memory, *(plan.resolved if plan else ()), *(plan.requests if plan else ())}
    own = (moment for moment in watched.plays if moment not in from_plex and moment <= now // 1000 + AHEAD)
    return max(own, default=0)


@dataclass(eq=False)
class ResumePoll:
    """Watches what the account of the token has watched. For one thread, except for `observe`."""

    _store: Database
    _plex: PlexWatch
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
