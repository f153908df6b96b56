"""The marks of undone scenes, and what ends them: an edit that a look found, or `plexsync redo`.

A scene rests while one of its items is marked (`plexsync.store.memories`). Nothing here asks a server.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from plexsync.engine.undo import CROWD, Progress, quiet
from plexsync.rules.job import SKIPPED, Kind, State, Why
from plexsync.rules.neighbours import Clock
from plexsync.rules.taken_back import TakenBack
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


def resting(db: Reader, scenes: Iterable[int]) -> dict[int, TakenBack]:
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
            ready = sorted_out(tx, batch, redone)
            tx.memories.begin_anew(ready)
            for id in ready:
                tx.jobs.wrest(Kind.SCENE, id, now=clock.now())
                tx.jobs.want(Kind.SCENE, id, Why.USER, clock.now(), behind=len(ids) > CROWD)
        redone.scenes += ready
        progress(min(start + BATCH, len(ids)), len(ids))
    return redone


def sorted_out(db: Reader, ids: Sequence[int], redone: Redone) -> list[int]:
    """Return those of these scenes that can be redone, what you skipped too; add the others to the lists of `redone`."""
    marks, rows, ignored = db.memories.marks(ids), db.jobs.of(Kind.SCENE, ids), db.notes.ignored_once_undone(ids)
    ready = []
    for id in ids:
        state, cls = (rows[id].state, rows[id].cls) if id in rows else (State.IDLE, "")
        if id not in marks and (state, cls) != (State.DROPPED, SKIPPED):
            redone.not_undone.append(id)
        elif state is State.IGNORED or id in ignored:
            redone.ignored.append(id)
        elif state is State.GONE:
            redone.gone.append(id)
        else:
            ready.append(id)
    return ready
