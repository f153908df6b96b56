"""Carries out an import, and takes one back.

An import creates the missing names, then fills the fields of each scene with one request. Scenes are planned anew just
before they are written, and read once more: what was filled meanwhile, or would be another value now, is left alone. Its
undo empties each field that still has what was written, and deletes each created object that nothing else uses.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from plexsync.engine.tickets import READ_STASH, READS
from plexsync.engine.undo import Progress, quiet
from plexsync.flows.imports.planner import ImportPlanner, SceneImport
from plexsync.rules.merge.import_records import (
    AllNames,
    ImportChange,
    MissingName,
    NameKind,
    StashField,
    StashFields,
    once,
)
from plexsync.rules.merge.imports import Fill
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.servers.errors import NeighbourError
from plexsync.rules.words.text import fold

# So few scenes are planned together that little time passes before they are written.
BATCH = 10
STOPPED = "stopped"


@dataclass
class ImportResult:
    """What an import, or the undo of one, has done. `run` is 0 if nothing was written.

    `scenes` and `fields` were written. `created` and `destroyed` are objects. `changed`: scenes with a field that was
    left alone, since it has changed since the preview, or since the import. `kept`: objects that something else uses, or
    that were edited. `failed`: what Stash said, by what failed. `error`: why it ended early, '' if it did not.
    """

    run: int = 0
    scenes: list[int] = field(default_factory=list)
    fields: int = 0
    created: list[MissingName] = field(default_factory=list)
    destroyed: list[MissingName] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    kept: list[MissingName] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    still_open: int = 0
    error: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether nothing failed."""
        return not (self.failed or self.error or self.still_open)


class _Stopped(Exception):
    """A person ends it early."""


@contextmanager
def _ending_early(result: ImportResult) -> Iterator[None]:
    try:
        yield
    except _Stopped:
        result.error = STOPPED
    except NeighbourError as error:
        result.error = str(error)


