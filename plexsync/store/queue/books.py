"""The books, and counters beside them. Always: accepted = coalesced + done + pruned + rows that are not idle.

`plexsync.store.intake` counts accepted and coalesced wants in the job's row. When a row is deleted, its counts are
added to the single row of counters here. That row also holds the number of finished scans, the number of claims that
found both lanes due, and the latest time (to the minute) of a claim or of a time stored in a row. The latter reveals a
clock that was set back.
"""

from plexsync.store.connection import Table
from plexsync.store.intake import LIFT_TICK, LIFTED

COUNTERS = ("accepted", "coalesced", "done", "pruned")

READ = "select accepted, coalesced, done, pruned from books"
OPEN_ROWS = "select count(*) from job where state <> 'idle'"
COUNT_ACCEPTED = "update book set accepted = accepted + 1"
COUNT_DONE = "update book set done = done + :count"
COUNT_PRUNED = "update book set pruned = pruned + :count"
DONE = "select done from book"
SCANS = "select scans from book"
COUNT_SCAN = "update book set scans = scans + 1"
TURNS = "select turns from book"
TAKE_TURN = "update book set turns = turns + 1"
TICK = "select tick from book"
SAVE_TICK = "update book set tick = :now"


class ReadOnlyBooks(Table):
    """Read access to the books."""

    def read(self) -> dict[str, int]:
        """Return the four counters by name."""
        return dict(zip(COUNTERS, self._db.row(READ), strict=True))

    def balance(self) -> int:
        """Return the accepted wants not accounted for: 0, unless some were lost (above) or done twice (below)."""
        book = self.read()
        (rows,) = self._db.row(OPEN_ROWS)
        return book["accepted"] - book["coalesced"] - book["done"] - book["pruned"] - int(rows)

    def done(self) -> int:
        """Count the jobs done since the database was created."""
        return int(self._db.value(DONE))

    def scans(self) -> int:
        """Count the finished scans that were noticed."""
        return int(self._db.once(SCANS)[0][0])

    def tick(self) -> int:
        """Return the latest time that a row can hold, to the minute."""
        return int(self._db.once(TICK)[0][0])


class Books(ReadOnlyBooks):
    """Read and write access to the books."""

    def count_accepted(self) -> None:
        """Count a row that stops being idle, or is created, without a want."""
        self._db.execute(COUNT_ACCEPTED)

    def count_done(self, count: int) -> None:
        """Count running rows that became idle."""
        if count:
            self._db.execute(COUNT_DONE, {"count": count})

    def count_pruned(self, count: int) -> None:
        """Count deleted rows that were not idle."""
        self._db.execute(COUNT_PRUNED, {"count": count})

    def count_scan(self) -> None:
        """Count a finished scan."""
        self._db.execute(COUNT_SCAN)
        self._db.forget(SCANS)

    def take_turn(self) -> int:
        """Return the number of this claim among those that found both lanes due, from 1."""
        self._db.execute(TAKE_TURN)
        return int(self._db.value(TURNS))

    def save_tick(self, now: int) -> None:
        """Record the time of a claim."""
        self._db.execute(SAVE_TICK, {"now": now})
        self._db.forget(TICK)

    def lift_tick(self, now: int) -> None:
        """Record that rows get times from `now` on, so that the next claim detects a clock set back from there."""
        if self.tick() < now - LIFTED:
            self._db.execute(LIFT_TICK, {"now": now})
            self._db.forget(TICK)


# Named counters that only grow: how rows entered and left the dead-letter queue, and what was pruned.
# `died` = dead now + `retried` + `cured` + `dropped` + `ignored` + `pruned` + rows that a new want brought back.
LIST_TALLIES = "select name, count from tally order by name"
ADD_TALLY = """
insert into tally (name, count) values (:name, :count)
on conflict (name) do update set count = tally.count + excluded.count
"""


class ReadOnlyTallies(Table):
    """Read access to the counters."""

    def all(self) -> dict[str, int]:
        """Return all counters by name. Counters that never grew are left out."""
        return {str(name): int(count) for name, count in self._db.rows(LIST_TALLIES)}


class Tallies(ReadOnlyTallies):
    """Read and write access to the counters."""

    def add(self, name: str, count: int = 1) -> None:
        """Add `count` to a counter."""
        if count:
            self._db.execute(ADD_TALLY, {"name": name, "count": count})
