"""The connection to PostgreSQL: the same methods as that to SQLite, by psycopg."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import psycopg
from psycopg import adapters, pq
from psycopg.adapt import Dumper, Loader

from plexsync.rules.servers.errors import LockLost
from plexsync.store.connection import Connection, Row, Values
from plexsync.store.postgres.translation import for_driver

if TYPE_CHECKING:
    from plexsync.store.postgres.worker_lock import WorkerLock

# Rows of a stream that come in one exchange.
STREAMED = 1000
_WRITES = ("INSERT", "UPDATE", "DELETE")
# Read under the lock of the only writer, so that no other worker begins before this transaction ends.
NUMBER = "select number from worker"
COUNT_COMMIT = "update commit_count set commits = commits + 1"
COMMITS = "select commits from commit_count"

Driver = psycopg.Connection[Any]


class CommitInDoubt(psycopg.OperationalError):
    """The connection was lost during a commit: what the transaction wrote may or may not be stored."""


class PostgresConnection(Connection):
    """One connection to a schema; `begins` begins a transaction of the only writer.

    `fence`: the worker's lock; a transaction that writes raises LockLost once another process holds it.
    """

    def __init__(self, driver: Driver, begins: str, fence: "WorkerLock | None" = None) -> None:
        super().__init__()
        self.driver = driver
        self._begins = begins
        self._fence = fence
        self._changes = 0
        self._changes_before = 0
        self._own_commits = 0
        self._confirmed = False

    @property
    def total_changes(self) -> int:
        return self._changes

    @property
    def in_transaction(self) -> bool:
        # A lost connection has no transaction.
        return self.driver.info.transaction_status not in (pq.TransactionStatus.IDLE, pq.TransactionStatus.UNKNOWN)

    @property
    def is_lost(self) -> bool:
        return self.driver.closed

    def execute(self, sql: str, values: Values = ()) -> int:
        return self.cursor(sql, values).rowcount

    def execute_many(self, sql: str, values: Sequence[Values]) -> int:
        if not values:
            return 0
        self.statements += 1
        with self.driver.cursor() as cursor:
            cursor.executemany(for_driver(sql), values)
            self._changes += cursor.rowcount
            return cursor.rowcount

    def rows(self, sql: str, values: Values = ()) -> list[Row]:
        return self.cursor(sql, values).fetchall()

    def row(self, sql: str, values: Values = ()) -> Row:
        return self.cursor(sql, values).fetchone()

    def row_of_each(self, sql: str, values: Sequence[Values]) -> list[Row]:
        if not values:
            return []
        self.statements += 1
        rows = []
        with self.driver.cursor() as cursor:
            cursor.executemany(for_driver(sql), values, returning=True)
            for result in cursor.results():
                rows.append(result.fetchone())
                if (result.statusmessage or "").startswith(_WRITES):
                    self._changes += result.rowcount
        return rows

    def stream(self, sql: str, values: Values = ()) -> Iterator[Row]:
        self.statements += 1
        with self.driver.cursor(name=f"stream_{self.statements}") as cursor:
            cursor.itersize = STREAMED
            yield from cursor.execute(for_driver(sql), values)

    def others_commits(self) -> int:
        return int(self.value(COMMITS)) - self._own_commits

    def close(self) -> None:
        self.driver.close()

    def cursor(self, sql: str, values: Values = ()) -> "psycopg.Cursor[Any]":
        """Run a statement; returns its cursor, with `fetchone` and `fetchall`."""
        self.statements += 1
        cursor = self.driver.execute(for_driver(sql), values)
        if (cursor.statusmessage or "").startswith(_WRITES):
            self._changes += cursor.rowcount
        return cursor

    def _begin(self, *, writes: bool) -> None:
        self._changes_before = self._changes
        if writes:
            self._begin_writing()
        else:
            self._send("begin isolation level repeatable read read only")

    def _begin_writing(self) -> None:
        """Begin, in one exchange; raises LockLost if another worker has begun."""
        if self._fence is None:
            self._send(self._begins)
            return
        if not self._confirmed:
            # The connection before this one may have ended with the lock's session, and only this process not noticed.
            self._fence.confirm()
            self._confirmed = True
        self._fence.check()
        cursor = self._send(f"{self._begins}; {NUMBER}")
        while cursor.nextset():
            pass
        if cursor.fetchall() != [(self._fence.number,)]:
            self._fence.lose()
            raise LockLost

    def _end(self, *, commits: bool) -> None:
        changed = commits and self._changes != self._changes_before
        if not changed:
            self._send("commit" if commits else "rollback")
            return
        try:
            self._send(f"{COUNT_COMMIT}; commit")
        except psycopg.OperationalError as error:
            if self.is_lost:
                raise CommitInDoubt(str(error)) from error
            raise
        self._own_commits += 1

    def _send(self, statements: str) -> "psycopg.Cursor[Any]":
        """Run one or more statements without parameters, in one exchange."""
        return self.driver.execute(statements.encode(), prepare=False)


# --- rows ------------------------------------------------------------------------------------------------------------


class NamedRow(tuple[Any, ...]):
    """A row whose values have positions and names. Each shape of a result is a class of its own."""

    __slots__ = ()
    places: Mapping[str, int] = {}

    def __getitem__(self, place: Any) -> Any:
        return super().__getitem__(self.places[place] if isinstance(place, str) else place)

    def keys(self) -> list[str]:
        """Return the names, by position."""
        return list(self.places)


_SHAPES: dict[tuple[str, ...], type[NamedRow]] = {}


def named_rows(cursor: "psycopg.Cursor[Any]") -> type[NamedRow]:
    """Return what makes a row of a result: psycopg's row factory."""
    names = tuple(column.name for column in cursor.description or ())
    shape = _SHAPES.get(names)
    if shape is None:
        places = {name: place for place, name in enumerate(names)}
        shape = _SHAPES[names] = cast(
            "type[NamedRow]", type("NamedRow", (NamedRow,), {"__slots__": (), "places": places})
        )
    return shape


# --- values ----------------------------------------------------------------------------------------------------------
# A text and a truth value go without a type: PostgreSQL takes them as what the statement needs, as SQLite does.


class _WholeNumberDumper(Dumper):
    # Without a type, a time beside a small number would be one of 32 bits.
    oid = adapters.types["int8"].oid

    def dump(self, obj: int) -> bytes:
        return b"%d" % obj

    def quote(self, obj: int) -> bytes:
        return b"%d" % obj


class _TruthDumper(Dumper):
    oid = 0

    def dump(self, obj: bool) -> bytes:
        return b"%d" % obj


class _TextDumper(Dumper):
    oid = 0

    def dump(self, obj: str) -> bytes:
        # PostgreSQL can't store the character zero.
        return obj.replace("\0", "").encode()


class _TruthLoader(Loader):
    """SQLite has numbers for truth values."""

    def load(self, data: Any) -> int:
        return int(bytes(data) == b"t")


class _SumLoader(Loader):
    """A sum of whole numbers."""

    def load(self, data: Any) -> int | float:
        text = bytes(data)
        return float(text) if b"." in text or b"N" in text else int(text)


def adapt(driver: Driver) -> None:
    """Let a connection take and give the values that SQLite's driver takes and gives."""
    own = driver.adapters
    own.register_dumper(int, _WholeNumberDumper)
    own.register_dumper(bool, _TruthDumper)
    own.register_dumper(str, _TextDumper)
    own.register_loader("bool", _TruthLoader)
    own.register_loader("numeric", _SumLoader)
    driver.row_factory = named_rows
