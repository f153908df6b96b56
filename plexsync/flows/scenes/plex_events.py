"""Listens to events from Plex. They save the time until the next poll, and nothing depends on them.

New items wake the scenes that wait for them, changed or removed items queue their scenes as sweeps, and a finished scan
is checked. PlexSync's own edits queue nothing: either the scene is still running, or its stamp is the one that was read
back after the edit. The poller checks the same marks, so it finds every missed event (while the connection is down, or
while too many events arrive).
"""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from plexsync.engine.gates import Gates
from plexsync.engine.reconnect import ReconnectBackoff
from plexsync.engine.tickets import READ_PLEX, READ_STASH
from plexsync.flows.scenes.plex_index import Indexer, want_scenes_of
from plexsync.flows.scenes.scene_matching import entry_of
from plexsync.rules.item import Entry, Item
from plexsync.rules.match.paths import base_name
from plexsync.rules.queue.events import Event, Left, Scanned, SessionChanged, Touched
from plexsync.rules.queue.job import Kind, State, Why
from plexsync.rules.servers.errors import NeighbourError
from plexsync.rules.servers.neighbours import Clock, Plex, RandomSource, Stash
from plexsync.store.database import Database, Reader

log = logging.getLogger("PlexSync.listen")

# Seconds for which events are gathered before they are processed, and the number of items per request.
GATHERED = 1.0
ITEMS = 100
# With more items than this, checking the library's marks is cheaper and finds the same changes.
MANY = 2_000
# The first delay, in seconds, before it connects again.
FIRST_DELAY = 2.0
# A scene in one of these states is inspected anyway, or never.
UNMOVED = (State.READY, State.RUNNING, State.GONE, State.DROPPED, State.IGNORED)


class Events(Protocol):
    """The source of events."""

    def listen(self, stopping: Callable[[], bool]) -> Iterator[Sequence[Event]]:
        """Yield events as they arrive, and an empty batch at least once a second. Raises NeighbourError when it ends."""
        ...


@dataclass
class Gathered:
    """Events that are not processed yet. `since`: when the first of them arrived (monotonic seconds)."""

    touched: dict[str, int] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    scanned: bool = False
    since: float | None = None

    def take(self, events: Sequence[Event], now: float) -> None:
        """Add events."""
        for event in events:
            match event:
                case Touched(key=key, stamp=stamp):
                    self.removed.discard(key)
                    self.touched[key] = max(stamp, self.touched.get(key, 0))
                case Left(key=key):
                    self.touched.pop(key, None)
                    self.removed.add(key)
                case Scanned():
                    self.scanned = True
                case SessionChanged():
                    continue
            if self.since is None:
                self.since = now
        if len(self.touched) + len(self.removed) > MANY:
            self.touched, self.removed, self.scanned = {}, set(), True

    def next(self) -> "Gathered":
        """Remove and return the events that can be processed at once."""
        keys, gone = list(self.touched)[:ITEMS], self.removed
        part = Gathered({key: self.touched.pop(key) for key in keys}, gone, self.scanned)
        self.removed, self.scanned = set(), False
        if not self.touched:
            self.since = None
        return part


