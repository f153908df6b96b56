"""The history of a job: its attempts that ended with an error, the newest twenty of each."""

from plexsync.rules.job import State
from plexsync.rules.records import AttemptRow
from plexsync.store.connection import Connection, Table
from plexsync.store.db import clean
from plexsync.store.tallies import Tallies

KEPT = 20
# So many are dated anew at once: a whole table of them would hold up everyone who writes.
UNDATED = 50

ADD = """
insert into attempt (kind, id, at, cls, error, attempts, state)
values (:kind, :id, :at, :cls, :error, :attempts, :state)
"""
FORGET_OLD = f"""
delete from attempt
 where kind = :kind and id = :id and number <= (
    select number from attempt where kind = :kind and id = :id order by number desc limit 1 offset {KEPT}
 )
"""
# What is dated in a future that the clock has left again would never grow old.
UNDATE = f"""
update attempt set at = :now where number in (
    select number from attempt indexed by attempt_at where at > :now limit {UNDATED}
)
"""
PRUNE = """
delete from attempt where number in (
    select number from attempt indexed by attempt_at where at < :before order by at limit :limit
)
"""
USED = "select count(*) from attempt where attempts > 0"
LATEST = """
select kind, id, at, cls, error, attempts, state from attempt order by number desc limit :limit
"""
LIST = "select at, cls, error, attempts, state from attempt where kind = :kind and id = :id order by number desc"


class ReadOnlyAttempts(Table):
    """The attempts that ended with an error, to look at."""

    def count_used(self) -> int:
        """How many of the attempts in memory were counted against their job."""
        return int(self._db.value(USED))

    def of(self, kind: str, id: int) -> list[AttemptRow]:
        """A job's attempts, newest first."""
        rows = self._db.rows(LIST, {"kind": kind, "id": id})
        return [
            AttemptRow(at, error_class, error, attempts, State(state))
            for at, error_class, error, attempts, state in rows
        ]

    def latest(self, limit: int) -> list[tuple[str, int, AttemptRow]]:
        """The last attempts of all that did not go well, each with what it was for, newest first."""
        return [
            (kind, id, AttemptRow(at, error_class, error, attempts, State(state)))
            for kind, id, at, error_class, error, attempts, state in self._db.rows(LATEST, {"limit": limit})
        ]


class Attempts(ReadOnlyAttempts):
    """The attempts that ended with an error."""

    def __init__(self, db: Connection) -> None:
        super().__init__(db)
        self._tallies = Tallies(db)

    def add(self, kind: str, id: int, *, at: int, error_class: str, error: str, attempts: int, state: State) -> None:
        """Write down how an attempt ended."""
        row = {
            "kind": kind,
            "id": id,
            "at": at,
            "cls": error_class,
            "error": clean(error),
            "attempts": attempts,
            "state": state,
        }
        self._db.execute(ADD, row)
        self._db.execute(FORGET_OLD, row)

    def prune(self, *, now: int, before: int, limit: int) -> int:
        """Delete up to `limit` of the attempts that ended before `before`, oldest first; returns how many, and counts them.

        Of those that are dated after `now`, the next `UNDATED` are of now from here on.
        """
        self._db.execute(UNDATE, {"now": now})
        count = self._db.execute(PRUNE, {"before": before, "limit": limit})
        self._tallies.add("attempts_pruned", count)
        return count
