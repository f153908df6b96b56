"""The connection that every statement of a table goes through.

Tables are independent of the driver. They pass SQL with named parameters, and get rows whose values have names and
positions, or the number of affected rows. The connection counts statements, as the cost of a transaction. There is one
for SQLite (`plexsync.store.sqlite`) and one for PostgreSQL (`plexsync.store.postgres`).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, Self, TypeVar

from plexsync.rules.queue.job import Kind
from plexsync.rules.records import LAST_ID

# A row of a result. Its values can be read by position and by name.
Row = Any
Memories = TypeVar("Memories")
# Values that the driver can store.
Values = Mapping[str, object] | Sequence[object]


class Connection(ABC):
    """One connection to the database, for the tables of one transaction at a time.

    `statements` counts the statements sent since it was opened, including those that begin and end transactions;
    `transactions` counts the transactions begun. A call of `execute_many` or `row_of_each` counts once, whatever the
    number of rows: it is one exchange with the database. The methods raise the driver's errors.
    """

    def __init__(self) -> None:
        self.statements = 0
        self.transactions = 0
        # Results read in this transaction. Only this connection can change them meanwhile. None outside of a
        # transaction.
        self._read: dict[str, list[Row]] | None = None

    @property
    @abstractmethod
    def total_changes(self) -> int:
        """The number of rows written since the connection was opened."""

    @property
    @abstractmethod
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""

    @property
    @abstractmethod
    def is_lost(self) -> bool:
        """Whether the connection has ended, as the last statement has found: no statement can be run on it any more."""

    @abstractmethod
    def execute(self, sql: str, values: Values = ()) -> int:
        """Run a statement that writes; returns the number of affected rows."""

    @abstractmethod
    def execute_many(self, sql: str, values: Sequence[Values]) -> int:
        """Run a statement once for each of these values; returns the affected rows. Without values it sends nothing."""

    @abstractmethod
    def rows(self, sql: str, values: Values = ()) -> list[Row]:
        """Return all rows of a query."""

    @abstractmethod
    def row(self, sql: str, values: Values = ()) -> Row:
        """Return the first row of a query; None if there is none."""

    @abstractmethod
    def row_of_each(self, sql: str, values: Sequence[Values]) -> list[Row]:
        """Run a statement that returns rows once for each of these values; returns the first row of each, or None.

        Without values it sends nothing.
        """

    @abstractmethod
    def stream(self, sql: str, values: Values = ()) -> Iterator[Row]:
        """Yield the rows of a query as they are read, for a table that is too long for a list. Within a transaction."""

    @abstractmethod
    def others_commits(self) -> int:
        """Return a counter that changes with each commit of another connection, and not with those of this one."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection; from any thread, and as often as you like."""

    @abstractmethod
    def _begin(self, *, writes: bool) -> None:
        """Begin a transaction: one snapshot, or, if it `writes`, as the only writer."""

    @abstractmethod
    def _end(self, *, commits: bool) -> None:
        """End the transaction: by a commit that is on the disk when this returns, or by a rollback."""

    def begin(self, *, writes: bool = False) -> None:
        """Begin a transaction: one snapshot, or, if it `writes`, as the only writer."""
        self.statements += 1
        self.transactions += 1
        self._begin(writes=writes)
        self._read = {}

    def commit(self) -> None:
        """End the transaction; what it wrote is on the disk when this returns."""
        self._read = None
        self.statements += 1
        self._end(commits=True)

    def roll_back(self) -> None:
        """End the transaction and undo what it wrote."""
        self._read = None
        self.statements += 1
        self._end(commits=False)

    def once(self, sql: str) -> list[Row]:
        """Return the rows of a query without parameters, read once per transaction. Call `forget` after a change to them."""
        if self._read is None:
            return self.rows(sql)
        if sql not in self._read:
            self._read[sql] = self.rows(sql)
        return self._read[sql]

    def forget(self, sql: str) -> None:
        """Discard the cached result of `once` for this query."""
        if self._read is not None:
            self._read.pop(sql, None)

    def value(self, sql: str, values: Values = ()) -> Any:
        """Return the first value of the first row of a query; raises LookupError if there is no row."""
        row = self.row(sql, values)
        if row is None:
            raise LookupError("a statement that has to return a row returned none")
        return row[0]


def decimal(text: str, otherwise: float) -> float:
    """The number in a text; `otherwise` if a damaged page has changed it."""
    try:
        return float(text)
    except (TypeError, ValueError):
        return otherwise


def clean(text: str) -> str:
    """Return the text as SQLite can store it: lone surrogates, which have no encoding, become question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


class Table:
    """Base of all classes that hold statements: a table, or a few that belong together, on a connection."""

    def __init__(self, db: Connection) -> None:
        self._db = db


class ScenesTable(Table, ABC, Generic[Memories]):
    """Base of the read access to what is remembered of scenes; `since` and `until` (UTC ms) leave out other plays."""

    _list: str
    _scenes: str

    def of(self, scenes: Mapping[int, str], *, since: int = 0, until: int = LAST_ID) -> Memories:
        """Return what is remembered of these scenes, given as id and time of creation, not of others that had their ids."""
        rows = self._db.rows(self._list, {"scenes": list(scenes), "since": since, "until": until})
        return self._read(row for row in rows if clean(scenes[row["scene"]]) == row["scene_created_at"])

    def of_ids(self, scenes: Sequence[int], *, since: int = 0, until: int = LAST_ID) -> Memories:
        """Return what is remembered under these ids, whichever scene has them now."""
        return self._read(self._db.rows(self._list, {"scenes": list(scenes), "since": since, "until": until}))

    def scenes(self, *, after: int = 0, limit: int) -> list[int]:
        """Return up to `limit` scenes above `after` of which anything is remembered, by number."""
        return [scene for (scene,) in self._db.rows(self._scenes, {"after": after, "limit": limit})]

    @abstractmethod
    def _read(self, rows: Iterable[Row]) -> Memories: ...


class FlowTable(Table):
    """A table with rows of several flows, on a connection; for one of these flows."""

    def __init__(self, db: Connection, flow: str = Kind.SCENE) -> None:
        super().__init__(db)
        self._flow = str(flow)

    def of_flow(self, flow: str) -> Self:
        """Return the same access to the rows of another flow."""
        return type(self)(self._db, flow)

    def _pair(self, subject: int, key: str) -> dict[str, object]:
        return {"flow": self._flow, "scene": subject, "item": key}
