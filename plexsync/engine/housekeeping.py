"""Deletes dead letters and history older than the retention, one batch at a time."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from plexsync.engine.flow import AnyFlow, Key
from plexsync.engine.rules import WorkRules
from plexsync.rules.queue.job import State, Why
from plexsync.rules.records import JobRow
from plexsync.rules.servers.errors import NeighbourError
from plexsync.rules.servers.neighbours import Clock
from plexsync.store.database import Database, Writer

log = logging.getLogger("PlexSync.engine")

PRUNE_BATCH = 500
PRUNE_EVERY = 60_000
# A pruning transaction ends after this many deletions, or after this many seconds if reading the rows from disk is
# slow.
PRUNE_PIECE = 50
PRUNE_HOLD = 0.05
# Others then get at least this many seconds, since a process that waits for the database retries only at intervals.
PRUNE_PAUSE = 0.01
# A new edit need not wait for a whole batch of slow deletions.
PRUNE_LOOK = 0.5
DLQ_WARNED = "dlq:warned"
DAY = 86_400_000
LEAP = 2 * DAY


@dataclass(eq=False)
class Housekeeping:
    """Prunes one database."""

    _store: Database
    _flows: Mapping[str, AnyFlow]
    _clock: Clock
    _rules: WorkRules
    _pruned_at: int = 0
    # Whether the last batch has left more to delete, or has queued an object.
    goes_on: bool = False

    def prune(self) -> int:
        """Delete dead letters older than the retention, one batch at a time; nothing after a jump of the clock.

        Also deletes attempts and pushes of that age. Returns the number of deleted rows. While there is more to delete,
        every call deletes a batch; otherwise the next one comes a minute later. No transaction makes more than
        `PRUNE_PIECE` deletions or starts another one after `PRUNE_HOLD`. Between two transactions the database is free
        for at least as long.

        Rows of objects that are gone are deleted only after their flow has asked again. An object that exists is queued
        instead. While that is unknown, its row stays.
        """
        now, self.goes_on = self._clock.now(), False
        if abs(now - self._pruned_at) < PRUNE_EVERY:
            return 0
        before, ends = now - self._rules.retention, self._clock.monotonic() + PRUNE_LOOK
        with self._store.writing() as tx:
            may = may_prune(tx, now)
        rows = past = 0
        more = more_past = queued = False
        if may:
            rows, more, queued = self._prune_rows(now, before, ends)
            past, more_past = self._delete(lambda tx: tx.prune_history(now=now, before=before, limit=1), ends)
            self._delete(lambda tx: tx.samples.prune(now=now, limit=1), ends)
        with self._store.reading() as db:
            many = db.jobs.count_dead_up_to(self._rules.dlq_max + 1) > self._rules.dlq_max
        if many:
            with self._store.writing() as tx:
                warn_of_dead(tx, now, self._rules.dlq_max)
        if rows or past:
            log.info("%d rows and %d attempts and pushes were older than the retention and are forgotten", rows, past)
        self._pruned_at = 0 if more or more_past else now
        self.goes_on = more or more_past or queued
        return rows

    def _prune_rows(self, now: int, before: int, ends: float) -> tuple[int, bool, bool]:
        with self._store.writing() as tx:
            ended = tx.jobs.list_ended(now=now, before=before, limit=PRUNE_BATCH)
        existing, unknown = self._asked_for([row for row in ended if row.state is State.GONE])
        if existing:
            log.warning("%d objects that were gone from Stash are back: they are synced again", len(existing))
        due = [row for row in ended if (row.kind, row.id) not in unknown]
        rest = iter(due)

        def end_next(tx: Writer) -> int:
            row = next(rest, None)
            if row is not None and (row.kind, row.id) in existing:
                tx.jobs.want(row.kind, row.id, Why.SWEEP, now)
            elif row is not None and tx.jobs.prune(row) and (flow := self._flows.get(row.kind)):
                flow.forget(tx, row.id, gone=row.state is State.GONE)
            return int(row is not None)

        self._delete(end_next, ends)
        remaining = list(rest)
        count = sum((row.kind, row.id) not in existing for row in due[: len(due) - len(remaining)])
        more = bool(remaining) or (len(ended) == PRUNE_BATCH and len(unknown) < PRUNE_BATCH)
        return count, more, bool(existing)

    def _asked_for(self, gone: Sequence[JobRow]) -> tuple[set[Key], set[Key]]:
        """Those of these rows whose objects exist, and those of which that is unknown. One request per flow."""
        existing: set[Key] = set()
        unknown: set[Key] = set()
        for kind in sorted({row.kind for row in gone}):
            ids = [row.id for row in gone if row.kind == kind]
            if flow := self._flows.get(kind):
                try:
                    existing |= {(kind, id) for id in flow.existing(ids)}
                except NeighbourError as error:
                    log.debug("what is gone (%s) is not forgotten now: %s", kind, error)
                    unknown |= {(kind, id) for id in ids}
        return existing, unknown

    def _delete(self, delete: Callable[[Writer], int], ends: float) -> tuple[int, bool]:
        """Delete a batch in pieces, starting none after `ends`. Returns the number of rows and whether more may remain."""
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
    """Whether the clock is reliable enough to delete: it has not jumped for a day."""
    last, leapt = tx.notes.number("tick") or now, tx.notes.number("leapt") or 0
    tx.notes.save("tick", str(now))
    if now < last or now < leapt or now - last > LEAP:
        tx.notes.save("leapt", str(now))
        return False
    return leapt == 0 or now - leapt >= DAY


def warn_of_dead(tx: Writer, now: int, most: int) -> None:
    """Log once a day that there are too many dead letters. None is deleted for that."""
    last = tx.notes.number(DLQ_WARNED) or 0
    if not last or now < last or now - last >= DAY:
        tx.notes.save(DLQ_WARNED, str(now))
        log.warning("more than %d dead letters: plexsync dlq list shows why, and the cure", most)
