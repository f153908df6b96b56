"""The comparison of plays: once a day, and after a restore, the plays of all scenes are read, and those out of step queued.

It finds plays that you deleted in Stash, and what a restored backup of any database has changed. Plays move no time of
their scene, so no poll of Stash can. It decides nothing about a play itself: the queued scenes are looked at.
"""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from plexsync.engine.gates import Gates
from plexsync.engine.watching import Comparison, pages_of
from plexsync.flows.plays.history_poll import HistoryPoll, UnknownAccount
from plexsync.flows.plays.recovery import PlaysRecovery, StashRestores
from plexsync.rules.plays.plays import PlaySource, RememberedPlay, plan_plays
from plexsync.rules.queue.job import DAY, PLAYS, State, Why
from plexsync.rules.queue.note_keys import PLAYS_COMPARED, REPAIRED, RESTORED, STASH_BACK
from plexsync.rules.scene import ScenePlays
from plexsync.rules.servers.errors import NeighbourError
from plexsync.rules.servers.neighbours import Clock
from plexsync.store.database import Database, Reader

log = logging.getLogger("PlexSync.plays")

# The number of scenes, or of items with plays, that are read together.
PAGE = 200

Listed = Mapping[int, Mapping[int, PlaySource]]
Memories = Mapping[int, Mapping[int, RememberedPlay]]


@dataclass(eq=False)
class PlaysComparison(Comparison):
    """Compares the plays of all scenes that Plex lists or PlexSync remembers."""

    what = "plays"
    errors = (NeighbourError, UnknownAccount)

    _store: Database
    _history: HistoryPoll
    _recovery: PlaysRecovery
    _restores: StashRestores
    _gates: Gates
    _clock: Clock
    _longest: int

    def is_due(self) -> bool:
        """Whether the last comparison was a day ago, or a database was restored since."""
        with self._store.reading() as db:
            at, _, loss = db.notes.text(PLAYS_COMPARED).partition(" ")
            if db.notes.text(STASH_BACK) or loss != _last_loss(db):
                return True
        return not at.isdecimal() or not 0 <= self._clock.now() - int(at) < DAY

    def compare(self, stopping: Callable[[], bool] = lambda: False) -> int | None:
        """Queue every scene whose plays are out of step, or that is back; returns how many, None if it was stopped."""
        began = self._clock.now()
        with self._store.reading() as db:
            loss = _last_loss(db)
        self._recovery.check(again=True)
        self._restores.check()
        count = 0
        for scenes in chain(self._steps(self._history.account()), self._returned_scenes()):
            if scenes:
                with self._store.writing() as tx:
                    tx.jobs.want_all(PLAYS, scenes, Why.SWEEP, self._clock.now(), behind=True)
            count += len(scenes)
            if stopping():
                return None
        with self._store.writing() as tx:
            tx.notes.save(PLAYS_COMPARED, f"{began} {loss}")
        if count:
            log.info("the plays of %d scenes are looked at again", count)
        return count

    def _steps(self, account: int) -> Iterator[set[int]]:
        """The scenes that are out of step, page by page: those with remembered plays, then those with others in Plex."""
        for ids in pages_of(self._store, lambda db, last: db.plays.scenes(after=last, limit=PAGE), 0):
            scenes, memory = self._read(ids)
            yield self._out_of_step(scenes, memory, {})
            with self._store.reading() as db:
                others = db.plays.of_ids(sorted({*ids} - memory.keys()))
            # Of scenes that are gone: other ones may have their items, or their ids, by now.
            items = {play.source.item for plays in others.values() for play in plays.values()}
            yield from self._of_items(account, sorted(items))

        def read_news(db: Reader, last: str) -> list[str]:
            since = self._history.approved_since(db)
            return [] if since is None else db.plays.items_with_news(account, since=since, after=last, limit=PAGE)

        for news in pages_of(self._store, read_news, ""):
            yield from self._of_items(account, news)

    def _of_items(self, account: int, items: Sequence[str]) -> Iterator[set[int]]:
        """The scenes of these items that are out of step with what Plex lists."""
        with self._store.reading() as db:
            since = self._history.approved_since(db)
            if since is None or not items:
                return
            listed = db.plays.history(account, items, since=since)
            owners = {item: db.index.scenes_of([item]) for item in items}
        plays: dict[int, dict[int, PlaySource]] = {}
        for item, scenes_of in owners.items():
            for scene in scenes_of:
                plays.setdefault(scene, {}).update(listed.get(item, {}))
        yield self._out_of_step(*self._read(plays), plays)
        yield self._history.scenes_of([item for item, scenes_of in owners.items() if not scenes_of])

    def _returned_scenes(self) -> Iterator[set[int]]:
        """The scenes, page by page, that were gone when their plays were looked at, and are in Stash again."""

        def read_gone(db: Reader, last: int) -> list[int]:
            rows = db.jobs.in_state(State.GONE, limit=PAGE, after=(str(PLAYS), last))
            return [row.id for row in rows if row.kind == PLAYS]

        for ids in pages_of(self._store, read_gone, 0):
            yield set(self._restores.read(ids))

    def _read(self, ids: Collection[int]) -> tuple[dict[int, ScenePlays], Memories]:
        """Those of these scenes that Stash has, and what is remembered of them."""
        ordered = sorted(ids)
        scenes: dict[int, ScenePlays] = {}
        for start in range(0, len(ordered), PAGE):
            scenes |= self._restores.read(ordered[start : start + PAGE])
        with self._store.reading() as db:
            return scenes, db.plays.of({id: scene.created_at for id, scene in scenes.items()})

    def _out_of_step(self, scenes: Mapping[int, ScenePlays], memory: Memories, listed: Listed) -> set[int]:
        """Those of these scenes for whose plays there is something to do. `listed`: what Plex lists, by scene."""
        now = self._clock.now()
        out_of_step = set()
        for id, scene in scenes.items():
            remembered = memory.get(id, {})
            plex = {moment: play.source for moment, play in remembered.items()} | dict(listed.get(id, {}))
            plan = plan_plays(plex, Counter(scene.plays), remembered, now=now, longest=self._longest)
            if plan.add or plan.remove or plan.resolved:
                out_of_step.add(id)
        return out_of_step


def _last_loss(db: Reader) -> str:
    """When the database was last rebuilt, and when it was restored."""
    return "/".join(db.notes.text(name) for name in (REPAIRED, RESTORED))
