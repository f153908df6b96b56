"""The state of the circuit breakers, shared by all processes."""

from plexsync.rules.records import BreakerRow
from plexsync.store.connection import Table
from plexsync.store.db import clean
from plexsync.store.summary import UNREADABLE, possible

STATES = ("closed", "open", "half_open")
_COLUMNS = "state, failures, successes, opened_at, wait, trips, generation, probe_started, cause, error"

LIST = f"select {_COLUMNS}, who from breaker"
SAVE = f"""
insert or replace into breaker (who, {_COLUMNS})
values (:who, :state, :failures, :successes, :opened_at, :wait, :trips, :generation, :probe_started, :cause, :error)
"""
DELETE = "delete from breaker where who = :who"
IMPOSSIBLE = BreakerRow(**UNREADABLE)


class ReadOnlyBreakers(Table):
    """Read access to the breakers."""

    def find(self, neighbour: str) -> BreakerRow:
        """Return a server's breaker: the default if none is stored, an open one if the stored values are impossible."""
        for row in self._db.once(LIST):
            if row["who"] == neighbour:
                stored = BreakerRow(*row[:-1])
                return stored if possible(stored) else IMPOSSIBLE
        return BreakerRow()

    def names(self) -> set[str]:
        """Return the gates that a breaker is stored for."""
        return {row["who"] for row in self._db.once(LIST)}


class Breakers(ReadOnlyBreakers):
    """Read and write access to the breakers."""

    def save(self, neighbour: str, row: BreakerRow) -> None:
        """Replace a server's breaker."""
        self._db.execute(SAVE, {**vars(row), "who": neighbour, "cause": clean(row.cause), "error": clean(row.error)})
        self._db.forget(LIST)

    def delete(self, gate: str) -> None:
        """Forget a gate's breaker: it is closed, as if no request had ever passed it."""
        self._db.execute(DELETE, {"who": gate})
        self._db.forget(LIST)
