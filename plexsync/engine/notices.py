"""Turns change notices into wants: a change that many jobs may depend on.

A row of a notice kind has no work of its own. Every flow returns which of its jobs the change concerns. They are
queued, and the last of them in the transaction that settles the row.
"""

from collections.abc import Iterable

from plexsync.engine.evidence import Evidence
from plexsync.engine.flow import AnyFlow, ChangeNotice, Key
from plexsync.engine.gates import Gates
from plexsync.engine.settlement import Settlement
from plexsync.engine.tickets import READ_STASH
from plexsync.rules.errors import NeighbourError
from plexsync.rules.job import Done, Job, Why
from plexsync.rules.neighbours import Clock
from plexsync.rules.outcomes import shared_outcome_of
from plexsync.store.database import Database

# Larger sets are queued in pieces of this size, so that a hook need not wait for all of them.
FAN_OUT = 500
# The gates needed to resolve a notice.
GATES = (READ_STASH,)


class Notices:
    """Works the change notices of one engine."""

    def __init__(
        self,
        store: Database,
        flows: Iterable[AnyFlow],
        gates: Gates,
        evidence: Evidence,
        settlement: Settlement,
        clock: Clock,
        *,
        batch: int,
    ) -> None:
        self._store = store
        self._flows = tuple(flows)
        self._gates = gates
        self._evidence = evidence
        self._settlement = settlement
        self._clock = clock
        self._batch = batch

    def work(self, jobs: Iterable[Job]) -> None:
        """Queue the jobs that these notices concern. On return, every given job is settled."""
        waiting = list(jobs)
        while waiting:
            job = waiting.pop(0)
            keys: set[Key] = set()
            for flow in self._flows:
                try:
                    keys |= {(flow.kind, id) for id in flow.affected(ChangeNotice(job.kind, job.id))}
                except NeighbourError as error:
                    self._settlement.settle_all([job], self._evidence.after_read(flow, job, error))
                    if not self._gates.is_open(*GATES):
                        self._settlement.settle_all(waiting, shared_outcome_of(error))
                        return
                    break
            else:
                self._want(job, sorted(keys))

    def _want(self, job: Job, keys: list[Key]) -> None:
        many = len(keys) > self._batch
        for start in range(0, max(len(keys), 1), FAN_OUT):
            with self._store.writing() as tx:
                for kind, id in keys[start : start + FAN_OUT]:
                    tx.jobs.want(kind, id, Why.EDIT, self._clock.now(), behind=many)
                if start + FAN_OUT >= len(keys):
                    self._settlement.settle(tx, [(job, Done())])
