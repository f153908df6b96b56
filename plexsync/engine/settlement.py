"""Settles attempts: applies an outcome to its row, in the caller's transaction.

Each engine has one. It tracks which claimed jobs may still be open, so that jobs left open by a fault of the local disk
can be released without blame.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from plexsync.engine.flow import AnyFlow, Key
from plexsync.engine.gates import Gates
from plexsync.rules.queue.job import Done, Job, Later, Outcome, State, Waiting, settle
from plexsync.rules.servers.neighbours import Clock, RandomSource
from plexsync.store.database import Database, Writer
from plexsync.store.queue.jobs import AttemptEnding

Settle = Callable[[Writer, Sequence[tuple[Job, Outcome]]], None]


@dataclass(eq=False)
class Settlement:
    """Settles the jobs of one engine. `ended` maps each job of the current step to the name of its outcome.

    `stored` maps those that are in sync to what a comparison would store, if the flow says so.
    """

    _store: Database
    _flows: Mapping[str, AnyFlow]
    _gates: Gates
    _clock: Clock
    _rng: RandomSource
    _max_retries: int
    ended: dict[Key, str] = field(default_factory=dict)
    stored: dict[Key, str] = field(default_factory=dict)
    # The hash of the desired values, by token.
    desired: dict[str, str] = field(default_factory=dict)
    # The jobs that are claimed and have not ended.
    open: list[Job] = field(default_factory=list)

    def settle(self, tx: Writer, ends: Sequence[tuple[Job, Outcome]]) -> None:
        """Settle these attempts, each with its outcome. A job that another worker holds by now is not changed."""
        now = self._clock.now()
        held = tx.jobs.settle([self._ending(tx, job, outcome, now) for job, outcome in ends], now=now)
        by_kind: dict[str, dict[int, Outcome]] = {}
        for job, outcome in ends:
            if job.token in held:
                by_kind.setdefault(job.kind, {})[job.id] = outcome
                done = outcome if isinstance(outcome, Done) else Done()
                self.ended[job.kind, job.id] = done.rests or type(outcome).__name__.lower()
                self.stored[job.kind, job.id] = done.found
        for kind, outcomes in by_kind.items():
            if flow := self._flows.get(kind):
                flow.save_outcomes(tx, outcomes, now=now)

    def _ending(self, tx: Writer, job: Job, outcome: Outcome, now: int) -> AttemptEnding:
        draw, scan = self._rng.random(), tx.books.scans()
        after = settle(job, outcome, now=now, max_retries=self._max_retries, draw=draw, scan=scan)
        if after.state is State.DEAD and not after.desired:
            after = replace(after, desired=self.desired.get(job.token, ""))
        marks = self._marks(tx, job, outcome) if isinstance(outcome, Waiting | Later) else (0, 0)
        return AttemptEnding(job, after, *marks)

    def settle_all(self, jobs: Iterable[Job], outcome: Outcome) -> None:
        """Settle all of these attempts with one outcome. Those already settled stay as they are."""
        with self._store.writing() as tx:
            self.settle(tx, [(job, outcome) for job in jobs])

    def release(self, outcome: Outcome) -> None:
        """Release the open jobs with this outcome."""
        if self.open:
            self.settle_all(list(self.open), outcome)

    def _marks(self, tx: Writer, job: Job, outcome: Outcome) -> tuple[int, int]:
        """The successful and failed writes of the flow so far, if they are evidence for the job's next failure."""
        if isinstance(outcome, Waiting) and not outcome.backoff:
            return job.ok_mark, job.bad_mark
        flow = self._flows.get(job.kind)
        blamed = isinstance(outcome, Waiting | Later) and outcome.cls in ("unavailable", "bug")
        return self._gates.writes(tx, flow.write_gate) if flow and blamed else (0, 0)
