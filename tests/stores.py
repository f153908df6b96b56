"""Which database the stores of this run are in: SQLite's files, or PostgreSQL with `pytest --store=postgres`.

There, whatever opens the file of a data folder opens a schema instead, which belongs to this folder while the test runs.
All schemas are in one database of this process, on the server of this run. A schema is emptied and used again, since
making one takes a hundred times as long. What a test looks at or changes behind the store's back goes through `look`.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plexsync.store import database
from plexsync.store.files.address import StoreAddress
from tests import postgres_server

KINDS = ("sqlite", "postgres")
# A database's content at the beginning, besides empty tables.
BEGINNING = "insert into book (one) values (1)"
NOT_CONTENT = ("schema_version", "commit_count")


@dataclass
class Schemas:
    """The schemas of this process: those that folders of this test have, and those that are free."""

    url: str
    name: str
    taken: dict[Path, str] = field(default_factory=dict)
    free: list[str] = field(default_factory=list)
    kept: set[Path] = field(default_factory=set)
    made: int = 0

    def of(self, folder: Path) -> StoreAddress:
        folder = folder.resolve()
        if folder not in self.taken:
            self.taken[folder] = self._emptied(self.free.pop()) if self.free else self._another()
        return StoreAddress(folder, self.url, self.taken[folder])

    def release(self) -> None:
        """The test is over."""
        self.free += [schema for folder, schema in self.taken.items() if folder not in self.kept]
        self.taken = {folder: self.taken[folder] for folder in self.kept}

    def _another(self) -> str:
        self.made += 1
        return f"store_{self.made}"

    def _emptied(self, schema: str) -> str:
        """The same schema without content; it may not even be there, if no store was opened in it."""
        from psycopg import errors

        with suppress(errors.UndefinedTable), connected(StoreAddress(Path("/"), self.url, schema)) as db:
            tables = db.execute("select relname, oid from pg_class where relnamespace = current_schema()::regnamespace"
                                " and relkind = 'r'").fetchall()  # fmt: skip
            numbers = db.execute("select relname from pg_class where relnamespace = current_schema()::regnamespace"
                                 " and relkind = 'S'").fetchall()  # fmt: skip
            statements = ["set session_replication_role = replica"]
            statements += [f"delete from {table}" for table, _ in tables if table not in NOT_CONTENT]
            statements += [f"alter sequence {number} restart" for (number,) in numbers]
            db.execute("; ".join([*statements, BEGINNING]).encode(), prepare=False)
        return schema


SCHEMAS: list[Schemas] = []


def on_postgres() -> bool:
    """Whether this run is on PostgreSQL."""
    return bool(SCHEMAS)


def use_postgres() -> None:
    """Let all stores of this process be on PostgreSQL. Raises RuntimeError if no server can be started."""
    server = postgres_server.shared()
    name = server.new_database()
    SCHEMAS.append(Schemas(server.url(name), name))
    database.SqliteFile = instead_of_a_file  # type: ignore[misc, assignment]


def instead_of_a_file(path: Path, **_of_files: object) -> object:
    """What the store has instead of the file at `path`."""
    from plexsync.store.postgres.backend import PostgresSchema

    return PostgresSchema(SCHEMAS[0].of(path.parent))


def release() -> None:
    """The test is over: its schemas are free."""
    for schemas in SCHEMAS:
        schemas.release()


def keep(folder: Path) -> None:
    """Keep what is in the store of a folder, which belongs to more than one test."""
    for schemas in SCHEMAS:
        schemas.kept.add(folder.resolve())


def address_of(folder: Path) -> StoreAddress:
    """Where the store of a data folder is in this run."""
    return SCHEMAS[0].of(folder) if SCHEMAS else StoreAddress(folder)


@contextmanager
def look(folder: Path) -> Iterator[Any]:
    """A connection beside the store of a folder: `execute(sql, values)` gives a cursor; each statement commits itself.

    It takes SQLite's statements, with named values or, for `?`, a list of them.
    """
    if not SCHEMAS:
        db = sqlite3.connect(folder / "plexsync.db", timeout=10, isolation_level=None)
        try:
            yield db
        finally:
            db.close()
        return
    with connected(address_of(folder)) as driver:
        yield Looking(driver)


class Looking:
    """A connection of psycopg that takes SQLite's statements."""

    def __init__(self, driver: Any) -> None:
        from plexsync.store.postgres.connection import PostgresConnection

        self._db = PostgresConnection(driver, "begin")

    def execute(self, sql: str, values: Any = ()) -> Any:
        return self._db.cursor(*named(sql, values))

    def executemany(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        self._db.execute_many(named(sql, rows[0])[0], [named(sql, row)[1] for row in rows])


def named(sql: str, values: Any) -> tuple[str, dict[str, object]]:
    """A statement whose `?` have names, and the values under these."""
    if isinstance(values, dict):
        return sql, values
    first, *pieces = sql.split("?")
    names = [f"value_{chr(ord('a') + place)}" for place in range(len(pieces))]
    named = first + "".join(f":{name}{piece}" for name, piece in zip(names, pieces, strict=True))
    return named, dict(zip(names, values, strict=True))


@contextmanager
def connected(address: StoreAddress) -> Iterator[Any]:
    """A connection of psycopg to the schema of an address."""
    from plexsync.store.postgres.backend import connect
    from plexsync.store.postgres.connection import adapt

    driver = connect(address)
    try:
        adapt(driver)
        yield driver
    finally:
        driver.close()
