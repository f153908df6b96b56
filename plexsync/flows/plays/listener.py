"""Hears in Plex's events that something is played, so that a play is in Stash before the next poll.

An event names no account, so nothing is written because of it: it only says when to look. After a stop the history is
read a few times, since its row can come later than the event. The poll finds what no event has told, a little later.
"""

import logging
import math
import threading
from collections.abc import Callable, Sequence
from typing import Any

from plexsync.flows.plays.history_poll import HistoryPoll, want_many
from plexsync.rules.queue.events import Event, SessionChanged, SessionState
from plexsync.rules.queue.job import PLAYS, State
from plexsync.rules.servers.errors import NeighbourError
from plexsync.rules.servers.neighbours import Clock
from plexsync.store.database import Database

log = logging.getLogger("PlexSync.plays")

# Seconds after such an event at which the history is read, rounded up to the next full second: so that a flood of events
# costs no more than one request a second.
DELAYS = {SessionState.PAUSED: (1,), SessionState.STOPPED: (1, 5, 15)}

# The most sessions, and items to look at, that are remembered. The oldest are forgotten first.
MANY = 1_000


class PlayListener:
    """Says when to read the history, and queues scenes of which an item was paused or stopped.

    `take` runs on the thread that listens to Plex, and sets `sooner`; `poll` runs on another one, which waits for it.
    """

    def __init__(self, store: Database, history: HistoryPoll, clock: Clock) -> None:
        self.sooner = threading.Event()
        self._store, self._history, self._clock = store, history, clock
        self._lock = threading.Lock()
        # What was said last of each session; of one without a name, by its item.
        self._sessions: dict[tuple[str, str], SessionChanged] = {}
        # The items that were paused or stopped, each with the number of its latest event.
        self._items: dict[str, int] = {}
        self._count = 0
        self._due: set[int] = set()

    def take(self, events: Sequence[Event]) -> None:
        """Take in events; also without any, it notices that it is time to poll."""
        now = self._clock.monotonic()
        with self._lock:
            for event in events:
                if isinstance(event, SessionChanged):
                    self._take(event, now)
            due = {moment for moment in self._due if moment <= now}
            self._due -= due
        if due:
            self.sooner.set()

    def _take(self, event: SessionChanged, now: float) -> None:
        session = (event.session, "" if event.session else event.key)
        before = self._sessions.pop(session, None)
        if event.state is not SessionState.STOPPED:
            self._sessions[session] = event
            _forget_oldest(self._sessions)
        if before is not None and before.key != event.key:
            # Its player went on without a word about the end.
            self._note_interruption(before.key, SessionState.STOPPED, now)
        if event != before:
            self._note_interruption(event.key, event.state, now)

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


def _forget_oldest(memory: dict[Any, Any]) -> None:
    while len(memory) > MANY:
        del memory[next(iter(memory))]
