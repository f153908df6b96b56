"""What keeps a neighbour's work back besides its breaker: a hold, until a person changes a setting, and its pace."""

import sqlite3

from plexsync.rules.errors import Neighbour
from plexsync.rules.records import HoldRow, PaceRow
from plexsync.store.db import clean

FIND_HOLD = "select setting, message, since, retest_at, fingerprint from hold where who = :who"
SAVE_HOLD = """
insert or replace into hold (who, setting, message, since, retest_at, fingerprint)
values (:who, :setting, :message, :since, :retest_at, :fingerprint)
"""
END_HOLD = "delete from hold where who = :who"
FIND_PACE = "select not_before, ramp, writes_ok, writes_bad from pace where who = :who"
SAVE_PACE = """
insert or replace into pace (who, not_before, ramp, writes_ok, writes_bad)
values (:who, :not_before, :ramp, :writes_ok, :writes_bad)
"""


def find(db: sqlite3.Connection, who: Neighbour) -> HoldRow | None:
    """The hold on a neighbour, if there is one."""
    row = db.execute(FIND_HOLD, {"who": who}).fetchone()
    return HoldRow(*row) if row else None


def save(db: sqlite3.Connection, who: Neighbour, row: HoldRow | None) -> None:
    """Set the hold on a neighbour, or end it."""
    if row is None:
        db.execute(END_HOLD, {"who": who})
    else:
        db.execute(SAVE_HOLD, {**vars(row), "who": who, "message": clean(row.message)})


def pace(db: sqlite3.Connection, who: Neighbour) -> PaceRow:
    """How fast a neighbour may be asked; the default row when nothing was ever said about it."""
    row = db.execute(FIND_PACE, {"who": who}).fetchone()
    return PaceRow(*row) if row else PaceRow()


def save_pace(db: sqlite3.Connection, who: Neighbour, row: PaceRow) -> None:
    """Replace a neighbour's pace."""
    db.execute(SAVE_PACE, {**vars(row), "who": who})
