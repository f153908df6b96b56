"""Requests to undo: to restore what Plex had before PlexSync wrote to it.

A request writes to no server. In one transaction the flow saves what it needs and the job is queued. A worker that
holds the job loses it, so that nothing is saved over the request. The worker then syncs the job as usual.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from plexsync.rules.merge.plan_records import Memory
from plexsync.rules.merge.run_values import RunValues, values_before_run
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.queue.job import Why
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import NeighbourError
from plexsync.rules.servers.neighbours import Clock
from plexsync.store.database import Database, Reader, Writer
from plexsync.store.ledger.pushes import MOST_SAVED
from plexsync.store.ledger.run_history import Run

# The number of jobs read per request, as when they are synced.
BATCH = 50
# Larger requests go behind edits.
CROWD = 20

Progress = Callable[[int, int], None]


class Undoing(Protocol):
    """The part of a flow that undoes. `kind` is the registered kind of its jobs."""

    kind: str

    def recall(self, ids: Sequence[int]) -> Mapping[int, object]:
        """Read what `undo` needs for these jobs: a NeighbourError for an unreadable job, no entry for a missing one.

        Passes the gates that it needs. Raises NeighbourError if the server can't be asked.
        """
        ...

    def undo(self, tx: Writer, id: int, recalled: object, mark: TakenBack, *, now: int) -> bool:
        """Mark a job as undone (`mark`: the reason). False if nothing was ever written for it.

        The job is queued in the same transaction. The next look finds what to restore. The flow notes an ignored job, to
        ignore it again when it was restored.
        """
        ...


@record
class UndoneRun:
    """A run whose writes are taken back. `and_later`: with what was written on top of them since."""

    run: Run
    and_later: bool = False

    def values(self, db: Reader, subject: int, memories: Mapping[str, Memory]) -> dict[str, RunValues]:
        """What the run wrote to these items of a subject, by item key."""
        pushes = db.runs.pushes_around(self.run, subject)
        return {
            key: values_before_run(
                some := pushes.get(key, []), memory, and_later=self.and_later, is_cut=len(some) >= MOST_SAVED
            )
            for key, memory in memories.items()
        }


@dataclass
class Marked:
    """The result of a request to undo jobs.

    `jobs` are marked and queued. `untouched` are those with no known push. `failed` maps those that can't be read to the
    reason. `dropped` counts the queue rows that were set aside, so that nothing is pushed for the first time meanwhile.
    """

    jobs: list[int] = field(default_factory=list)
    untouched: list[int] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    dropped: int = 0


def quiet(_done: int, _total: int) -> None:
    """Report no progress."""


def wish_undone(
    store: Database, flow: Undoing, clock: Clock, ids: Sequence[int], mark: TakenBack, progress: Progress = quiet
) -> Marked:
    """Mark these jobs of a flow as undone. Raises NeighbourError if it can't read; jobs marked by then stay marked.

    After a kill some jobs are marked and others are not. Repeating the call is harmless.
    """
    marked = Marked()
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        recalled = flow.recall(batch)
        with store.writing() as tx:
            for id in batch:
                facts = recalled.get(id)
                if isinstance(facts, NeighbourError):
                    marked.failed[id] = str(facts)
                elif flow.undo(tx, id, facts, mark, now=clock.now()):
                    now = clock.now()
                    tx.jobs.unignore(flow.kind, id, now=now)
                    tx.jobs.wrest(flow.kind, id, now=now)
                    tx.jobs.want(flow.kind, id, Why.USER, now, behind=len(ids) > CROWD)
                    marked.jobs.append(id)
                else:
                    marked.untouched.append(id)
        progress(start + len(batch), len(ids))
    return marked
