"""The comparison of plays: once a day, and after a restore, the plays of all scenes are read, and those out of step queued.

It finds plays that you deleted in Stash, and what a restored backup of any database has changed. Plays move no time of
their scene, so no poll of Stash can. It decides nothing about a play itself: the queued scenes are looked at.
"""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import chain

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_PLEX, READ_STASH
from plexsync.flows.plays.history_poll import HistoryPoll, UnknownAccount
from plexsync.flows.plays.recovery import PlaysRecovery
from plexsync.flows.plays.stash_restores import StashRestores
from plexsync.rules.errors import NeighbourError
from plexsync.rules.job import DAY, PLAYS, State, Why
from plexsync.rules.neighbours import Clock
from plexsync.rules.note_keys import PLAYS_COMPARED, REPAIRED, RESTORED, STASH_BACK
from plexsync.rules.plays import PlaySource, RememberedPlay, plan_plays
from plexsync.rules.scene import ScenePlays
from plexsync.store.database import Database, Reader

log = logging.getLogger("PlexSync.plays")

# The number of scenes, or of items with plays, that are read together.
PAGE = 200
# Seconds before a comparison that could not be completed is tried again.
RETRY = 300.0

Listed = Mapping[int, Mapping[int, PlaySource]]
Memories = Mapping[int, Mapping[int, RememberedPlay]]


class PlaysComparison:
    """Compares the plays of all scenes that Plex lists or PlexSync remembers. Belongs to the worker."""

    def __init__(
        self,
        store: Database,
        history: HistoryPoll,
        recovery: PlaysRecovery,
        restores: StashRestores,
        gates: Gates,
        clock: Clock,
        longest: int,
    ) -> None:
        self._store = store
        self._history = history
        self._recovery = recovery
        self._restores = restores
        self._gates = gates
        self._clock = clock
        self._longest = longest
        self._failed_at: float | None = None

    def run_if_due(self, stopping: Callable[[], bool] = lambda: False) -> bool:
        """Compare if that is due; True if it was completed. `stopping` ends it after a page."""
        failed_at, passed = self._failed_at, self._clock.monotonic()
        if failed_at is not None and passed - failed_at < RETRY:
            return False
        if not self._is_due() or not self._gates.is_open(READ_PLEX, READ_STASH):
            return False
        try:
            is_complete = self.compare(stopping)
        except (NeighbourError, UnknownAccount) as error:
            log.info("the plays can't be compared now: %s", error)
            is_complete = False
        self._failed_at = None if is_complete else passed
        return is_complete

    def _is_due(self) -> bool:
        with self._store.reading() as db:
            at, _, loss = db.notes.text(PLAYS_COMPARED).partition(" ")
            if db.notes.text(STASH_BACK) or loss != _last_loss(db):
                return True
        return not at.isdecimal() or not 0 <= self._clock.now() - int(at) < DAY

    def compare(self, stopping: Callable[[], bool] = lambda: False) -> bool:
        """Queue every scene whose plays are out of step, or that is back; False if `stopping` ended that.

        Raises NeighbourError.
        """
        began = self._clock.now()
        with self._store.reading() as db:
            loss = _last_loss(db)
        self._recovery.check(again=True)
        self._restores.check()
        count = 0
        for scenes in chain(self._steps(self._history.account()), self._returned()):
            count += self._want(scenes)
            if stopping():
                return False
        with self._store.writing() as tx:
            tx.notes.save(PLAYS_COMPARED, f"{began} {loss}")
        if count:
            log.info("the plays of %d scenes are looked at again", count)
        return True

    def _steps(self, account: int) -> Iterator[set[int]]:
        """The scenes that are out of step, page by page: those with remembered plays, then those with others in Plex."""
        last = 0
        while True:
            with self._store.reading() as db:
                ids = db.plays.scenes(after=last, limit=PAGE)
            if not ids:
                break
            scenes, memory = self._read(ids)
            yield self._out_of_step(scenes, memory, {})
            with self._store.reading() as db:
                others = db.plays.of_ids(sorted({*ids} - memory.keys()))
            # Of scenes that are gone: other ones may have their items, or their ids, by now.
            items = {play.source.item for plays in others.values() for play in plays.values()}
            yield from self._of_items(account, sorted(items))
            last = ids[-1]
        last_item = ""
        while True:
            with self._store.reading() as db:
                since = self._history.approved_since(db)
                if since is None:
                    return
                news = db.plays.items_with_news(account, since=since, after=last_item, limit=PAGE)
            if not news:
                return
            yield from self._of_items(account, news)
            last_item = news[-1]

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

    def _returned(self) -> Iterator[set[int]]:
        """The scenes, page by page, that were gone when their plays were looked at, and are in Stash again."""
        last = (str(PLAYS), 0)
        while True:
            with self._store.reading() as db:
                rows = [row for row in db.jobs.in_state(State.GONE, limit=PAGE, after=last) if row.kind == PLAYS]
            if not rows:
                return
            yield set(self._restores.read([row.id for row in rows]))
            last = (str(PLAYS), rows[-1].id)

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

    def _want(self, scenes: Collection[int]) -> int:
        if scenes:
            with self._store.writing() as tx:
                for scene in sorted(scenes):
                    tx.jobs.want(PLAYS, scene, Why.SWEEP, self._clock.now(), behind=True)
        return len(scenes)


def _last_loss(db: Reader) -> str:
    """When the database was last rebuilt, and when it was restored."""
    return "/".join(db.notes.text(name) for name in (REPAIRED, RESTORED))
