"""Sends the writes of one batch: several at once, verified together, closed together.

Each write is saved before it is sent and stays saved while its outcome is unknown. After a kill at any instant, the
saved entry still shows whose value is in place. After a write fails, no other write begins until that failure is
processed.
"""

import logging
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field
from typing import Generic

from plexsync.engine.evidence import Evidence
from plexsync.engine.flow import E, F, Flow, Outdated
from plexsync.engine.gates import Gates
from plexsync.engine.rules import WorkRules
from plexsync.engine.settlement import Settle
from plexsync.engine.tickets import READ, VOID, Closed, Gate, Ticket, by_row
from plexsync.rules.queue.job import Dead, Done, Job, Later, Outcome, State, Waiting, Why
from plexsync.rules.servers.errors import NO_MEMORY, LocalFault, Neighbour, NeighbourError, Unavailable
from plexsync.rules.servers.neighbours import Clock
from plexsync.store.database import Database, Writer

log = logging.getLogger("PlexSync.batch")

# A send that takes this many times its longest allowed duration is considered hung.
OVERDUE = 2
# For each running write, this many more are handed over, so that no thread idles during a read-back.
READY = 2
SETTLE_EVERY = 1.0
STOPPED = "stopped in good order"


class Admission:
    """What the gates answer to one batch. `tickets` admit the next sends, by server."""

    def __init__(self, store: Database, gates: Gates, writes: Gate, others: Iterable[Gate]) -> None:
        self.tickets: Mapping[Neighbour, Ticket] = {}
        self._store = store
        self._gates = gates
        # The write gate comes last, so that its ticket is the one kept for its server.
        self._asked = tuple(reversed(by_row((writes, *others))))
        self._open_at: tuple[int, int, int] | None = None

    def closed_gates(self) -> dict[Gate, str]:
        """Take new tickets if anything was committed since the last time. Returns the closed gates with their reasons."""
        revision = self._store.revision()
        if revision == self._open_at:
            # Until the next commit, open gates stay open and their breakers keep their generation.
            return {}
        with self._store.reading() as db:
            answers = {gate: self._gates.admit_in(db, gate) for gate in self._asked}
        self.tickets = {
            gate.neighbour: answer if isinstance(answer, Ticket) else Ticket(gate, VOID)
            for gate, answer in answers.items()
        }
        closed = {gate: answer.reason for gate, answer in answers.items() if isinstance(answer, Closed)}
        self._open_at = None if closed else revision
        return closed


@dataclass
class Batch(Generic[F, E]):
    """The open part of a batch: unsettled jobs by token, each with its writes and its finding.

    `until` is when the leases end (UTC ms). `known_until` is the latest end of a write according to the saved
    entries. `lost` holds the tokens of jobs that now belong to another attempt. `sent` holds the writes that ended
    since the last close, `failed` those with an unprocessed failure, `answered` those to read back. `admission` holds
    the tickets of the next sends.
    """

    until: int
    known_until: int
    admission: Admission
    writes: dict[str, Sequence[E]] = field(default_factory=dict)
    findings: dict[str, F] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    todo: deque[E] = field(default_factory=deque)
    running: dict[Future[None], E] = field(default_factory=dict)
    answered: list[E] = field(default_factory=list)
    sent: list[E] = field(default_factory=list)
    failed: list[E] = field(default_factory=list)

    def is_held(self, write: E) -> bool:
        """Whether the write's job is still open and this worker still holds it."""
        return write.job.token in self.writes

    def call_back(self) -> list[E]:
        """Cancel and return the writes that were handed over but have not begun."""
        return [self.running.pop(future) for future in list(self.running) if future.cancel()]

    def drop_lost(self) -> None:
        """Drop the writes of jobs that this worker no longer holds."""
        self.todo = deque(write for write in self.todo if self.is_held(write))

    def give_up(self, lost: Iterable[str]) -> None:
        """Take the jobs of these tokens out of the batch: another attempt holds them."""
        for token in lost:
            job = self.writes[token][0].job
            log.warning("lease lost: %s %d belongs to another attempt", job.kind, job.id)
            self.lost.add(token)
            del self.writes[token]


class Unsent(Exception):
    """The write did not begin."""


