"""Imports: every change that one makes in Stash, saved before it is made, so that it can be undone.

See `plexsync.rules.merge.import_records`. A row is never pruned by age.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from plexsync.rules.merge.import_records import ImportChange, NameKind, StashField
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.store.connection import Row, Table, clean

# The stored state of a change, by whether it is open, and whether it is taken back.
STATES = {
    (True, TakenBack.NO): "planned",
    (False, TakenBack.NO): "done",
    (True, TakenBack.UNDO): "undoing",
    (False, TakenBack.UNDO): "undone",
}
_BY_STATE = {state: key for key, state in STATES.items()}
# What a change can concern: an object (scene 0), or a field of a scene.
TARGETS = (frozenset(NameKind), frozenset(StashField))
_COLUMNS = "number, run, scene, target, object, value_before, value_after, origin, state, changed_at"
LAST_RUN = "select coalesce(max(run), 0) from import_change"
NEXT_NUMBER = "select coalesce(max(number), 0) + 1 from import_change"
RUNS = "select distinct run from import_change where changed_at >= :since and state <> 'undone' order by run"
OF_RUN = f"select {_COLUMNS} from import_change where run = :run order by number"
OPEN = f"select {_COLUMNS} from import_change where state = 'planned' or state = 'undoing' order by number"
SAVE = f"""
insert into import_change ({_COLUMNS})
values (:number, :run, :scene, :target, :object, :value_before, :value_after, :origin, :state, :changed_at)
on conflict (number) do update
   set object = excluded.object, value_after = excluded.value_after, origin = excluded.origin, state = excluded.state,
       changed_at = excluded.changed_at
"""
DROP = "delete from import_change where number = :number"


class ReadOnlyImports(Table):
    """Read access to the changes of imports."""

    def last_run(self) -> int:
        """Return the number of the last import that changed anything; 0 if there was none."""
        return int(self._db.value(LAST_RUN))

    def runs(self, *, since: int = 0) -> list[int]:
        """Return the imports with a change since then (UTC ms) that is not taken back, by number."""
        return [run for (run,) in self._db.rows(RUNS, {"since": since})]

    def of_run(self, run: int) -> list[ImportChange]:
        """Return the changes of an import, in their order."""
        return _changes(self._db.rows(OF_RUN, {"run": run}))

    def open(self) -> list[ImportChange]:
        """Return the changes of all imports whose request may have arrived or not, in their order."""
        return _changes(self._db.rows(OPEN))


class Imports(ReadOnlyImports):
    """Read and write access to the changes of imports."""

    def begin(self, changes: Sequence[ImportChange], *, now: int) -> list[ImportChange]:
        """Save that a request is about to make new changes, or to take made ones back; returns them, numbered and open."""
        first = int(self._db.value(NEXT_NUMBER))
        begun = [
            replace(change, taken_back=TakenBack.UNDO) if change.number else replace(change, number=first + place)
            for place, change in enumerate(changes)
        ]
        begun = [replace(change, is_open=True, changed_at=now) for change in begun]
        self.save(begun)
        return begun

    def save(self, changes: Iterable[ImportChange]) -> None:
        """Save what became of changes."""
        rows = [
            {
                **{name: clean(value) if isinstance(value, str) else value for name, value in vars(change).items()},
                "state": STATES[change.is_open, change.taken_back],
            }
            for change in changes
        ]
        names = _COLUMNS.split(", ")
        self._db.execute_many(SAVE, [{name: row[name] for name in names} for row in rows])

    def drop(self, changes: Iterable[ImportChange]) -> None:
        """Forget changes that were never made."""
        self._db.execute_many(DROP, [{"number": change.number} for change in changes])


def _changes(rows: Iterable[Row]) -> list[ImportChange]:
    """The stored changes. One that a damaged page has made into another is left out: nothing is taken back for it."""
    return [
        ImportChange(number, run, scene, target, object, before, after, origin, changed_at, *_BY_STATE[state])
        for number, run, scene, target, object, before, after, origin, state, changed_at in rows
        if state in _BY_STATE and target in TARGETS[scene > 0]
    ]
