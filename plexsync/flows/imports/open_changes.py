"""The changes of imports: each is saved before its request is sent, and what a kill has left open is resolved by reading."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from plexsync.engine.expiry import Expiry
from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_STASH, WRITE_STASH
from plexsync.rules.merge.import_records import (
    AllNames,
    ImportChange,
    NameKind,
    Names,
    StashFields,
    StashObject,
    settle_field,
    settle_object,
)
from plexsync.rules.servers.errors import Unavailable
from plexsync.rules.servers.neighbours import Clock
from plexsync.stash.creating import StashCreating
from plexsync.store.database import Database

T = TypeVar("T")
# The number of scenes that are read together.
PAGE = 50


@dataclass(eq=False)
class OpenChanges:
    """Makes changes in Stash, takes them back, and finds out which were made. `longest`: how long a request takes, in ms."""

    store: Database
    stash: StashCreating
    gates: Gates
    clock: Clock
    _expiry: Expiry
    longest: int = field(kw_only=True)

    def resolve(self) -> int:
        """Resolve what can be resolved; returns how many changes stay open, since their request may still arrive.

        Raises NeighbourError.
        """
        with self.store.reading() as db:
            changes = db.imports.open()
        if not changes:
            return 0
        self.gates.enter(READ_STASH)
        fields = self.fields([change.scene for change in changes if change.scene])
        resolved = [self._resolve(change, fields) for change in changes]
        with self.store.writing() as tx:
            tx.imports.save(change for change in resolved if change)
            tx.imports.drop(before for before, after in zip(changes, resolved, strict=True) if after is None)
        return sum(change is not None and change.is_open for change in resolved)

    def send(
        self, changes: Sequence[ImportChange], request: Callable[[], T], subject: str, failed: dict[str, str]
    ) -> T | None:
        """Make new changes by this request, or take made ones back; returns what Stash has after it.

        None if it may have arrived or not: `failed` says so of this subject, and the next call finds out. Raises
        NeighbourError if it can't have arrived: nothing is changed then.
        """
        self.gates.enter(WRITE_STASH)
        with self.store.writing() as tx:
            begun = tx.imports.begin(changes, now=self.clock.now())
        try:
            answer = self.gates.ask(WRITE_STASH, request)
        except Unavailable as error:
            # Other writes show whether Stash accepts any.
            if error.sent:
                failed[subject] = str(error)
                return None
            with self.store.writing() as tx:
                tx.imports.save(change for change in changes if change.number)
                tx.imports.drop(after for before, after in zip(changes, begun, strict=True) if not before.number)
            raise
        if isinstance(answer, StashObject):
            begun = [replace(change, object=answer.id, origin=answer.updated_at) for change in begun]
        elif isinstance(answer, StashFields):
            begun = [
                replace(change, origin=answer.origin(change.field)) if change.field else change for change in begun
            ]
        self.end(begun)
        return answer

    def end(self, changes: Sequence[ImportChange]) -> None:
        """Save that these changes are as they are meant to be."""
        with self.store.writing() as tx:
            tx.imports.save(replace(change, is_open=False) for change in changes)

    # --- what Stash has ----------------------------------------------------------------------------------------------

    def names(self) -> AllNames:
        """All names in Stash, as they are now. Raises NeighbourError."""
        self.gates.enter(READ_STASH)
        return {kind: self._names(kind) for kind in NameKind}

    def _names(self, kind: NameKind) -> Names:
        return Names(self.gates.ask(READ_STASH, partial(self.stash.names, kind), of_all=True))

    def fields(self, ids: Sequence[int]) -> dict[int, StashFields]:
        """The fields of these scenes in Stash now. Missing ones are left out. Raises NeighbourError."""
        wanted, fields = sorted(set(ids)), dict[int, StashFields]()
        for start in range(0, len(wanted), PAGE):
            request = partial(self.stash.import_fields, wanted[start : start + PAGE])
            fields |= self.gates.ask(READ_STASH, request, of_all=True)
        return fields

    def find_object(self, kind: NameKind, id: int) -> StashObject | None:
        """An object in Stash now; None if it is gone. Raises NeighbourError."""
        return self.gates.ask(READ_STASH, partial(self.stash.find_object, kind, id), of_all=True)

    def _resolve(self, change: ImportChange, fields: Mapping[int, StashFields]) -> ImportChange | None:
        # Of one that was saved before the clock was set back nobody knows when it began: now, at the latest.
        change = replace(change, changed_at=min(change.changed_at, self.clock.now()))
        is_over = change.changed_at + self.longest <= self._expiry.certain_end()
        if change.kind is None:
            return settle_field(change, fields.get(change.scene), is_over=is_over)
        id = change.object
        if not id:
            # One that was about to be created is that of its name which is newer than all others.
            id = max((entry.id for entry in self._names(change.kind).with_name(change.value_after)), default=0)
        is_there = bool(change.object) or id > int(change.value_before)
        return settle_object(change, self.find_object(change.kind, id) if is_there else None, is_over=is_over)
