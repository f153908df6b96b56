"""Small named texts: cursors, times of the last poll and comparison, the worker's heartbeat; and, one for each scene whose
values are to be taken over, the mark of that wish.
"""

import json
import sqlite3
from collections.abc import Sequence

from plexsync.store.db import clean

# More digits than this has nothing that is counted or dated here, nor would the database take it.
DIGITS = 18

FIND = "select value from note where name = :name"
# Of marks there may be as many as there are scenes.
LIST = "select name, value from note where name not like 'take-over:%' order by name"
MARKS = "select name, value from note where name in (select 'take-over:' || value from json_each(:scenes))"
DROP = "delete from note where name = :name and (:value = '' or value = :value)"
LOWER = "update note set value = :value where name = :name and cast(value as integer) > :value"
SAVE = "insert or replace into note (name, value) values (:name, :value)"


def find(db: sqlite3.Connection, name: str) -> str:
    """One note; '' when it was never set."""
    row = db.execute(FIND, {"name": name}).fetchone()
    return str(row[0]) if row else ""


def number(db: sqlite3.Connection, name: str) -> int | None:
    """The number in a note; None when there is none, or what is there is no number (any more)."""
    text = find(db, name)
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= DIGITS else None


def listed(db: sqlite3.Connection) -> dict[str, str]:
    """All notes by name, but for the marks of scenes."""
    return {str(name): str(value) for name, value in db.execute(LIST)}


def save(db: sqlite3.Connection, name: str, value: str) -> None:
    """Set a note."""
    db.execute(SAVE, {"name": name, "value": clean(value)})


def lower(db: sqlite3.Connection, name: str, value: int) -> None:
    """A number that was noted is at most this one from now on."""
    db.execute(LOWER, {"name": name, "value": value})


def marks(db: sqlite3.Connection, scenes: Sequence[int]) -> dict[int, str]:
    """Those of these scenes that are to be taken over, each with its mark."""
    rows = db.execute(MARKS, {"scenes": json.dumps(list(scenes))})
    return {int(str(name).rpartition(":")[2]): str(value) for name, value in rows}


def mark(db: sqlite3.Connection, scene: int, value: str) -> None:
    """A scene is to be taken over; a mark that it has already gives way."""
    save(db, f"take-over:{scene}", value)


def unmark(db: sqlite3.Connection, scene: int, value: str) -> None:
    """A scene was taken over as far as the mark `value` goes, or ('') is not to be any more; a newer mark stays."""
    db.execute(DROP, {"name": f"take-over:{scene}", "value": value})
