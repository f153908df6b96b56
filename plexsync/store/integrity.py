"""Checks whether a database is damaged: what SQLite finds, and what SQLite does not check."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from plexsync.rules.job import KINDS, Lane, State
from plexsync.store import intake, schema
from plexsync.store.db import NO_TEXT, faults, half_written, lost_its_file

SIDES = ("-wal", "-shm", "-journal")
# Bytes of the first page with the format versions for reading and writing, each 1 or 2.
VERSIONS = slice(18, 20)
TYPES: Mapping[str, type] = {"integer": int, "text": str, "blob": bytes}
SHAPE = "select sql from sqlite_master where sql is not null and name not like 'sqlite_%' order by sql"
# Since 3.37 SQLite returns column types in capitals.
COLUMNS = 'select name, lower(type) as type, pk, "notnull" from pragma_table_info(:table)'
ORPHAN = "select 1 from pragma_foreign_key_check(:table) limit 1"
NAMES = "select name from sqlite_master where type = 'table' and name not like 'sqlite_%'"


# Values that no claim or settle leaves behind. Only a damaged page does.
STORED_KINDS, STATES, LANES = tuple(sorted(map(str, KINDS))), tuple(map(str, State)), tuple(map(int, Lane))


HALF = f"""
select 1 from job
 where kind not in {STORED_KINDS} or state not in {STATES} or lane not in {LANES}
    or alone not in (0, 1) or (state = 'running') <> (token is not null)
    or (state = 'running') <> (lease_until is not null) or claimed_rev > wanted_rev limit 1
"""


OFF = "select accepted - coalesced - done - pruned - (select count(*) from job where state <> 'idle') from books"


def damage(path: Path) -> str:
    """Return the first fault in a database of PlexSync; '' if there is none or it is another program's. Only reads."""
    if path.is_symlink() or path.is_dir():
        return ""
    # Before any connection is open: closing a file releases the process's locks on it.
    if fault := first_page(path):
        return fault
    if not path.is_file() or not path.stat().st_size:
        return ""
    with faults(path, opening=True):
        with closing(opened(path)) as db:
            try:
                # One snapshot: another process may migrate the database meanwhile.
                db.execute("begin")
                return _damage(db)
            except UnicodeDecodeError:
                return "its schema can't be read"
            except sqlite3.Error as error:
                if _is_damage(error):
                    return _one_line(error)
                if not half_written(error):
                    raise
        # The unfinished transaction of a dead process has to be rolled back.
        with closing(opened(path, "rw")) as db:
            db.execute("begin immediate")
    return damage(path)


def _damage(db: sqlite3.Connection) -> str:
    version = schema.version(db)
    (mark,) = db.execute("pragma application_id").fetchone()
    shape = [str(sql) for (sql,) in db.execute(SHAPE)]
    has_own_tables = _has_own_tables(shape)
    if version > len(schema.MIGRATIONS) or (mark != schema.APPLICATION_ID and not has_own_tables):
        return ""
    if version < 0:
        return "its version is no number of a schema"
    (result,) = db.execute("pragma integrity_check(1)").fetchone()
    if result != "ok":
        return _one_line(result)
    # Additions by you or by a tool are no damage.
    if mark != schema.APPLICATION_ID or not set(_shape(version)) <= set(shape):
        return "its schema is not what its version says"
    if not version:
        return ""
    (rows,) = db.execute("select count(*) from book").fetchone()
    if rows != 1:
        return "its books are gone"
    if db.execute(HALF).fetchone():
        return "a row of the queue is not whole"
    # A page of another database fits in, but then the sums don't match.
    if version == len(schema.MIGRATIONS) and db.execute(OFF).fetchone()[0]:
        return "its books do not balance"
    return _unreadable(db) or _unfit(db, version)


def first_page(path: Path) -> str:
    """Return a fault that SQLite does not report: wrong format versions in the first page, or a log without a database.

    With a wrong version, SQLite can only read the database, and no process can write to it.
    """
    if lost_its_file(path):
        return "it is empty, and its log is not"
    try:
        with path.open("rb") as file:
            head = file.read(VERSIONS.stop)
    except OSError:
        return ""
    sound = not head.startswith(b"SQLite format 3") or set(head[VERSIONS]) <= {1, 2}
    return "" if sound else "its first page can't be right"


def _unreadable(db: sqlite3.Connection) -> str:
    """Return the first table that holds invalid text, which SQLite never checks; '' if there is none."""
    db.text_factory = str
    for (table,) in db.execute(NAMES).fetchall():
        columns = [row["name"] for row in columns_of(db, table) if row["type"] not in ("integer", "blob")]
        try:
            for _ in db.execute(f"select {', '.join(columns)} from {table}") if columns else ():
                pass
        except sqlite3.OperationalError as error:
            if not str(error).startswith(NO_TEXT):
                raise
            return f"a text in {table} can't be read"
    return ""


def _unfit(db: sqlite3.Connection, version: int) -> str:
    """Return a fault that SQLite accepts: a value of another type than its column, or a reference to no row."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as model:
        model.row_factory = sqlite3.Row
        schema.migrate(model, schema.MIGRATIONS[:version])
        tables = {str(table): columns_of(model, table) for (table,) in model.execute(NAMES).fetchall()}
    for table, columns in tables.items():
        wrong = [f"typeof({row['name']}) not in ('null', '{row['type']}')" for row in columns if row["type"] in TYPES]
        if wrong and db.execute(f"select 1 from {table} where {' or '.join(wrong)} limit 1").fetchone():
            return f"a value in {table} is of another kind than its column"
        if db.execute(ORPHAN, {"table": table}).fetchone():
            return f"a row of {table} refers to nothing"
    return ""


def _has_own_tables(shape: Sequence[str]) -> bool:
    return all(any(f"create table {name} (" in sql.lower() for sql in shape) for name in ("job", "memory"))


def _shape(version: int) -> list[str]:
    """Return the statements that create a database of this version, as SQLite stores them."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        schema.migrate(db, schema.MIGRATIONS[:version])
        return [sql for (sql,) in db.execute(SHAPE)]


def _is_damage(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)


def _one_line(message: object) -> str:
    return " ".join(str(message).split())[:200]


def columns_of(db: sqlite3.Connection, table: str) -> list[sqlite3.Row]:
    """The columns of a table, as `pragma table_info` lists them."""
    return db.execute(COLUMNS, {"table": table}).fetchall()


def opened(path: Path, mode: str = "ro") -> sqlite3.Connection:
    """Open a connection to a database file. Undecodable bytes in texts are replaced, so that a damaged file can be read."""
    db = sqlite3.connect(intake.uri(str(path), mode), uri=True, timeout=10.0, isolation_level=None)
    db.row_factory = sqlite3.Row
    db.text_factory = lambda text: text.decode("utf-8", "replace")
    return db
