"""The marks of undone scenes, and what ends them: an edit that a look found, or `plexsync redo`.

A scene rests while one of its items is marked (`plexsync.store.memories`). Nothing here asks a server.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from plexsync.engine.undo import CROWD, Progress, quiet
from plexsync.rules.job import Kind, State, Why
from plexsync.rules.neighbours import Clock
from plexsync.rules.plan_records import Undone
from plexsync.rules.records import JobRow
from plexsync.store.database import Database, Reader, Writer

# The number of scenes that are redone in one transaction.
BATCH = 500


@dataclass
class Redone:
    """The scenes whose undo has ended, and which are queued; and by reason those that were left alone."""

    scenes: list[int] = field(default_factory=list)
    not_undone: list[int] = field(default_factory=list)
    ignored: list[int] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)


def end_undone(tx: Writer, scenes: Sequence[int]) -> None:
    """End the undo of those of these scenes that are synced again, on the items that they no longer lead to as well."""
    if marked := tx.memories.marks(scenes):
        tx.memories.begin_anew(sorted(marked))


def resting(db: Reader, scenes: Iterable[int]) -> dict[int, Undone]:
    """How those of these scenes that rest were undone: nothing is queued for them, and a sync would change nothing."""
    marks = db.memories.marks(scenes)
    rows = db.jobs.of(Kind.SCENE, marks)
    return {id: mark for id, mark in marks.items() if id not in rows or rows[id].state is State.IDLE}


def redo_scenes(store: Database, clock: Clock, ids: Sequence[int], progress: Progress = quiet) -> Redone:
    """End the undo of these scenes, and queue them. A worker that holds one loses it, or it would save the mark again.

    What is still in Plex of what PlexSync wrote counts as its own, as after an edit in Stash. After a kill some scenes
    are queued and the others still undone; repeating the call is harmless.
    """
    redone = Redone()
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        with store.writing() as tx:
            marks, rows = tx.memories.marks(batch), tx.jobs.of(Kind.SCENE, batch)
            for id in batch:
                left_alone = _left_alone(redone, id in marks, rows.get(id))
                if left_alone is not None:
                    left_alone.append(id)
                    continue
                tx.memories.begin_anew([id])
                tx.jobs.wrest(Kind.SCENE, id, now=clock.now())
                tx.jobs.want(Kind.SCENE, id, Why.USER, clock.now(), behind=len(ids) > CROWD)
                redone.scenes.append(id)
        progress(min(start + BATCH, len(ids)), len(ids))
    return redone


def _left_alone(redone: Redone, is_marked: bool, row: JobRow | None) -> list[int] | None:
    """The list of a scene for which a redo would change nothing; None if it is to be redone."""
    if not is_marked:
        return redone.not_undone
    if row is not None and row.state is State.IGNORED:
        return redone.ignored
    return redone.gone if row is not None and row.state is State.GONE else None
