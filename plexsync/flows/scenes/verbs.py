"""The verbs that all entry points share: want, ignore, inspect, explain."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_STASH, READS
from plexsync.engine.watching import asked_pages
from plexsync.flows.scenes.inspection import Inspector
from plexsync.flows.scenes.inspection_records import Inspection
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.queue.job import Kind, State, Why
from plexsync.rules.record_class import record
from plexsync.rules.records import AttemptRow, JobRow
from plexsync.rules.servers.neighbours import Clock, Stash
from plexsync.rules.words.scene_status import Standing, standing
from plexsync.rules.words.status_words import SceneStatus
from plexsync.store.database import Database, Reader

CHUNK = 500
SETTLED = (State.IDLE, State.ABSENT, State.DEAD, State.GONE, State.DROPPED, State.IGNORED, State.OUTSIDE)


def want_scenes(store: Database, ids: Iterable[int], reason: Why, clock: Clock, *, take_over: bool = False) -> int:
    """Queue these scenes. Returns how many. `take_over`: Stash then replaces what was in Plex before PlexSync."""
    wanted = list(ids)
    for start in range(0, len(wanted), CHUNK):
        with store.writing() as tx:
            part = wanted[start : start + CHUNK]
            if not take_over:
                tx.jobs.want_all(Kind.SCENE, dict.fromkeys(part, ""), reason, clock.now())
                continue
            rows = tx.jobs.of(Kind.SCENE, part)
            for id in part:
                # It stays on record until it is done: a running attempt may have inspected the scene before it.
                tx.notes.take_over(id, now=clock.now())
                at_work = id in rows and rows[id].state is State.RUNNING
                why = Why.USER if at_work else reason
                tx.jobs.want(Kind.SCENE, id, why, clock.now(), behind=reason is Why.ALL)
    return len(wanted)


def want_all(
    store: Database,
    stash: Stash,
    gates: Gates,
    clock: Clock,
    *,
    since: datetime | None = None,
    take_over: bool = False,
) -> list[int]:
    """Queue every scene in Stash (those updated at or after `since`) as a sweep. Returns their ids."""
    gates.enter(READ_STASH)
    ids: list[int] = []
    # With `since`, you ask for a few scenes now. Without it, the request is a backfill.
    reason = Why.ALL if since is None else Why.USER
    for page in asked_pages(gates, READ_STASH, stash.walk_ids(), of_all=True):
        fresh = [id for id, text in page if since is None or datetime.fromisoformat(text) >= since]
        want_scenes(store, fresh, reason, clock, take_over=take_over)
        ids += fresh
    return ids


def changed_since(stash: Stash, gates: Gates, since: datetime) -> list[int]:
    """The scenes that were updated at or after this time."""
    # Stash compares times as text, and their offsets may differ.
    pages = asked_pages(gates, READ_STASH, stash.walk_ids(), of_all=True)
    return [id for page in pages for id, text in page if datetime.fromisoformat(text) >= since]


# So few scenes are no library.
FEW_FIRST = 20


def first_of_most(store: Database, stash: Stash, gates: Gates, since: datetime) -> bool:
    """Whether queueing the scenes updated at or after `since` would be the first write of most of the library."""
    gates.enter(READ_STASH)
    total, fresh = 0, list[int]()
    for page in asked_pages(gates, READ_STASH, stash.walk_ids(), of_all=True):
        total += len(page)
        fresh += [id for id, text in page if datetime.fromisoformat(text) >= since]
    if len(fresh) <= FEW_FIRST or len(fresh) * 2 <= total:
        return False
    with store.reading() as db:
        before = {id for id, state in db.jobs.ids(Kind.SCENE) if state is State.IDLE}
        for start in range(0, len(fresh), CHUNK):
            before |= db.pushes.last_at(fresh[start : start + CHUNK]).keys()
    first = len(set(fresh) - before)
    return first > FEW_FIRST and first * 2 > total


def learn_names(store: Database, stash: Stash, gates: Gates, ids: Sequence[int]) -> None:
    """Read the names of these scenes from Stash, and save those of scenes never inspected. Raises NeighbourError."""
    gates.enter(READ_STASH)
    scenes = gates.ask(READ_STASH, lambda: stash.scenes(ids))
    with store.writing() as tx:
        noted_ids = tx.scene_names.of(ids)
        for scene in scenes.values():
            # Names saved by the worker meanwhile are newer.
            if scene.id not in noted_ids:
                tx.scene_names.save([scene])


# --- explanation -----------------------------------------------------------------------------------------------------


def count_unsettled(store: Database, ids: Sequence[int] | None) -> int:
    """How many of these scenes (all scenes and notices if None) still have to be synced."""
    with store.reading() as db:
        if ids is None:
            return db.jobs.count_unsettled()
        rows = (db.jobs.find(Kind.SCENE, id) for id in ids)
        return sum(row is not None and row.state not in SETTLED for row in rows)


@record
class Explanation:
    """Why a scene has its status: its inspection just now, its row in the queue, and its failed attempts.

    `stands` is how the lists have it, by its last attempt or comparison.
    """

    inspection: Inspection
    stands: Standing
    job: JobRow | None
    attempts: tuple[AttemptRow, ...]

    @property
    def status(self) -> SceneStatus:
        """Its status."""
        return self.stands.status


def explain(inspector: Inspector, id: int) -> Explanation:
    """Inspect one scene with the engine's code. Writes to neither server."""
    inspector.gates.enter(*READS)
    (inspection,) = inspector.look([id])
    with inspector.store.reading() as db:
        return Explanation(
            inspection, standing_in(db, id), db.jobs.find(Kind.SCENE, id), tuple(db.attempts.of(Kind.SCENE, id))
        )


def standing_in(db: Reader, id: int) -> Standing:
    """How a scene stands and since when, as far as the database knows."""
    mark, pushed = db.memories.marks([id]).get(id, TakenBack.NO), db.pushes.last_at([id]).get(id)
    return standing(db.jobs.find(Kind.SCENE, id), db.standings.find(id), pushed=pushed, mark=mark)


def status_in(db: Reader, id: int) -> SceneStatus:
    """How a scene stands, as far as the database knows."""
    return standing_in(db, id).status
