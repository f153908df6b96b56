"""The books. Always: accepted = coalesced + done + pruned + rows that are not idle.

`plexsync.store.intake` counts what is accepted and coalesced in the row that is wanted; when a row is deleted its
counts go into the
one row of counters here. Beside them stand the number of finished scans, of claims that found both lanes due, and the
latest time (to the minute) that a claim has seen or a row was given, by which a step back of the clock shows.
"""

from plexsync.store.connection import Table
from plexsync.store.intake import LIFT_TICK, LIFTED

COUNTERS = ("accepted", "coalesced", "done", "pruned")

READ = "select accepted, coalesced, done, pruned from books"
OPEN_ROWS = "select count(*) from job where state <> 'idle'"
COUNT_ACCEPTED = "update book set accepted = accepted + 1"
COUNT_DONE = "update book set done = done + 1"
COUNT_PRUNED = "update book set pruned = pruned + :count"
DONE = "select done from book"
SCANS = "select scans from book"
COUNT_SCAN = "update book set scans = scans + 1"
TURNS = "select turns from book"
TAKE_TURN = "update book set turns = turns + 1"
TICK = "select tick from book"
SAVE_TICK = "update book set tick = :now"


class ReadOnlyBooks(Table):
    """The books, to look at."""

    def read(self) -> dict[str, int]:
        """The four counters by name."""
        return dict(zip(COUNTERS, self._db.row(READ), strict=True))

    def balance(self) -> int:
        """What was accepted and is not accounted for: 0, or something was lost (above) or done twice (below)."""
        book = self.read()
        (rows,) = self._db.row(OPEN_ROWS)
        return book["accepted"] - book["coalesced"] - book["done"] - book["pruned"] - int(rows)

    def done(self) -> int:
        """How many jobs were brought to their end since there is this database."""
        return int(self._db.value(DONE))

    def scans(self) -> int:
        """How many finished scans were noticed."""
        return int(self._db.once(SCANS)[0][0])

    def tick(self) -> int:
        """The latest time that a row can have been given, to the minute."""
        return int(self._db.once(TICK)[0][0])


class Books(ReadOnlyBooks):
    """The books."""

    def count_accepted(self) -> None:
        """A row that was idle, or none, is idle no longer without having been wanted."""
        self._db.execute(COUNT_ACCEPTED)

    def count_done(self) -> None:
        """A running row became idle."""
        self._db.execute(COUNT_DONE)

    def count_pruned(self, count: int) -> None:
        """So many dead or gone rows were deleted."""
        self._db.execute(COUNT_PRUNED, {"count": count})

    def count_scan(self) -> None:
        """A scan has finished."""
        self._db.execute(COUNT_SCAN)
        self._db.forget(SCANS)

    def take_turn(self) -> int:
        """The number of this claim among those that found both lanes due, from 1."""
        self._db.execute(TAKE_TURN)
        return int(self._db.value(TURNS))

    def save_tick(self, now: int) -> None:
        """Note the time of a claim."""
        self._db.execute(SAVE_TICK, {"now": now})
        self._db.forget(TICK)

    def lift_tick(self, now: int) -> None:
        """Note that rows are given times from `now` on: should the clock step back from there, the next claim sees it."""
        if self.tick() < now - LIFTED:
            self._db.execute(LIFT_TICK, {"now": now})
            self._db.forget(TICK)
