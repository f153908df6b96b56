"""Where the store of a test is: a SQLite file in the test's folder, or a schema of a PostgreSQL server.

`place_of(folder)` is the place that belongs to a folder, in every process of a run, whichever database that run is about:
`STORE_OF_TESTS` holds the address of a database on a server of tests, and is empty for SQLite. A place looks at the
store by connections of its own, as another program would.
"""

import hashlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from plexsync.store.database import Database
from plexsync.store.db import MOUNTS
from plexsync.store.files import backup
from plexsync.store.files.address import StoreAddress
from plexsync.store.files.files import SIDES
from plexsync.store.intake import DATABASE
from plexsync.store.sqlite import SqliteFile
from tests.patience import HANG

VARIABLE = "STORE_OF_TESTS"
# Tables that hold nothing of the store's content.
OF_THE_SERVER = ("commit_count", "worker", "standby", "origin")
OF_POSTGRES = ("schema_version", *OF_THE_SERVER)


class StorePlace(Protocol):
    """One store of a test. `folder` is the data folder that belongs to it."""

    folder: Path
    address: StoreAddress

    def open(self, *, worker: bool = False, mounts: Path = MOUNTS, kind: type[Database] = Database) -> Database:
        """Open the store as the product does; `kind` is the class to be made."""

    def exists(self) -> bool:
        """Whether there is a store, with its tables."""

    def rows(self, sql: str, *values: object) -> list[tuple]:
        """The rows of a query, its parameters as question marks."""

    def change(self, sql: str) -> None:
        """Run one statement that changes something."""

    def is_locked(self) -> bool:
        """Whether somebody is within a write transaction."""

    def wipe(self) -> None:
        """Remove the store and its folder."""

    def save(self, target: Path) -> None:
        """Make a copy, as a person would; the store may be in use."""

    def remove(self) -> None:
        """Remove the store, and nothing else of its folder; nobody uses it."""

    def put_back(self, copy: Path) -> None:
        """Put a copy in the place of the store, as a person would by hand; nobody uses it."""

    def settings(self) -> dict[str, str]:
        """The settings that name this store."""


def place_of(folder: Path) -> StorePlace:
    """The place of the store whose data folder this is."""
    url = os.environ.get(VARIABLE, "")
    return PostgresPlace(folder, url) if url else SqlitePlace(folder)


def is_postgres() -> bool:
    """Whether the stores of this run are in PostgreSQL."""
    return bool(os.environ.get(VARIABLE))


def environ_of(place: StorePlace) -> dict[str, str]:
    """The environment that tells a program of the product about this store."""
    return {f"PLEXSYNC_{name.upper()}": value for name, value in place.settings().items()}


