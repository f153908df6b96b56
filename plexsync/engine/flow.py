"""The protocol of a flow, which keeps one kind of object in sync.

The engine owns everything that all kinds share: claims and leases, attempts, evidence, gates, ramps, books, dead
letters, undo requests, housekeeping. A flow owns reading, comparing and writing. The engine calls it in this order:

    look      read the current state of a batch; no transaction is open
    save      in one transaction: save the findings, and each write before it is sent
    send      send one write, on a thread of the pool; no transaction is open, and none may be opened
    read_back read the result of the answered writes; no transaction is open
    close     save the result, in the transaction that settles the job (`Journal`)

A kill between any two of them loses at most the writes in flight, and these can be sent again: what `save` has written
lets the next look tell whose value it finds. A flow leaves out the methods that it has no use for.
"""

# ruff: noqa: ARG002 - what a flow leaves out does nothing

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from plexsync.engine.tickets import Gate, Ticket
from plexsync.engine.undo import Undoing
from plexsync.rules.queue.job import Done, Job, Outcome
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import Neighbour, NeighbourError
from plexsync.store.database import Writer

# A harmless request of the same type as the failed ones. Returns whether it was answered. Raises NeighbourError.
Canary = Callable[[], bool]
# The key of a job row: its kind and id.
Key = tuple[str, int]


@record
class ChangeNotice:
    """A change that jobs may depend on: a performer, studio, tag or group in Stash, by its id."""

    kind: str
    id: int


@record
class Observation:
    """The result of inspecting the job with this id.

    `outcome` is that of the job if nothing has to be sent, None if something may have to be. `ends` is its outcome after
    everything was sent and read back correctly. `error`: a read that failed for this job alone; the engine decides by
    evidence whether the job is to blame.
    """

    id: int
    _: KW_ONLY
    outcome: Outcome | None = None
    ends: Outcome = field(default_factory=Done)
    error: NeighbourError | None = None

    @property
    def keys(self) -> Collection[str]:
        """The objects on whose state it rests: a write to one of them makes it out of date."""
        return ()

    @property
    def desired(self) -> str:
        """A hash of the desired values, to tell a new request from the one that died."""
        return ""


@dataclass(eq=False, kw_only=True)
class Write:
    """One write of one job; a flow adds its own fields.

    `key` names the object written to. `outcome` is set when the write has ended. `begun`: a part of it may have
    arrived, whatever the outcome. `since` is the monotonic time at which its send began. `tickets` admit its requests
    to each server.
    """

    job: Job
    key: str
    desired: str = ""
    outcome: Outcome | None = None
    begun: bool = False
    since: float = math.inf
    tickets: Mapping[Neighbour, Ticket] = field(default_factory=dict)

    def prolong(self, tx: Writer, until: int) -> None:
        """See `Journal`: nothing, if a journal of its flow saves many writes together."""

    def withdraw(self, tx: Writer) -> None:
        """See `Journal`: nothing, if a journal of its flow saves many writes together."""

    def close(self, tx: Writer, *, now: int, until: int) -> None:
        """See `Journal`: nothing, if a journal of its flow saves many writes together."""


class Outdated(Exception):
    """Raised by `send` before anything has arrived: the saved state is out of date. The message is one line for display."""


F = TypeVar("F", bound=Observation)
E = TypeVar("E", bound=Write)


class Journal(Generic[E]):
    """The saved record of a flow's unfinished writes. The engine calls each method inside its own transaction.

    Each write knows how it is saved, unless the journal of a flow saves many of them together.
    """

    def prolong(self, tx: Writer, writes: Sequence[E], until: int) -> None:
        """Set until when these writes may take effect (UTC ms). Replaces the time given to `save`."""
        for write in writes:
            write.prolong(tx, until)

    def withdraw(self, tx: Writer, writes: Sequence[E]) -> None:
        """Forget these writes as if they had never been saved. Nothing of them can have arrived."""
        for write in writes:
            write.withdraw(tx)

    def distrust(self, tx: Writer, write: E) -> None:
        """Mark the data read for the write as stale: the next look reads it anew. Withdraws it as well, unless `begun`."""
        if not write.begun:
            self.withdraw(tx, [write])

    def reopen(self, tx: Writer, write: E, until: int) -> None:
        """Record that the write lost its job in flight: until `until` it may arrive after the writes of the new holder."""
        self.prolong(tx, [write], until)

    def close(self, tx: Writer, writes: Sequence[E], *, now: int, until: int) -> None:
        """Save these writes as read back and done. A part with unknown outcome may take effect until `until`."""
        for write in writes:
            write.close(tx, now=now, until=until)