@dataclass(eq=False)
class Sender(Generic[F, E]):
    """Sends writes, reads them back and passes the outcomes to `settle`, in the transaction that saves them.

    `alive` is called at least once a second while there is progress. It is not called while a send hangs.
    """

    _store: Database
    _flow: Flow[F, E]
    _gates: Gates
    _evidence: Evidence
    _clock: Clock
    _rules: WorkRules
    _settle: Settle
    _pool: Executor
    _alive: Callable[[], None]
    # Whether a send of this batch was accepted.
    _accepted: bool = False

    def __post_init__(self) -> None:
        self._deadline = self._rules.deadline * self._flow.requests

    def send(self, batch: Batch[F, E], stopping: Callable[[], bool]) -> None:
        """Send the writes of a batch. On return, each of its jobs is settled unless its lease was lost."""
        batch.todo.extend(write for writes in batch.writes.values() for write in writes)
        try:
            self._send_all(batch, stopping)
        except BaseException:
            # Running sends end before these jobs can be claimed again; no other send begins.
            batch.call_back()
            wait(batch.running)
            raise

    def _send_all(self, batch: Batch[F, E], stopping: Callable[[], bool]) -> None:
        settled_at = self._clock.monotonic()
        while batch.todo or batch.running:
            # The watchdog only sees signs of life from this thread, and none while a send hangs.
            began = self._clock.monotonic() - OVERDUE * self._deadline / 1000
            if not any(write.since < began for write in batch.running.values()):
                self._alive()
            if batch.todo and self._clock.now() >= batch.until:
                # The machine slept past the lease, so another worker may hold these jobs by now.
                self._renew(batch)
                batch.drop_lost()
            if batch.todo or len(batch.running) > self._rules.parallel:
                self._release_closed(batch, stopping)
            if batch.todo and self._clock.now() + self._deadline > batch.known_until:
                self._prolong(batch)
            while batch.todo and len(batch.running) < self._rules.parallel * (1 + READY):
                write = batch.todo.popleft()
                batch.running[self._hand_over(batch, write)] = write
            if self._clock.monotonic() - settled_at >= SETTLE_EVERY:
                # The next writes run meanwhile.
                self._close(batch)
                settled_at = self._clock.monotonic()
                batch.drop_lost()
            done, _ = wait(batch.running, timeout=SETTLE_EVERY, return_when=FIRST_COMPLETED)
            self._collect(batch, done)
        self._close(batch)

    def _collect(self, batch: Batch[F, E], done: Collection[Future[None]]) -> None:
        """Queue answered writes for read-back, put unsent ones back, and set the outcome of the others."""
        sent: list[tuple[Future[None], E]] = []
        unsent: list[E] = []
        # In the order of hand-over: the iteration order of a set of futures is arbitrary.
        for future in [future for future in batch.running if future in done]:
            write = batch.running.pop(future)
            if isinstance(future.exception(), Unsent):
                unsent.append(write)
            else:
                sent.append((future, write))
        batch.sent += [write for _, write in sent]
        batch.answered += self._sort_out(sent)
        if failed := [write for _, write in sent if write in batch.failed]:
            unsent += batch.call_back()
            for write in failed:
                batch.failed.remove(write)
        batch.todo.extendleft(write for write in reversed(unsent) if batch.is_held(write))

    # --- before sending ----------------------------------------------------------------------------------------------

    def save(self, findings: Sequence[tuple[Job, F]], judged: Mapping[str, Outcome]) -> Batch[F, E]:
        """Save the findings and the writes, and settle jobs that need nothing, in one transaction.

        `judged` maps a token to the outcome of a job whose inspection failed for that job alone. Inspection takes time:
        nothing is saved for jobs that another attempt has claimed meanwhile.
        """
        now = self._clock.now()
        leased, until = now + self._rules.lease, now + self._rules.lease + self._deadline
        admission = Admission(self._store, self._gates, self._flow.write_gate, self._flow.gates)
        batch: Batch[F, E] = Batch(leased, until, admission)
        with self._store.writing() as tx:
            held = tx.jobs.renew([job.token for job, _ in findings], until=batch.until)
            for job in (job for job, _ in findings if job.token not in held):
                log.warning("lease lost: %s %d belongs to another attempt", job.kind, job.id)
            held_findings = [(job, finding) for job, finding in findings if job.token in held]
            writes = self._flow.save(tx, held_findings, now=now, until=until)
            ends: list[tuple[Job, Outcome]] = []
            for job, finding in held_findings:
                if writes.get(job.token):
                    batch.writes[job.token] = writes[job.token]
                    batch.findings[job.token] = finding
                else:
                    outcome = judged.get(job.token) or finding.outcome
                    ends.append((job, outcome or self._complete(tx, finding)))
            self._settle(tx, ends)
        self._flow.will_send([write for some in batch.writes.values() for write in some])
        return batch

    def _prolong(self, batch: Batch[F, E]) -> None:
        """Extend the saved entries of a long batch, since its next writes may end later than the entries say.

        The entries are saved first. No thread uses the new time before that.
        """
        until = self._clock.now() + self._rules.lease + self._deadline
        with self._store.writing() as tx:
            self._flow.journal.prolong(tx, [*batch.todo, *batch.running.values()], until)
        batch.known_until = until

    def _release_closed(self, batch: Batch[F, E], stopping: Callable[[], bool]) -> None:
        """Release writes that may not be sent now.

        While writes are closed, these are all that have not begun, else those that need a closed gate.
        """
        writes = self._flow.write_gate
        closed = batch.admission.closed_gates()
        away = next((reason for gate, reason in closed.items() if gate.neighbour is writes.neighbour), "")
        if reason := STOPPED if stopping() else away:
            batch.todo.extend(batch.call_back())
            self._release(batch.todo, reason)
        elif closed:
            lacking = [(write, gate) for write in batch.todo for gate in self._flow.requires(write) if gate in closed]
            for write, gate in lacking:
                self._release([write], closed[gate])
        else:
            return
        batch.todo = deque(write for write in batch.todo if write.outcome is None)

    def _release(self, writes: Iterable[E], reason: str) -> None:
        """Release unsent writes without blame and withdraw their saved entries, since nothing of them can have arrived."""
        released = list(writes)
        for write in released:
            write.outcome = Waiting(reason, "released", backoff=False)
        with self._store.writing() as tx:
            self._flow.journal.withdraw(tx, released)

    # --- sending -----------------------------------------------------------------------------------------------------

    def _hand_over(self, batch: Batch[F, E], write: E) -> Future[None]:
        write.tickets = batch.admission.tickets
        try:
            return self._pool.submit(self._begin, batch, write)
        except RuntimeError as error:
            # The system can't start another thread.
            raise LocalFault(NO_MEMORY) from error

    def _begin(self, batch: Batch[F, E], write: E) -> None:
        """Send the write. Raises Unsent if its lease has ended or another write has failed since the hand-over."""
        now = self._clock.now()
        in_time = now < batch.until and now + self._deadline <= batch.known_until
        if batch.failed or not in_time or not batch.is_held(write):
            raise Unsent
        write.since = self._clock.monotonic()
        try:
            self._flow.send(write)
        except BaseException:
            batch.failed.append(write)
            raise

    def _sort_out(self, ended: Iterable[tuple[Future[None], E]]) -> list[E]:
        """Return the writes that were answered and set the outcome of the others."""
        answered = []
        for future, write in ended:
            try:
                future.result()
            except NeighbourError as error:
                write.outcome = self._failure_outcome(write, error)
            except Outdated as error:
                self._distrust(write)
                write.outcome = Waiting(str(error), "released")
            except LocalFault:
                raise
            except MemoryError as error:
                raise LocalFault(NO_MEMORY) from error
            except Exception as bug:
                log.exception("push of %s %d failed by a fault of PlexSync", write.job.kind, write.job.id)
                write.outcome = Later(f"fault of PlexSync: {type(bug).__name__}")
            else:
                self._gates.well(write.tickets[self._flow.write_gate.neighbour])
                self._accepted = True
                answered.append(write)
        return answered

    def _failure_outcome(self, write: E, error: NeighbourError) -> Outcome:
        ticket = write.tickets.get(error.neighbour) or Ticket(Gate(error.neighbour, READ), VOID)
        if ticket.gate != self._flow.write_gate:
            self._distrust(write)
        elif not (error.applied or write.begun or (isinstance(error, Unavailable) and error.sent)):
            with self._store.writing() as tx:
                self._flow.journal.withdraw(tx, [write])
        elif not isinstance(error, Unavailable) or error.is_over:
            # What has arrived of it is there, and a request that was answered is over: nothing arrives later.
            with self._store.writing() as tx:
                self._flow.journal.prolong(tx, [write], self._clock.now())
        return self._evidence.after_write(self._flow, write, error, ticket, accepted=self._accepted)

    def _distrust(self, write: E) -> None:
        with self._store.writing() as tx:
            self._flow.journal.distrust(tx, write)

    # --- after sending -----------------------------------------------------------------------------------------------

    def _close(self, batch: Batch[F, E]) -> None:
        """Read back, save and settle ended writes, and renew the other leases. Lost jobs leave the batch unchanged."""
        answered, batch.answered = batch.answered, []
        if batch.writes:
            if self._clock.now() >= batch.until:
                self._renew(batch)
            if mine := [write for write in answered if batch.is_held(write)]:
                self._flow.read_back(mine)
            self._settle_ended(batch, answered)
        if batch.lost:
            self._revisit(batch)
        batch.sent = []

    def _settle_ended(self, batch: Batch[F, E], answered: Sequence[E]) -> None:
        now = self._clock.now()
        until = now + self._rules.lease
        ends: dict[str, tuple[Job, Outcome]] = {}
        with self._store.writing() as tx:
            held = tx.jobs.renew(list(batch.writes), until=until)
            done = [answer for answer in answered if answer.job.token in held and isinstance(answer.outcome, Done)]
            self._flow.journal.close(tx, done, now=now, until=now + self._deadline)
            for token, writes in batch.writes.items():
                outcomes = [write.outcome for write in writes if write.outcome is not None]
                if token in held and len(outcomes) == len(writes):
                    outcome = outcomes[0] if len(outcomes) == 1 else worst(outcomes)
                    is_done = isinstance(outcome, Done)
                    outcome = self._complete(tx, batch.findings[token]) if is_done else outcome
                    ends[token] = writes[0].job, outcome
            self._settle(tx, list(ends.values()))
        if gone := batch.writes.keys() - held:
            batch.give_up(gone)
        batch.until = until
        for token in ends:
            del batch.writes[token]

    def _complete(self, tx: Writer, finding: F) -> Outcome:
        """Clear what a job has fulfilled, of which all is done. Returns the outcome of the job."""
        self._flow.complete(tx, finding)
        return finding.ends

    def _revisit(self, batch: Batch[F, E]) -> None:
        """Reopen writes sent for lost jobs, since they may have arrived after the writes of the new holder.

        Each is saved as a push with unknown outcome, and its job is queued again unless you dropped it.
        """
        strays = [write for write in batch.sent if write.job.token in batch.lost]
        if strays:
            now = self._clock.now()
            with self._store.writing() as tx:
                for write in strays:
                    kind, id = write.job.kind, write.job.id
                    self._flow.journal.reopen(tx, write, now + self._deadline)
                    row = tx.jobs.find(kind, id)
                    if row is None or row.state is not State.DROPPED:
                        tx.jobs.want(kind, id, Why.AGAIN, now)

    def _renew(self, batch: Batch[F, E]) -> None:
        """Renew the leases. Threads use the new time only after that, and nothing begins for a lost job."""
        until = self._clock.now() + self._rules.lease
        with self._store.writing() as tx:
            held = tx.jobs.renew(list(batch.writes), until=until)
        if gone := batch.writes.keys() - held:
            batch.give_up(gone)
        batch.until = until


def worst(outcomes: Sequence[Outcome]) -> Outcome:
    """The outcome of a job with several writes: retry first (a counted one before others), then dead, then done."""
    for kind in (Waiting, Later, Dead):
        ends = [outcome for outcome in outcomes if isinstance(outcome, kind)]
        if ends:
            return next((end for end in ends if isinstance(end, Waiting) and end.counted), ends[0])
    return outcomes[0]
