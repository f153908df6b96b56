"""The pass over one batch: want -> claim -> look -> plan -> push -> verify -> settle.

One `step` does one thing: probe a neighbour that was away, or work one batch, or say until when there is nothing to do.
No transaction is open while a request is under way; whatever kills the process between two of them costs at most the
edits in flight, which can be sent again.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial

from plexsync.engine.gates import READ, Gates, Go, Probe, Rest
from plexsync.engine.rules import WorkRules
from plexsync.engine.watchdog import Unwatched, Watchdog
from plexsync.flows.scenes.inspection import Looker, desired
from plexsync.flows.scenes.push import CANARIES, Pusher
from plexsync.flows.scenes.scan_requests import Scans
from plexsync.rules.batch import START, next_size
from plexsync.rules.errors import (
    NO_MEMORY,
    LocalFault,
    Neighbour,
    NeighbourError,
    NewerDatabase,
    Refused,
    Unavailable,
    Unusable,
)
from plexsync.rules.job import Absent, Dead, Done, Gone, Job, Kind, Later, Outcome, State, Waiting, Why, crashed, settle
from plexsync.rules.neighbours import Clock, Dice, Plex, Stash
from plexsync.rules.outcomes import outcome_of, shared_outcome_of
from plexsync.store.database import Database, Writer

log = logging.getLogger("PlexSync.engine")

FAN_OUT = 500
PRUNE_BATCH = 500
PRUNE_EVERY = 60_000
# A transaction that prunes ends after so many deletions, or, where reading them from the disk takes long, so many seconds.
PRUNE_PIECE = 50
PRUNE_HOLD = 0.05
# Then others have so many seconds at least; whoever waits for the database only looks again now and then.
PRUNE_PAUSE = 0.01
# An edit that arrives meanwhile is not to wait for a whole batch of slow ones.
PRUNE_LOOK = 0.5
# The outcomes of jobs that are to be tried again.
AGAIN = frozenset({"waiting", "later"})
DLQ_WARNED = "dlq:warned"
DAY = 86_400_000
LEAP = 2 * DAY


@dataclass(frozen=True)
class Worked:
    """A batch has ended. `ended` names what became of each of its jobs."""

    ended: dict[tuple[Kind, int], str]

    @property
    def outcomes(self) -> Counter[str]:
        """How many of its jobs came to each end."""
        return Counter(self.ended.values())


@dataclass(frozen=True)
class Probed:
    """A neighbour was asked whether it is back."""

    who: Neighbour
    well: bool


@dataclass(frozen=True)
class Idle:
    """Nothing is due before `until` (UTC ms; None: nothing waits at all). `why`: a gate is closed, or a neighbour fails."""

    until: int | None
    why: str = ""


class Engine:
    """Works one store's queue. One thread; `holder` names this worker in its leases, `pool` runs its writes (`Pusher`)."""

    def __init__(
        self,
        store: Database,
        stash: Stash,
        plex: Plex,
        looker: Looker,
        gates: Gates,
        clock: Clock,
        dice: Dice,
        rules: WorkRules,
        *,
        holder: str,
        pool: Executor | None = None,
        watchdog: Watchdog | Unwatched | None = None,
        scans: Scans | None = None,
    ) -> None:
        self._store = store
        self._stash = stash
        self._plex = plex
        self._looker = looker
        self._gates = gates
        self._clock = clock
        self._dice = dice
        self._rules = rules
        self._holder = holder
        self._ended: dict[tuple[Kind, int], str] = {}
        self._size = min(START, rules.batch)
        # What this worker has claimed and may not have ended, and by token the hash of what was wanted.
        self._open: list[Job] = []
        self._desired: dict[str, str] = {}
        self._pruned_at = 0
        self._watchdog = watchdog or Unwatched()
        self._scans = scans
        alive = self._watchdog.alive
        self._pusher = Pusher(store, plex, looker, gates, clock, rules, self._settle, pool=pool, alive=alive)

    def close(self) -> None:
        """Let go of the threads; jobs in work were settled by the step that had them."""
        self._pusher.close()

    # --- the step ----------------------------------------------------------------------------------------------------

    def step(self, *, stopping: Callable[[], bool] = lambda: False) -> Worked | Probed | Idle:
        """Do the next thing; `stopping` is asked between two writes."""
        self._watchdog.begin()
        try:
            return self._step(stopping)
        finally:
            self._watchdog.end()

    def _step(self, stopping: Callable[[], bool]) -> Worked | Probed | Idle:
        self._ended = {}
        self._release_open()
        now = self._clock.now()
        with self._store.writing() as tx:
            self._rescue(tx, now)
            gate = self._gates.admit(tx, now)
            jobs = self._claim(tx, gate.limit, now) if isinstance(gate, Go) and self._rules.enabled else []
        if isinstance(gate, Probe):
            return Probed(gate.who, self._probe(gate))
        if not self._rules.enabled:
            return Idle(now + 5000, "PlexSync is switched off (enabled = false)")
        if isinstance(gate, Rest):
            return Idle(gate.until, gate.why)
        if not jobs:
            with self._store.reading() as db:
                failing = (self._gates.failing(db, who) for who in Neighbour)
                return Idle(db.jobs.next_due(now), next(filter(None, failing), ""))
        self._work(jobs, stopping)
        return Worked(self._ended)

    def _claim(self, tx: Writer, ramp: int, now: int) -> list[Job]:
        limit = min(ramp, self._size) if ramp else self._size
        jobs = tx.jobs.claim(limit, now=now, lease_ms=self._rules.lease, holder=self._holder)
        self._open, self._desired = jobs, {}
        return jobs

    def _work(self, jobs: list[Job], stopping: Callable[[], bool]) -> None:
        began = self._clock.monotonic()
        self._attempt(jobs, stopping)
        self._open = []
        seconds = self._clock.monotonic() - began
        self._size = next_size(self._size, done=len(jobs), seconds=seconds, most=self._rules.batch)
        if not set(self._ended.values()) & AGAIN:
            with self._store.writing() as tx:
                self._gates.speed_up(tx, batch=self._rules.batch)

    def _attempt(self, jobs: list[Job], stopping: Callable[[], bool]) -> None:
        try:
            scenes = self._expand(jobs)
            if scenes:
                self._sync(scenes, stopping)
        except (LocalFault, NewerDatabase, Unusable):
            # What is open is released, unblamed, as soon as the disk can be written again.
            raise
        except MemoryError as error:
            raise LocalFault(NO_MEMORY) from error
        except Exception as bug:
            log.exception("a batch of %d failed by a fault of our own", len(jobs))
            if len(jobs) == 1:
                self._settle_all(jobs, Later(f"fault of our own: {type(bug).__name__}"))
                return
            # One of them is to blame, and only that one shall be: each is tried alone.
            for job in self._held(jobs):
                self._attempt([job], stopping)

    def _held(self, jobs: list[Job]) -> list[Job]:
        """Those of these jobs that have not been ended, here or by others."""
        with self._store.writing() as tx:
            tokens = tx.jobs.renew([job.token for job in jobs], until=self._clock.now() + self._rules.lease)
        return [job for job in jobs if job.token in tokens]

    def _sync(self, jobs: list[Job], stopping: Callable[[], bool]) -> None:
        by_id = {job.id: job for job in jobs}
        try:
            sights = self._looker.look(list(by_id))
        except NeighbourError as error:
            self._settle_all(jobs, shared_outcome_of(error))
            return
        pairs = []
        for sight in sights:
            job = by_id[sight.id]
            self._desired[job.token] = desired(sight)
            outcome = self._alone(job, sight.error) if sight.error else sight.outcome
            pairs.append((job, sight.ended(outcome) if outcome else sight))
        self._pusher.push(pairs, stopping=stopping)
        if self._scans is not None:
            self._scans.want(sight.scene for sight in sights if sight.scene and isinstance(sight.outcome, Absent))

    def _expand(self, jobs: list[Job]) -> list[Job]:
        """Performers, studios, tags and groups become wants of the scenes that show them; what is left are the scenes.

        Also of those that did when they were last looked at: what was destroyed, or taken away, Stash shows nowhere.
        """
        for job in jobs:
            if job.kind is Kind.SCENE:
                continue
            try:
                now = self._gates.ask(Neighbour.STASH, READ, partial(self._stash.showing, job.kind, job.id))
            except NeighbourError as error:
                self._settle_all([job], self._alone(job, error))
                if not self._gates.passable(Neighbour.STASH):
                    self._settle_all(jobs, shared_outcome_of(error))
                    return []
                continue
            with self._store.reading() as db:
                ids = sorted({*now, *db.scene_names.scenes_showing(job.kind, job.id)})
            many = len(ids) > self._rules.batch
            for start in range(0, max(len(ids), 1), FAN_OUT):
                last = start + FAN_OUT >= len(ids)
                with self._store.writing() as tx:
                    for id in ids[start : start + FAN_OUT]:
                        tx.jobs.want(Kind.SCENE, id, Why.EDIT, self._clock.now(), behind=many)
                    if last:
                        self._settle(tx, job, Done())
        return [job for job in jobs if job.kind is Kind.SCENE]

    def _probe(self, gate: Probe) -> bool:
        """Ask a neighbour whether it is back. Switched off, nothing is written to find that out."""
        return self._gates.probe(gate, partial(self._pusher.canaries, 1) if self._rules.enabled else None)

    # --- whose fault -------------------------------------------------------------------------------------------------

    def _alone(self, job: Job, error: NeighbourError) -> Outcome:
        """What one job does about a failed read that no other shared: it backs off, and is blamed if others can be read."""
        if isinstance(error, Refused):
            if self._others_are_told(job, error.neighbour):
                return outcome_of(error, desired=self._desired.get(job.token, ""))
            return shared_outcome_of(error)
        if not isinstance(error, Unavailable):
            return shared_outcome_of(error)
        tried = job.failures + 1 >= CANARIES
        own = tried and self._others_are_told(job, error.neighbour)
        return outcome_of(error, own=own)

    def _others_are_told(self, job: Job, who: Neighbour) -> bool:
        """The canary for reads: whether a neighbour tells of others than this job's, that were in step."""
        try:
            if who is Neighbour.PLEX:
                return self._pusher.readable(CANARIES, but=job)
            with self._store.reading() as db:
                rows = db.jobs.in_state(State.IDLE, limit=CANARIES + 1, after=(Kind.SCENE, 0))
            ids = [row.id for row in rows if row.kind is Kind.SCENE and row.id != job.id]
            return bool(ids) and bool(self._gates.ask(who, READ, partial(self._stash.scenes, ids), of_all=True))
        except NeighbourError as error:
            log.info("canary question failed: %s", error)
            return False

    # --- ending attempts ---------------------------------------------------------------------------------------------

    def _settle(self, tx: Writer, job: Job, outcome: Outcome) -> None:
        now = self._clock.now()
        after = settle(
            job,
            outcome,
            now=now,
            max_retries=self._rules.max_retries,
            draw=self._dice.random(),
            scan=tx.books.scans(),
        )
        blamed = isinstance(outcome, Waiting | Later) and outcome.cls in ("unavailable", "bug")
        ok, bad = self._gates.writes(tx) if blamed else (0, 0)
        if isinstance(outcome, Waiting) and not outcome.backoff:
            ok, bad = job.ok_mark, job.bad_mark
        if after.state is State.DEAD and not after.desired:
            after = replace(after, desired=self._desired.get(job.token, ""))
        if tx.jobs.settle(job, after, now=now, ok_mark=ok, bad_mark=bad):
            if job.kind is Kind.SCENE:
                self._keep_standing(tx, job.id, outcome, now)
            self._ended[job.kind, job.id] = type(outcome).__name__.lower()

    @staticmethod
    def _keep_standing(tx: Writer, id: int, outcome: Outcome, now: int) -> None:
        """What was seen now, so that it is known since when: a row that is looked at again begins anew each time."""
        match outcome:
            case Done():
                tx.standings.save({id: "in step"}, now=now)
            case Absent():
                tx.standings.save({id: "absent"}, now=now)
            case Dead(cls=cls):
                tx.standings.save({id: cls}, now=now)
            case Gone():
                tx.standings.drop((), after=id - 1, upto=id)

    def _settle_all(self, jobs: Iterable[Job], outcome: Outcome) -> None:
        """End all of these attempts alike; those that have been ended already stay as they are."""
        with self._store.writing() as tx:
            for job in jobs:
                self._settle(tx, job, outcome)

    def _release_open(self) -> None:
        """What a local fault left open goes back unblamed: this worker holds it, and is not working on it."""
        if self._open:
            self._settle_all(self._open, Waiting("our own database could not be written", "local", backoff=False))
            self._open = []

    def abandon(self) -> None:
        """Give back, unblamed, what this worker has in work; for another thread, when the end is near and a request hangs.

        What is in flight keeps its saved push, which tells the next worker what may have come of it.
        """
        self._settle_all(list(self._open), Waiting("stopped in good order", "released", backoff=False))

    # --- housekeeping ------------------------------------------------------------------------------------------------

    def reclaim(self) -> int:
        """Take back what a dead worker held: to be called once, by the holder of the worker's lock."""
        with self._store.writing() as tx:
            return self._rescue(tx, self._clock.now(), dead_holders=True)

    def _rescue(self, tx: Writer, now: int, *, dead_holders: bool = False) -> int:
        rows = tx.jobs.expired(now=now, dead_holders=dead_holders)
        for row, alone, first in rows:
            after = crashed(alone=alone, crashes=row.crashes, first_crash=first, now=now)
            tx.jobs.crash(row, after, now=now)
            if after.state is State.DEAD:
                log.error("%s %d killed its worker %d times: set aside as poison", row.kind, row.id, after.crashes)
        return len(rows)

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
            rows, more = self._delete(partial(_prune_row, now=now, before=before), ends)
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

    def _delete(self, one: Callable[[Writer], int], ends: float) -> tuple[int, bool]:
        """Delete a batch in pieces, no further piece after `ends`: (how many rows, whether there may be more)."""
        count = 0
        for _ in range(PRUNE_BATCH // PRUNE_PIECE):
            with self._store.writing() as tx:
                began = self._clock.monotonic()
                for _ in range(PRUNE_PIECE):
                    found = one(tx)
                    count += found
                    if not found:
                        return count, False
                    if self._clock.monotonic() - began >= PRUNE_HOLD:
                        break
            self._clock.sleep(max(PRUNE_PAUSE, self._clock.monotonic() - began))
            if self._clock.monotonic() >= ends:
                break
        return count, True


def may_prune(tx: Writer, now: int) -> bool:
    """Whether the clock can be trusted with deleting: it ran without a leap for a day since it last leapt."""
    last, leapt = tx.notes.number("tick") or now, tx.notes.number("leapt") or 0
    tx.notes.save("tick", str(now))
    if now < last or now < leapt or now - last > LEAP:
        tx.notes.save("leapt", str(now))
        return False
    return leapt == 0 or now - leapt >= DAY


def _prune_row(tx: Writer, *, now: int, before: int) -> int:
    return tx.jobs.prune(now=now, before=before, limit=1)


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
