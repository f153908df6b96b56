"""Checks whether a database is damaged: what SQLite finds, and what SQLite does not check."""

import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path

from plexsync.rules.queue.job import KINDS, Lane, State
from plexsync.store import intake, schema
from plexsync.store.db import NO_TEXT, faults, half_written, lost_its_file

# Bytes of the first page with the format versions for reading and writing, each 1 or 2.
VERSIONS = slice(18, 20)
TYPES: Mapping[str, type] = {"integer": int, "text": str, "blob": bytes}
SHAPE = "select sql from sqlite_master where sql is not null and name not like 'sqlite_%' order by rowid"
# Since 3.37 SQLite returns column types in capitals.
COLUMNS = 'select name, lower(type) as type, pk, "notnull" from pragma_table_info(:table)'
ORPHAN = "select 1 from pragma_foreign_key_check(:table) limit 1"
NAMES = "select name from sqlite_master where type = 'table' and name not like 'sqlite_%' order by rowid"


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
        with closing(open_file(path)) as db:
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
        with closing(open_file(path, "rw")) as db:
            db.execute("begin immediate")
    return damage(path)


def _damage(db: sqlite3.Connection) -> str:
    version = schema.version(db)
    (mark,) = db.execute("pragma application_id").fetchone()
    shape = [str(sql) for (sql,) in db.execute(SHAPE)]
    # The oldest layout that is brought up says why an object was queued.
    older = 0 < version < intake.OLDEST and "why" not in {column["name"] for column in columns_of(db, "job")}
    if older or version > intake.SCHEMA or (mark != intake.APPLICATION_ID and not _has_tables(shape, "job", "memory")):
        return ""
    if version < 0:
        return "its version is no number of a schema"
    (result,) = db.execute("pragma integrity_check(1)").fetchone()
    if result != "ok":
        return _one_line(result)
    # Additions by you or by a tool are no damage.
    if mark != intake.APPLICATION_ID or not (not version or _is_whole(shape, version)):
        return "its schema is not what its version says"
    if not version:
        return ""
    (rows,) = db.execute("select count(*) from book").fetchone()
    if rows != 1:
        return "its books are gone"
    if db.execute(HALF).fetchone():
        return "a row of the queue is not whole"
    # A page of another database fits in, but then the sums don't match.
    if db.execute(OFF).fetchone()[0]:
        return "its books do not balance"
    return _unreadable(db) or _unfit(db)


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


def _unfit(db: sqlite3.Connection) -> str:
    """Return a fault that SQLite accepts: a value of another type than its column, or a reference to no row."""
    with schema.model() as model:
        own = {str(table) for (table,) in model.execute(NAMES)}
    for table in [str(table) for (table,) in db.execute(NAMES) if table in own]:
        columns = columns_of(db, table)
        wrong = [f"typeof({row['name']}) not in ('null', '{row['type']}')" for row in columns if row["type"] in TYPES]
        if wrong and db.execute(f"select 1 from {table} where {' or '.join(wrong)} limit 1").fetchone():
            return f"a value in {table} is of another kind than its column"
        if db.execute(ORPHAN, {"table": table}).fetchone():
            return f"a row of {table} refers to nothing"
    return ""


def _has_tables(shape: Sequence[str], *names: str) -> bool:
    return all(any(f"create table {name} (" in sql.lower() for sql in shape) for name in names)


def _is_whole(shape: Sequence[str], version: int) -> bool:
    """Whether a database with these tables and indexes has all of today's layout, or has it after the steps."""
    with schema.model() as model:
        today = _plain(sql for (sql,) in model.execute(SHAPE))
    if version == intake.SCHEMA:
        return today <= _plain(shape)
    if not intake.OLDEST <= version < intake.SCHEMA:
        return False
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as model:
        for sql in shape:
            # What a tool has added may need what it has added elsewhere.
            with suppress(sqlite3.Error):
                model.execute(sql)
        try:
            for sql in schema.statements_from(version):
                model.execute(sql)
        except sqlite3.Error:
            return False
        return today <= _plain(sql for (sql,) in model.execute(SHAPE))


def _plain(shape: Iterable[str]) -> set[str]:
    """Return the statements without what depends on how a table got its columns: blanks, capitals and quotes."""
    return {re.sub(r'\s*([(),])\s*|"', r"\1", " ".join(sql.lower().split())) for sql in shape}


def _is_damage(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)


def _one_line(message: object) -> str:
    return " ".join(str(message).split())[:200]


def columns_of(db: sqlite3.Connection, table: str) -> list[sqlite3.Row]:
    """The columns of a table, as `pragma table_info` lists them."""
    return db.execute(COLUMNS, {"table": table}).fetchall()


def open_file(path: Path, mode: str = "ro") -> sqlite3.Connection:
    """Open a connection to a database file. Undecodable bytes in texts are replaced, so that a damaged file can be read."""
    db = sqlite3.connect(intake.uri(str(path), mode), uri=True, timeout=10.0, isolation_level=None)
    db.row_factory = sqlite3.Row
    db.text_factory = lambda text: text.decode("utf-8", "replace")
    return db
