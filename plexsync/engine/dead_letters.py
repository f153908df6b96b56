"""Retry or drop dead letters.

Named jobs are moved in one transaction. Moving all of them goes in batches, so that hooks and the worker can write in
between. Jobs that die during the operation are left alone.
"""

from collections.abc import Callable, Iterable

from plexsync.rules.queue.job import Lane, State
from plexsync.rules.servers.neighbours import Clock
from plexsync.store.database import Database, Reader, Writer

Key = tuple[str, int]
# The number of moved jobs, and the named jobs that could not be moved.
Moved = tuple[int, list[Key]]

BATCH = 500
# The states in which you can drop a job by name: neither in sync nor set aside already.
OPEN = (State.READY, State.RUNNING, State.ABSENT, State.DEAD)


def retry(store: Database, clock: Clock, keys: Iterable[Key]) -> Moved:
    """Retry these jobs at once, with their full number of attempts."""
    now = clock.now()
    return _each(store, keys, lambda tx, kind, id: bool(tx.jobs.retry(kind=kind, id=id, now=now)))


def retry_all(store: Database, clock: Clock, cause: str = "") -> int:
    """Retry all dead letters (of one cause). They go to the slow lane, so that edits do not wait behind them."""
    now = clock.now()
    return _in_batches(
        store, cause, lambda tx, limit: tx.jobs.retry(error_class=cause, now=now, lane=Lane.SWEEP, limit=limit)
    )


def drop(store: Database, clock: Clock, keys: Iterable[Key]) -> Moved:
    """Drop these jobs, dead or not. Only a new edit queues them again."""
    now = clock.now()
    return _each(store, keys, lambda tx, kind, id: is_open(tx, kind, id) and tx.jobs.set_aside(kind, id, now=now))


def drop_all(store: Database, clock: Clock, cause: str = "") -> int:
    """Drop all dead letters (of one cause)."""
    now = clock.now()
    return _in_batches(store, cause, lambda tx, limit: tx.jobs.drop(error_class=cause, now=now, limit=limit))


def is_open(db: Reader, kind: str, id: int) -> bool:
    """Whether the job can be dropped."""
    row = db.jobs.find(kind, id)
    return row is not None and row.state in OPEN


def count(db: Reader, cause: str = "") -> int:
    """The number of dead letters (of one cause)."""
    return sum(count for name, count in db.jobs.count_dead().items() if cause in ("", name))


def _each(store: Database, keys: Iterable[Key], act: Callable[[Writer, str, int], bool]) -> Moved:
    named = list(dict.fromkeys(keys))
    with store.writing() as tx:
        missed = [(kind, id) for kind, id in named if not act(tx, kind, id)]
    return len(named) - len(missed), missed


def _in_batches(store: Database, cause: str, act: Callable[[Writer, int], int]) -> int:
    with store.reading() as db:
        total = count(db, cause)
    done, moved = 0, BATCH
    while total > done and moved:
        with store.writing() as tx:
            moved = act(tx, min(BATCH, total - done))
        done += moved
    return done
