"""New databases of tests begin as copies of one that was made once: the same content, a tenth of the time.

`use()` is for a whole process and what it forks. A database that exists is treated as the product does it.
"""

import sqlite3
from contextlib import closing
from functools import cache

from plexsync.store import schema

_migrate = schema.migrate


def use() -> None:
    """Let every new SQLite database of this process begin as a copy."""
    schema.migrate = migrate


def migrate(db: sqlite3.Connection) -> None:
    """As `schema.migrate`; an empty database gets the content of the one that was made once, in one transaction."""
    if _is_empty(db):
        with closing(sqlite3.connect(":memory:")) as template:
            template.deserialize(migrated())
            template.backup(db)
    _migrate(db)


def _is_empty(db: sqlite3.Connection) -> bool:
    return schema.version(db) == 0 and db.execute("select 1 from sqlite_master").fetchone() is None


@cache
def migrated() -> bytes:
    """The content of an empty database of today's schema."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.row_factory = sqlite3.Row
        _migrate(db)
        return db.serialize()
