"""The verbs that all doors share: want, look, give another chance, give up."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_STASH, READS
from plexsync.flows.scenes.inspection import Looker, Sight
from plexsync.rules.job import Kind, State, Why
from plexsync.rules.neighbours import Clock, Stash
from plexsync.rules.records import AttemptRow, JobRow
from plexsync.store.database import Database, Writer

CHUNK = 500
SETTLED = (State.IDLE, State.ABSENT, State.DEAD, State.GONE, State.DROPPED, State.IGNORED, State.OUTSIDE)


def want_scenes(store: Database, ids: Iterable[int], reason: Why, clock: Clock, *, take_over: bool = False) -> int:
    """Want these scenes; returns how many. `take_over`: what was in Plex before us becomes ours with that."""
    wanted = list(ids)
    for start in range(0, len(wanted), CHUNK):
        with store.writing() as tx:
            for id in wanted[start : start + CHUNK]:
                if take_over:
                    _want_taken_over(tx, id, reason, clock.now())
                else:
                    tx.jobs.want(Kind.SCENE, id, reason, clock.now())
    return len(wanted)


def _want_taken_over(tx: Writer, id: int, reason: Why, now: int) -> None:
    """A wish that stays on record until it is done. Whoever works on the scene just now may have looked before it."""
    tx.notes.take_over(id, now=now)
    row = tx.jobs.find(Kind.SCENE, id)
    at_work = row is not None and row.state is State.RUNNING
    tx.jobs.want(Kind.SCENE, id, Why.USER if at_work else reason, now, behind=reason is Why.SWEEP)


def want_all(
    store: Database,
    stash: Stash,
    gates: Gates,
    clock: Clock,
    *,
    since: datetime | None = None,
    take_over: bool = False,
) -> list[int]:
    """Want every scene Stash has (those updated at or after `since`), as a sweep; returns their ids."""
    gates.enter(READ_STASH)
    ids: list[int] = []
    pages = stash.walk_ids()
    while (page := gates.ask(READ_STASH, lambda: next(pages, None), of_all=True)) is not None:
        fresh = [id for id, text in page if since is None or datetime.fromisoformat(text) >= since]
        # Given a moment, a person asks for a few scenes now; everything is a backfill.
        want_scenes(store, fresh, Why.SWEEP if since is None else Why.USER, clock, take_over=take_over)
        ids += fresh
    return ids


def ignore_scenes(store: Database, ids: Iterable[int], clock: Clock) -> list[int]:
    """Leave these scenes alone from now on; returns those that were not ignored already."""
    now = clock.now()
    with store.writing() as tx:
        return [id for id in dict.fromkeys(ids) if tx.jobs.ignore(Kind.SCENE, id, now=now)]


def unignore_scenes(store: Database, ids: Iterable[int], clock: Clock) -> list[int]:
    """Look after these scenes again; returns those that were ignored."""
    now = clock.now()
    with store.writing() as tx:
        return [id for id in dict.fromkeys(ids) if tx.jobs.unignore(Kind.SCENE, id, now=now)]


def learn_names(store: Database, stash: Stash, gates: Gates, ids: Sequence[int]) -> None:
    """Ask Stash what these scenes are called, and note it of those that were never seen; raises NeighbourError."""
    gates.enter(READ_STASH)
    scenes = gates.ask(READ_STASH, lambda: stash.scenes(ids))
    with store.writing() as tx:
        noted_ids = tx.scene_names.of(ids)
        for scene in scenes.values():
            # What the worker has seen meanwhile is newer.
            if scene.id not in noted_ids:
                tx.scene_names.save([scene])


def unsettled(store: Database, ids: Sequence[int] | None) -> int:
    """How many of these scenes (all rows when None) still have to be worked."""
    with store.reading() as db:
        if ids is None:
            return db.jobs.count_unsettled()
        rows = (db.jobs.find(Kind.SCENE, id) for id in ids)
        return sum(row is not None and row.state not in SETTLED for row in rows)


@dataclass(frozen=True)
class Explanation:
    """Why a scene stands as it stands: what was seen just now, its row in the queue, and the attempts that failed."""

    sight: Sight
    job: JobRow | None
    attempts: tuple[AttemptRow, ...]


def explain(store: Database, looker: Looker, gates: Gates, id: int) -> Explanation:
    """Look at one scene with the engine's eyes, without writing anything to either side."""
    gates.enter(*READS)
    (sight,) = looker.look([id])
    with store.reading() as db:
        return Explanation(sight, db.jobs.find(Kind.SCENE, id), tuple(db.attempts.of(Kind.SCENE, id)))
