"""Counts by name that only ever grow: how rows came into the dead-letter queue and left it, and what was forgotten.

`died` = dead now + `retried` + `cured` + `dropped` + `ignored` + `pruned` + what a new wish brought back.
"""

from plexsync.store.connection import Table

LIST = "select name, count from tally order by name"
ADD = """
insert into tally (name, count) values (:name, :count)
on conflict (name) do update set count = tally.count + excluded.count
"""


class ReadOnlyTallies(Table):
    """The counts, to look at."""

    def all(self) -> dict[str, int]:
        """All counts by name; what never happened is left out."""
        return {str(name): int(count) for name, count in self._db.rows(LIST)}


class Tallies(ReadOnlyTallies):
    """The counts."""

    def add(self, name: str, count: int = 1) -> None:
        """So many more."""
        if count:
            self._db.execute(ADD, {"name": name, "count": count})
