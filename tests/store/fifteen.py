"""Databases of schema 15, from which steps lead to today's layout: today's put back, with rows in every table."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from plexsync.rules.merge.values import Held
from plexsync.rules.records import Moved
from plexsync.store import intake
from plexsync.store.database import Database
from tests.torture.filling import NOW, fill_half
from tests.torture.score import dump

# What the steps have done to the tables, taken back: statements that both databases take.
BACK = (
    "alter table shown drop column updated_at",
    "create table view_count (item text primary key, unexplained integer not null, moment integer not null, "
    "noticed_at integer not null)",
)
# The rows that the step ends, by table.
ENDS = {
    "picture": "flow in ('choice', 'choice giving')",
    "note": "name like 'approved:%' or name like 'old-list%'",
    "played": "history_key = 'marked'",
}
# Such rows: item 1001 was being given pictures of galleries, and item 1002 has got them; a void approval of parts,
# questions about old lists, and a mark in Plex.
PICTURE = "insert into picture (flow, subject, library, item, name, version, tag, key, why) values"
ENDED = (
    f"{PICTURE} ('choice giving', 1, '', '', '1001 thumb', '1768471200000', 'locked', 'upload://posters/1', '1 a b')",
    f"{PICTURE} ('choice giving', 1, '', '', '1001 art', '1768471200000', '', '', '1 c')",
    f"{PICTURE} ('choice', 2, '', '', '1002', 'f00d', '', '', '')",
    """insert into note (name, value) values ('approved:1', '{"rev": 0, "items": []}')""",
    "insert into note (name, value) values ('old-list:1001', '{}'), ('old-lists', '1768471200000')",
    "insert into played (account, item, moment, library, history_key, listed_at) values (1, '1001', 7, '', 'marked', 9)",
)
SCENES = 20
# Values that are no numbers and have a meaning, by column.
MEANT = {"kind": "scene", "who": "stash", "files": "[]", "pieces": "[]"}


def old_database(path: Path, schema: int = intake.OLDEST) -> None:
    """A database as schema 15 left it, closed in good order, or one that looks as an earlier one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    store = Database(path, worker=True)
    fill_half(store, 1, SCENES)
    with store.writing() as tx:
        tx.pushes.add(1, "1", {"title": Moved(Held("file 1", locked=False), Held("Title 1", locked=True))}, at=NOW)
    store.close()
    with closing(sqlite3.connect(path)) as db:
        for statement in BACK:
            db.execute(statement)
        for statement in (*_rows_of_the_rest(db), *ENDED):
            db.execute(statement)
        if schema < intake.OLDEST:
            db.execute("alter table job drop column why")
        db.execute(f"pragma user_version = {schema}")
        db.commit()


def _rows_of_the_rest(db: sqlite3.Connection) -> Iterator[str]:
    """A row for each table without one."""
    for (table,) in db.execute("select name from sqlite_master where type = 'table' and name not like 'sqlite_%'"):
        if not db.execute(f"select 1 from {table}").fetchone():
            columns = db.execute(
                f"select name, type from pragma_table_info('{table}') where dflt_value is null and (\"notnull\" or pk)"
            ).fetchall()
            values = [1 if kind.lower() == "integer" else repr(MEANT.get(name, f"a {name}")) for name, kind in columns]
            yield f"insert into {table} ({', '.join(name for name, _ in columns)}) values ({', '.join(map(str, values))})"


def put_back(path: Path) -> None:
    """Put a SQLite database of today's schema back to schema 15, with everything that is remembered."""
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
    """Rows by table that were in the old database and are not in the new one, without those that the step ends."""
    gone = {}
    with closing(sqlite3.connect(new)) as db, closing(sqlite3.connect(old)) as before:
        for table in dump(old).keys() & dump(new).keys() - {"schema"}:
            columns = [{row[1] for row in some.execute(f"pragma table_info({table})")} for some in (db, before)]
            select = f"select {', '.join(sorted(columns[0] & columns[1]))} from {table}"
            kept = f"{select} where not ({ENDS.get(table, '0')})"
            if left := set(before.execute(kept)) - set(db.execute(select)):
                gone[table] = left
    return gone
