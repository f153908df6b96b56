"""Decides whether a job or an outage caused a failure, by the evidence of other jobs.

A failed write is the job's own, and counts as an attempt, if enough writes of others succeeded and few failed since its
previous failure. If no other write was tried and the job failed several times in a row, canaries decide. A first
failure never counts.

A rejected write is the job's own, and final, if the server accepts a canary now. If it rejects that too, as a Plex that
is starting rejects every edit, it is an outage.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from plexsync.engine.flow import AnyFlow, Write
from plexsync.engine.gates import Gates, outage
from plexsync.engine.tickets import READ, WRITE, Gate, Ticket
from plexsync.rules.queue.job import Job, Outcome, outcome_of, shared_outcome_of
from plexsync.rules.servers.errors import Missing, Neighbour, NeighbourError, Refused, TooLong, Unavailable
from plexsync.store.database import Database

log = logging.getLogger("PlexSync.evidence")

CANARIES = 3
EVIDENCE_WRITES = 3
EVIDENCE_BAD_SHARE = 0.1


@dataclass(eq=False)
class Evidence:
    """Judges the failures of one engine."""

    _store: Database
    _gates: Gates

    def is_own(self, flow: AnyFlow, job: Job, key: str) -> bool:
        """Whether the job itself caused its failed write."""
        if not (job.ok_mark or job.bad_mark):
            return False
        with self._store.writing() as tx:
            well, failed = self._gates.writes(tx, flow.write_gate)
        well, failed = well - job.ok_mark, failed - job.bad_mark
        if well >= EVIDENCE_WRITES and failed <= EVIDENCE_BAD_SHARE * (well + failed):
            return True
        if well or failed or job.failures + 1 < CANARIES:
            return False
        return self.try_canaries(flow, flow.write_gate, CANARIES, but=job.id, key=key) is True

    def after_write(
        self, flow: AnyFlow, write: Write, error: NeighbourError, ticket: Ticket, *, accepted: bool = False
    ) -> Outcome:
        """Report a failed send and return the outcome of its job. `accepted`: another send of its batch was accepted."""
        by_write, own = ticket.gate == flow.write_gate, False
        if by_write and isinstance(error, Refused) and not self._is_refusal_own(flow, write, error, accepted=accepted):
            error = outage(error, WRITE)
        elif by_write and isinstance(error, Unavailable):
            own = self.is_own(flow, write.job, write.key)
        self._gates.ill(ticket, error, own=own)
        return outcome_of(error, own=own, desired=write.desired)

    def _is_refusal_own(self, flow: AnyFlow, write: Write, error: Refused, *, accepted: bool) -> bool:
        """Whether the server rejects this write alone. Without a canary, another accepted write of the batch shows it."""
        if error.applied or isinstance(error, TooLong):
            return True
        if not self._gates.is_open(flow.write_gate):
            return False
        answer = self._accepts_any(flow, write.job.id, write.key)
        return bool(accepted or self._accepts_any(flow) if answer is None else answer)

    def _accepts_any(self, flow: AnyFlow, but: int | None = None, key: str = "") -> bool | None:
        """Send canary writes until one is accepted: True. False if all fail, None if there are none."""
        has_failed = False
        for is_answered in self._answers(flow, flow.write_gate, CANARIES, but=but, key=key):
            if is_answered:
                return True
            has_failed = True
        return False if has_failed else None

    def after_read(self, flow: AnyFlow, job: Job, error: NeighbourError, *, desired: str = "") -> Outcome:
        """The outcome of a job whose read failed alone: it backs off, and is blamed only if other reads succeed."""
        if isinstance(error, Refused):
            if self._others_are_read(flow, job, error.neighbour):
                return outcome_of(error, desired=desired)
            return shared_outcome_of(error)
        if not isinstance(error, Unavailable):
            return shared_outcome_of(error)
        own = job.failures + 1 >= CANARIES and self._others_are_read(flow, job, error.neighbour)
        return outcome_of(error, own=own)

    def _others_are_read(self, flow: AnyFlow, job: Job, neighbour: Neighbour) -> bool:
        but = job.id if job.kind == flow.kind else None
        return self.try_canaries(flow, Gate(neighbour, READ), CANARIES, but=but) is True

    def try_canaries(
        self,
        flow: AnyFlow,
        gate: Gate,
        limit: int,
        *,
        ticket: Ticket | None = None,
        but: int | None = None,
        key: str = "",
    ) -> bool | None:
        """Send canaries: True if any was answered, False if one failed, None if there are none.

        `ticket` is the ticket of a probe.
        """
        answered: bool | None = None
        for answered in self._answers(flow, gate, limit, ticket=ticket, but=but, key=key):
            if not answered:
                return False
        return answered

    def _answers(
        self, flow: AnyFlow, gate: Gate, limit: int, *, ticket: Ticket | None = None, but: int | None, key: str
    ) -> Iterator[bool]:
        """Send canaries and yield whether each was answered. One whose object is missing says nothing."""
        try:
            canaries = flow.canaries(gate, limit, ticket=ticket or self._gates.ticket(gate), but=but, key=key)
        except NeighbourError as error:
            log.info("canary can't be read: %s", error)
            yield False
            return
        for canary in canaries:
            try:
                if self._gates.ask(ticket or gate, canary, of_all=True):
                    yield True
            except Missing:
                continue
            except NeighbourError as error:
                log.info("canary failed: %s", error)
                yield False
