"""What a sync would change, field by field, without doing it: nothing is written to Plex, to Stash or to the queue.

Scenes are seen with the engine's eyes, a batch at a time, and told as they come, so that a library of any size needs
little memory. New files of Plex are put in the index on the way, and stay news for whoever works.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_STASH, READS
from plexsync.flows.scenes.inspection import Looker, Sight, Target
from plexsync.flows.scenes.reconcile import stands
from plexsync.rules.job import Absent, Dead, Gone, Kind, OutOfScope, State
from plexsync.rules.neighbours import Clock, Stash
from plexsync.rules.plan_records import Change, Note
from plexsync.rules.records import JobRow
from plexsync.rules.status_words import PREVIEWED, Finding
from plexsync.rules.values import Held, held
from plexsync.store.database import Database

BATCH = 50
WOULD_CHANGE = Finding.WOULD_CHANGE.value
# By the words of `stands`.
NAMES = {finding.stored: finding.value for finding in PREVIEWED if finding.stored}
# What is said of rows that a sweep would leave alone.
LEFT_ALONE = {State.DROPPED: Finding.DROPPED.value, State.DEAD: Finding.GIVEN_UP.value}

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class FieldChange:
    """What would become of one field; `adds` and `removes` are the names that a list would get and lose."""

    field: str
    old: Held
    new: Held
    adds: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ItemChange:
    """What would be changed of one item."""

    key: str
    section: str
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True)
class Preview:
    """How one scene stands, in one word, and why if it would not be changed; else what would be changed of its items."""

    id: int
    standing: str
    title: str = ""
    reason: str = ""
    items: tuple[ItemChange, ...] = ()
    notes: tuple[Note, ...] = ()


class Previewer:
    """Tells what a sync would do, to one Stash and one Plex."""

    def __init__(self, store: Database, stash: Stash, looker: Looker, gates: Gates, clock: Clock) -> None:
        self._store = store
        self._stash = stash
        self._looker = looker
        self._gates = gates
        self._clock = clock

    def preview(
        self,
        ids: Sequence[int] | None = None,
        *,
        since: datetime | None = None,
        take_over: bool = False,
        progress: Progress = lambda _done, _total: None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> Iterator[Preview]:
        """These scenes, those changed `since` then, or all, as they are seen; raises NeighbourError when a side is away.

        `take_over`: what a sync would do that takes over what was in Plex before us.
        """
        if since is not None:
            ids = self._changed(since)
        total, done = self._count() if ids is None else len(ids), 0
        batches = self._all(take_over=take_over) if ids is None else self._named(ids, take_over=take_over)
        while not stopping():
            self._enter()
            sights = next(batches, None)
            if sights is None:
                return
            with self._store.reading() as db:
                rows = {sight.id: db.jobs.find(Kind.SCENE, sight.id) for sight in sights}
            for sight in sights:
                yield preview_of(sight, rows[sight.id], sweep=ids is None)
            done += len(sights)
            progress(done, max(done, total))

    def _count(self) -> int:
        self._enter()
        return self._gates.ask(READ_STASH, self._stash.newest, of_all=True)[Kind.SCENE].count

    def _all(self, *, take_over: bool) -> Iterator[list[Sight]]:
        pages = self._stash.walk()
        while (page := self._gates.ask(READ_STASH, lambda: next(pages, None), of_all=True)) is not None:
            for start in range(0, len(page), BATCH):
                yield self._looker.look_at(page[start : start + BATCH], taking_over=take_over)

    def _named(self, ids: Sequence[int], *, take_over: bool) -> Iterator[list[Sight]]:
        for start in range(0, len(ids), BATCH):
            yield self._looker.look(ids[start : start + BATCH], taking_over=take_over)

    def _changed(self, since: datetime) -> list[int]:
        self._enter()
        pages = self._stash.walk_ids()
        ids: list[int] = []
        while (page := self._gates.ask(READ_STASH, lambda: next(pages, None), of_all=True)) is not None:
            ids += [id for id, text in page if datetime.fromisoformat(text) >= since]
        return ids

    def _enter(self) -> None:
        self._gates.enter(*READS)


def preview_of(sight: Sight, row: JobRow | None, *, sweep: bool) -> Preview:
    """What would become of a scene that is wanted now; by a sweep, what was given up or dropped is left alone."""
    standing = _standing(sight, row, sweep=sweep)
    title = sight.scene.title if sight.scene else ""
    if standing != WOULD_CHANGE:
        return Preview(sight.id, standing, title, _why(sight))
    notes = (note for target in sight.targets for note in (*target.wanted.notes, *target.plan.notes))
    items = tuple(changed for target in sight.targets if (changed := _item(target)).fields)
    return Preview(sight.id, standing, title, items=items, notes=tuple(dict.fromkeys(notes)))


def _standing(sight: Sight, row: JobRow | None, *, sweep: bool) -> str:
    if isinstance(sight.outcome, Gone):
        return Finding.GONE.value
    if row is not None and row.state is State.IGNORED:
        return Finding.IGNORED.value
    standing = stands(sight)
    if standing == "differs" and sweep and row is not None and row.state in LEFT_ALONE:
        return LEFT_ALONE[row.state]
    return NAMES.get(standing, standing)


def _why(sight: Sight) -> str:
    match sight.outcome:
        case Absent(error=error) | Dead(error=error) | OutOfScope(error=error):
            return error
    return str(sight.error) if sight.error is not None else ""


def _item(target: Target) -> ItemChange:
    item = target.item
    fields = (_field(name, held(item, name), change) for name, change in target.plan.edit.items())
    return ItemChange(item.key, item.section, tuple(fields))


def _field(name: str, now: Held, change: Change) -> FieldChange:
    value = now.value if change.value is None else change.value
    locked = now.locked if change.lock is None else change.lock
    return FieldChange(name, now, Held(value, locked), change.adds, change.removes)
