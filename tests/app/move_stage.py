"""A store with rows in every table and every column, in a file or in PostgreSQL, and a look at all of its content."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from plexsync.rules.match.moves import MOVE, MOVED
from plexsync.rules.queue.job import Why
from plexsync.rules.queue.machine import Machine
from plexsync.store.connection import Connection
from plexsync.store.files.address import StoreAddress
from plexsync.store.files.moving import tables
from plexsync.store.opening import backend_at, open_database

ROWS = 3
MACHINE = Machine("here", 1, "1", "a" * 16, {})
# Columns whose values other rows decide, and those with one possible value.
REFERS = {("attempt", "kind"): "job", ("attempt", "id"): "job", ("part", "item"): "item"}
TEXTS = ("a text", "Ünïcode ✓ 👩‍👧", '\'quoted; "text"\nof two lines')
BLOBS = (b"\x00\xff\x00", b"{}", b"")


def column_types() -> dict[str, dict[str, str]]:
    """The declared type of each column, by table."""
    from plexsync.store import schema

    with schema.model() as db:
        return {
            table.name: {name: kind for _, name, kind, *_ in db.execute(f"pragma table_info({table.name})")}
            for table in tables()
        }


@contextmanager
def connected(address: StoreAddress) -> Iterator[Connection]:
    """A connection of its own to a store."""
    with closing(backend_at(address).connect()) as db:
        yield db


def fill(address: StoreAddress, rows: int = ROWS) -> dict[str, list[str]]:
    """Make a store, put rows into every table, and return its content. A worker finds nothing wrong with it."""
    with closing(open_database(address)) as store, store.writing() as tx:
        tx.notes.save("salt", "a salt of its own")
        for number in range(rows):
            tx.jobs.want("scene", number + 1, Why.EDIT, 1_700_000_000_000 + number)
    kinds = column_types()
    with connected(address) as db:
        db.begin(writes=True)
        for table in (table for table in tables() if table.name not in ("job", "book")):
            count = 1 if "one" in table.columns else rows
            for number in range(count):
                db.execute(
                    table.insert,
                    {name: value_for(table.name, name, kinds[table.name][name], number) for name in table.columns},
                )
        db.execute("update book set scans = 7, turns = 8")
        db.commit()
    return content(address)


def value_for(table: str, column: str, kind: str, number: int) -> object:
    """The value of a column in the row of this number; different ones for different rows."""
    if column == "one":
        return 1
    if column == "kind":
        return "scene"
    if (table, column) == ("part", "item"):
        return f"{TEXTS[number % 3]}{number}"
    if kind == "INTEGER" or (table == "breaker" and column in ("failures", "successes", "trips", "generation")):
        return number + 1 if column != "at" else 1_700_000_000_000 + number
    if table == "breaker" and column in ("opened_at", "wait", "probe_started"):
        return (None, 2.0, 0.125)[number % 3] if column != "wait" else number + 0.1
    if kind == "BLOB":
        return BLOBS[number % 3]
    return f"{TEXTS[number % 3]}{number}"


def content(address: StoreAddress) -> dict[str, list[str]]:
    """Every row of every table as text, apart from the notes about moves."""
    with connected(address) as db:
        rows = {table.name: [tuple(row) for row in db.rows(table.read)] for table in tables()}
    rows["note"] = [row for row in rows["note"] if row[0] not in (MOVE, MOVED)]
    return {name: sorted(repr(tuple(map(plain, row))) for row in found) for name, found in rows.items()}


def plain(value: object) -> object:
    """The same value from both drivers."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def files_in(folder: Path) -> list[str]:
    """What is in a data folder, apart from the lock and the name of the installation."""
    return sorted(path.name for path in folder.iterdir() if path.name not in ("worker.lock", "installation"))
