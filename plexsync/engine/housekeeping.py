"""What the engine clears away: dead letters and history that are older than the retention, a batch at a time."""

import logging
from collections.abc import Callable, Mapping
from functools import partial

from plexsync.engine.flow import AnyFlow
from plexsync.engine.rules import WorkRules
from plexsync.rules.job import State
from plexsync.rules.neighbours import Clock
from plexsync.store.database import Database, Writer

log = logging.getLogger("PlexSync.engine")

PRUNE_BATCH = 500
PRUNE_EVERY = 60_000
# A transaction that prunes ends after so many deletions, or, where reading them from the disk takes long, so many seconds.
PRUNE_PIECE = 50
PRUNE_HOLD = 0.05
# Then others have so many seconds at least; whoever waits for the database only looks again now and then.
PRUNE_PAUSE = 0.01
# An edit that arrives meanwhile is not to wait for a whole batch of slow ones.
PRUNE_LOOK = 0.5
DLQ_WARNED = "dlq:warned"
DAY = 86_400_000
LEAP = 2 * DAY


class Housekeeping:
    """Prunes one database."""

    def __init__(self, store: Database, flows: Mapping[str, AnyFlow], clock: Clock, rules: WorkRules) -> None:
        self._store = store
        self._flows = flows
        self._clock = clock
        self._rules = rules
        self._pruned_at = 0

    def prune(self) -> int:
        """Delete dead letters older than the retention, a batch at a time; nothing after the clock has leapt.

        Attempts and pushes of that age go as well. Returns how many rows were deleted. As long as there is more to
        delete, every call deletes a batch; otherwise there is a rest of a minute. No transaction deletes more than
        `PRUNE_PIECE` times, nor begins to delete another row after `PRUNE_HOLD`, and between two of them the database
        is free for as long.
        """
        now = self._clock.now()
        if abs(now - self._pruned_at) < PRUNE_EVERY:
            return 0
        before, ends = now - self._rules.retention, self._clock.monotonic() + PRUNE_LOOK
        with self._store.writing() as tx:
            may = may_prune(tx, now)
        rows = past = 0
        more = more_past = False
        if may:
            rows, more = self._delete(partial(self._prune_row, now=now, before=before), ends)
            past, more_past = self._delete(partial(_prune_past, now=now, before=before), ends)
            self._delete(partial(_prune_samples, now=now), ends)
        with self._store.reading() as db:
            many = db.jobs.count_dead_up_to(self._rules.dlq_max + 1) > self._rules.dlq_max
        if many:
            with self._store.writing() as tx:
                warn_of_dead(tx, now, self._rules.dlq_max)
        if rows or past:
            log.info("%d rows and %d attempts and pushes were older than the retention and are forgotten", rows, past)
        self._pruned_at = 0 if more or more_past else now
        return rows

    def _prune_row(self, tx: Writer, *, now: int, before: int) -> int:
        rows = tx.jobs.prune(now=now, before=before, limit=1)
        for kind, id, state in rows:
            if flow := self._flows.get(kind):
                flow.forget(tx, id, gone=state is State.GONE)
        return len(rows)

    def _delete(self, delete: Callable[[Writer], int], ends: float) -> tuple[int, bool]:
        """Delete a batch in pieces, no further piece after `ends`: (how many rows, whether there may be more)."""
        total = 0
        for _ in range(PRUNE_BATCH // PRUNE_PIECE):
            with self._store.writing() as tx:
                began = self._clock.monotonic()
                for _ in range(PRUNE_PIECE):
                    count = delete(tx)
                    total += count
                    if not count:
                        return total, False
                    if self._clock.monotonic() - began >= PRUNE_HOLD:
                        break
            self._clock.sleep(max(PRUNE_PAUSE, self._clock.monotonic() - began))
            if self._clock.monotonic() >= ends:
                break
        return total, True


def may_prune(tx: Writer, now: int) -> bool:
    """Whether the clock can be trusted with deleting: it ran without a leap for a day since it last leapt."""
    last, leapt = tx.notes.number("tick") or now, tx.notes.number("leapt") or 0
    tx.notes.save("tick", str(now))
    if now < last or now < leapt or now - last > LEAP:
        tx.notes.save("leapt", str(now))
        return False
    return leapt == 0 or now - leapt >= DAY


def _prune_past(tx: Writer, *, now: int, before: int) -> int:
    return tx.prune_history(now=now, before=before, limit=1)


def _prune_samples(tx: Writer, *, now: int) -> int:
    return tx.samples.prune(now=now, limit=1)


def warn_of_dead(tx: Writer, now: int, most: int) -> None:
    """More was given up than there should be: said once a day, and nothing is thrown away for it."""
    last = tx.notes.number(DLQ_WARNED) or 0
    if not last or now < last or now - last >= DAY:
        tx.notes.save(DLQ_WARNED, str(now))
        log.warning("more than %d dead letters: plexsync dlq list shows why, and the cure", most)
