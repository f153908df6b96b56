"""Copies the content of a store to another database, table by table, from SQLite to PostgreSQL or the other way.

Nobody writes to the source meanwhile, since the move holds its write lock. Each table arrives in one transaction. Number
of rows and sum of their content are compared; a table where both agree is not copied again, so an interrupted move goes
on where it ended, also if the source has changed since. The table of notes comes last: until then the target has a note
that it is incomplete (`plexsync.rules.match.moves`).
"""

import hashlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from plexsync.rules.match.moves import MOVE, MOVED, MovedNote, MoveNote, move_note, moved_note
from plexsync.rules.queue.machine import Machine
from plexsync.rules.queue.note_keys import SALT
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import LocalFault, Unusable
from plexsync.store import schema
from plexsync.store.connection import Connection, Row
from plexsync.store.db import faults
from plexsync.store.files.address import StoreAddress
from plexsync.store.intake import NOTE, SAVE_NOTE, uri
from plexsync.store.opening import backend_at

BATCH = 1_000
NOTES = "note"
# Deleting a job counts in the books, so these are copied after it.
FIRST = "job"

DELETE_NOTE = "delete from note where name = :name"
COUNT_CONTENT = "select (select count(*) from note) + (select count(*) from job)"
# A source in PostgreSQL is idle while a long table arrives. A machine that stands by ends a session that is silent in the
# middle of a transaction, so this one asks something now and then (seconds).
WAIT = "set local idle_in_transaction_session_timeout = 0"
ASK = "select 1"
PACE = 3.0
# The columns that PostgreSQL numbers.
NUMBERED = (
    "select table_name, column_name from information_schema.columns"
    " where table_schema = current_schema() and is_identity = 'YES'"
)
# The version of a file that has moved away: no program knows such a schema.
RETIRED = 2**31 - 1
# Called with the name of each table, and the number of its rows, once it has arrived.
Tell = Callable[[str, int], None]


@record
class CopiedTable:
    """A table of the store with its columns."""

    name: str
    columns: tuple[str, ...]

    @property
    def read(self) -> str:
        """The query for all rows."""
        return f"select {', '.join(self.columns)} from {self.name}"

    @property
    def insert(self) -> str:
        """The statement for one row."""
        return f"insert into {self.name} ({', '.join(self.columns)}) values (:{', :'.join(self.columns)})"


@record
class Content:
    """The number of rows of a table and the sum of their content, whatever their order."""

    rows: int
    total: int


@cache
def tables() -> tuple[CopiedTable, ...]:
    """Return all tables of the newest schema in the order in which they are copied, the notes last."""
    with schema.model() as db:
        names = [name for (name,) in db.execute("select name from sqlite_master where type = 'table' order by name")]
        columns = {
            name: tuple(column for _, column, *_ in db.execute(f"pragma table_info({name})"))
            for name in names
            if not name.startswith("sqlite_")
        }
    order = sorted(columns, key=lambda name: (name == NOTES, name != FIRST, name))
    return tuple(CopiedTable(name, columns[name]) for name in order)


