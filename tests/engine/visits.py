"""Counts what statements visit: the steps of SQLite's virtual machine, by statement, free of the machine's load."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from plexsync.store.connection import Row, Values
from plexsync.store.sqlite import SqliteConnection, SqliteFile

# Steps between two calls of the handler that counts. What is left over is counted with the next run of the statement.
EVERY = 20


class Visits:
    """The steps of each statement while a block of `counted` is open."""

    def __init__(self) -> None:
        self.steps: Counter[str] = Counter()
        self._open = False

    @contextmanager
    def counted(self) -> Iterator[Counter[str]]:
        """Count anew in this block."""
        self.steps.clear()
        self._open = True
        try:
            yield self.steps
        finally:
            self._open = False

    def add(self, sql: str) -> None:
        if self._open:
            self.steps[sql] += EVERY

    def file(self, *args: object, **more: object) -> "CountedFile":
        """What the store has instead of its `SqliteFile`."""
        file = CountedFile(*args, **more)
        file.visits = self
        return file


class CountedFile(SqliteFile):
    visits: Visits

    def connect(self) -> "CountedConnection":
        return CountedConnection(super().connect(), self.visits)


class CountedConnection(SqliteConnection):
    """A connection that knows which statement it runs, that of a trigger included."""

    def __init__(self, connection: SqliteConnection, visits: Visits) -> None:
        super().__init__(connection.driver)
        self._visits = visits
        self._sql = ""
        self.driver.set_progress_handler(self._count, EVERY)

    def _count(self) -> None:
        self._visits.add(self._sql)

    def execute(self, sql: str, values: Values = ()) -> int:
        self._sql = sql
        return super().execute(sql, values)

    def execute_many(self, sql: str, values: Sequence[Values]) -> int:
        self._sql = sql
        return super().execute_many(sql, values)

    def rows(self, sql: str, values: Values = ()) -> list[Row]:
        self._sql = sql
        return super().rows(sql, values)

    def row(self, sql: str, values: Values = ()) -> Row:
        self._sql = sql
        return super().row(sql, values)

    def row_of_each(self, sql: str, values: Sequence[Values]) -> list[Row]:
        self._sql = sql
        return super().row_of_each(sql, values)

    def stream(self, sql: str, values: Values = ()) -> Iterator[Row]:
        for row in super().stream(sql, values):
            self._sql = sql
            yield row
