"""The wish to undo: what was written for jobs is to be taken back.

Undoing writes to no neighbour. The flow notes in one transaction what it has to know, and the job is wanted with it; whoever
works on it just then loses it, so that nothing is saved over the note. The worker does the rest on its usual way.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from plexsync.rules.errors import NeighbourError
from plexsync.rules.job import State, Why
from plexsync.rules.neighbours import Clock
from plexsync.store.database import Database, Writer

# Jobs that are asked for together, as when they are worked.
BATCH = 50
# More than so many at once go behind what people edit.
CROWD = 20

Progress = Callable[[int, int], None]


class Undoing(Protocol):
    """The part of a flow that takes back."""

    @property
    def kind(self) -> str:
        """The registered kind of its jobs."""
        ...

    def recall(self, ids: Sequence[int]) -> Mapping[int, object]:
        """What `undo` has to know of these, a NeighbourError for one that can't be read; none for what is not there.

        Passes the gates that it needs. Raises NeighbourError when nobody can be asked.
        """
        ...

    def undo(self, tx: Writer, id: int, recalled: object, mark: str, *, now: int) -> bool:
        """Note that what was written for a job is to be taken back (`mark`: in whose name); False if nothing ever was.

        The job is wanted in the same transaction, and the next look finds what there is to take back.
        """
        ...


@dataclass
class Marked:
    """What became of jobs that were to be undone.

    `jobs` are undone, and wanted. `untouched` are those for which nothing was pushed, as far as is known, `ignored` those
    of `jobs` that were ignored before and are not any more, `failed` those that can't be asked about, with the reason.
    `dropped` is how many rows of the queue were set aside, so that nothing is pushed for the first time meanwhile.
    """

    jobs: list[int] = field(default_factory=list)
    untouched: list[int] = field(default_factory=list)
    ignored: list[int] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    dropped: int = 0


def quiet(_done: int, _total: int) -> None:
    """Nobody watches."""


def wish_undone(
    store: Database, flow: Undoing, clock: Clock, ids: Sequence[int], mark: str, progress: Progress = quiet
) -> Marked:
    """Undo these jobs of a flow; raises NeighbourError when it can't ask (those that were marked by then stay so).

    A kill in between leaves some marked and others not: to do it again is harmless.
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
                    _want(tx, flow.kind, id, marked, now=clock.now(), behind=len(ids) > CROWD)
                else:
                    marked.untouched.append(id)
        progress(start + len(batch), len(ids))
    return marked


def _want(tx: Writer, kind: str, id: int, marked: Marked, *, now: int, behind: bool) -> None:
    row = tx.jobs.find(kind, id)
    if row is not None and row.state is State.IGNORED:
        tx.jobs.unignore(kind, id, now=now)
        marked.ignored.append(id)
    tx.jobs.wrest(kind, id, now=now)
    tx.jobs.want(kind, id, Why.USER, now, behind=behind)
    marked.jobs.append(id)
