"""Small named texts: cursors, times of the last poll and comparison, the worker's heartbeat."""

import sqlite3

from store.db import clean

FIND = "select value from note where name = :name"
LIST = "select name, value from note order by name"
SAVE = "insert or replace into note (name, value) values (:name, :value)"


def find(db: sqlite3.Connection, name: str) -> str:
    """One note; '' when it was never set."""
    row = db.execute(FIND, {"name": name}).fetchone()
    return str(row[0]) if row else ""


def listed(db: sqlite3.Connection) -> dict[str, str]:
    """All notes by name."""
    return {str(name): str(value) for name, value in db.execute(LIST)}


def save(db: sqlite3.Connection, name: str, value: str) -> None:
    """Set a note."""
    db.execute(SAVE, {"name": name, "value": clean(value)})
