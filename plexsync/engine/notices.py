"""Turning notices into wishes: something has changed that many jobs may depend on.

A row of one of these kinds is a notice and no work of its own. Every flow is asked which of its jobs it concerns, and they
are wanted in one transaction with the end of the row.
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

# More are wanted in pieces, so that a hook need not wait for all of them.
FAN_OUT = 500
# Where notices come from.
GATES = (READ_STASH,)


class Notices:
    """Works the notices of one engine."""

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
        """Want what these notices concern; every job given is settled when this returns."""
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
                    self._settlement.settle(tx, job, Done())
