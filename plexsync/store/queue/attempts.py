"""The history of a job: its attempts that ended with an error. The newest twenty of each job are kept."""

from plexsync.rules.queue.job import State
from plexsync.rules.records import AttemptRow
from plexsync.store.connection import Connection, Table, clean
from plexsync.store.queue.books import Tallies

MOST_SAVED = 20
# How many rows are re-dated at once. Updating a whole table would block all writers.
UNDATED = 50
# How many of the newest attempts are counted by cause.
RECENT = 2_000

ADD = """
insert into attempt (kind, id, at, cls, error, attempts, state)
values (:kind, :id, :at, :cls, :error, :attempts, :state)
"""
FORGET_OLD = f"""
delete from attempt
 where kind = :kind and id = :id and number <= (
    select number from attempt where kind = :kind and id = :id order by number desc limit 1 offset {MOST_SAVED}
 )
"""
# A row dated in the future, from before the clock was set back, would never be old enough to prune.
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
# The newest rows alone, since scenes that are not in Plex yet may have millions.
BY_CAUSE = f"""
select attempt.kind, attempt.id, at, attempt.cls, error, attempts, state, jobs
  from (
    select max(number) as newest, count(distinct kind || ' ' || id) as jobs
      from (select number, kind, id, cls from attempt order by number desc limit {RECENT}) as recent
     where cls <> 'absent' group by cls
  ) as cause
  join attempt on attempt.number = cause.newest order by newest desc limit :limit
"""
LIST = "select at, cls, error, attempts, state from attempt where kind = :kind and id = :id order by number desc"


class ReadOnlyAttempts(Table):
    """Read access to the attempts that ended with an error."""

    def count_used(self) -> int:
        """Count the stored attempts that counted against their job."""
        return int(self._db.value(USED))

    def of(self, kind: str, id: int) -> list[AttemptRow]:
        """Return the attempts of a job, newest first."""
        rows = self._db.rows(LIST, {"kind": kind, "id": id})
        return [
            AttemptRow(at, error_class, error, attempts, State(state))
            for at, error_class, error, attempts, state in rows
        ]

    def latest(self, limit: int) -> list[tuple[str, int, AttemptRow]]:
        """Return the latest failed attempts of all jobs as (kind, id, attempt), newest first."""
        return [
            (kind, id, AttemptRow(at, error_class, error, attempts, State(state)))
            for kind, id, at, error_class, error, attempts, state in self._db.rows(LATEST, {"limit": limit})
        ]

    def by_cause(self, limit: int) -> list[tuple[str, int, AttemptRow, int]]:
        """Group the newest `RECENT` attempts by cause, without those of scenes that are not in Plex yet.

        Returns the latest attempt of each cause as (kind, id, attempt, number of jobs), newest first.
        """
        return [
            (kind, id, AttemptRow(at, error_class, error, attempts, State(state)), jobs)
            for kind, id, at, error_class, error, attempts, state, jobs in self._db.rows(BY_CAUSE, {"limit": limit})
        ]


class Attempts(ReadOnlyAttempts):
    """Read and write access to the attempts that ended with an error."""

    def __init__(self, db: Connection) -> None:
        super().__init__(db)
        self._tallies = Tallies(db)

    def add(self, kind: str, id: int, *, at: int, error_class: str, error: str, attempts: int, state: State) -> None:
        """Record how an attempt ended."""
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
        """Delete up to `limit` attempts that ended before `before`, oldest first; tallies and returns their number.

        Up to `UNDATED` attempts dated after `now` are re-dated to `now`.
        """
        self._db.execute(UNDATE, {"now": now})
        count = self._db.execute(PRUNE, {"before": before, "limit": limit})
        self._tallies.add("attempts_pruned", count)
        return count