@dataclass(eq=False)
class Listener:
    """Listens to one Plex, on one thread, which waits for nothing else: so all events are heard when they come.

    `look` runs on another thread, which waits for `sooner`.
    """

    _store: Database
    _stash: Stash
    _plex: Plex
    _events: Events
    _indexer: Indexer
    _gates: Gates
    _clock: Clock
    _rng: RandomSource

    def __post_init__(self) -> None:
        self._backoff = ReconnectBackoff(self._clock, self._rng, FIRST_DELAY)
        self._silent = False
        self.sooner = threading.Event()
        self._lock = threading.Lock()
        self._gathered = Gathered()

    def __call__(
        self, stopping: Callable[[], bool] = lambda: False, others: Sequence[Callable[[Sequence[Event]], object]] = ()
    ) -> None:
        """Listen until the connection fails. A later call tries again.

        `others` receive every batch of events too, and an empty one at least once a second.
        """
        if not self._backoff.is_over() or not self._gates.is_open(READ_PLEX):
            return
        began = self._clock.monotonic()
        try:
            self._listen(stopping, others)
        except NeighbourError as error:
            if not self._silent:
                # Logged once, however often it fails, since the poller finds everything as well.
                log.info("Plex can't be listened to, so it is looked at now and then: %s", error)
            self._silent = True
        finally:
            self._backoff.note_end(began)

    def _listen(self, stopping: Callable[[], bool], others: Sequence[Callable[[Sequence[Event]], object]]) -> None:
        heard = False
        for events in self._events.listen(stopping):
            for other in others:
                other(events)
            # Changes that happened while nothing was listening.
            missed = [] if heard else [Scanned()]
            if not heard and self._silent:
                log.info("listening to Plex again")
            heard, self._silent = True, False
            with self._lock:
                self._gathered.take([*events, *missed], self._clock.monotonic())
            if self._is_due():
                self.sooner.set()

    def look(self, stopping: Callable[[], bool] = lambda: False) -> None:
        """Look into the events that have waited long enough, some at a time; later if Plex is down."""
        while not stopping() and self._is_due() and self._gates.is_open(READ_PLEX):
            with self._lock:
                some = self._gathered.next()
            self.look_into(some)

    def _is_due(self) -> bool:
        """Whether events have waited long enough."""
        with self._lock:
            return self._gathered.since is not None and self._clock.monotonic() - self._gathered.since >= GATHERED

    def look_into(self, events: Gathered) -> None:
        """Queue what the events concern. If a server is down, the poller does it later."""
        try:
            if events.removed:
                with self._store.writing() as tx:
                    want_scenes_of(tx, sorted(events.removed), now=self._clock.now())
            keys = self._worth_reading(events.touched)
            if keys:
                self._read(keys)
            if events.scanned:
                self._indexer.freshen(soon=True)
        except NeighbourError as error:
            log.debug("what Plex told of could not be looked into: %s", error)

    def _worth_reading(self, touched: dict[str, int]) -> list[str]:
        """The items that may have changed, without those inspected anyway or read back since."""
        with self._store.reading() as db:
            indexed = {entry.key: entry for entry in db.index.entries(sorted(touched))}
            return [
                key
                for key, stamp in sorted(touched.items())
                if not (
                    key in indexed and (0 < stamp <= indexed[key].stamp or self._looked_at_anyway(db, indexed[key]))
                )
            ]

    @staticmethod
    def _looked_at_anyway(db: Reader, entry: Entry) -> bool:
        """Whether the event makes no difference: the item has no scene, or all its scenes are inspected anyway (or never).

        An item without a stamp is known only from an inspection. It may have scenes that are not recorded yet.
        """
        rows = [db.jobs.find(Kind.SCENE, id) for id in db.index.scenes_of([entry.key])]
        return bool(rows or entry.stamp) and all(row is not None and row.state in UNMOVED for row in rows)

    def _read(self, keys: Sequence[str]) -> None:
        """Read items, and queue the scenes of those that differ from the index."""
        items = self._gates.ask(READ_PLEX, partial(self._plex.items, keys))
        with self._store.reading() as db:
            sections = {row.key for row in db.sections.all()}
            stamps = {entry.key: entry.stamp for entry in db.index.entries(keys)}
        new = {key: item for key, item in items.items() if is_new(stamps.get(key), item) and item.section in sections}
        # While Stash is down, the waiting scenes are unknown. The next check of the library then meets these items as
        # new.
        rivals_known = not new or self._gates.is_open(READ_STASH)
        waiting = self._waiting(list(new.values())) if rivals_known else []
        now = self._clock.now()
        with self._indexer.at_rest(), self._store.writing() as tx:
            before = {entry.key: entry for entry in tx.index.entries(keys)}
            moved = [key for key, item in items.items() if key in before and differs(before[key], item)]
            want_scenes_of(tx, [*moved, *(key for key in before if key not in items)], now=now)
            read_items = [item for key, item in items.items() if (rivals_known if key in new else key in before)]
            tx.index.save(map(entry_of, read_items), walk=now, stamped=True)
            for id in waiting:
                tx.jobs.want(Kind.SCENE, id, Why.PLEX, now)
            tx.jobs.wake([(Kind.SCENE, id) for id in waiting], now=now)
        if new and rivals_known:
            log.info("Plex has %d new items, for %d scenes", len(new), len(waiting))

    def _waiting(self, new: Sequence[Item]) -> list[int]:
        """The scenes with a file of the same name as one of these items, which may match now."""
        names = sorted({base_name(part.path) for item in new for part in item.parts})
        if not names:
            return []
        rivals = self._gates.ask(READ_STASH, partial(self._stash.rivals, names))
        return [scene.id for scene in rivals]


def is_new(stamp: int | None, item: Item) -> bool:
    """Whether an item is new: not in the index, or there without a stamp, as an inspection leaves it."""
    return bool(item.parts) and (stamp is None or stamp == 0 < item.stamp)


def differs(entry: Entry, item: Item) -> bool:
    """Whether an item differs from its entry in the index."""
    return entry.stamp != item.stamp or entry.parts != item.parts
