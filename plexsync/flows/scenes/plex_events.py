"""Hearing from Plex: what it tells by itself saves the time until the next look, and nothing depends on it.

Items that came wake the scenes that wait for them, items that changed or went want theirs as sweeps, a scan that ended is
looked at. What an edit of ours has moved wants nothing: either its scene is still at work, or the stamp that was read back
after the edit is the one that is read now. Whatever is missed (while it can't listen, or while too much is told at once) is
found by the poller, which looks at the same marks.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_PLEX, READ_STASH
from plexsync.flows.scenes.inspection import entry_of
from plexsync.flows.scenes.plex_index import Indexer, want_scenes_of
from plexsync.rules.errors import NeighbourError
from plexsync.rules.events import Event, Left, Scanned, Touched
from plexsync.rules.item import Entry, Item
from plexsync.rules.job import Kind, State, Why
from plexsync.rules.neighbours import Clock, Dice, Plex, Stash
from plexsync.rules.paths import base_name
from plexsync.store.database import Database, Reader

log = logging.getLogger("PlexSync.listen")

# Seconds that events are gathered before they are looked into, and how many items are asked for at once.
GATHERED = 1.0
ITEMS = 100
# Of more items than that, the next look at the library's marks tells as well, and cheaper.
MANY = 2_000
# Seconds before another try to listen: twice as long each time, and by chance up to half as long again.
FIRST_REST, LONGEST_REST = 2.0, 300.0
# A scene in one of these states is looked at anyway, or never.
UNMOVED = (State.READY, State.RUNNING, State.GONE, State.DROPPED, State.IGNORED)
# After so many seconds a connection was a good one.
GOOD = 60.0


class Events(Protocol):
    """Where they come from."""

    def listen(self, stopping: Callable[[], bool]) -> Iterator[Sequence[Event]]:
        """What comes, as it comes; nothing at least twice a second. Raises NeighbourError when it ends."""
        ...


@dataclass
class Gathered:
    """What was told and not looked into yet. `since`: when the first of it came (monotonic seconds)."""

    touched: dict[str, int] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    scanned: bool = False
    since: float | None = None

    def take(self, events: Sequence[Event], now: float) -> None:
        """Gather some more."""
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
        if events and self.since is None:
            self.since = now
        if len(self.touched) + len(self.removed) > MANY:
            self.touched, self.removed, self.scanned = {}, set(), True

    def next(self) -> "Gathered":
        """Take out what can be looked into at once."""
        keys, gone = list(self.touched)[:ITEMS], self.removed
        part = Gathered({key: self.touched.pop(key) for key in keys}, gone, self.scanned)
        self.removed, self.scanned = set(), False
        if not self.touched:
            self.since = None
        return part


class Listener:
    """Listens to one Plex. One thread."""

    def __init__(
        self,
        store: Database,
        stash: Stash,
        plex: Plex,
        events: Events,
        indexer: Indexer,
        gates: Gates,
        clock: Clock,
        dice: Dice,
    ) -> None:
        self._store = store
        self._stash = stash
        self._plex = plex
        self._events = events
        self._indexer = indexer
        self._gates = gates
        self._clock = clock
        self._dice = dice
        self._failures = 0
        self._again_at = 0.0
        self._silent = False

    def __call__(self, stopping: Callable[[], bool] = lambda: False) -> None:
        """Listen as long as it goes well; when it does not, a later call tries again."""
        began = self._clock.monotonic()
        if began < self._again_at or not self._gates.is_open(READ_PLEX):
            return
        try:
            self._listen(stopping)
        except NeighbourError as error:
            if not self._silent:
                # Once, however often it fails: without it everything is found as well.
                log.info("Plex can't be listened to, so it is looked at now and then: %s", error)
            self._silent = True
        finally:
            self._rest(began)

    def _rest(self, began: float) -> None:
        if self._clock.monotonic() - began >= GOOD:
            self._failures = 0
        rest = min(FIRST_REST * 2.0**self._failures, LONGEST_REST)
        self._failures += 1
        self._again_at = self._clock.monotonic() + rest * (1 + self._dice.random() / 2)

    def _listen(self, stopping: Callable[[], bool]) -> None:
        gathered = Gathered()
        heard = False
        for events in self._events.listen(stopping):
            if not heard:
                heard = True
                if self._silent:
                    log.info("listening to Plex again")
                self._silent = False
                # What happened while nobody listened.
                gathered.take([Scanned()], self._clock.monotonic())
            now = self._clock.monotonic()
            gathered.take(events, now)
            while gathered.since is not None and now - gathered.since >= GATHERED:
                if not self._gates.is_open(READ_PLEX):
                    break
                self.look_into(gathered.next())
                if stopping():
                    return

    def look_into(self, events: Gathered) -> None:
        """Want what the events ask for. A side that is away now leaves it to the poller."""
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
        """Those that may have news: not what is at work anyway, nor what was read back since."""
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
        """Whether no scene of this item would be looked at because of it: there is none, or all of them will be anyway.

        Of an item that only a look has met so far nobody knows that there is none.
        """
        rows = [db.jobs.find(Kind.SCENE, id) for id in db.index.scenes_of([entry.key])]
        return bool(rows or entry.stamp) and all(row is not None and row.state in UNMOVED for row in rows)

    def _read(self, keys: Sequence[str]) -> None:
        """See what has become of items, and want the scenes of those that are not as they were known."""
        items = self._gates.ask(READ_PLEX, partial(self._plex.items, keys))
        with self._store.reading() as db:
            sections = {row.key for row in db.sections.all()}
            stamps = {entry.key: entry.stamp for entry in db.index.entries(keys)}
        new = {key: item for key, item in items.items() if is_new(stamps.get(key), item) and item.section in sections}
        # Who waits for them can't be told while Stash is away: the next look at the library meets them as new.
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
                tx.jobs.want(Kind.SCENE, id, Why.SWEEP, now)
            tx.jobs.wake([(Kind.SCENE, id) for id in waiting], now=now)
        if new and rivals_known:
            log.info("Plex has %d new items, for %d scenes", len(new), len(waiting))

    def _waiting(self, new: Sequence[Item]) -> list[int]:
        """The scenes that have a file of the name of one of these items: they are the ones to look for it."""
        names = sorted({base_name(part.path) for item in new for part in item.parts})
        if not names:
            return []
        rivals = self._gates.ask(READ_STASH, partial(self._stash.rivals, names))
        return [scene.id for scene in rivals]


def is_new(stamp: int | None, item: Item) -> bool:
    """Whether an item was met by nobody who works so far: it is not known, or without a stamp, as looks leave it."""
    return bool(item.parts) and (stamp is None or stamp == 0 < item.stamp)


def differs(entry: Entry, item: Item) -> bool:
    """Whether an item is not as it was when it was last read by us."""
    return entry.stamp != item.stamp or entry.parts != item.parts