class Importer:
    """Carries out one import at a time, or takes some back. `may_go_on` is asked before every write."""

    def __init__(self, planner: ImportPlanner, *, may_go_on: Callable[[], bool] = lambda: True) -> None:
        self.planner = planner
        self._changes = planner.changes
        self._may_go_on = may_go_on

    def carry_out(self, agreed: Sequence[SceneImport], *, progress: Progress = quiet) -> ImportResult:
        """Import what was agreed to. A server that goes away ends it early, and what is done by then can be undone."""
        result = ImportResult()
        with _ending_early(result):
            result.still_open = self._changes.resolve()
            names = self._create(agreed, result)
            for start in range(0, len(agreed), BATCH):
                self._import(agreed[start : start + BATCH], names, result)
                progress(min(start + BATCH, len(agreed)), len(agreed))
        return result

    def take_back(self, runs: Sequence[int], *, progress: Progress = quiet) -> ImportResult:
        """Take back what these imports did. A server that goes away ends it early; then it can be called again."""
        result = ImportResult()
        with _ending_early(result):
            for place, run in enumerate(runs):
                result.run = run
                self._changes.resolve()
                self._take_back(run, result)
                progress(place + 1, len(runs))
        return result

    def _go_on(self) -> None:
        if not self._may_go_on():
            raise _Stopped

    # --- an import ---------------------------------------------------------------------------------------------------

    def _create(self, agreed: Sequence[SceneImport], result: ImportResult) -> AllNames:
        """Create what Stash still lacks of what was agreed to; returns the names after it."""
        names = self._changes.names()
        wanted = [
            missing
            for missing in once(name for scene in agreed for name in scene.plan.to_create)
            if not names[missing.kind].find(missing.name)
        ]
        for missing in wanted:
            self._go_on()
            change = self._change(result, 0, missing.kind.value, str(names[missing.kind].last_id), missing.name)
            request = partial(self._changes.stash.create, missing.kind, missing.name)
            if self._changes.send([change], request, f"{missing.kind} {missing.name}", result.failed):
                result.created.append(missing)
        return self._changes.names() if wanted else names

    def _import(self, agreed: Sequence[SceneImport], names: AllNames, result: ImportResult) -> None:
        """Plan these scenes again, and fill what was agreed to and is still true."""
        self._changes.gates.enter(*READS)
        ids = [scene.id for scene in agreed]
        again = {scene.id: scene for scene in self.planner.plans(ids, names, create=False)}
        for scene in agreed:
            self._go_on()
            present = self._changes.fields([scene.id]).get(scene.id)
            fills = _still_true(scene, again[scene.id], present)
            if len(fills) < len(scene.plan.fills):
                result.changed.append(scene.id)
            if fills and present:
                self._fill(present, fills, result)

    def _fill(self, present: StashFields, fills: Sequence[Fill], result: ImportResult) -> None:
        values = {fill.field: _json_of(fill) for fill in fills}
        changes = [
            self._change(result, present.id, name.value, present.values[name], value, present.created_at)
            for name, value in values.items()
        ]
        request, subject = partial(self._changes.stash.fill, present.id, values), f"scene {present.id}"
        after = self._changes.send(changes, request, subject, result.failed)
        if after is None:
            return
        # Something in Stash may have changed a value at once. Then it is not the import's, and an undo leaves it alone.
        others = [name.word for name, value in values.items() if after.values[name] != value]
        if others:
            result.failed[subject] = f"Stash has other values than were sent: {', '.join(others)}"
        result.scenes.append(present.id)
        result.fields += len(values) - len(others)

    def _change(
        self, result: ImportResult, scene: int, target: str, before: str, after: str, origin: str = ""
    ) -> ImportChange:
        """A new change of this run, whose number is taken when the first one is made."""
        if not result.run:
            with self._changes.store.reading() as db:
                result.run = db.imports.last_run() + 1
        return ImportChange(0, result.run, scene, target, 0, before, after, origin)

    # --- the undo of one ---------------------------------------------------------------------------------------------

    def _take_back(self, run: int, result: ImportResult) -> None:
        self._changes.gates.enter(READ_STASH)
        with self._changes.store.reading() as db:
            changes = db.imports.of_run(run)
        result.still_open += sum(change.is_open for change in changes)
        done = [change for change in changes if not (change.is_open or change.taken_back)]
        dealt = self._dealt_again(changes)
        for id in dict.fromkeys(change.scene for change in done if change.scene):
            self._go_on()
            self._empty(id, [change for change in done if change.scene == id], dealt, result)
        for change in reversed(done):
            if change.kind is not None:
                self._go_on()
                self._destroy(change, change.kind, result)

    def _dealt_again(self, changes: Sequence[ImportChange]) -> set[tuple[NameKind, int]]:
        """The created objects whose ids are those of other ones by now, as after a restore of Stash.

        One that an earlier undo has deleted or missed does not come again: what has its id is another one.
        """
        return {
            (change.kind, change.object)
            for change in changes
            if change.kind
            and change.object
            and (present := self._changes.find_object(change.kind, change.object))
            and (change.is_taken_back or present.name != change.value_after)
        }

    def _empty(
        self, id: int, changes: Sequence[ImportChange], dealt: Set[tuple[NameKind, int]], result: ImportResult
    ) -> None:
        """Restore the fields of a scene that are as they were written.

        A rating that goes both ways by now belongs to Plex as well: to empty it here would clear it there.
        """
        # Read just before it is written, so that an edit done meanwhile is seen.
        present = self._changes.fields([id]).get(id)
        foreign, ratings = set[StashField](), self.planner.ratings
        if present is not None and ratings is not None:
            with self._changes.store.reading() as db:
                pairs = (*db.memories.of([id]), *db.ratings.of({id: present.created_at}))
                sections = ratings.sections(db.sections.all())
                if any(entry.section in sections for entry in db.index.entries(sorted({key for _, key in pairs}))):
                    foreign.add(StashField.RATING)
        foreign |= {change.field for change in changes if change.field and _objects(change) & dealt}
        own = [change for change in changes if change.field not in foreign and is_as_written(change, present)]
        if len(own) < len(changes):
            result.changed.append(id)
        if not own:
            return
        values = {change.field: change.value_before for change in own if change.field}
        request = partial(self._changes.stash.fill, id, values)
        if self._changes.send(own, request, f"scene {id}", result.failed):
            result.scenes.append(id)
            result.fields += len(own)

    def _destroy(self, change: ImportChange, kind: NameKind, result: ImportResult) -> None:
        """Delete an object that nothing uses and nobody has edited."""
        present, name = self._changes.find_object(kind, change.object), MissingName(kind, change.value_after)
        if present is None:
            self._changes.end([replace(change, taken_back=TakenBack.UNDO)])
        elif present.uses or present.updated_at != change.origin:
            result.kept.append(name)
        else:

            def destroy() -> bool:
                self._changes.stash.destroy(kind, change.object)
                return True

            if self._changes.send([change], destroy, f"{kind} {name.name}", result.failed):
                result.destroyed.append(name)


def _still_true(agreed: SceneImport, again: SceneImport, present: StashFields | None) -> list[Fill]:
    """The fills that were agreed to, and would be planned again, with the ids of what was created since."""
    planned: Mapping[StashField, Fill] = {fill.field: fill for fill in again.plan.fills}
    return [
        planned[fill.field]
        for fill in agreed.plan.fills
        if present is not None
        and fill.field in planned
        and present.is_empty(fill.field)
        and list(map(fold, planned[fill.field].shown)) == list(map(fold, fill.shown))
    ]


def _json_of(fill: Fill) -> str:
    """The value of a fill as Stash answers it."""
    match fill.field:
        case StashField.RATING:
            return fill.text
        case StashField.STUDIO:
            return str(fill.objects[0].id)
        case StashField.PERFORMERS | StashField.TAGS:
            return json.dumps(sorted(entry.id for entry in fill.objects))
    return json.dumps(fill.text)


def _objects(change: ImportChange) -> set[tuple[NameKind, int]]:
    """The objects that the field was filled with."""
    kind = change.field.kind if change.field else None
    ids = json.loads(change.value_after) if kind else []
    return {(kind, id) for id in (ids if isinstance(ids, list) else [ids])} if kind else set()


def is_as_written(change: ImportChange, present: StashFields | None) -> bool:
    """Whether the field still has what the import wrote."""
    if present is None or change.field is None:
        return False
    # While the objects are not known, their ids alone count.
    is_its = change.origin in (present.created_at, present.origin(change.field))
    return is_its and present.values[change.field] == change.value_after
