"""SQLite below the tables: the connection, and what the store's file needs besides its statements."""

import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from plexsync.rules.servers.errors import SyncError
from plexsync.store.connection import Connection, Row, Values
from plexsync.store.db import BUSY_SECONDS, MOUNTS, connect, translate_error
from plexsync.store.files.address import StoreAddress

# A log above this many bytes is truncated, if its readers finish within the milliseconds of WAIT_BRIEFLY.
LONG_LOG = 6 * 2**20
# Otherwise it may grow by this much before the next try.
LONGER = 2**20
# Reading the length of a file that was just synced can cost as much as the sync. So it is read once per this many
# changed rows, or this many seconds, in which others may have written.
WEIGHED_EVERY = 200
WEIGHED_AFTER = 0.1
WAIT_BRIEFLY = "pragma busy_timeout = 250"
BUSY = round(BUSY_SECONDS * 1000)
WAIT_AS_USUAL = f"pragma busy_timeout = {BUSY}"

# A list is a parameter that a statement reads with `json_each`.
sqlite3.register_adapter(list, json.dumps)


class SqliteConnection(Connection):
    """One connection to a SQLite file; `driver` has `sqlite3.Row` as its rows, and begins no transaction by itself."""

    def __init__(self, driver: sqlite3.Connection) -> None:
        super().__init__()
        self.driver = driver

    @property
    def total_changes(self) -> int:
        return self.driver.total_changes

    @property
    def in_transaction(self) -> bool:
        return self.driver.in_transaction

    @property
    def is_lost(self) -> bool:
        return False

    def execute(self, sql: str, values: Values = ()) -> int:
        self.statements += 1
        return self.driver.execute(sql, values).rowcount

    def execute_many(self, sql: str, values: Sequence[Values]) -> int:
        if not values:
            return 0
        self.statements += 1
        return self.driver.executemany(sql, values).rowcount

    def rows(self, sql: str, values: Values = ()) -> list[Row]:
        self.statements += 1
        return self.driver.execute(sql, values).fetchall()

    def row(self, sql: str, values: Values = ()) -> Row:
        self.statements += 1
        with closing(self.driver.execute(sql, values)) as cursor:
            return cursor.fetchone()

    def row_of_each(self, sql: str, values: Sequence[Values]) -> list[Row]:
        self.statements += bool(values)
        with closing(self.driver.cursor()) as cursor:
            return [cursor.execute(sql, each).fetchone() for each in values]

    def stream(self, sql: str, values: Values = ()) -> Iterator[Row]:
        self.statements += 1
        yield from self.driver.execute(sql, values)

    def others_commits(self) -> int:
        self.statements += 1
        return int(self.driver.execute("pragma data_version").fetchone()[0])

    def close(self) -> None:
        self.driver.close()

    def _begin(self, *, writes: bool) -> None:
        self.driver.execute("begin immediate" if writes else "begin")

    def _end(self, *, commits: bool) -> None:
        self.driver.execute("commit" if commits else "rollback")


class SqliteFile:
    """The store's file at `path`, created if missing.

    With `worker`, this process holds the worker's lock: the connection of the thread that made this object checkpoints
    the log. Every commit is written to `log`. `mounts` is the system's table of mounted file systems.
    """

    errors = (sqlite3.Error,)

    def __init__(self, path: Path, *, worker: bool = False, mounts: Path = MOUNTS) -> None:
        self.path = path
        self.name = path.name
        self.folder = path.parent
        self.address = StoreAddress(path.parent)
        self.log = path.with_name(f"{path.name}-wal")
        self._mounts = mounts
        self._keeper = threading.current_thread() if worker else None
        self._long_log = LONG_LOG
        self._weighed = 0
        self._weighed_at = 0.0

    def connect(self) -> SqliteConnection:
        """Return another connection, for the current thread."""
        keeps = threading.current_thread() is self._keeper
        return SqliteConnection(connect(self.path, checkpoints=keeps, mounts=self._mounts))

    def translate(self, error: Exception) -> SyncError:
        """Return the PlexSync error for one of `errors`."""
        return translate_error(error, self.path)

    def after_commit(self, connection: Connection) -> bool:
        """Truncate a log that has grown long, which happens while there is always a reader or a writer.

        Returns False if the connection can't be used any more.
        """
        if self._keeper is not threading.current_thread() or not isinstance(connection, SqliteConnection):
            return True
        changes = connection.total_changes
        now = time.monotonic()
        if 0 <= changes - self._weighed < WEIGHED_EVERY and now - self._weighed_at < WEIGHED_AFTER:
            return True
        self._weighed, self._weighed_at = changes, now
        try:
            size = self.log.stat().st_size
        except OSError:
            return True
        return size <= self._long_log or self._truncate_log(connection.driver, size)

    def _truncate_log(self, driver: sqlite3.Connection, size: int) -> bool:
        shortened, usable = False, True
        try:
            driver.execute(WAIT_BRIEFLY)
            # Pages copied now, while others may write, need not be copied while no one can.
            driver.execute("pragma wal_checkpoint(passive)").fetchall()
            ((busy, *_),) = driver.execute("pragma wal_checkpoint(truncate)").fetchall()
            driver.execute(WAIT_AS_USUAL)
            shortened = not busy
        except sqlite3.Error:
            # The commit stands. The next transaction meets the fault, such as a full disk.
            usable = False
        # While a reader blocks the truncation, not every commit should wait for it.
        self._long_log = LONG_LOG if shortened else size + LONGER
        return usable
