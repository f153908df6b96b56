"""Taking back what was pushed: a look at what would be done, and the mark that lets the worker do it.

Undoing writes to neither server. It notes in one transaction, for every item of a scene, that it is undone and what Stash
says now, and wants the scene; whoever works on it just then loses it, so that nothing is saved over the mark. The worker
does the rest on its usual way (`plexsync.flows.scenes.inspection`, `plexsync.rules.plan`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from plexsync.engine.gates import Gates
from plexsync.engine.verbs import CHUNK, enter
from plexsync.flows.scenes.inspection import Looker, Said, Sight
from plexsync.rules.errors import Neighbour, NeighbourError
from plexsync.rules.job import Kind, State, Why
from plexsync.rules.neighbours import Clock
from plexsync.rules.plan_records import Memory, Pushing, Undone
from plexsync.rules.undo import undo
from plexsync.store.database import Database, Reader, Writer

# Scenes that are asked for together, as when they are worked.
BATCH = 50
PAGE = 5_000
# More than so many at once go behind what people edit.
CROWD = 20

Progress = Callable[[int, int], None]


@dataclass
class Marked:
    """What became of scenes that were to be undone.

    `scenes` are undone, and wanted. `untouched` are those for which nothing was pushed, as far as is known, `ignored` those
    of `scenes` that were ignored before and are not any more, `failed` those that Stash could not tell of, with the reason.
    `dropped` is how many rows of the queue were set aside, so that nothing is pushed for the first time meanwhile.
    """

    scenes: list[int] = field(default_factory=list)
    untouched: list[int] = field(default_factory=list)
    ignored: list[int] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    dropped: int = 0


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
    how: Undone,
    progress: Progress = lambda _done, _total: None,
) -> Marked:
    """Undo every scene; what waits in the queue for its first push comes back by an edit only. As `mark_undone`."""
    enter(store, gates, clock, Neighbour.STASH)
    # First: what is pushed between the two would be missed.
    dropped = _set_waiting_aside(store, clock)
    marked = mark_undone(store, looker, gates, clock, pushed_scenes(store), how, progress)
    marked.dropped = dropped
    return marked


def _set_waiting_aside(store: Database, clock: Clock) -> int:
    count = 0
    for state in (State.READY, State.RUNNING, State.ABSENT):
        after: tuple[str, int] = ("", 0)
        while True:
            with store.writing() as tx:
                rows = tx.jobs.in_state(state, limit=CHUNK, after=after)
                fresh = [row for row in rows if row.kind is not Kind.SCENE or not _items(tx, row.id)]
                count += sum(tx.jobs.set_aside(row.kind, row.id, now=clock.now()) for row in fresh)
                for row in fresh:
                    if row.kind is Kind.SCENE:
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
    how: Undone,
    progress: Progress = lambda _done, _total: None,
) -> Marked:
    """Undo these scenes; raises NeighbourError when Stash is away (those that were marked by then stay so).

    A kill in between leaves some marked and others not: to do it again is harmless.
    """
    marked = Marked()
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        enter(store, gates, clock, Neighbour.STASH)
        said = looker.said(batch)
        with store.writing() as tx:
            for id in batch:
                words = said.get(id)
                if isinstance(words, NeighbourError):
                    marked.failed[id] = str(words)
                else:
                    _mark(tx, id, words, how, clock.now(), marked, behind=len(ids) > CROWD)
        progress(start + len(batch), len(ids))
    return marked


def _mark(tx: Writer, id: int, said: Said | None, how: Undone, now: int, marked: Marked, *, behind: bool) -> None:
    items = _items(tx, id)
    tx.notes.end_take_over(id)
    if not items:
        marked.untouched.append(id)
        return
    row = tx.jobs.find(Kind.SCENE, id)
    if row is not None and row.state is State.IGNORED:
        tx.jobs.unignore(Kind.SCENE, id, now=now)
        marked.ignored.append(id)
    tx.jobs.wrest(Kind.SCENE, id, now=now)
    sections = {entry.key: entry.section for entry in tx.index.entries(sorted(items))}
    for key, (memory, pushing) in items.items():
        values, on = said.of(sections.get(key, "")) if said else ({}, ())
        tx.memories.save(id, key, undo(memory, pushing, values, on, how), now=now)
    tx.jobs.want(Kind.SCENE, id, Why.USER, now, behind=behind)
    marked.scenes.append(id)


def _items(db: Reader, id: int) -> dict[str, tuple[Memory, tuple[Pushing, ...]]]:
    """What is remembered, and on its way, for each item of a scene; an item that another has taken over is that one's."""
    memories, pushings = db.memories.of([id]), db.pushings.of([id])
    keys = [key for _, key in memories]
    strays = [key for _, key in pushings if key not in keys]
    owners = db.memories.owners(strays)
    keys += [key for key in strays if not owners.get(key)]
    return {key: (memories.get((id, key), {}), pushings.get((id, key), ())) for key in sorted(keys)}


def preview(
    store: Database, looker: Looker, gates: Gates, clock: Clock, ids: Sequence[int], how: Undone
) -> Iterator[Sight]:
    """See these scenes as the worker would if they were undone now; writes to neither side."""
    for start in range(0, len(ids), BATCH):
        for who in Neighbour:
            enter(store, gates, clock, who)
        with store.reading() as db:
            batch = [id for id in ids[start : start + BATCH] if _items(db, id)]
        if batch:
            yield from sorted(looker.look(batch, undoing=how), key=lambda sight: sight.id)
