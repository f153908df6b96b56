"""Undoes pushes: previews what would be restored, and sets the mark by which the worker does it.

Marking writes to neither server. In one transaction it saves for every item of a scene that it is undone and what Stash
says now, and queues the scene. A worker that holds the scene loses it, so that nothing is saved over the mark. The
worker then syncs the scene as usual (`plexsync.flows.scenes.inspection`, `plexsync.rules.merge.plan`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from plexsync.engine.tickets import READ_STASH
from plexsync.engine.undo import CROWD, Marked, Progress, UndoneRun, quiet, wish_undone
from plexsync.engine.watching import pages_of
from plexsync.flows.scenes.inspection import BATCH, Inspector
from plexsync.flows.scenes.inspection_records import Inspection, StashValues, past_of
from plexsync.flows.scenes.verbs import CHUNK
from plexsync.rules.merge.plan import plan
from plexsync.rules.merge.plan_records import Memory, Pushing
from plexsync.rules.merge.run_values import NOTHING, RunValues
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.merge.undo import undo, undo_run
from plexsync.rules.queue.job import NOTICES, Kind, State, Why
from plexsync.rules.servers.neighbours import Clock
from plexsync.store.database import Database, Reader, Writer

# The number of scenes that are redone in one transaction.
REDONE_TOGETHER = 500
# The number of scenes that are listed in one snapshot.
PAGE = 5_000


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
    for start in range(0, len(ids), REDONE_TOGETHER):
        batch = ids[start : start + REDONE_TOGETHER]
        with store.writing() as tx:
            ready = sorted_out(tx, batch, redone)
            tx.memories.begin_anew(ready)
            for id in ready:
                tx.jobs.wrest(Kind.SCENE, id, now=clock.now())
                tx.jobs.want(Kind.SCENE, id, Why.USER, clock.now(), behind=len(ids) > CROWD)
        redone.scenes += ready
        progress(min(start + REDONE_TOGETHER, len(ids)), len(ids))
    return redone


def sorted_out(db: Reader, ids: Sequence[int], redone: Redone) -> list[int]:
    """Return those of these scenes that can be redone; add the others to the lists of `redone`."""
    marks, rows, ignored = db.memories.marks(ids), db.jobs.of(Kind.SCENE, ids), db.notes.ignored_once_undone(ids)
    ready = []
    for id in ids:
        state = rows[id].state if id in rows else State.IDLE
        if id not in marks:
            redone.not_undone.append(id)
        elif state is State.IGNORED or id in ignored:
            redone.ignored.append(id)
        elif state is State.GONE:
            redone.gone.append(id)
        else:
            ready.append(id)
    return ready


# --- undo ------------------------------------------------------------------------------------------------------------


class SceneUndo:
    """The `plexsync.engine.undo.Undoing` of scenes, with the inspection of `inspector`. `run`: of its writes alone."""

    kind: str = Kind.SCENE.value

    def __init__(self, inspector: Inspector, run: UndoneRun | None = None) -> None:
        self._inspector = inspector
        self._run = run

    def recall(self, ids: Sequence[int]) -> Mapping[int, object]:
        """Read what Stash says about these scenes now. They stay undone while that stays the same."""
        self._inspector.gates.enter(READ_STASH)
        return self._inspector.read_stash(ids)

    def undo(self, tx: Writer, id: int, recalled: object, mark: TakenBack, *, now: int) -> bool:
        """Save for every item of a scene that it is undone, and what Stash says now. False if nothing was pushed for it."""
        return _mark(tx, id, recalled, mark, self._run, now=now)


def _mark(tx: Writer, id: int, recalled: object, mark: TakenBack, run: UndoneRun | None, *, now: int) -> bool:
    items = _items(tx, id)
    of_run = run_values(tx, id, run) if run else {}
    if run and not any(values.earlier for values in of_run.values()):
        return False
    tx.notes.end_take_over(id)
    sections = {entry.key: entry.section for entry in tx.index.entries(sorted(items))}
    for key, (memory, pushing) in items.items():
        values, on = recalled.of(sections.get(key, "")) if isinstance(recalled, StashValues) else ({}, ())
        facts = (memory, pushing, values, on)
        tx.memories.save(id, key, undo_run(*facts, of_run[key].earlier) if run else undo(*facts, mark), now=now)
    row = tx.jobs.find(Kind.SCENE, id)
    if items and row is not None and row.state is State.IGNORED:
        tx.notes.ignore_once_undone(id)
    return bool(items)


def run_values(db: Reader, id: int, run: UndoneRun) -> dict[str, RunValues]:
    """What a run wrote for a scene, by item key."""
    return run.values(db, id, {key: memory for key, (memory, _) in _items(db, id).items()})


def pushed_scenes(store: Database) -> list[int]:
    """All scenes with a known push."""
    pages = pages_of(store, lambda db, after: db.memories.scenes(after=after, limit=PAGE), 0)
    return [id for page in pages for id in page]


def mark_all_undone(inspector: Inspector, reason: TakenBack, progress: Progress = quiet) -> Marked:
    """Undo every scene. Scenes queued for their first push are dropped, until their next edit."""
    inspector.gates.enter(READ_STASH)
    # First, or a push between the two steps would be missed.
    dropped = _set_waiting_aside(inspector.store, inspector.clock)
    ids = pushed_scenes(inspector.store)
    marked = wish_undone(inspector.store, SceneUndo(inspector), inspector.clock, ids, reason, progress)
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
                fresh = [
                    row for row in rows if row.kind in NOTICES or (row.kind == Kind.SCENE and not _items(tx, row.id))
                ]
                count += sum(tx.jobs.set_aside(row.kind, row.id, now=clock.now()) for row in fresh)
                for row in fresh:
                    if row.kind == Kind.SCENE:
                        tx.notes.end_take_over(row.id)
            if not rows:
                break
            after = (rows[-1].kind, rows[-1].id)
    return count


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
    inspector: Inspector, ids: Sequence[int], reason: TakenBack, run: UndoneRun | None = None
) -> Iterator[Inspection]:
    """Inspect these scenes as the worker would if they, or this run, were undone now. Writes to neither server."""
    for start in range(0, len(ids), BATCH):
        with inspector.store.reading() as db:
            batch = [id for id in ids[start : start + BATCH] if _items(db, id)]
        for inspections in inspector.look_at_each(batch, reason):
            for inspection in sorted(inspections, key=lambda inspection: inspection.id):
                yield _of_run(inspector.store, inspection, run) if run else inspection


def _of_run(store: Database, inspection: Inspection, run: UndoneRun) -> Inspection:
    """The inspection of a scene of which the writes of a run are undone."""
    with store.reading() as db:
        items, of_run = _items(db, inspection.id), run_values(db, inspection.id, run)
    targets = []
    for target in inspection.targets:
        memory, pushing = items.get(target.item.key, ({}, ()))
        wanted, values = target.wanted.values, of_run.get(target.item.key, NOTHING)
        steps = plan(wanted, target.item, undo_run(memory, pushing, wanted, wanted.keys(), values.earlier), pushing)
        targets.append(replace(target, plan=replace(steps, notes=(*steps.notes, *values.notes))))
    return replace(inspection, targets=tuple(targets))
