"""Imports: every change that one makes in Stash, saved before it is made, so that it can be undone.

See `plexsync.rules.import_records`. A row is never pruned by age.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from plexsync.rules.import_names import NameKind, StashField
from plexsync.rules.import_records import ImportChange
from plexsync.rules.taken_back import TakenBack
from plexsync.store.connection import Row, Table
from plexsync.store.db import clean

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
OPEN = f"""
select {_COLUMNS} from import_change where state = 'planned' or state = 'undoing' order by number
"""
ADD = f"""
insert into import_change ({_COLUMNS})
values (:number, :run, :scene, :target, :object, :value_before, :value_after, :origin, :state, :changed_at)
"""
SAVE = """
update import_change
   set object = :object, value_after = :value_after, origin = :origin, state = :state, changed_at = :changed_at
 where number = :number
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

    def add(self, changes: Sequence[ImportChange]) -> list[ImportChange]:
        """Save changes that are about to be made; returns them with their numbers."""
        first = int(self._db.value(NEXT_NUMBER))
        numbered = [replace(change, number=first + place) for place, change in enumerate(changes)]
        self._db.execute_many(ADD, [_values(change) for change in numbered])
        return numbered

    def save(self, changes: Iterable[ImportChange]) -> None:
        """Save what became of changes."""
        rows = [_values(change) for change in changes]
        names = ("number", "object", "value_after", "origin", "state", "changed_at")
        self._db.execute_many(SAVE, [{name: row[name] for name in names} for row in rows])

    def drop(self, changes: Iterable[ImportChange]) -> None:
        """Forget changes that were never made."""
        self._db.execute_many(DROP, [{"number": change.number} for change in changes])


def _values(change: ImportChange) -> dict[str, object]:
    return {
        "number": change.number,
        "run": change.run,
        "scene": change.scene,
        "target": change.target,
        "object": change.object,
        "value_before": clean(change.value_before),
        "value_after": clean(change.value_after),
        "origin": clean(change.origin),
        "state": STATES[change.is_open, change.taken_back],
        "changed_at": change.changed_at,
    }


def _changes(rows: Iterable[Row]) -> list[ImportChange]:
    """The stored changes. One that a damaged page has made into another is left out: nothing is taken back for it."""
    return [_change(row) for row in rows if row["state"] in _BY_STATE and row["target"] in TARGETS[row["scene"] > 0]]


def _change(row: Row) -> ImportChange:
    return ImportChange(
        row["number"],
        row["run"],
        row["scene"],
        row["target"],
        row["object"],
        row["value_before"],
        row["value_after"],
        row["origin"],
        row["changed_at"],
        *_BY_STATE[row["state"]],
    )
