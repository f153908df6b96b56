"""Databases of schema 11, from which the steps to today's layout lead: one on record, and today's put back."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from plexsync.store import intake
from plexsync.store.schema import STEPS
from tests.torture.score import dump

# As SQL, with rows in every table.
RECORD = Path(__file__).parent / "fixtures" / "schema-11.sql"
# What the steps have done, taken back: statements that both databases take.
BACK = (
    "alter table push drop column why",
    "alter table job drop column why",
    "drop table answer_file",
    "drop table answer",
    "drop table provider_item",
    "drop table provider",
    "drop table viewing",
    "alter table resume drop column seconds_before",
    "drop table play_time",
    "alter table collection add column undone text not null default ''",
)


def old_database(path: Path, schema: int = intake.OLDEST) -> None:
    """A database as schema 11 left it, closed in good order; one after a later step, or one that looks as an earlier one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as db:
        db.executescript(RECORD.read_text(encoding="utf-8"))
        if schema < intake.OLDEST:
            db.executescript(f"drop table collection; pragma user_version = {schema}")
        for number in range(intake.OLDEST, schema):
            for statement in (*STEPS[number], f"pragma user_version = {number + 1}"):
                db.execute(statement)
        db.execute("pragma journal_mode = wal")
    path.chmod(0o600)


def put_back(path: Path) -> None:
    """Put a SQLite database of today's schema back to schema 11, with everything that is remembered."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("begin immediate")
        for statement in (*BACK, f"pragma user_version = {intake.OLDEST}"):
            db.execute(statement)
        db.execute("commit")


def put_back_postgres(db: Any) -> None:
    """The same for the schema of PostgreSQL that this connection of the driver looks at."""
    for statement in (*BACK, f"update schema_version set version = {intake.OLDEST}"):
        db.execute(statement)


def missing(old: Path, new: Path) -> dict[str, set[tuple]]:
    """Rows by table that were in the old database and are not in the new one, by the columns that both have."""
    gone = {}
    with closing(sqlite3.connect(new)) as db, closing(sqlite3.connect(old)) as before:
        for table in dump(old).keys() - {"schema"}:
            columns = [{row[1] for row in some.execute(f"pragma table_info({table})")} for some in (db, before)]
            select = f"select {', '.join(sorted(columns[0] & columns[1]))} from {table}"
            if left := set(before.execute(select)) - set(db.execute(select)):
                gone[table] = left
    return gone
