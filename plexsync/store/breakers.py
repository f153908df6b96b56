"""What closes a gate, and how fast it lets requests pass: breakers, holds and paces, by server."""

from plexsync.rules.records import BreakerRow, HoldRow, PaceRow
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


HOLDS = "select setting, message, since, retest_at, fingerprint, choice, who from hold"
SAVE_HOLD = """
insert or replace into hold (who, setting, message, since, retest_at, fingerprint, choice)
values (:who, :setting, :message, :since, :retest_at, :fingerprint, :choice)
"""
END_HOLD = "delete from hold where who = :who"


class ReadOnlyHolds(Table):
    """Read access to the holds."""

    def find(self, neighbour: str) -> HoldRow | None:
        """Return the hold on a server; None if there is none."""
        rows = (row for row in self._db.once(HOLDS) if row["who"] == neighbour)
        return next((HoldRow(*row[:-1]) for row in rows), None)

    def names(self) -> set[str]:
        """Return the gates that are on hold."""
        return {row["who"] for row in self._db.once(HOLDS)}


class Holds(ReadOnlyHolds):
    """Read and write access to the holds."""

    def save(self, neighbour: str, row: HoldRow | None) -> None:
        """Set the hold on a server, or end it (None)."""
        if row is None:
            self._db.execute(END_HOLD, {"who": neighbour})
        else:
            self._db.execute(SAVE_HOLD, {**vars(row), "who": neighbour, "message": clean(row.message)})
        self._db.forget(HOLDS)


PACES = "select not_before, ramp, writes_ok, writes_bad, who from pace"
SAVE_PACE = """
insert or replace into pace (who, not_before, ramp, writes_ok, writes_bad)
values (:who, :not_before, :ramp, :writes_ok, :writes_bad)
"""
DELETE_PACE = "delete from pace where who = :who"


class ReadOnlyPaces(Table):
    """Read access to the paces."""

    def find(self, neighbour: str) -> PaceRow:
        """Return the pace of a server; the default if none is stored."""
        rows = (row for row in self._db.once(PACES) if row["who"] == neighbour)
        return next((PaceRow(*row[:-1]) for row in rows), PaceRow())

    def names(self) -> set[str]:
        """Return the gates that a pace is stored for."""
        return {row["who"] for row in self._db.once(PACES)}


class Paces(ReadOnlyPaces):
    """Read and write access to the paces."""

    def save(self, neighbour: str, row: PaceRow) -> None:
        """Replace a server's pace."""
        self._db.execute(SAVE_PACE, {**vars(row), "who": neighbour})
        self._db.forget(PACES)

    def delete(self, gate: str) -> None:
        """Forget a gate's pace."""
        self._db.execute(DELETE_PACE, {"who": gate})
        self._db.forget(PACES)
