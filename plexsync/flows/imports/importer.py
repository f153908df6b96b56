"""Carries out an import: creates the missing names, then fills the fields of each scene with one request.

Every change is saved before its request is sent, and settled by what Stash answers. Scenes are planned anew just before
they are written, and read once more: what was filled meanwhile, or would be another value now, is left alone.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READS, WRITE_STASH
from plexsync.flows.imports.open_changes import OpenChanges
from plexsync.flows.imports.planner import ImportPlanner, SceneImport
from plexsync.rules.errors import NeighbourError, Unavailable
from plexsync.rules.import_names import AllNames, MissingName, StashField, once
from plexsync.rules.import_records import ImportChange, StashFields
from plexsync.rules.imports import Fill
from plexsync.rules.neighbours import Clock, StashImport
from plexsync.rules.text import fold
from plexsync.store.database import Database

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

    def add(self, other: "ImportResult") -> None:
        """Add what another one has done."""
        self.run = other.run
        self.fields += other.fields
        self.still_open += other.still_open
        self.scenes += other.scenes
        self.created += other.created
        self.destroyed += other.destroyed
        self.changed += other.changed
        self.kept += other.kept
        self.failed |= other.failed
        self.error = other.error or self.error

    @property
    def is_complete(self) -> bool:
        """Whether nothing failed."""
        return not (self.failed or self.error or self.still_open)


@dataclass(eq=False)
class Importer:
    """Carries out one import at a time. `may_go_on` is asked before every write."""

    _store: Database
    _stash: StashImport
    _planner: ImportPlanner
    _changes: OpenChanges
    _gates: Gates
    _clock: Clock
    may_go_on: Callable[[], bool] = field(default=lambda: True, kw_only=True)

    def carry_out(
        self, agreed: Sequence[SceneImport], *, progress: Callable[[int, int], None] = lambda _done, _total: None
    ) -> ImportResult:
        """Import what was agreed to. A server that goes away ends it early, and what is done by then can be undone."""
        result = ImportResult()
        try:
            result.still_open = self._changes.resolve()
            names = self._create(agreed, result)
            for start in range(0, len(agreed), BATCH):
                if result.error:
                    break
                self._import(agreed[start : start + BATCH], names, result)
                progress(min(start + BATCH, len(agreed)), len(agreed))
        except NeighbourError as error:
            result.error = str(error)
        return result

    def _run(self, result: ImportResult) -> int:
        """The number of this run, which is taken when the first change is saved."""
        if not result.run:
            with self._store.reading() as db:
                result.run = db.imports.last_run() + 1
        return result.run

    # --- creating ----------------------------------------------------------------------------------------------------

    def _create(self, agreed: Sequence[SceneImport], result: ImportResult) -> AllNames:
        """Create what Stash still lacks of what was agreed to; returns the names after it."""
        names = self._planner.names()
        wanted = [
            missing
            for missing in once(name for scene in agreed for name in scene.plan.to_create)
            if not names[missing.kind].find(missing.name)
        ]
        for missing in wanted:
            if not self.may_go_on():
                result.error = STOPPED
                return names
            self._gates.enter(WRITE_STASH)
            self._create_one(missing, names[missing.kind].last_id, result)
        return self._planner.names() if wanted else names

    def _create_one(self, missing: MissingName, last_id: int, result: ImportResult) -> None:
        (change,) = self._begun([self._change(result, 0, missing.kind.value, str(last_id), missing.name)])
        try:
            created = self._gates.ask(WRITE_STASH, partial(self._stash.create, missing.kind, missing.name))
        except Unavailable as error:
            self._not_written([change], error)
            result.failed[f"{missing.kind} {missing.name}"] = str(error)
            return
        with self._store.writing() as tx:
            tx.imports.save([replace(change, is_open=False, object=created.id, origin=created.updated_at)])
        result.created.append(missing)

    # --- filling -----------------------------------------------------------------------------------------------------

    def _import(self, agreed: Sequence[SceneImport], names: AllNames, result: ImportResult) -> None:
        """Plan these scenes again, and fill what was agreed to and is still true."""
        self._gates.enter(*READS)
        ids = [scene.id for scene in agreed]
        again = {scene.id: scene for scene in self._planner.plans(ids, names, create=False)}
        for scene in agreed:
            if not self.may_go_on():
                result.error = STOPPED
                return
            present = self._changes.fields([scene.id]).get(scene.id)
            fills = _still_true(scene, again[scene.id], present)
            if len(fills) < len(scene.plan.fills):
                result.changed.append(scene.id)
            if fills and present:
                self._gates.enter(WRITE_STASH)
                self._fill(present, fills, result)

    def _fill(self, present: StashFields, fills: Sequence[Fill], result: ImportResult) -> None:
        values = {fill.field: _json_of(fill) for fill in fills}
        changes = self._begun(
            [
                self._change(result, present.id, name.value, present.values[name], value, present.created_at)
                for name, value in values.items()
            ]
        )
        try:
            after = self._gates.ask(WRITE_STASH, partial(self._stash.fill, present.id, values))
        except Unavailable as error:
            self._not_written(changes, error)
            result.failed[f"scene {present.id}"] = str(error)
            return
        with self._store.writing() as tx:
            tx.imports.save(replace(change, is_open=False) for change in changes)
        # Something in Stash may have changed a value at once. Then it is not the import's, and an undo leaves it alone.
        others = [name.word for name, value in values.items() if after.values[name] != value]
        if others:
            result.failed[f"scene {present.id}"] = f"Stash has other values than were sent: {', '.join(others)}"
        result.scenes.append(present.id)
        result.fields += len(values) - len(others)

    def _not_written(self, changes: Sequence[ImportChange], error: Unavailable) -> None:
        """Forget changes that were not sent, and raise what ends the import.

        If they may have been sent, the next call finds out. Other writes show whether Stash accepts any.
        """
        if not error.sent:
            with self._store.writing() as tx:
                tx.imports.drop(changes)
            raise error

    def _begun(self, changes: Sequence[ImportChange]) -> list[ImportChange]:
        with self._store.writing() as tx:
            return tx.imports.add(changes)

    def _change(
        self, result: ImportResult, scene: int, target: str, before: str, after: str, origin: str = ""
    ) -> ImportChange:
        run, now = self._run(result), self._clock.now()
        return ImportChange(0, run, scene, target, 0, before, after, origin, now)


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
