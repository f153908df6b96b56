"""The verbs on what was given up (the dead-letter queue): another chance, or no more care.

Those that are named are moved in one transaction; all at once go in batches, so that hooks and the worker get their turn in
between, and what dies meanwhile is left alone.
"""

from collections.abc import Callable, Iterable

from plexsync.rules.job import Lane, State
from plexsync.rules.neighbours import Clock
from plexsync.store.database import Database, Reader, Writer

Key = tuple[str, int]
# How many were moved, and those named that could not be.
Moved = tuple[int, list[Key]]

BATCH = 500
# What can be dropped by name: whatever is not in step, or aside already.
OPEN = (State.READY, State.RUNNING, State.ABSENT, State.DEAD)


def retry(store: Database, clock: Clock, keys: Iterable[Key]) -> Moved:
    """These are tried again at once, with all their attempts."""
    now = clock.now()
    return _each(store, keys, lambda tx, kind, id: bool(tx.jobs.retry(kind=kind, id=id, now=now)))


def retry_all(store: Database, clock: Clock, cause: str = "") -> int:
    """All that died (of one cause) are tried again. So many at once are a backfill: an edit does not wait behind them."""
    now = clock.now()
    return _in_batches(
        store, cause, lambda tx, limit: tx.jobs.retry(error_class=cause, now=now, lane=Lane.SWEEP, limit=limit)
    )


def drop(store: Database, clock: Clock, keys: Iterable[Key]) -> Moved:
    """These leave the queue, also when they are not dead yet, and come back by a new edit alone."""
    now = clock.now()
    return _each(store, keys, lambda tx, kind, id: is_open(tx, kind, id) and tx.jobs.set_aside(kind, id, now=now))


def drop_all(store: Database, clock: Clock, cause: str = "") -> int:
    """All that died (of one cause) leave the queue."""
    now = clock.now()
    return _in_batches(store, cause, lambda tx, limit: tx.jobs.drop(error_class=cause, now=now, limit=limit))


def is_open(db: Reader, kind: str, id: int) -> bool:
    """Whether there is something that could be dropped."""
    row = db.jobs.find(kind, id)
    return row is not None and row.state in OPEN


def count(db: Reader, cause: str = "") -> int:
    """How many died (of one cause)."""
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
