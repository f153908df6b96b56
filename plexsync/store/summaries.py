"""The summary of a store, on the connection of a transaction: for both databases the same statements.

`plexsync.store.summary` is written for Python's `sqlite3`, which it opens by itself for a shell that waits. Here it
gets as much of that as it uses.
"""

from collections.abc import Iterator

from plexsync.store.connection import Connection, Row, Values
from plexsync.store.summary import Summary


class _Result:
    """The rows of a query, as a cursor gives them."""

    def __init__(self, rows: list[Row]) -> None:
        self._rows = rows

    @property
    def description(self) -> list[tuple[str]]:
        """The names of the columns; none if there is no row."""
        return [(name,) for name in self._rows[0].keys()] if self._rows else []  # noqa: SIM118 - a row is no mapping

    def fetchone(self) -> Row:
        """Return the first row; None if there is none."""
        return self._rows[0] if self._rows else None

    def fetchall(self) -> list[Row]:
        """Return all rows."""
        return self._rows

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)


class _Queries:
    """The method of a connection that a summary uses."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def execute(self, sql: str, values: Values = (), /) -> _Result:
        """Run a query."""
        return _Result(self._db.rows(sql, values))


def summary_on(db: Connection, now: int) -> Summary:
    """Return a summary of the snapshot that this connection has open. Raises the driver's errors."""
    return Summary(_Queries(db), now)
