"""Resolves changes of imports whose end is unknown, since a process was killed or a request failed: by reading Stash."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from plexsync.engine.expiry import Expiry
from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_STASH
from plexsync.rules.import_names import NameKind, Names
from plexsync.rules.import_records import (
    ImportChange,
    StashFields,
    StashObject,
    settle_field,
    settle_object,
)
from plexsync.rules.neighbours import Clock, StashImport
from plexsync.store.database import Database

# The number of scenes that are read together.
PAGE = 50


@dataclass(eq=False)
class OpenChanges:
    """The changes of all imports that may have been made or not. `longest`: how long a request can take, in ms."""

    _store: Database
    _stash: StashImport
    _gates: Gates
    _clock: Clock
    _expiry: Expiry
    longest: int = field(kw_only=True)

    def resolve(self) -> int:
        """Resolve what can be resolved; returns how many changes stay open, since their request may still arrive.

        Raises NeighbourError.
        """
        with self._store.reading() as db:
            changes = db.imports.open()
        if not changes:
            return 0
        self._gates.enter(READ_STASH)
        fields = self.fields([change.scene for change in changes if change.scene])
        resolved = [self._resolved(change, fields) for change in changes]
        pairs = list(zip(changes, resolved, strict=True))
        with self._store.writing() as tx:
            tx.imports.save(after for before, after in pairs if after is not None and after != before)
            tx.imports.drop(before for before, after in pairs if after is None)
        return sum(after is not None and after.is_open for after in resolved)

    def fields(self, ids: Sequence[int]) -> dict[int, StashFields]:
        """The fields of these scenes in Stash now. Missing ones are left out. Raises NeighbourError."""
        wanted, fields = sorted(set(ids)), dict[int, StashFields]()
        for start in range(0, len(wanted), PAGE):
            page = wanted[start : start + PAGE]
            fields |= self.ask(partial(self._stash.import_fields, page))
        return fields

    def ask(self, request: Callable[[], dict[int, StashFields]]) -> dict[int, StashFields]:
        """Read through the gate of Stash."""
        return self._gates.ask(READ_STASH, request, of_all=True)

    def find_object(self, kind: NameKind, id: int) -> StashObject | None:
        """An object in Stash now; None if it is gone. Raises NeighbourError."""
        return self._gates.ask(READ_STASH, partial(self._stash.find_object, kind, id), of_all=True)

    def _resolved(self, change: ImportChange, fields: Mapping[int, StashFields]) -> ImportChange | None:
        # Of one that was saved before the clock was set back nobody knows when it began: now, at the latest.
        change = replace(change, changed_at=min(change.changed_at, self._clock.now()))
        is_over = change.is_over(self._expiry.ended(), self.longest)
        if change.kind is None:
            return settle_field(change, fields.get(change.scene), is_over=is_over)
        return settle_object(change, self._object_of(change, change.kind), is_over=is_over)

    def _object_of(self, change: ImportChange, kind: NameKind) -> StashObject | None:
        """The object of a change. One that was about to be created is that of its name which is newer than all others."""
        id = change.object
        if not id:
            names = self._gates.ask(READ_STASH, partial(self._stash.names, kind), of_all=True)
            ids = [entry.id for entry in Names(names).named(change.value_after)]
            id = max(ids, default=0)
            if id <= int(change.value_before):
                return None
        return self.find_object(kind, id)
