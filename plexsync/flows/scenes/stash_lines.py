"""Listens to Stash's log for the lines of PlexSync wake-up, and queues what they name. Nothing depends on them.

A line is a wake-up. Stash skips a slow listener without telling it, and nobody hears a line while no worker runs. So a
poll runs at once after each connection, and again after the first batch, which shows that Stash sends. All later polls
find what lines have missed. One runs soon after Stash has written something that no line names.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from plexsync.engine.gates import Gates
from plexsync.engine.reconnect import ReconnectBackoff
from plexsync.engine.tickets import READ_STASH
from plexsync.rules.queue.events import Edited, LogBatch
from plexsync.rules.queue.job import Kind, Why
from plexsync.rules.queue.note_keys import EDIT_BY_LINE, HEARS, LINES
from plexsync.rules.servers.errors import NeighbourError
from plexsync.rules.servers.neighbours import Clock, RandomSource, Stash
from plexsync.store.database import Database

log = logging.getLogger("PlexSync.lines")

# With more edits in a batch than this, single edits go first.
CROWD = 20
# The number of new scenes that are asked for together.
PAGE = 100
# Seconds from a write that no line names to the poll, as its line may come with the next batch, and between two of these.
UNNAMED = 3.0
BETWEEN = 8.0
NEVER = float("inf")
# The first delay, in seconds, before it connects again.
FIRST_DELAY = 1.0


class Lines(Protocol):
    """The source of edits."""

    def listen(self, stopping: Callable[[], bool]) -> Iterator[LogBatch | None]:
        """Yield what each batch tells of; None when it begins, and at least once a second. Raises NeighbourError."""
        ...


@dataclass(eq=False)
class StashListener:
    """Listens to one Stash, on one thread. `poll` has the poller run at once."""

    _store: Database
    _stash: Stash
    _lines: Lines
    _gates: Gates
    _clock: Clock
    _rng: RandomSource
    poll: Callable[[], object] = field(kw_only=True)

    def __post_init__(self) -> None:
        self._backoff = ReconnectBackoff(self._clock, self._rng, FIRST_DELAY)
        self._told = ""

    def __call__(self, stopping: Callable[[], bool] = lambda: False) -> None:
        """Listen until the connection fails. A later call tries again."""
        if not self._backoff.is_over() or not self._gates.is_open(READ_STASH):
            return
        began = self._clock.monotonic()
        try:
            self._listen(stopping)
        except NeighbourError as error:
            self._tell(str(error))
            # Lines may have been lost with the connection.
            self.poll()
        finally:
            self._backoff.note_end(began)

    def connect_now(self) -> None:
        """Connect at the next call: Stash was down, and is up again."""
        self._backoff.end()

    def _listen(self, stopping: Callable[[], bool]) -> None:
        connected = sends = False
        due, polled = NEVER, -BETWEEN
        for batch in self._lines.listen(stopping):
            if not connected:
                connected = True
                self._tell(HEARS)
                self.poll()
            now = self._clock.monotonic()
            if batch is not None:
                if not sends:
                    sends = True
                    self.poll()
                self.take(batch.edits)
                if batch.edits:
                    due = NEVER
                elif batch.writes:
                    due = min(due, max(now + UNNAMED, polled + BETWEEN))
            if now >= due:
                due, polled = NEVER, now
                self.poll()

    def take(self, edits: Sequence[Edited]) -> None:
        """Queue what a batch of lines names, in one transaction: of scenes that are new here, those that Stash has."""
        ids = [edit.id for edit in edits if edit.kind is Kind.SCENE]
        with self._store.reading() as db:
            recorded = {*db.jobs.of(Kind.SCENE, ids), *db.standings.of(ids)} if ids else set[int]()
        fresh = [id for id in ids if id not in recorded]
        absent = set(fresh)
        try:
            for start in range(0, len(fresh), PAGE):
                ask = partial(self._stash.existing, fresh[start : start + PAGE])
                absent -= self._gates.ask(READ_STASH, ask, of_all=True)[0]
        except NeighbourError:
            # The attempts find out.
            absent = set()
        edits = [edit for edit in edits if edit.kind is not Kind.SCENE or edit.id not in absent]
        if not edits:
            return
        now = self._clock.now()
        with self._store.writing() as tx:
            for edit in edits:
                tx.jobs.want(edit.kind, edit.id, Why.EDIT, now, behind=len(edits) > CROWD)
            tx.notes.save(EDIT_BY_LINE, str(now))
        log.debug("%d edits by lines of Stash's log", len(edits))

    def _tell(self, state: str) -> None:
        """Note whether lines are heard. It is logged once, however often it fails, since polls find everything as well."""
        if state != self._told:
            self._told = state
            if state != HEARS:
                log.info("Stash's log can't be heard, so edits are found by polls: %s", state)
            else:
                log.info("hearing of edits by Stash's log")
            with self._store.writing() as tx:
                tx.notes.save(LINES, state)
