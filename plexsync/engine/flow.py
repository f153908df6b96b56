"""What the engine works: a flow, which keeps one kind of thing in sync.

The engine owns everything that is the same for every kind: claims and leases, attempts, evidence, gates, ramps, books, dead
letters, the wish to undo, housekeeping. A flow owns what it reads, compares and writes. The engine calls it in this order:

    look      what is true now, for a batch; no transaction is open
    save      in one transaction: what the look has taught, and each errand before it goes out
    send      one errand, on a thread of the pool; no transaction is open, and none may be opened
    read_back what has come of the errands that were answered; no transaction is open
    close     in one transaction with the end of the job (`Journal`)

A kill between any two of them costs at most the errands in flight, which can be sent again: `save` has written down enough
for the next look to tell whose value it finds.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from plexsync.engine.tickets import Gate, Ticket
from plexsync.engine.undo import Undoing
from plexsync.rules.errors import Neighbour, NeighbourError
from plexsync.rules.job import Job, Outcome
from plexsync.store.database import Writer

# A harmless request like those that failed: whether it was answered well. Raises NeighbourError.
Canary = Callable[[], bool]
# The key of a row: its kind and number.
Key = tuple[str, int]


@dataclass(frozen=True)
class ChangeNotice:
    """Something has changed that jobs may depend on: a performer, studio, tag or group of Stash, by its id."""

    kind: str
    id: int


class Observation(Protocol):
    """What a look has found out about the thing of one job."""

    @property
    def id(self) -> int:
        """The job's number."""
        ...

    @property
    def outcome(self) -> Outcome | None:
        """How the job ends although nothing is sent; None where something may have to be."""
        ...

    @property
    def ends(self) -> Outcome:
        """How it ends once all that has to be sent was read back as it should be."""
        ...

    @property
    def error(self) -> NeighbourError | None:
        """A read that failed for this job alone: by the evidence of others the engine judges whose fault it is."""
        ...

    @property
    def desired(self) -> str:
        """A hash of what is wanted, to tell a new wish from the one that died."""
        ...


@dataclass(eq=False, kw_only=True)
class Errand:
    """One write of one job under way; a flow adds what it has to know.

    `key` names what is written to. `outcome` is set once it has ended. `begun`: a part of it may have arrived, whatever its
    end. `since` is when its send began, by the steady clock; `tickets` admit its requests to each neighbour.
    """

    job: Job
    key: str
    desired: str = ""
    outcome: Outcome | None = None
    begun: bool = False
    since: float = math.inf
    tickets: Mapping[Neighbour, Ticket] = field(default_factory=dict)


class Outdated(Exception):
    """Raised by `send` before anything has arrived: what is to be sent is not what was looked at. One line for a reader."""


F = TypeVar("F", bound=Observation)
E = TypeVar("E", bound=Errand)
E_contra = TypeVar("E_contra", bound=Errand, contravariant=True)


class Journal(Protocol[E_contra]):
    """What a flow has written down of its errands before they go out. Each method runs in a transaction of the engine's."""

    def prolong(self, tx: Writer, errands: Sequence[E_contra], until: int) -> None:
        """These may take effect until then (UTC ms), and no longer until the time that `save` was told."""
        ...

    def withdraw(self, tx: Writer, errands: Sequence[E_contra]) -> None:
        """Nothing of these can have arrived: it is as if they had not been saved."""
        ...

    def distrust(self, tx: Writer, errand: E_contra) -> None:
        """What was read for it does not hold any more: the next look reads that anew. Withdrawn as well, unless `begun`."""
        ...

    def reopen(self, tx: Writer, errand: E_contra, until: int) -> None:
        """Its job was lost while it was under way: until then it may arrive behind the writes of whoever has it now."""
        ...

    def close(self, tx: Writer, errands: Sequence[E_contra], *, now: int, until: int) -> None:
        """These were read back and are done: remember that. A part whose end is unknown may take effect until `until`."""
        ...


class Flow(Undoing, Protocol[F, E]):
    """Keeps one kind of thing in sync. Its own failures are exceptions; those of a neighbour are NeighbourErrors.

    No two flows have the same kind; rows of a kind without a flow are never claimed.
    """

    @property
    def gates(self) -> Collection[Gate]:
        """Every gate that it may pass: while one of them is closed, none of its jobs is claimed."""
        ...

    @property
    def writes(self) -> Gate:
        """The gate that its errands write by. What fails at another neighbour while one is sent was a read."""
        ...

    @property
    def requests(self) -> int:
        """How many requests one send makes at most."""
        ...

    @property
    def journal(self) -> Journal[E]:
        """Where its errands are written down."""
        ...

    def affected(self, notice: ChangeNotice) -> Collection[int]:
        """The numbers of the jobs that a change may concern, too many rather than too few; () for what is none of its own.

        Asks through the gates. Raises NeighbourError.
        """
        ...

    def look(self, ids: Sequence[int]) -> Sequence[F]:
        """What is true now of these; one finding for each. Writes nothing to a neighbour, and reports its requests.

        Raises NeighbourError for what failed for all of them.
        """
        ...

    def save(self, tx: Writer, findings: Sequence[tuple[Job, F]], *, now: int, until: int) -> Mapping[str, Sequence[E]]:
        """Keep what was learnt, and return by token the errands of each job, written down: they may take effect until then.

        Without any where a job needs nothing; it is settled in the same transaction.
        """
        ...

    def requires(self, errand: E) -> Collection[Gate]:
        """The gates that this errand has to pass to be sent."""
        ...

    def send(self, errand: E) -> None:
        """Send it; returns when it was answered well. It may be sent a second time, with the same effect.

        Sets `begun` before the first of several requests that changes anything. Raises NeighbourError (with `applied` when
        an earlier part has arrived), or Outdated. Reports none of the requests: the engine does.
        """
        ...

    def read_back(self, errands: Sequence[E]) -> None:
        """Read what came of errands that were answered well, and set the outcome of each; reports its requests."""
        ...

    def canaries(
        self, gate: Gate, limit: int, *, ticket: Ticket, but: int | None = None, key: str = ""
    ) -> list[Canary]:
        """Up to `limit` harmless requests by this gate for things that are healthy as far as is known.

        None of them concerns job `but`, nor what `key` names. What it has to ask for first it asks by `ticket`, which
        admits to the same neighbour. [] where there is nothing to try it with. Raises NeighbourError.
        """
        ...

    def completed(self, tx: Writer, finding: F) -> None:
        """All that the job needed is done: what was wished for it once is not wished any more. It is settled next."""
        ...

    def settled(self, tx: Writer, id: int, outcome: Outcome, *, now: int) -> None:
        """A job has ended so, in this transaction."""
        ...

    def worked(self, findings: Sequence[F]) -> None:
        """A batch is over, and all its jobs are settled: what may help those that could not be worked can be asked for."""
        ...

    def forget(self, tx: Writer, id: int, *, gone: bool) -> None:
        """The job's row is deleted: forget what only it needed; if the thing itself is `gone`, also what was remembered."""
        ...


AnyFlow = Flow[Any, Any]