class Flow(Undoing, Protocol[F, E]):
    """Keeps one kind of object in sync. Failures of a server are NeighbourErrors; other exceptions are faults of the flow.

    No two flows have the same kind. Rows of a kind without a flow are never claimed.

    `gates` are all that the flow may use: while one of them is closed, none of its jobs is claimed. Writes go through
    the gate `write_gate`; during a send, a failure of another server was a failed read. `requests` is the maximum number of
    requests per send, `journal` the saved record of its writes. `reads_ahead`: a batch may be looked at while the writes of
    the one before are sent and closed; what it found on objects that were written to is looked at again.
    """

    gates: Collection[Gate]
    write_gate: Gate
    requests: int
    journal: Journal[E]
    reads_ahead: bool = False

    def affected_ids(self, notice: ChangeNotice) -> Collection[int]:
        """The ids of jobs that a change may concern, too many rather than too few; () if the change is irrelevant here.

        Requests go through the gates. Raises NeighbourError.
        """
        return ()

    def look(self, ids: Sequence[int]) -> Sequence[F]:
        """Read the current state of these jobs and return one finding for each.

        Writes nothing to a server, and reports its requests. Raises NeighbourError if the read failed for all of them.
        """
        ...

    def save(self, tx: Writer, findings: Sequence[tuple[Job, F]], *, now: int, until: int) -> Mapping[str, Sequence[E]]:
        """Save the findings and writes, and return each job's writes by token. They may take effect until `until`.

        A job that needs nothing has no writes. It is settled in the same transaction.
        """
        ...

    def will_send(self, writes: Sequence[E]) -> None:
        """Record saved writes that are about to be sent, outside the database. Raises LocalFault; nothing is sent then."""
        return

    def requires(self, write: E) -> Collection[Gate]:
        """The gates that this write must pass."""
        return (self.write_gate,)

    def send(self, write: E) -> None:
        """Send the write and return when it was answered. Sending it again has the same effect.

        Sets `begun` before the first of several requests that changes anything. Raises NeighbourError (with `applied`
        if an earlier part has arrived), or Outdated. Reports none of its requests; the engine does that.
        """
        ...

    def read_back(self, writes: Sequence[E]) -> None:
        """Read the result of answered writes, and set the outcome of each. Reports its requests."""
        ...

    def canaries(
        self, gate: Gate, limit: int, *, ticket: Ticket, but: int | None = None, key: str = ""
    ) -> list[Canary]:
        """Up to `limit` harmless requests through this gate, for objects with no known problem.

        None of them concerns the job `but` or the object `key`. Any lookup they need uses `ticket`, which admits to the
        same server. Returns [] if nothing is available. Raises NeighbourError.
        """
        ...

    def complete(self, tx: Writer, finding: F) -> None:
        """Called when everything that the job needed is done. Clears fulfilled requests; the job is settled next."""
        return

    def save_outcomes(self, tx: Writer, outcomes: Mapping[int, Outcome], *, now: int) -> None:
        """Called in the transaction that settles jobs with these outcomes, by id."""
        return

    def end_batch(self, findings: Sequence[F]) -> None:
        """Called when all jobs of a batch are settled. The flow may request what helps the jobs that could not be synced."""
        return

    def existing(self, ids: Sequence[int]) -> Collection[int]:
        """Those of these ids whose objects exist, in one request through the gates.

        Raises NeighbourError if that is unknown now: also while a gate is closed.
        """
        ...

    def forget(self, tx: Writer, id: int, *, gone: bool) -> None:
        """Forget what only this job needed, since its row is deleted.

        If the object is `gone`, also forget what is remembered about it.
        """
        return


AnyFlow = Flow[Any, Any]
