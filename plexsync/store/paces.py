"""How fast each neighbour may be asked, and how many writes it has taken and refused."""

from plexsync.rules.records import PaceRow
from plexsync.store.connection import Table

LIST = "select not_before, ramp, writes_ok, writes_bad, who from pace"
SAVE = """
insert or replace into pace (who, not_before, ramp, writes_ok, writes_bad)
values (:who, :not_before, :ramp, :writes_ok, :writes_bad)
"""


class ReadOnlyPaces(Table):
    """The paces, to look at."""

    def find(self, neighbour: str) -> PaceRow:
        """How fast a neighbour may be asked; the default row when nothing was ever said about it."""
        rows = (row for row in self._db.once(LIST) if row["who"] == neighbour)
        return next((PaceRow(*row[:-1]) for row in rows), PaceRow())


class Paces(ReadOnlyPaces):
    """The paces."""

    def save(self, neighbour: str, row: PaceRow) -> None:
        """Replace a neighbour's pace."""
        self._db.execute(SAVE, {**vars(row), "who": neighbour})
        self._db.forget(LIST)
