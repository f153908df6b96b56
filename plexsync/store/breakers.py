"""The breakers' rows, shared by all processes."""

import math

from plexsync.rules.errors import Neighbour
from plexsync.rules.records import BreakerRow
from plexsync.store.connection import Row, Table
from plexsync.store.db import clean

STATES = ("closed", "open", "half_open")
_COLUMNS = "state, failures, successes, opened_at, wait, trips, generation, probe_started, cause, error"

LIST = f"select {_COLUMNS}, who from breaker"
SAVE = f"""
insert or replace into breaker (who, {_COLUMNS})
values (:who, :state, :failures, :successes, :opened_at, :wait, :trips, :generation, :probe_started, :cause, :error)
"""
# What stands in for values that no breaker can have: open since long ago, so that the next request is a probe.
UNREADABLE = BreakerRow(
    state="open", opened_at=0.0, trips=1, error="its stored state can't be read: the next request is a test"
)


class ReadOnlyBreakers(Table):
    """The breakers' rows, to look at."""

    def find(self, neighbour: Neighbour) -> BreakerRow:
        """A neighbour's row; the default when there is none, an open one when its values are impossible."""
        for row in self._db.once(LIST):
            if row["who"] == neighbour:
                return BreakerRow(*row[:-1]) if _possible(row) else UNREADABLE
        return BreakerRow()


class Breakers(ReadOnlyBreakers):
    """The breakers' rows."""

    def save(self, neighbour: Neighbour, row: BreakerRow) -> None:
        """Replace a neighbour's row."""
        self._db.execute(SAVE, {**vars(row), "who": neighbour, "cause": clean(row.cause), "error": clean(row.error)})
        self._db.forget(LIST)


def _possible(row: Row) -> bool:
    counts = (row["failures"], row["successes"], row["trips"])
    moments = (row["opened_at"], row["probe_started"])
    return (
        row["state"] in STATES
        and all(isinstance(count, int) and count >= 0 for count in counts)
        and isinstance(row["generation"], int)
        and _is_number(row["wait"])
        and row["wait"] >= 0
        and all(moment is None or _is_number(moment) for moment in moments)
        and (row["state"] == "closed" or row["opened_at"] is not None)
        and isinstance(row["cause"], str)
        and isinstance(row["error"], str)
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