@dataclass(eq=False)
class StoreMove:
    """A move under way: the source can be read and is not written to, the target is only of this move."""

    _source: Connection
    _target: Connection
    _address: StoreAddress
    _machine: Machine

    # --- what the notes say ------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Note in the target that a move has begun, or that one goes on. Raises Unusable if it has other content."""
        origin, note = _origin(self._source), move_note(_note(self._target, MOVE))
        if note is not None and note.origin != origin:
            raise Unusable(
                f"{self._address.name} holds a part of another move: empty it, or name another database_schema"
            )
        if note is not None:
            return
        with _writing(self._target):
            if self._target.value(COUNT_CONTENT) and not _note(self._target, MOVED):
                raise Unusable(f"{self._address.name} has content already: empty it, or name another database_schema")
            self._target.execute(SAVE_NOTE, {"name": MOVE, "value": self._own_note(origin).text()})
            self._target.execute(DELETE_NOTE, {"name": MOVED})

    def retire_file(self) -> None:
        """Let no hook write to the source, a SQLite file, any more: by its version, it is from another PlexSync."""
        self._source.execute(f"pragma user_version = {RETIRED}")

    def retire_schema(self, place: str, now: int) -> None:
        """Note in the source, in PostgreSQL, where its content is now."""
        self._source.execute(SAVE_NOTE, {"name": MOVED, "value": MovedNote(place, now).text()})

    # --- the content -------------------------------------------------------------------------------------------------

    def copy(self, tell: Tell) -> int:
        """Copy all tables and verify each; returns the number of rows. Raises LocalFault if one differs in the end."""
        # The order matters: deleting jobs of an earlier try changes the books.
        contents: dict[CopiedTable, Content] = {}
        for table in tables()[:-1]:
            contents[table] = content_of(self._source, table)
            if content_of(self._target, table) != contents[table]:
                self._copy_table(table)
            tell(table.name, contents[table].rows)
        for table, content in contents.items():
            if (arrived := content_of(self._target, table)) != content:
                raise LocalFault(
                    f"the table {table.name} did not arrive as it was: {arrived.rows:,} of {content.rows:,} rows are there,"
                    " or they differ. Run plexsync move again"
                )
        if self._address.is_postgres:
            # It gives numbers above those that have arrived.
            with _writing(self._target):
                for name, column in self._target.rows(NUMBERED):
                    self._target.rows(
                        f"select setval(pg_get_serial_sequence('{name}', '{column}'), max({column})) from {name}"
                    )
        return sum(content.rows for content in contents.values()) + self._copy_notes()

    def _copy_table(self, table: CopiedTable) -> None:
        with _writing(self._target):
            self._target.execute(f"delete from {table.name}")
            for rows in _batches(self._source.stream(table.read)):
                self._target.execute_many(table.insert, [dict(zip(table.columns, row, strict=True)) for row in rows])

    def _copy_notes(self) -> int:
        """Copy the notes, and note that everything has arrived; returns the number of notes."""
        table = tables()[-1]
        own = (MOVE, MOVED)
        rows = [dict(zip(table.columns, row, strict=True)) for row in self._source.rows(table.read)]
        with _writing(self._target):
            self._target.execute("delete from note")
            self._target.execute_many(table.insert, [row for row in rows if row["name"] not in own])
            note = self._own_note(_origin(self._source), copied=True)
            self._target.execute(SAVE_NOTE, {"name": MOVE, "value": note.text()})
        expected = sorted((row["name"], row["value"]) for row in rows if row["name"] not in own)
        arrived = self._target.rows("select name, value from note")
        if sorted((name, value) for name, value in arrived if name not in own) != expected:
            raise LocalFault("the notes did not arrive as they were. Run plexsync move again")
        return len(expected)

    def _own_note(self, origin: str, *, copied: bool = False) -> MoveNote:
        return MoveNote(origin, self._machine.host, self._machine.installation, copied=copied)


@contextmanager
def moving(source: StoreAddress, target: StoreAddress, machine: Machine) -> Iterator[StoreMove]:
    """Open both stores, and keep everybody else from writing to the source until the end of the block.

    `machine` is this process, which the target names until the move is finished. What was written to the source in the
    block is committed if the block succeeds. Raises SyncErrors.
    """
    with _connect(source, worker=True) as old, _connect(target, worker=True) as new:
        if (moved := moved_note(_note(old, MOVED))) is not None:
            raise Unusable(f"{source.name} has moved to {moved.place} already")
        if move_note(_note(old, MOVE)) is not None:
            raise Unusable(f"{source.name} holds a part of another move, which has to be finished first")
        with _writing(old):
            if source.is_postgres:
                # It waits while whole tables arrive elsewhere.
                old.execute(WAIT)
            with _awake(old, source) if source.is_postgres else nullcontext():
                yield StoreMove(old, new, target, machine)


