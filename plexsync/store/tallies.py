"""Named counters that only grow: how rows entered and left the dead-letter queue, and what was pruned.

`died` = dead now + `retried` + `cured` + `dropped` + `ignored` + `pruned` + rows that a new want brought back.
"""

from plexsync.store.connection import Table

LIST = "select name, count from tally order by name"
ADD = """
insert into tally (name, count) values (:name, :count)
on conflict (name) do update set count = tally.count + excluded.count
"""


class ReadOnlyTallies(Table):
    """Read access to the counters."""

    def all(self) -> dict[str, int]:
        """Return all counters by name. Counters that never grew are left out."""
        return {str(name): int(count) for name, count in self._db.rows(LIST)}


class Tallies(ReadOnlyTallies):
    """Read and write access to the counters."""

    def add(self, name: str, count: int = 1) -> None:
        """Add `count` to a counter."""
        if count:
            self._db.execute(ADD, {"name": name, "count": count})
