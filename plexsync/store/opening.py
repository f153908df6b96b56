"""Opening the store at an address, whichever database it is in."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from plexsync import extras
from plexsync.rules.servers.errors import Unusable
from plexsync.store import intake
from plexsync.store.database import Backend, Database, Writer
from plexsync.store.files.address import StoreAddress, moved_name
from plexsync.store.sqlite import SqliteFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plexsync.store.postgres.worker_lock import WorkerLock


def open_database(address: StoreAddress, *, worker: bool = False, fence: "WorkerLock | None" = None) -> Database:
    """Open the store at `address`, created if missing; `worker`: this process holds the worker's lock.

    `fence` is that lock if it can be lost, as with PostgreSQL: then each transaction that writes raises LockLost.
    Raises NewerDatabase, Unusable if you have to fix something, and LocalFault for what may pass.
    """
    if not address.is_postgres:
        _check_kept(address)
    return Database.on(backend_at(address, worker=worker, fence=fence))


class _TakenBack(Exception):
    """Ends a transaction of which nothing may stay."""


class UnwrittenDatabase(Database):
    """A store for what is only tried: it reads like any other, and nothing of a transaction that writes stays."""

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """Yield one write transaction, which is rolled back when the block succeeds."""
        with suppress(_TakenBack), super().writing() as tx:
            yield tx
            raise _TakenBack


def backend_at(address: StoreAddress, *, worker: bool = False, fence: "WorkerLock | None" = None) -> Backend:
    """Return what opens connections to the store at `address`, see `open_database`. Opens none yet."""
    if address.is_postgres:
        check_driver(address)
        # The driver takes a while to import.
        from plexsync.store.postgres.backend import PostgresSchema

        return PostgresSchema(address, fence=fence)
    return SqliteFile(address.path, worker=worker)


def _check_kept(address: StoreAddress) -> None:
    """Raise Unusable where an empty file would be made in place of one that `plexsync move` has set aside."""
    if os.path.lexists(address.path):
        return
    try:
        moved = sorted(address.folder.glob(moved_name("*")))
    except OSError:
        # Opening the file tells what is wrong.
        return
    if moved:
        raise Unusable(
            f"the database has moved away, {moved[-1]} is its copy: set database_url as plexsync move said, or give that"
            " copy another name to begin anew"
        )


def check_driver(address: StoreAddress) -> None:
    """Raise Unusable if the driver of PostgreSQL is not installed."""
    if not extras.is_installed("postgres"):
        raise Unusable(f"a package for {address.name} is missing: {extras.advice('postgres')}")


def check_folder(address: StoreAddress) -> None:
    """Make the data folder. Raises Unusable if that fails, or if a database file is there beside a PostgreSQL database.

    The file may have what PostgreSQL lacks, and hooks write to it.
    """
    try:
        intake.make_folder(str(address.folder))
    except OSError as error:
        raise Unusable(f"{address.folder} can't be used: {error.strerror}") from error
    if address.is_postgres and os.path.lexists(address.path):
        raise Unusable(
            f"{address.path} is there, and database_url names {address.name}: run plexsync move to take it over,"
            " or rename it to begin anew"
        )