@contextmanager
def _awake(db: Connection, address: StoreAddress) -> Iterator[None]:
    """Let the database see in the block that this session lives. A process that hangs asks nothing."""
    ended = threading.Event()

    def ask() -> None:
        # The move meets the error itself.
        with suppress(*backend_at(address).errors):
            while not ended.wait(PACE):
                db.value(ASK)

    thread = threading.Thread(target=ask, name="move", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def finished_copy(address: StoreAddress) -> MoveNote | None:
    """Return the note of a move if everything has arrived in this store, and only the source was not set aside yet.

    None if there is no such move. Raises SyncErrors.
    """
    with _connect(address) as db:
        note = move_note(_note(db, MOVE))
        return note if note is not None and note.copied else None


def has_arrived(address: StoreAddress) -> bool:
    """Whether this store has everything that was moved to it, also after `finish`. Raises SyncErrors."""
    with _connect(address) as db:
        note = move_note(_note(db, MOVE))
        # The salt arrives with the last table.
        return note.copied if note is not None else bool(_note(db, SALT))


def is_copy_of(file: Path, address: StoreAddress) -> bool:
    """Whether a move to this store is finished, and this SQLite file is the copy that it has kept. Raises SyncErrors."""
    with faults(file), closing(sqlite3.connect(uri(str(file), "ro"), uri=True)) as db:
        row = db.execute(NOTE, {"name": SALT}).fetchone()
    with _connect(address) as target:
        return bool(row) and not _note(target, MOVE) and _note(target, SALT) == row[0]


def is_retired(file: Path) -> bool:
    """Whether the content of this SQLite file has moved away. Raises LocalFault."""
    with faults(file), closing(sqlite3.connect(uri(str(file), "ro"), uri=True)) as db:
        return schema.version(db) == RETIRED


def moved_to(address: StoreAddress) -> MovedNote | None:
    """Return where the content of this store has moved; None if it has not. Raises SyncErrors."""
    with _connect(address) as db:
        return moved_note(_note(db, MOVED))


def finish(address: StoreAddress) -> None:
    """Note that the source of a move to this store was set aside. Raises SyncErrors."""
    with _connect(address, worker=True) as db, _writing(db):
        db.execute(DELETE_NOTE, {"name": MOVE})


# --- rows ------------------------------------------------------------------------------------------------------------


def content_of(db: Connection, table: CopiedTable) -> Content:
    """Return the number of rows of a table and the sum of their content, the same for both databases."""
    count = total = 0
    with _reading(db):
        for row in db.stream(table.read):
            count += 1
            total += _sum(row)
    return Content(count, total % 2**64)


def _sum(row: Row) -> int:
    """Return a number for the values of a row."""
    digest = hashlib.blake2b(digest_size=8)
    for value in row:
        text = _spelling(value)
        digest.update(b"%d:%s" % (len(text), text))
    return int.from_bytes(digest.digest())


def _spelling(value: object) -> bytes:
    """Return the same bytes for the same value of both databases. PostgreSQL stores no character zero."""
    match value:
        case None:
            return b""
        case bytes() | memoryview():
            return b"b" + bytes(value)
        case str():
            return b"t" + value.replace("\0", "").encode("utf-8", "surrogatepass")
        case float() if value.is_integer():
            return b"n%d" % int(value)
        case _:
            return b"n" + repr(value).encode()


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


# --- connections -----------------------------------------------------------------------------------------------------


def _note(db: Connection, name: str) -> str:
    row = db.row(NOTE, {"name": name})
    return str(row[0]) if row else ""


def _origin(db: Connection) -> str:
    """Return a print of the store: its salt is random, and stays with its content."""
    return hashlib.blake2b(_note(db, SALT).encode(), digest_size=8).hexdigest()


@contextmanager
def _reading(db: Connection) -> Iterator[None]:
    """One snapshot, unless a transaction is open already."""
    if db.in_transaction:
        yield
        return
    db.begin()
    try:
        yield
    finally:
        db.roll_back()


@contextmanager
def _writing(db: Connection) -> Iterator[None]:
    """One transaction, committed if the block succeeds."""
    db.begin(writes=True)
    try:
        yield
        db.commit()
    except BaseException:
        if db.in_transaction:
            db.roll_back()
        raise


@contextmanager
def _connect(address: StoreAddress, *, worker: bool = False) -> Iterator[Connection]:
    """A connection of its own to a store. Raises SyncErrors, also for the driver's errors in the block."""
    backend = backend_at(address, worker=worker)
    try:
        with closing(backend.connect()) as db:
            yield db
    except backend.errors as error:
        raise backend.translate(error) from error
