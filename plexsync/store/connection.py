"""The connection that every statement of a table goes through.

Tables are independent of the driver. They pass SQL with named parameters, and get rows whose values have names and
positions, or the number of affected rows. The connection counts statements, as the cost of a transaction.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

# A row of a result. Its values can be read by position and by name.
Row = Any
# Values that the driver can store.
Values = Mapping[str, object] | Sequence[object]


class Connection:
    """One connection to SQLite, for the tables of one transaction at a time.

    `statements` counts the statements sent since it was opened, including those that begin and end transactions;
    `transactions` counts the transactions begun. A call of `execute_many` counts once, whatever the number of rows: it
    is one exchange with the database.
    """

    def __init__(self, driver: sqlite3.Connection) -> None:
        self.driver = driver
        self.statements = 0
        self.transactions = 0
        # Results read in this transaction. Only this connection can change them meanwhile. None outside of a
        # transaction.
        self._read: dict[str, list[Row]] | None = None

    @property
    def total_changes(self) -> int:
        """The number of rows written since the connection was opened."""
        return self.driver.total_changes

    def begin(self, sql: str) -> None:
        """Begin a transaction with this statement."""
        self.statements += 1
        self.transactions += 1
        self.driver.execute(sql)
        self._read = {}

    def end(self, sql: str) -> None:
        """End the transaction with this statement: a commit or a rollback."""
        self._read = None
        self.statements += 1
        self.driver.execute(sql)

    def execute(self, sql: str, values: Values = ()) -> int:
        """Run a statement that writes; returns the number of affected rows."""
        self.statements += 1
        return self.driver.execute(sql, values).rowcount

    def execute_many(self, sql: str, values: Sequence[Values]) -> int:
        """Run a statement once for each of these values; returns the affected rows. Without values it sends nothing."""
        if not values:
            return 0
        self.statements += 1
        return self.driver.executemany(sql, values).rowcount

    def rows(self, sql: str, values: Values = ()) -> list[Row]:
        """Return all rows of a query."""
        self.statements += 1
        return self.driver.execute(sql, values).fetchall()

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

    def stream(self, sql: str, values: Values = ()) -> Iterator[Row]:
        """Yield the rows of a query as they are read, for a table that is too long for a list."""
        self.statements += 1
        yield from self.driver.execute(sql, values)

    def row(self, sql: str, values: Values = ()) -> Row:
        """Return the first row of a query; None if there is none."""
        self.statements += 1
        with closing(self.driver.execute(sql, values)) as cursor:
            return cursor.fetchone()

    def value(self, sql: str, values: Values = ()) -> Any:
        """Return the first value of the first row of a query; raises LookupError if there is no row."""
        row = self.row(sql, values)
        if row is None:
            raise LookupError("a statement that has to return a row returned none")
        return row[0]


class Table:
    """Base of all classes that hold statements: a table, or a few that belong together, on a connection."""

    def __init__(self, db: Connection) -> None:
        self._db = db
