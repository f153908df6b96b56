"""The verbs that all doors share: want, look, give another chance, give up."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sync.errors import Neighbour, Unavailable
from sync.job import Kind, State, Why
from sync.ports import AttemptRow, Clock, JobRow, Stash, Store
from worker.gates import READ, Gates
from worker.looking import Looker, Sight

CHUNK = 500
SETTLED = (State.IDLE, State.ABSENT, State.DEAD, State.GONE, State.DROPPED, State.IGNORED, State.OUTSIDE)


def want_scenes(store: Store, ids: Iterable[int], why: Why, clock: Clock) -> int:
    """Want these scenes; returns how many."""
    wanted = list(ids)
    for start in range(0, len(wanted), CHUNK):
        with store.writing() as tx:
            for id in wanted[start : start + CHUNK]:
                tx.want(Kind.SCENE, id, why, clock.now())
    return len(wanted)


def want_all(store: Store, stash: Stash, gates: Gates, clock: Clock, *, since: datetime | None = None) -> list[int]:
    """Want every scene Stash has (those updated at or after `since`), as a sweep; returns their ids."""
    enter(store, gates, clock, Neighbour.STASH)
    ids: list[int] = []
    pages = stash.walk_ids()
    while (page := gates.ask(Neighbour.STASH, READ, lambda: next(pages, None))) is not None:
        fresh = [id for id, text in page if since is None or datetime.fromisoformat(text) >= since]
        # Given a moment, a person asks for a few scenes now; everything is a backfill.
        want_scenes(store, fresh, Why.SWEEP if since is None else Why.USER, clock)
        ids += fresh
    return ids


def unsettled(store: Store, ids: Sequence[int] | None) -> int:
    """How many of these scenes (all rows when None) still have to be worked."""
    with store.reading() as db:
        if ids is None:
            return db.unsettled()
        rows = (db.job(Kind.SCENE, id) for id in ids)
        return sum(row is not None and row.state not in SETTLED for row in rows)


@dataclass(frozen=True)
class Explanation:
    """Why a scene stands as it stands: what was seen just now, its row in the queue, and the attempts that failed."""

    sight: Sight
    job: JobRow | None
    attempts: tuple[AttemptRow, ...]


def explain(store: Store, looker: Looker, gates: Gates, clock: Clock, id: int) -> Explanation:
    """Look at one scene with the engine's eyes, without writing anything to either side."""
    for who in Neighbour:
        enter(store, gates, clock, who)
    (sight,) = looker.look([id])
    with store.reading() as db:
        return Explanation(sight, db.job(Kind.SCENE, id), tuple(db.attempts(Kind.SCENE, id)))


def enter(store: Store, gates: Gates, clock: Clock, who: Neighbour) -> None:
    """Pass a neighbour's gate or raise Unavailable with the reason it is closed."""
    if not gates.enter(who):
        with store.reading() as db:
            raise Unavailable(who, gates.closed_because(db, who, clock.now()), sent=False)
