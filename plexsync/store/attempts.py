"""The history of a job: its attempts that ended with an error, the newest twenty of each."""

import sqlite3

from plexsync.rules.job import Kind, State
from plexsync.rules.records import AttemptRow
from plexsync.store import tallies
from plexsync.store.db import clean

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


def add(
    db: sqlite3.Connection, kind: Kind, id: int, *, at: int, cls: str, error: str, attempts: int, state: State
) -> None:
    """Write down how an attempt ended."""
    row = {"kind": kind, "id": id, "at": at, "cls": cls, "error": clean(error), "attempts": attempts, "state": state}
    db.execute(ADD, row)
    db.execute(FORGET_OLD, row)


def prune(db: sqlite3.Connection, *, now: int, before: int, limit: int) -> int:
    """Delete up to `limit` of the attempts that ended before `before`, oldest first; returns how many, and counts them.

    Of those that are dated after `now`, the next `UNDATED` are of now from here on.
    """
    db.execute(UNDATE, {"now": now})
    count = db.execute(PRUNE, {"before": before, "limit": limit}).rowcount
    tallies.add(db, "attempts_pruned", count)
    return count


def used(db: sqlite3.Connection) -> int:
    """How many of the attempts in memory were counted against their job."""
    return int(db.execute(USED).fetchone()[0])


def listed(db: sqlite3.Connection, kind: Kind, id: int) -> list[AttemptRow]:
    """A job's attempts, newest first."""
    rows = db.execute(LIST, {"kind": kind, "id": id})
    return [AttemptRow(at, cls, error, attempts, State(state)) for at, cls, error, attempts, state in rows]


def latest(db: sqlite3.Connection, limit: int) -> list[tuple[Kind, int, AttemptRow]]:
    """The last attempts of all that did not go well, each with what it was for, newest first."""
    return [
        (Kind(kind), id, AttemptRow(at, cls, error, attempts, State(state)))
        for kind, id, at, cls, error, attempts, state in db.execute(LATEST, {"limit": limit})
    ]
