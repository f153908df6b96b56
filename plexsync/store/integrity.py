"""Whether a database is damaged: what SQLite finds, and what it does not look at."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from plexsync.rules.job import KINDS, Lane, State
from plexsync.store import intake, schema
from plexsync.store.db import NO_TEXT, faults, half_written, lost_its_file

SIDES = ("-wal", "-shm", "-journal")
# Where a database's first page says how it may be read and written: in 1 or 2 ways.
VERSIONS = slice(18, 20)
TYPES: Mapping[str, type] = {"integer": int, "text": str, "blob": bytes}
SHAPE = "select sql from sqlite_master where sql is not null and name not like 'sqlite_%' order by sql"
# Since 3.37 SQLite tells the kinds of columns in capitals.
COLUMNS = 'select name, lower(type) as type, pk, "notnull" from pragma_table_info(:table)'
ORPHAN = "select 1 from pragma_foreign_key_check(:table) limit 1"
NAMES = "select name from sqlite_master where type = 'table' and name not like 'sqlite_%'"


# What settles and claims never leave behind: only a damaged page does.
STORED_KINDS, STATES, LANES = tuple(sorted(map(str, KINDS))), tuple(map(str, State)), tuple(map(int, Lane))


HALF = f"""
select 1 from job
 where kind not in {STORED_KINDS} or state not in {STATES} or lane not in {LANES}
    or alone not in (0, 1) or (state = 'running') <> (token is not null)
    or (state = 'running') <> (lease_until is not null) or claimed_rev > wanted_rev limit 1
"""


OFF = "select accepted - coalesced - done - pruned - (select count(*) from job where state <> 'idle') from books"


def damage(path: Path) -> str:
    """The first fault that SQLite finds in a database of ours, '' when it finds none or it isn't ours; reads only."""
    if path.is_symlink() or path.is_dir():
        return ""
    # Before anything is open: to close a file lets go of the process's locks on it.
    if fault := first_page(path):
        return fault
    if not path.is_file() or not path.stat().st_size:
        return ""
    with faults(path, opening=True):
        with closing(opened(path)) as db:
            try:
                # One snapshot: another process may bring it to a newer schema meanwhile.
                db.execute("begin")
                return _damage(db)
            except UnicodeDecodeError:
                return "its schema can't be read"
            except sqlite3.Error as error:
                if _is_damage(error):
                    return _one_line(error)
                if not half_written(error):
                    raise
        # Somebody has to take back what a dead process was about to write.
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
    # What a person or a tool has added is no damage.
    if mark != schema.APPLICATION_ID or not set(_shape(version)) <= set(shape):
        return "its schema is not what its version says"
    if not version:
        return ""
    (rows,) = db.execute("select count(*) from book").fetchone()
    if rows != 1:
        return "its books are gone"
    if db.execute(HALF).fetchone():
        return "a row of the queue is not whole"
    # A page of another database fits in, and its sums do not.
    if version == len(schema.MIGRATIONS) and db.execute(OFF).fetchone()[0]:
        return "its books do not balance"
    return _unreadable(db) or _unfit(db, version)


def first_page(path: Path) -> str:
    """What SQLite makes no fault of: a page by which it may only be read, and by nobody be written; none, but a log."""
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
    """The first table with a text that is none; SQLite itself never looks."""
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
    """What SQLite lets pass in a table of ours: a value of another kind than its column, a row whose owner is not there."""
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
    """The statements that make a database of this version, as SQLite keeps them."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        schema.migrate(db, schema.MIGRATIONS[:version])
        return [sql for (sql,) in db.execute(SHAPE)]


def _is_damage(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)


def _one_line(message: object) -> str:
    return " ".join(str(message).split())[:200]


def columns_of(db: sqlite3.Connection, table: str) -> list[sqlite3.Row]:
    return db.execute(COLUMNS, {"table": table}).fetchall()


def opened(path: Path, mode: str = "ro") -> sqlite3.Connection:
    db = sqlite3.connect(intake.uri(str(path), mode), uri=True, timeout=10.0, isolation_level=None)
    db.row_factory = sqlite3.Row
    db.text_factory = lambda text: text.decode("utf-8", "replace")
    return db
