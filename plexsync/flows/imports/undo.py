"""Takes an import back: each field that still has what was written, and each created object that nothing else uses."""

import json
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import partial

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_STASH, WRITE_STASH
from plexsync.flows.imports.importer import STOPPED, ImportResult
from plexsync.flows.imports.open_changes import OpenChanges
from plexsync.rules.errors import NeighbourError, Unavailable
from plexsync.rules.import_names import KIND_OF, MissingName, NameKind, StashField
from plexsync.rules.import_records import ImportChange, StashFields
from plexsync.rules.neighbours import Clock, StashImport
from plexsync.rules.ratings import RatingRules
from plexsync.rules.taken_back import TakenBack
from plexsync.store.database import Database


@dataclass(eq=False)
class ImportUndo:
    """Takes back one import at a time. `may_go_on` is asked before every write.

    `ratings`: the rules of ratings that go both ways, None if they don't.
    """

    _store: Database
    _stash: StashImport
    _changes: OpenChanges
    _gates: Gates
    _clock: Clock
    _ratings: RatingRules | None = None
    may_go_on: Callable[[], bool] = field(default=lambda: True, kw_only=True)

    def take_back(self, run: int) -> ImportResult:
        """Take back what this import did. A server that goes away ends it early; then it can be called again."""
        result = ImportResult(run)
        try:
            self._changes.resolve()
            self._take_back(run, result)
        except NeighbourError as error:
            result.error = str(error)
        return result

    def _take_back(self, run: int, result: ImportResult) -> None:
        self._gates.enter(READ_STASH)
        with self._store.reading() as db:
            changes = db.imports.of_run(run)
        result.still_open = sum(change.is_open for change in changes)
        done = [change for change in changes if not (change.is_open or change.taken_back)]
        dealt = self._dealt_again(changes)
        scenes: dict[int, list[ImportChange]] = {}
        for change in done:
            if change.scene:
                scenes.setdefault(change.scene, []).append(change)
        for id, of_scene in scenes.items():
            if not self.may_go_on():
                result.error = STOPPED
                return
            # Read just before it is written, so that an edit done meanwhile is seen.
            self._empty(id, of_scene, self._changes.fields([id]), dealt, result)
        for change in reversed(done):
            if change.kind is not None:
                if not self.may_go_on():
                    result.error = STOPPED
                    return
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
        self,
        id: int,
        changes: Sequence[ImportChange],
        fields: Mapping[int, StashFields],
        dealt: Set[tuple[NameKind, int]],
        result: ImportResult,
    ) -> None:
        """Restore the fields of a scene that are as they were written.

        A rating that goes both ways by now belongs to Plex as well: to empty it here would clear it there.
        """
        present = fields.get(id)
        is_rated = False
        if present is not None and self._ratings is not None:
            with self._store.reading() as db:
                pairs = (*db.memories.of([id]), *db.ratings.of({id: present.created_at}))
                sections = self._ratings.sections(db.sections.all())
                is_rated = any(
                    entry.section in sections for entry in db.index.entries(sorted({key for _, key in pairs}))
                )
        kept = {StashField.RATING} if is_rated else set()
        kept |= {change.field for change in changes if change.field and _objects(change) & dealt}
        own = [change for change in changes if change.field not in kept and _is_as_written(change, present)]
        if len(own) < len(changes):
            result.changed.append(id)
        if not own:
            return
        begun = self._begin(own)
        values = {change.field: change.value_before for change in own if change.field}
        try:
            self._gates.enter(WRITE_STASH)
            self._gates.ask(WRITE_STASH, partial(self._stash.fill, id, values))
        except Unavailable as error:
            self._withdraw(own, error)
            result.failed[f"scene {id}"] = str(error)
            return
        self._end(begun)
        result.scenes.append(id)
        result.fields += len(values)

    def _destroy(self, change: ImportChange, kind: NameKind, result: ImportResult) -> None:
        """Delete an object that nothing uses and nobody has edited."""
        present, name = self._changes.find_object(kind, change.object), MissingName(kind, change.value_after)
        if present is None:
            return self._end([change])
        if present.uses or present.updated_at != change.origin:
            result.kept.append(name)
            return None
        begun = self._begin([change])
        try:
            self._gates.enter(WRITE_STASH)
            self._gates.ask(WRITE_STASH, partial(self._stash.destroy, kind, change.object))
        except Unavailable as error:
            self._withdraw([change], error)
            raise
        result.destroyed.append(name)
        return self._end(begun)

    def _begin(self, changes: Sequence[ImportChange]) -> list[ImportChange]:
        now = self._clock.now()
        begun = [replace(change, is_open=True, taken_back=TakenBack.UNDO, changed_at=now) for change in changes]
        with self._store.writing() as tx:
            tx.imports.save(begun)
        return begun

    def _withdraw(self, changes: Sequence[ImportChange], error: Unavailable) -> None:
        """Save that nothing was sent; if something may have been, the next call finds out. Raises what ends the undo."""
        if not error.sent:
            with self._store.writing() as tx:
                tx.imports.save(changes)
            raise error

    def _end(self, changes: Sequence[ImportChange]) -> None:
        with self._store.writing() as tx:
            tx.imports.save(replace(change, is_open=False, taken_back=TakenBack.UNDO) for change in changes)


def _objects(change: ImportChange) -> set[tuple[NameKind, int]]:
    """The objects that the field was filled with."""
    kind = KIND_OF.get(change.field) if change.field else None
    ids = json.loads(change.value_after) if kind else []
    return {(kind, id) for id in (ids if isinstance(ids, list) else [ids])} if kind else set()


def _is_as_written(change: ImportChange, present: StashFields | None) -> bool:
    if present is None or change.field is None or present.created_at != change.origin:
        return False
    return present.values[change.field] == change.value_after
