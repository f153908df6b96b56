"""Taking back what was pushed: a look at what would be done, and the mark that lets the worker do it.

Undoing writes to neither server. It notes in one transaction, for every item of a scene, that it is undone and what Stash
says now, and wants the scene; whoever works on it just then loses it, so that nothing is saved over the mark. The worker
does the rest on its usual way (`plexsync.flows.scenes.inspection`, `plexsync.rules.plan`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_STASH, READS
from plexsync.engine.undo import BATCH, Marked, Progress, quiet, wish_undone
from plexsync.flows.scenes.inspection import Looker, Said, Sight
from plexsync.flows.scenes.verbs import CHUNK
from plexsync.rules.job import Kind, State
from plexsync.rules.neighbours import Clock
from plexsync.rules.plan_records import Memory, Pushing, Undone
from plexsync.rules.undo import undo
from plexsync.store.database import Database, Reader, Writer

PAGE = 5_000


class SceneUndo:
    """`plexsync.engine.undo.Undoing` of scenes, by the eyes of `looker`."""

    kind: str = Kind.SCENE.value

    def __init__(self, looker: Looker, gates: Gates) -> None:
        self._looker = looker
        self._gates = gates

    def recall(self, ids: Sequence[int]) -> Mapping[int, object]:
        """What Stash says of these scenes now: while that stays, they stay undone."""
        self._gates.enter(READ_STASH)
        return self._looker.said(ids)

    def undo(self, tx: Writer, id: int, recalled: object, mark: str, *, now: int) -> bool:
        """Note for every item of a scene that it is undone and what Stash says now; False if nothing was pushed for it."""
        tx.notes.end_take_over(id)
        items = _items(tx, id)
        sections = {entry.key: entry.section for entry in tx.index.entries(sorted(items))}
        for key, (memory, pushing) in items.items():
            values, on = recalled.of(sections.get(key, "")) if isinstance(recalled, Said) else ({}, ())
            tx.memories.save(id, key, undo(memory, pushing, values, on, cast("Undone", mark)), now=now)
        return bool(items)


def pushed_scenes(store: Database) -> list[int]:
    """Every scene for which anything was pushed, as far as is known."""
    ids: list[int] = []
    while True:
        with store.reading() as db:
            page = db.memories.scenes(after=ids[-1] if ids else 0, limit=PAGE)
        if not page:
            return ids
        ids += page


def mark_all_undone(
    store: Database,
    looker: Looker,
    gates: Gates,
    clock: Clock,
    reason: Undone,
    progress: Progress = quiet,
) -> Marked:
    """Undo every scene; what waits in the queue for its first push comes back by an edit only. As `mark_undone`."""
    gates.enter(READ_STASH)
    # First: what is pushed between the two would be missed.
    dropped = _set_waiting_aside(store, clock)
    marked = mark_undone(store, looker, gates, clock, pushed_scenes(store), reason, progress)
    marked.dropped = dropped
    return marked


def _set_waiting_aside(store: Database, clock: Clock) -> int:
    count = 0
    for state in (State.READY, State.RUNNING, State.ABSENT):
        after: tuple[str, int] = ("", 0)
        while True:
            with store.writing() as tx:
                rows = tx.jobs.in_state(state, limit=CHUNK, after=after)
                fresh = [row for row in rows if row.kind != Kind.SCENE or not _items(tx, row.id)]
                count += sum(tx.jobs.set_aside(row.kind, row.id, now=clock.now()) for row in fresh)
                for row in fresh:
                    if row.kind == Kind.SCENE:
                        tx.notes.end_take_over(row.id)
            if not rows:
                break
            after = (rows[-1].kind, rows[-1].id)
    return count


def mark_undone(
    store: Database,
    looker: Looker,
    gates: Gates,
    clock: Clock,
    ids: Sequence[int],
    reason: Undone,
    progress: Progress = quiet,
) -> Marked:
    """Undo these scenes; raises NeighbourError when Stash is away (those that were marked by then stay so).

    A kill in between leaves some marked and others not: to do it again is harmless.
    """
    return wish_undone(store, SceneUndo(looker, gates), clock, ids, reason, progress)


def _items(db: Reader, id: int) -> dict[str, tuple[Memory, tuple[Pushing, ...]]]:
    """What is remembered, and on its way, for each item of a scene; an item that another has taken over is that one's."""
    memories, pushings = db.memories.of([id]), db.pushings.of([id])
    keys = [key for _, key in memories]
    strays = [key for _, key in pushings if key not in keys]
    owners = db.memories.owners(strays)
    keys += [key for key in strays if not owners.get(key)]
    return {key: (memories.get((id, key), {}), pushings.get((id, key), ())) for key in sorted(keys)}


def preview(store: Database, looker: Looker, gates: Gates, ids: Sequence[int], reason: Undone) -> Iterator[Sight]:
    """See these scenes as the worker would if they were undone now; writes to neither side."""
    for start in range(0, len(ids), BATCH):
        gates.enter(*READS)
        with store.reading() as db:
            batch = [id for id in ids[start : start + BATCH] if _items(db, id)]
        if batch:
            yield from sorted(looker.look(batch, undoing=reason), key=lambda sight: sight.id)
