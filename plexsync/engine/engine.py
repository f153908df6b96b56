"""The pass over one batch: want -> claim -> look -> save -> send -> read back -> settle.

One `step` does one of three things: it probes a server that was down, works one batch of one flow, or returns until
when nothing is due. No transaction is open during a request. A kill at any point loses at most the writes in flight,
and these can be sent again.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from functools import partial

from plexsync.engine.batch import STOPPED, Sender
from plexsync.engine.evidence import Evidence
from plexsync.engine.flow import AnyFlow, ChangeNotice, Key, Observation
from plexsync.engine.gates import Gates
from plexsync.engine.housekeeping import Housekeeping
from plexsync.engine.rules import WorkRules
from plexsync.engine.settlement import Settlement
from plexsync.engine.tickets import READ_STASH, Closed, Gate, Probe, Ticket
from plexsync.engine.watchdog import Unwatched, Watchdog
from plexsync.rules.queue.job import (
    NOTICES,
    START,
    Done,
    Job,
    Later,
    Outcome,
    State,
    Waiting,
    Why,
    after_crash,
    next_size,
    shared_outcome_of,
)
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import NO_MEMORY, LocalFault, Neighbour, NeighbourError, NewerDatabase, Unusable
from plexsync.rules.servers.neighbours import Clock, RandomSource
from plexsync.store.database import Database, Writer

log = logging.getLogger("PlexSync.engine")

# The outcomes of jobs that will be tried again.
AGAIN = frozenset({"waiting", "later"})
# The gates needed to find out whom a notice concerns.
NOTICE_GATES = (READ_STASH,)
# Larger sets are queued in pieces of this size, so that a hook need not wait for all of them.
FAN_OUT = 500
# A step works so many batches at most: what runs between two steps is waiting.
BATCHES = 8
# After a batch that took more seconds, the next one is not read while one is sent: an edit that comes would wait for both.
QUICK = 0.8
# What was read more than so many seconds ago is read again before it is sent.
FRESH = 2.0


@record
class Worked:
    """A batch has ended. `ended` maps each of its jobs to the name of its outcome, `stored` as in `Settlement`."""

    ended: dict[Key, str]
    stored: dict[Key, str]

    @property
    def outcomes(self) -> Counter[str]:
        """The number of jobs per outcome."""
        return Counter(self.ended.values())


@record
class ProbeResult:
    """A server was probed."""

    neighbour: Neighbour
    well: bool


@record
class Idle:
    """Nothing is due before `until` (UTC ms; None if the queue is empty). `reason`: a closed gate or a failing server."""

    until: int | None
    reason: str = ""


@record
class BatchSource:
    """A source of batches: the kinds of jobs, the gates that they need, and the function that works them."""

    kinds: tuple[str, ...]
    gates: tuple[Gate, ...]
    work: Callable[[list[Job], Callable[[], bool]], None]


@record
class Claim:
    """Leased jobs of one batch source. `ramp`: how many a server that has just recovered may get; 0 for any number."""

    desk: BatchSource
    jobs: list[Job]
    ramp: int


@record
class NextBatch:
    """Jobs that are inspected while others are sent: the findings, and when they were made (monotonic seconds).

    `sent` are the keys of the objects that are written to meanwhile.
    """

    jobs: list[Job]
    findings: Future[tuple[Sequence[Observation], float]]
    sent: frozenset[str]


class Engine:
    """Works the queue of one store with these flows. `holder` names this worker in its leases.

    One thread does all but the sends, and the inspection of the next batch meanwhile. `pool` runs these, and is shut down
    with the engine. By default it has one thread per parallel send, and the inspection has one of its own.
    """

    def __init__(
        self,
        store: Database,
        flows: Sequence[AnyFlow],
        gates: Gates,
        clock: Clock,
        rng: RandomSource,
        rules: WorkRules,
        *,
        holder: str,
        pool: Executor | None = None,
        watchdog: Watchdog | Unwatched | None = None,
    ) -> None:
        self._store = store
        self._flows = {flow.kind: flow for flow in flows}
        self._gates = gates
        self._clock = clock
        self._rules = rules
        self._holder = holder
        self._size = min(START, rules.batch)
        self._watchdog = watchdog or Unwatched()
        self._pool = pool or ThreadPoolExecutor(max_workers=rules.parallel, thread_name_prefix="push")
        self._reader = pool or ThreadPoolExecutor(max_workers=1, thread_name_prefix="look")
        self._ahead: NextBatch | None = None
        self._is_quick = False
        # How many batches of this step may still be read ahead.
        self._left = 0
        self._evidence = Evidence(store, gates)
        self._settlement = Settlement(store, self._flows, gates, clock, rng, rules.max_retries)
        self.housekeeping = Housekeeping(store, self._flows, clock, rules)
        # Deletes old rows, see `Housekeeping.prune`.
        self.prune = self.housekeeping.prune
        desks = [BatchSource((flow.kind,), tuple(flow.gates), partial(self._work, flow)) for flow in flows]
        self._desks = [*desks, BatchSource(tuple(sorted(NOTICES)), NOTICE_GATES, self._work_notices)]

    def close(self) -> None:
        """Wait for the sends in flight and end the threads. The step that claimed a job has settled it already."""
        self._pool.shutdown()
        self._reader.shutdown()

    # --- the step ----------------------------------------------------------------------------------------------------

    def step(self, *, stopping: Callable[[], bool] = lambda: False) -> Worked | ProbeResult | Idle:
        """Do the next thing. `stopping` is checked between two sends."""
        self._watchdog.begin()
        try:
            return self._step(stopping)
        finally:
            self._watchdog.end()

    def _step(self, stopping: Callable[[], bool]) -> Worked | ProbeResult | Idle:
        self._settlement.ended, self._settlement.stored, self._settlement.desired = {}, {}, {}
        if self._settlement.open:
            # A local fault left them open: this worker holds them but does not work on them.
            self._settlement.release(Waiting("our own database could not be written", "local", backoff=False))
            self._settlement.open = []
        with self._store.writing() as tx:
            now = self._clock.now()
            self._rescue(tx, now)
            answer = self._next(tx, now)
        if isinstance(answer, Probe):
            return ProbeResult(answer.gate.neighbour, self._probe(answer))
        if isinstance(answer, Idle):
            return answer
        self._attempt_all(answer, stopping)
        return Worked(self._settlement.ended, self._settlement.stored)

    def _next(self, tx: Writer, now: int) -> Claim | Probe | Idle:
        """Claim from the first source, in turn, that has due jobs and open gates. It goes last in the next step."""
        closed: list[Closed] = []
        kinds: list[str] = []
        for number, desk in enumerate(self._desks):
            answer = self._gates.admit_batch(tx, desk.gates, now)
            if isinstance(answer, Probe):
                return answer
            if isinstance(answer, Closed):
                closed.append(answer)
                continue
            kinds += desk.kinds
            size = min(answer.limit, self._size) if answer.limit else self._size
            if not self._rules.rests and (jobs := self._claim(tx, desk.kinds, size, now)):
                self._desks = [*self._desks[number + 1 :], *self._desks[: number + 1]]
                return Claim(desk, jobs, answer.limit)
        if self._rules.rests:
            return Idle(now + 5000, self._rules.rests)
        # While all gates are closed, nothing is claimed, and no claim corrects due times after a jump of the clock.
        due = tx.jobs.next_due(now, kinds=kinds) if kinds else None
        if closed:
            first = min(closed, key=lambda answer: answer.until)
            return Idle(first.until if due is None else min(due, first.until), first.reason)
        return Idle(due, self._gates.trouble(tx, tuple(gate for desk in self._desks for gate in desk.gates)))

    def _claim(self, tx: Writer, kinds: Sequence[str], size: int, now: int) -> list[Job]:
        jobs = tx.jobs.claim(size, kinds=kinds, now=now, lease_ms=self._rules.lease, holder=self._holder)
        self._settlement.open += jobs
        return jobs

    def _attempt_all(self, claim: Claim, stopping: Callable[[], bool]) -> None:
        """Attempt the claimed jobs, and the batches that were read meanwhile."""
        jobs, began = claim.jobs, self._clock.monotonic()
        self._left = 0 if claim.ramp else BATCHES - 1
        try:
            while jobs:
                self._attempt(claim.desk, jobs, stopping)
                seconds, began = self._clock.monotonic() - began, self._clock.monotonic()
                if len(jobs) >= self._size:
                    self._is_quick = seconds <= QUICK and not self._has_failed()
                self._size = next_size(self._size, done=len(jobs), seconds=seconds, most=self._rules.batch)
                jobs = self._ahead.jobs if self._ahead else []
        finally:
            if self._ahead:
                wait([self._ahead.findings])
                self._ahead = None
        self._settlement.open = []
        if not self._has_failed():
            with self._store.writing() as tx:
                self._gates.speed_up(tx, claim.desk.gates, batch=self._rules.batch)

    def _has_failed(self) -> bool:
        """Whether a job of this step will be tried again."""
        return not AGAIN.isdisjoint(self._settlement.ended.values())

    def _attempt(self, desk: BatchSource, jobs: list[Job], stopping: Callable[[], bool]) -> None:
        try:
            desk.work(jobs, stopping)
        except (LocalFault, NewerDatabase, Unusable):
            # Open jobs are released without blame as soon as the disk is writable again.
            raise
        except MemoryError as error:
            raise LocalFault(NO_MEMORY) from error
        except Exception as bug:
            log.exception("a batch of %d failed by a fault of PlexSync", len(jobs))
            if len(jobs) == 1:
                self._settlement.settle_all(jobs, Later(f"fault of PlexSync: {type(bug).__name__}"))
                return
            # One of the jobs causes the fault. Each is tried alone, so that only that one is blamed.
            for job in self._still_held(jobs):
                self._attempt(desk, [job], stopping)

    def _still_held(self, jobs: list[Job]) -> list[Job]:
        """The jobs that have not been ended, neither here nor by another worker."""
        with self._store.writing() as tx:
            tokens = tx.jobs.renew([job.token for job in jobs], until=self._clock.now() + self._rules.lease)
        return [job for job in jobs if job.token in tokens]

    def _work(self, flow: AnyFlow, jobs: list[Job], stopping: Callable[[], bool]) -> None:
        """Bring the jobs of one flow in sync."""
        by_id = {job.id: job for job in jobs}
        try:
            findings = self._inspect(flow, jobs)
        except NeighbourError as error:
            self._settlement.settle_all(jobs, shared_outcome_of(error))
            return
        judged: dict[str, Outcome] = {}
        for finding in findings:
            job = by_id[finding.id]
            self._settlement.desired[job.token] = finding.desired
            if finding.error:
                judged[job.token] = self._evidence.after_read(flow, job, finding.error, desired=finding.desired)
        pairs = [(by_id[finding.id], finding) for finding in findings]
        sender = Sender(
            self._store,
            flow,
            self._gates,
            self._evidence,
            self._clock,
            self._rules,
            self._settlement.settle,
            self._pool,
            self._watchdog.alive,
        )
        batch = sender.save(pairs, judged)
        if flow.reads_ahead and len(jobs) >= self._size and not stopping():
            self._read_ahead(flow, frozenset(write.key for writes in batch.writes.values() for write in writes))
        sender.send(batch, stopping)
        flow.end_batch(findings)

    def _read_ahead(self, flow: AnyFlow, sent: frozenset[str]) -> None:
        """Claim the next batch of a flow and begin to inspect it, if its gates are open and no other work is due."""
        if self._ahead or not self._left or not self._is_quick:
            return
        others = [kind for desk in self._desks for kind in desk.kinds if kind != flow.kind]
        with self._store.writing() as tx:
            now = self._clock.now()
            due = tx.jobs.next_due(now, kinds=others)
            is_open = all(isinstance(self._gates.admit_in(tx, gate), Ticket) for gate in flow.gates)
            if not is_open or (due is not None and due <= now):
                return
            jobs = self._claim(tx, (flow.kind,), self._size, now)
        if jobs:
            look = partial(self._look, flow, [job.id for job in jobs])
            self._left -= 1
            self._ahead = NextBatch(jobs, self._reader.submit(look), sent)

    def _look(self, flow: AnyFlow, ids: list[int]) -> tuple[Sequence[Observation], float]:
        self._watchdog.assist()
        return flow.look(ids), self._clock.monotonic()

    def _inspect(self, flow: AnyFlow, jobs: list[Job]) -> Sequence[Observation]:
        """Inspect these jobs now; what was read ahead and is still true is not read again. Raises NeighbourError."""
        ahead = self._ahead
        if ahead:
            wait([ahead.findings])
        if ahead is None or ahead.jobs is not jobs:
            return flow.look([job.id for job in jobs])
        self._ahead = None
        findings, ended = ahead.findings.result()
        is_old = self._clock.monotonic() - ended > FRESH
        stale = [finding.id for finding in findings if is_old or not ahead.sent.isdisjoint(finding.keys)]
        again = {finding.id: finding for finding in flow.look(stale)} if stale else {}
        return [again.get(finding.id, finding) for finding in findings]

    def _work_notices(self, jobs: list[Job], _stopping: Callable[[], bool]) -> None:
        """Queue the jobs that these notices concern: changes that many jobs may depend on. Settles every notice."""
        for number, job in enumerate(jobs):
            keys: set[Key] = set()
            for flow in self._flows.values():
                try:
                    keys |= {(flow.kind, id) for id in flow.affected_ids(ChangeNotice(job.kind, job.id))}
                except NeighbourError as error:
                    self._settlement.settle_all([job], self._evidence.after_read(flow, job, error))
                    if not self._gates.is_open(*NOTICE_GATES):
                        self._settlement.settle_all(jobs[number + 1 :], shared_outcome_of(error))
                        return
                    break
            else:
                self._want_all(job, sorted(keys))

    def _want_all(self, notice: Job, keys: list[Key]) -> None:
        """Queue the jobs that a notice concerns, the last of them in the transaction that settles it."""
        many = len(keys) > self._rules.batch
        for start in range(0, max(len(keys), 1), FAN_OUT):
            with self._store.writing() as tx:
                for kind, id in keys[start : start + FAN_OUT]:
                    tx.jobs.want(kind, id, Why.EDIT, self._clock.now(), behind=many)
                if start + FAN_OUT >= len(keys):
                    self._settlement.settle(tx, [(notice, Done())])

    def _probe(self, probe: Probe) -> bool:
        """Probe a server. While nothing is worked, the probe writes nothing."""
        flow = next((flow for flow in self._flows.values() if flow.write_gate == probe.gate), None)
        if flow is None or self._rules.rests:
            return self._gates.probe(probe)

        def canary(ticket: Ticket) -> bool | None:
            return self._evidence.try_canaries(flow, ticket.gate, 1, ticket=ticket)

        return self._gates.probe(probe, canary)

    # --- release -----------------------------------------------------------------------------------------------------

    def abandon(self) -> None:
        """Release the claimed jobs without blame. Another thread calls this when the process must end and a request hangs.

        Writes in flight keep their saved push. It tells the next worker what may have arrived.
        """
        self._settlement.release(Waiting(STOPPED, "released", backoff=False))

    # --- housekeeping ------------------------------------------------------------------------------------------------

    def reclaim(self) -> int:
        """Release the jobs of dead workers. The holder of the worker lock calls this once."""
        with self._store.writing() as tx:
            return self._rescue(tx, self._clock.now(), dead_holders=True)

    def _rescue(self, tx: Writer, now: int, *, dead_holders: bool = False) -> int:
        rows = tx.jobs.list_expired(now=now, dead_holders=dead_holders)
        for row, alone, first in rows:
            after = after_crash(alone=alone, crashes=row.crashes, first_crash=first, now=now)
            tx.jobs.crash(row, after, now=now)
            if after.state is State.DEAD:
                log.error("%s %d killed its worker %d times: set aside as poison", row.kind, row.id, after.crashes)
        return len(rows)
