"""The books. Always: accepted = coalesced + done + pruned + rows that are not idle.

`plexsync.store.intake` counts what is accepted and coalesced in the row that is wanted; when a row is deleted its
counts go into the
one row of counters here. Beside them stand the number of finished scans, of claims that found both lanes due, and the
latest time (to the minute) that a claim has seen or a row was given, by which a step back of the clock shows.
"""

import sqlite3

from plexsync.store.intake import LIFT_TICK

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


def read(db: sqlite3.Connection) -> dict[str, int]:
    """The four counters by name."""
    return dict(zip(COUNTERS, db.execute(READ).fetchone(), strict=True))


def balance(db: sqlite3.Connection) -> int:
    """What was accepted and is not accounted for: 0, or something was lost (above) or done twice (below)."""
    book = read(db)
    (rows,) = db.execute(OPEN_ROWS).fetchone()
    return book["accepted"] - book["coalesced"] - book["done"] - book["pruned"] - int(rows)


def count_accepted(db: sqlite3.Connection) -> None:
    """A row that was idle, or none, is idle no longer without having been wanted."""
    db.execute(COUNT_ACCEPTED)


def count_done(db: sqlite3.Connection) -> None:
    """A running row became idle."""
    db.execute(COUNT_DONE)


def count_pruned(db: sqlite3.Connection, count: int) -> None:
    """So many dead or gone rows were deleted."""
    db.execute(COUNT_PRUNED, {"count": count})


def done(db: sqlite3.Connection) -> int:
    """How many running rows became idle."""
    return int(db.execute(DONE).fetchone()[0])


def scans(db: sqlite3.Connection) -> int:
    """How many finished scans were noticed."""
    return int(db.execute(SCANS).fetchone()[0])


def count_scan(db: sqlite3.Connection) -> None:
    """A scan has finished."""
    db.execute(COUNT_SCAN)


def take_turn(db: sqlite3.Connection) -> int:
    """The number of this claim among those that found both lanes due, from 1."""
    db.execute(TAKE_TURN)
    return int(db.execute(TURNS).fetchone()[0])


def tick(db: sqlite3.Connection) -> int:
    """The latest time that a row can have been given, to the minute."""
    return int(db.execute(TICK).fetchone()[0])


def save_tick(db: sqlite3.Connection, now: int) -> None:
    """Note the time of a claim."""
    db.execute(SAVE_TICK, {"now": now})


def lift_tick(db: sqlite3.Connection, now: int) -> None:
    """Note that rows are given times from `now` on: should the clock step back from there, the next claim sees it."""
    db.execute(LIFT_TICK, {"now": now})
