"""The pace of each server: how fast requests may be sent, and how many writes it accepted and rejected."""

from plexsync.rules.records import PaceRow
from plexsync.store.connection import Table

LIST = "select not_before, ramp, writes_ok, writes_bad, who from pace"
SAVE = """
insert or replace into pace (who, not_before, ramp, writes_ok, writes_bad)
values (:who, :not_before, :ramp, :writes_ok, :writes_bad)
"""
DELETE = "delete from pace where who = :who"


class ReadOnlyPaces(Table):
    """Read access to the paces."""

    def find(self, neighbour: str) -> PaceRow:
        """Return the pace of a server; the default if none is stored."""
        rows = (row for row in self._db.once(LIST) if row["who"] == neighbour)
        return next((PaceRow(*row[:-1]) for row in rows), PaceRow())

    def names(self) -> set[str]:
        """Return the gates that a pace is stored for."""
        return {row["who"] for row in self._db.once(LIST)}


class Paces(ReadOnlyPaces):
    """Read and write access to the paces."""

    def save(self, neighbour: str, row: PaceRow) -> None:
        """Replace a server's pace."""
        self._db.execute(SAVE, {**vars(row), "who": neighbour})
        self._db.forget(LIST)

    def delete(self, gate: str) -> None:
        """Forget a gate's pace."""
        self._db.execute(DELETE, {"who": gate})
        self._db.forget(LIST)
