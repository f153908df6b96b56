"""Holds: a server's work pauses, independently of its breaker, until you change a setting or accept a change."""

from plexsync.rules.records import HoldRow
from plexsync.store.connection import Table
from plexsync.store.db import clean

LIST = "select setting, message, since, retest_at, fingerprint, choice, who from hold"
SAVE = """
insert or replace into hold (who, setting, message, since, retest_at, fingerprint, choice)
values (:who, :setting, :message, :since, :retest_at, :fingerprint, :choice)
"""
END = "delete from hold where who = :who"


class ReadOnlyHolds(Table):
    """Read access to the holds."""

    def find(self, neighbour: str) -> HoldRow | None:
        """Return the hold on a server; None if there is none."""
        rows = (row for row in self._db.once(LIST) if row["who"] == neighbour)
        return next((HoldRow(*row[:-1]) for row in rows), None)

    def names(self) -> set[str]:
        """Return the gates that are on hold."""
        return {row["who"] for row in self._db.once(LIST)}


class Holds(ReadOnlyHolds):
    """Read and write access to the holds."""

    def save(self, neighbour: str, row: HoldRow | None) -> None:
        """Set the hold on a server, or end it (None)."""
        if row is None:
            self._db.execute(END, {"who": neighbour})
        else:
            self._db.execute(SAVE, {**vars(row), "who": neighbour, "message": clean(row.message)})
        self._db.forget(LIST)
