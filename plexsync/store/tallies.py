"""Counts by name that only ever grow: how rows came into the dead-letter queue and left it, and what was forgotten.

`died` = dead now + `retried` + `cured` + `dropped` + `ignored` + `pruned` + what a new wish brought back.
"""

import sqlite3

LIST = "select name, count from tally order by name"
ADD = """
insert into tally (name, count) values (:name, :count)
on conflict (name) do update set count = count + :count
"""


def listed(db: sqlite3.Connection) -> dict[str, int]:
    """All counts by name; what never happened is left out."""
    return {str(name): int(count) for name, count in db.execute(LIST)}


def add(db: sqlite3.Connection, name: str, count: int = 1) -> None:
    """So many more."""
    if count:
        db.execute(ADD, {"name": name, "count": count})
