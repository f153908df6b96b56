"""The breakers' rows, shared by all processes."""

from plexsync.rules.errors import Neighbour
from plexsync.rules.records import BreakerRow
from plexsync.store.connection import Table
from plexsync.store.db import clean
from plexsync.store.summary import UNREADABLE, possible

STATES = ("closed", "open", "half_open")
_COLUMNS = "state, failures, successes, opened_at, wait, trips, generation, probe_started, cause, error"

FIND = f"select {_COLUMNS} from breaker where who = :who"
SAVE = f"""
insert or replace into breaker (who, {_COLUMNS})
values (:who, :state, :failures, :successes, :opened_at, :wait, :trips, :generation, :probe_started, :cause, :error)
"""
IMPOSSIBLE = BreakerRow(**UNREADABLE)


class ReadOnlyBreakers(Table):
    """The breakers' rows, to look at."""

    def find(self, who: Neighbour) -> BreakerRow:
        """A neighbour's row; the default when there is none, an open one when its values are impossible."""
        row = self._db.row(FIND, {"who": who})
        if row is None:
            return BreakerRow()
        stored = BreakerRow(*row)
        return stored if possible(stored) else IMPOSSIBLE


class Breakers(ReadOnlyBreakers):
    """The breakers' rows."""

    def save(self, who: Neighbour, row: BreakerRow) -> None:
        """Replace a neighbour's row."""
        self._db.execute(SAVE, {**vars(row), "who": who, "cause": clean(row.cause), "error": clean(row.error)})
