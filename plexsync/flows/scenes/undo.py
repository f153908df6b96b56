"""Undoes pushes: previews what would be restored, and sets the mark by which the worker does it.

Marking writes to neither server. In one transaction it saves for every item of a scene that it is undone and what Stash
says now, and queues the scene. A worker that holds the scene loses it, so that nothing is saved over the mark. The
worker then syncs the scene as usual (`plexsync.flows.scenes.inspection`, `plexsync.rules.plan`).
"""

from collections.abc import Iterator, Mapping, Sequence

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_STASH, READS
from plexsync.engine.undo import BATCH, Marked, Progress, quiet, wish_undone
from plexsync.flows.scenes.inspection import Looker
from plexsync.flows.scenes.inspection_records import Inspection, StashValues, past_of
from plexsync.flows.scenes.verbs import CHUNK
from plexsync.rules.job import NOTICES, Kind, State
from plexsync.rules.neighbours import Clock
from plexsync.rules.plan_records import Memory, Pushing
from plexsync.rules.records import JobRow
from plexsync.rules.taken_back import TakenBack
from plexsync.rules.undo import undo
from plexsync.store.database import Database, Reader, Writer

PAGE = 5_000


class SceneUndo:
    """The `plexsync.engine.undo.Undoing` of scenes, with the inspection of `looker`."""

    kind: str = Kind.SCENE.value

    def __init__(self, looker: Looker, gates: Gates) -> None:
        self._looker = looker
        self._gates = gates

    def recall(self, ids: Sequence[int]) -> Mapping[int, object]:
        """Read what Stash says about these scenes now. They stay undone while that stays the same."""
        self._gates.enter(READ_STASH)
        return self._looker.said(ids)

    def undo(self, tx: Writer, id: int, recalled: object, mark: TakenBack, *, now: int) -> bool:
        """Save for every item of a scene that it is undone, and what Stash says now. False if nothing was pushed for it."""
        tx.notes.end_take_over(id)
        items = _items(tx, id)
        sections = {entry.key: entry.section for entry in tx.index.entries(sorted(items))}
        for key, (memory, pushing) in items.items():
            values, on = recalled.of(sections.get(key, "")) if isinstance(recalled, StashValues) else ({}, ())
            tx.memories.save(id, key, undo(memory, pushing, values, on, mark), now=now)
        row = tx.jobs.find(self.kind, id)
        if items and row is not None and row.state is State.IGNORED:
            tx.notes.ignore_once_undone(id)
        return bool(items)


def pushed_scenes(store: Database) -> list[int]:
    """All scenes with a known push."""
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
    reason: TakenBack,
    progress: Progress = quiet,
) -> Marked:
    """Undo every scene. Scenes queued for their first push are dropped, until their next edit."""
    gates.enter(READ_STASH)
    # First, or a push between the two steps would be missed.
    dropped = _set_waiting_aside(store, clock)
    marked = wish_undone(store, SceneUndo(looker, gates), clock, pushed_scenes(store), reason, progress)
    marked.dropped = dropped
    return marked


def _set_waiting_aside(store: Database, clock: Clock) -> int:
    """Drop the waiting rows of notices and of scenes never pushed. Rows of other flows stay: nothing of theirs is undone."""
    count = 0
    for state in (State.READY, State.RUNNING, State.ABSENT):
        after: tuple[str, int] = ("", 0)
        while True:
            with store.writing() as tx:
                rows = tx.jobs.in_state(state, limit=CHUNK, after=after)
                fresh = [row for row in rows if _is_dropped(tx, row)]
                count += sum(tx.jobs.set_aside(row.kind, row.id, now=clock.now()) for row in fresh)
                for row in fresh:
                    if row.kind == Kind.SCENE:
                        tx.notes.end_take_over(row.id)
            if not rows:
                break
            after = (rows[-1].kind, rows[-1].id)
    return count


def _is_dropped(tx: Reader, row: JobRow) -> bool:
    return row.kind in NOTICES or (row.kind == Kind.SCENE and not _items(tx, row.id))


def _items(db: Reader, id: int) -> dict[str, tuple[Memory, tuple[Pushing, ...]]]:
    """The memory and unfinished pushes of each item of a scene.

    Excludes items that another scene has now, and items of which the index has quite other files than those remembered.
    """
    past = past_of(db, [id])
    entries = {entry.key: entry for entry in db.index.entries(sorted(key for _, key in past.origins))}
    others = {
        pair
        for pair, origin in past.origins.items()
        if pair[1] in entries and not origin.agrees(origin.library, entries[pair[1]].parts)
    }
    memories = {pair: memory for pair, memory in past.memories.items() if pair not in others}
    pushings = {pair: pushing for pair, pushing in past.pushings.items() if pair not in others}
    keys = [key for _, key in memories]
    strays = [key for _, key in pushings if key not in keys]
    owners = db.memories.owners(strays)
    keys += [key for key in strays if not owners.get(key)]
    return {key: (memories.get((id, key), {}), pushings.get((id, key), ())) for key in sorted(keys)}


def preview(
    store: Database, looker: Looker, gates: Gates, ids: Sequence[int], reason: TakenBack
) -> Iterator[Inspection]:
    """Inspect these scenes as the worker would if they were undone now. Writes to neither server."""
    for start in range(0, len(ids), BATCH):
        gates.enter(*READS)
        with store.reading() as db:
            batch = [id for id in ids[start : start + BATCH] if _items(db, id)]
        if batch:
            yield from sorted(looker.look(batch, undoing=reason), key=lambda sight: sight.id)