class SqlitePlace:
    """A SQLite file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / DATABASE
        self.address = StoreAddress(folder)

    def open(self, *, worker: bool = False, mounts: Path = MOUNTS, kind: type[Database] = Database) -> Database:
        return kind.on(SqliteFile(self.path, worker=worker, mounts=mounts))

    def exists(self) -> bool:
        return self.path.exists() and bool(self.rows("select 1 from sqlite_master where name = 'job'"))

    def rows(self, sql: str, *values: object) -> list[tuple]:
        with closing(sqlite3.connect(self.path, timeout=HANG)) as db:
            return db.execute(sql, values).fetchall()

    def change(self, sql: str) -> None:
        with closing(sqlite3.connect(self.path, timeout=HANG)) as db, db:
            db.execute(sql)

    def is_locked(self) -> bool:
        if not self.path.exists():
            return False
        with closing(sqlite3.connect(self.path, timeout=0.05, isolation_level=None)) as db:
            try:
                db.execute("begin immediate")
                db.execute("rollback")
            except sqlite3.OperationalError:
                return True
            return False

    def wipe(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def save(self, target: Path) -> None:
        backup.save(self.path, target)

    def remove(self) -> None:
        self.remove_sides()
        self.path.unlink(missing_ok=True)

    def remove_sides(self) -> None:
        """Remove the log and its index, as whoever copies a file over the database has to."""
        for end in SIDES:
            self.path.with_name(self.path.name + end).unlink(missing_ok=True)

    def put_back(self, copy: Path) -> None:
        self.remove_sides()
        shutil.copyfile(copy, self.path)

    def settings(self) -> dict[str, str]:
        return {}


class PostgresPlace:
    """A schema of a database, whose name comes from that of the folder."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.schema = f"s{hashlib.blake2b(bytes(folder), digest_size=8).hexdigest()}"
        self.address = StoreAddress(folder, url, self.schema)

    def open(self, *, worker: bool = False, mounts: Path = MOUNTS, kind: type[Database] = Database) -> Database:
        from plexsync.store.postgres.backend import PostgresSchema

        # What the product does before it opens a store anywhere.
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return kind.on(PostgresSchema(self.address))

    def exists(self) -> bool:
        return self._ask("select to_regclass(%s) is not null", f"{self.schema}.job") == [(True,)]

    def rows(self, sql: str, *values: object) -> list[tuple]:
        return self._ask(sql.replace("%", "%%").replace("?", "%s"), *values)

    def change(self, sql: str) -> None:
        # As everyone's commit, it is counted.
        self._ask(f"update commit_count set commits = commits + 1; {sql}")

    def content(self) -> Iterator[bytes]:
        """All that is stored, and what its clients run now, to be searched for secrets."""
        for table, rows in self.dump().items():
            yield f"{table} {rows}".encode("utf-8", "replace")
        yield str(self._ask("select query, application_name from pg_stat_activity")).encode()

    def dump(self, *, but: tuple[str, ...] = ()) -> dict[str, list[tuple]]:
        """All rows of all tables, apart from these columns."""
        sql = "select table_name, column_name from information_schema.columns where table_schema = %s order by 1, 2"
        columns: dict[str, list[str]] = {}
        views = {name for (name,) in self._ask("select viewname from pg_views where schemaname = %s", self.schema)}
        for table, column in self._ask(sql, self.schema):
            if table not in OF_POSTGRES and table not in views and column not in but:
                columns.setdefault(table, []).append(column)
        found = {name: settled(self._ask(f"select {', '.join(one)} from {name}")) for name, one in columns.items()}
        version = self._ask("select version from schema_version") if columns else [(0,)]
        return {"schema": version, **found}

    def is_locked(self) -> bool:
        from plexsync.store.postgres.worker_lock import WRITER_CLASS

        # A migration has a lock of its own, of one number.
        lock = "locktype = 'advisory' and granted and (classid = %s or objsubid = 1)"
        sql = f"select 1 from pg_locks where {lock} and database ="
        return bool(self._ask(f"{sql} (select oid from pg_database where datname = current_database())", WRITER_CLASS))

    def wipe(self) -> None:
        self.remove()
        shutil.rmtree(self.folder, ignore_errors=True)

    def save(self, target: Path) -> None:
        target.touch(mode=0o600)
        run_client("pg_dump", self.url, "--schema", self.schema, "--file", str(target), "--no-sync")

    def remove(self) -> None:
        self._ask(f"drop schema if exists {self.schema} cascade")

    def put_back(self, copy: Path) -> None:
        self.remove()
        run_client("psql", self.url, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-1", "-f", str(copy))

    def take_content_of(self, other: "PostgresPlace") -> None:
        """Hold the same rows as another place with the same tables, and give the same numbers to new ones."""
        made = "select relname from pg_class where relnamespace = %s::regnamespace and relkind = %s order by 1"
        tables = [name for (name,) in self._ask(made, other.schema, "r")]
        # In any order, and without what a trigger would count.
        statements = ["set local session_replication_role = replica", f"truncate {', '.join(tables)}"]
        statements += [
            f"insert into {name} overriding system value select * from {other.schema}.{name}" for name in tables
        ]
        for (name,) in self._ask(made, other.schema, "S"):
            statements.append(f"select setval('{name}', last_value, is_called) from {other.schema}.{name}")
        self._ask("; ".join(statements))

    def settings(self) -> dict[str, str]:
        return {"database_url": self.url, "database_schema": self.schema}

    def is_used(self) -> bool:
        """Whether the product has a connection to this database."""
        sql = "select 1 from pg_stat_activity where datname = current_database() and application_name = 'plexsync'"
        return bool(self._ask(sql))

    def end_connections(self) -> int:
        """End the connections of the product, as a restart or a network does; returns how many there were."""
        sql = "select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity where datname = current_database()"
        ((ended,),) = self._ask(f"{sql} and application_name = 'plexsync'")
        return int(ended)

    def _ask(self, sql: str, *values: object) -> list[tuple]:
        db = watcher(self.url)
        try:
            return self._asked(db, sql, values)
        except db.OperationalError:
            # The server was ended in between.
            db.close()
            return self._asked(watcher(self.url), sql, values)

    def _asked(self, db: Any, sql: str, values: tuple[object, ...]) -> list[tuple]:
        if LOOKS_IN.get(id(db)) != self.schema:
            db.execute(f"set search_path to {self.schema}")
            LOOKS_IN[id(db)] = self.schema
        cursor = db.execute(sql, values) if values else db.execute(sql.replace("%%", "%"))
        return cursor.fetchall() if cursor.description else []


WATCHERS: dict[tuple[int, str], Any] = {}
# The schema in which such a connection looks, by its identity.
LOOKS_IN: dict[int, str] = {}


def watcher(url: str) -> Any:
    """The connection of this process that looks at its stores; another one after a fault, or in a child."""
    import psycopg

    key = (os.getpid(), url)
    db = WATCHERS.get(key)
    if db is None or db.closed:
        db = WATCHERS[key] = psycopg.connect(url, autocommit=True)
        LOOKS_IN.pop(id(db), None)
    return db


def run_client(name: str, url: str, *words: str) -> None:
    """Run a program of PostgreSQL's own on a database. Raises RuntimeError if it fails."""
    done = subprocess.run([name, "-d", url, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr.strip()[-1000:]}")


def settled(rows: list[tuple]) -> list[tuple]:
    """Rows in an order of their own, and without the times at which edits arrived."""
    return sorted([tuple(row[:1] if str(row[0]).startswith("edit:") else row) for row in rows], key=repr)
