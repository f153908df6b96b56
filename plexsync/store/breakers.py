"""The breakers' rows, shared by all processes, and the log of the transitions of breakers and holds: the outages."""

import math
import sqlite3

from plexsync.rules.errors import Neighbour
from plexsync.rules.outages import Transition
from plexsync.rules.records import BreakerRow
from plexsync.store.db import clean

STATES = ("closed", "open", "half_open")
# Probes that failed are forgotten first: what began and ended an outage is kept ten times as long.
KEPT_TRANSITIONS = 10_000
KEPT_EDGES = 10 * KEPT_TRANSITIONS

_COLUMNS = "state, failures, successes, opened_at, wait, trips, generation, probe_started, cause, error"

FIND = f"select {_COLUMNS} from breaker where who = :who"
SAVE = f"""
insert or replace into breaker (who, {_COLUMNS})
values (:who, :state, :failures, :successes, :opened_at, :wait, :trips, :generation, :probe_started, :cause, :error)
"""
LOG = """
insert into transition (who, at, old, new, cause, error, waiting)
values (:who, :at, :old, :new, :cause, :error, :waiting)
"""
FORGET_OLD = f"""
delete from transition
 where number <= (select max(number) from transition) - {KEPT_TRANSITIONS}
   and ((old in ('open', 'half_open') and new in ('open', 'half_open'))
        or number <= (select max(number) from transition) - {KEPT_EDGES})
"""
TRANSITIONS = "select who, at, old, new, cause, error, waiting from transition order by number"

# What stands in for values that no breaker can have: open since long ago, so that the next request is a probe.
UNREADABLE = BreakerRow(
    state="open", opened_at=0.0, trips=1, error="its stored state can't be read: the next request is a test"
)


def find(db: sqlite3.Connection, who: Neighbour) -> BreakerRow:
    """A neighbour's row; the default when there is none, an open one when its values are impossible."""
    row = db.execute(FIND, {"who": who}).fetchone()
    if row is None:
        return BreakerRow()
    return BreakerRow(*row) if _possible(row) else UNREADABLE


def save(db: sqlite3.Connection, who: Neighbour, row: BreakerRow) -> None:
    """Replace a neighbour's row."""
    db.execute(SAVE, {**vars(row), "who": who, "cause": clean(row.cause), "error": clean(row.error)})


def log(
    db: sqlite3.Connection, who: Neighbour, *, at: int, old: str, new: str, cause: str, error: str, waiting: int
) -> None:
    """Write down a transition, with how many jobs wait; the newest ten thousand are kept."""
    values = {"who": who, "at": at, "old": old, "new": new, "cause": clean(cause), "error": clean(error)}
    db.execute(LOG, {**values, "waiting": waiting})
    db.execute(FORGET_OLD)


def transitions(db: sqlite3.Connection) -> list[Transition]:
    """The log, oldest first; lines about someone who is no neighbour are left out."""
    names = set(Neighbour)
    return [Transition(Neighbour(who), *rest) for who, *rest in db.execute(TRANSITIONS) if who in names]


def _possible(row: sqlite3.Row) -> bool:
    counts = (row["failures"], row["successes"], row["trips"])
    moments = (row["opened_at"], row["probe_started"])
    return (
        row["state"] in STATES
        and all(isinstance(count, int) and count >= 0 for count in counts)
        and isinstance(row["generation"], int)
        and _is_number(row["wait"])
        and row["wait"] >= 0
        and all(moment is None or _is_number(moment) for moment in moments)
        and (row["state"] == "closed" or row["opened_at"] is not None)
        and isinstance(row["cause"], str)
        and isinstance(row["error"], str)
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
