"""Hears in Plex's events what is played: for viewings, and so that a play is in Stash before the next poll.

An event names no account, so nothing is written because of it: it only says when to look. After a stop the history is
read a few times, since its row can come later than the event. The poll finds what no event has told, a little later.
"""

import logging
import math
import threading
from collections.abc import Callable, Sequence
from typing import Any

from plexsync.flows.plays.history_poll import HistoryPoll, want_many
from plexsync.rules.plays.viewings import GAP, Viewing
from plexsync.rules.queue.events import Event, SessionChanged, SessionState
from plexsync.rules.queue.job import PLAYS, State
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import NeighbourError
from plexsync.rules.servers.neighbours import Clock
from plexsync.store.database import Database

log = logging.getLogger("PlexSync.plays")

# Seconds after such an event at which the history is read, rounded up to the next full second: so that a flood of events
# costs no more than one request a second.
DELAYS = {SessionState.PAUSED: (1,), SessionState.STOPPED: (1, 5, 15)}

# The most sessions, and items to look at, that are remembered. The oldest are forgotten first.
MANY = 1_000
# The most reports that wait to be taken down, likewise.
MOST_REPORTS = 10_000
# Seconds without a word of Plex after which its line counts as lost: it says something every second.
LOST = 5.0


@record
class HeardReport:
    """What a player has said, when (UTC ms), and at which second of a clock that nobody sets.

    `lost_at`: the second of that clock at which Plex was heard again, after it was not for some time.
    """

    event: SessionChanged
    at: int
    clock: float
    lost_at: float

    @property
    def joins(self) -> bool:
        """Whether what it is about may have begun unseen."""
        return self.clock - self.lost_at < GAP / 1000


class PlayListener:
    """Hears players, says when to read the history, and queues scenes of which an item was paused or stopped.

    `take` runs on the thread that listens to Plex. It sets `sooner`, for which a thread waits that calls `poll`, and
    `reported`, for which another one waits that takes down the `reports`. `lost_at`: at which second of a clock that nobody
    sets the line to Plex was back after it was lost.
    """

    def __init__(self, store: Database, history: HistoryPoll, clock: Clock) -> None:
        self.sooner, self.reported = threading.Event(), threading.Event()
        self._store, self._history, self._clock = store, history, clock
        self._lock = threading.Lock()
        self._reports: list[HeardReport] = []
        self._heard = -LOST
        self.lost_at = 0.0
        # What was said last of each session; of one without a name, by its item.
        self._sessions: dict[tuple[str, str], HeardReport] = {}
        # The items that were paused or stopped, each with the number of its latest event.
        self._items: dict[str, int] = {}
        self._count = 0
        self._due: set[int] = set()

    def take(self, events: Sequence[Event]) -> None:
        """Take in events; also without any, it notices that it is time to poll, and that the line to Plex was lost."""
        now, at = self._clock.monotonic(), self._clock.now()
        with self._lock:
            if now - self._heard > LOST:
                self.lost_at = now
            self._heard = now
            heard = [event for event in events if isinstance(event, SessionChanged)]
            reports = [HeardReport(event, at, now, self.lost_at) for event in heard]
            for report in reports:
                self._take(report)
            self._reports += reports
            del self._reports[:-MOST_REPORTS]
            due = {moment for moment in self._due if moment <= now}
            self._due -= due
        if due:
            self.sooner.set()
        if reports:
            self.reported.set()

    def _take(self, report: HeardReport) -> None:
        event, now = report.event, report.clock
        before = self._sessions.pop(_name(event.session, event.key), None)
        if event.state is not SessionState.STOPPED:
            self._sessions[_name(event.session, event.key)] = report
            _forget_oldest(self._sessions)
        if before is not None and before.event.key != event.key:
            # Its player went on without a word about the end.
            self._note_interruption(before.event.key, SessionState.STOPPED, now)
        if before is None or event != before.event:
            self._note_interruption(event.key, event.state, now)

    def reports(self) -> list[HeardReport]:
        """Remove and return the reports that were heard."""
        with self._lock:
            reports, self._reports = self._reports, []
        return reports

    def put_back(self, reports: Sequence[HeardReport]) -> None:
        """Keep reports that could not be taken down."""
        with self._lock:
            self._reports = [*reports, *self._reports]

    def has_ended(self, viewing: Viewing) -> bool:
        """Whether the player of a viewing has stopped, or is silent for so long, also if a clock was set meanwhile."""
        with self._lock:
            last = self._sessions.get(_name(viewing.session, viewing.item))
        goes_on = last and last.event.key == viewing.item and self._clock.monotonic() - last.clock <= GAP / 1000
        return viewing.is_over or (not goes_on and viewing.has_ended(self._clock.now()))

    def _note_interruption(self, key: str, state: SessionState, now: float) -> None:
        delays = DELAYS.get(state, ())
        if delays:
            self._count += 1
            self._items.pop(key, None)
            self._items[key] = self._count
            _forget_oldest(self._items)
            self._due |= {math.ceil(now + delay) for delay in delays}

    def poll(self, stopping: Callable[[], bool] = lambda: False) -> str:
        """Read the history, and queue scenes of items that were paused or stopped; returns why not, '' if it was done.

        `stopping` ends it after a page of the history.
        """
        problem = self._history.poll(stopping)
        with self._lock:
            items = dict(self._items)
        if problem or not items:
            return problem
        try:
            scenes = self._history.scenes_of(list(items))
        except NeighbourError as error:
            log.debug("the scenes of what was played are not known: %s", error)
            return str(error)
        now = self._clock.now()
        with self._store.writing() as tx:
            if self._history.approved_since(tx) is not None:
                rows = tx.jobs.of(PLAYS, sorted(scenes))
                # One that is due already is looked at anyway.
                waiting = {id for id, row in rows.items() if row.state is State.READY and row.due <= now}
                want_many(tx, PLAYS, scenes - waiting, now)
        with self._lock:
            self._items = {key: number for key, number in self._items.items() if items.get(key) != number}
        return ""


def _name(session: str, item: str) -> tuple[str, str]:
    """What a session is known by."""
    return session, "" if session else item


def _forget_oldest(memory: dict[Any, Any]) -> None:
    while len(memory) > MANY:
        del memory[next(iter(memory))]
