"""The connection that every statement of a table goes through.

Tables know no driver: they hand in SQL with named parameters, and get rows whose values have names and positions, or the
number of rows that a statement has touched. What a transaction costs is counted, in statements.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

# A row of a result: its values have positions and names.
Row = Any
Values = Mapping[str, Any] | Sequence[Any]


class Connection:
    """One connection to SQLite, for the tables of one transaction at a time.

    `statements` is how many statements were sent since it was opened, those that begin and end transactions as well;
    `transactions` how many were begun. One call of `execute_many` counts once: it is one exchange with the database,
    whatever the number of rows.
    """

    def __init__(self, driver: sqlite3.Connection) -> None:
        self.driver = driver
        self.statements = 0
        self.transactions = 0
        # What was read in this transaction and can't change in it but by ourselves; None while none was begun here.
        self._read: dict[str, list[Row]] | None = None

    @property
    def total_changes(self) -> int:
        """How many rows were written since it was opened."""
        return self.driver.total_changes

    def begin(self, sql: str) -> None:
        """Begin a transaction by this statement."""
        self.statements += 1
        self.transactions += 1
        self.driver.execute(sql)
        self._read = {}

    def end(self, sql: str) -> None:
        """Commit it, or roll it back."""
        self._read = None
        self.statements += 1
        self.driver.execute(sql)

    def execute(self, sql: str, values: Values = ()) -> int:
        """Run a statement that writes; returns how many rows it has touched."""
        self.statements += 1
        return self.driver.execute(sql, values).rowcount

    def execute_many(self, sql: str, values: Sequence[Values]) -> int:
        """Run a statement once for each of these values; returns how many rows that touched. No values, no statement."""
        if not values:
            return 0
        self.statements += 1
        return self.driver.executemany(sql, values).rowcount

    def rows(self, sql: str, values: Values = ()) -> list[Row]:
        """Every row that a statement returns."""
        self.statements += 1
        return self.driver.execute(sql, values).fetchall()

    def once(self, sql: str) -> list[Row]:
        """The rows of a statement without parameters, read once a transaction: whoever changes them says so (`forget`)."""
        if self._read is None:
            return self.rows(sql)
        if sql not in self._read:
            self._read[sql] = self.rows(sql)
        return self._read[sql]

    def forget(self, sql: str) -> None:
        """What `once` has read by this statement is not so any more."""
        if self._read is not None:
            self._read.pop(sql, None)

    def stream(self, sql: str, values: Values = ()) -> Iterator[Row]:
        """The rows that a statement returns, read as they are asked for: for a table that is too long for a list."""
        self.statements += 1
        yield from self.driver.execute(sql, values)

    def row(self, sql: str, values: Values = ()) -> Row:
        """The first row that a statement returns, None when there is none."""
        self.statements += 1
        with closing(self.driver.execute(sql, values)) as cursor:
            return cursor.fetchone()

    def value(self, sql: str, values: Values = ()) -> Any:
        """The first value of the row that a statement returns; it must return one."""
        row = self.row(sql, values)
        if row is None:
            raise LookupError("a statement that has to return a row returned none")
        return row[0]


class Table:
    """A table, or a few that belong together, over a connection: the base of every class that holds statements."""

    def __init__(self, db: Connection) -> None:
        self._db = db
