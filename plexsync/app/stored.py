"""The store of a configuration, opened: all that a command needs that asks no server, and the base of the parts."""

import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from plexsync.app.version import version
from plexsync.engine.clock import SystemClock
from plexsync.rules.clock import Clock
from plexsync.rules.match.moves import MOVE, MOVED, move_note, moved_note
from plexsync.rules.queue.note_keys import BEGUN, NEWS, SALT, VERSION
from plexsync.rules.servers.errors import LocalFault, Unusable
from plexsync.store.database import Database
from plexsync.store.files.address import StoreAddress
from plexsync.store.files.lock import FILE
from plexsync.store.files.worker_locks import FileLocks, Locks, locks_at
from plexsync.store.opening import check_folder, open_database
from validation.config import PlexSyncConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plexsync.store.postgres.worker_lock import WorkerLock
    from plexsync.store.queue.summary import Summary


def address_of(config: PlexSyncConfig, folder: Path) -> StoreAddress:
    """Return the address of the store: the PostgreSQL database that the settings name, else the file in `folder`."""
    return StoreAddress(folder, config.database_url, config.database_schema)


@dataclass(eq=False)
class Stored:
    """The store, the clock that everything in it goes by, and this machine's data folder."""

    store: Database
    clock: Clock
    config: PlexSyncConfig
    folder: Path
    locks: Locks

    @property
    def address(self) -> StoreAddress:
        """Where the store is."""
        return address_of(self.config, self.folder)

    def someone_works(self) -> bool:
        """Whether a worker is running on this database."""
        return self.locks.is_locked(FILE)

    def summary(self) -> "Summary":
        """Return a summary of the database, read in one snapshot; raises LocalFault."""
        # Most commands need none of the code for the file.
        from plexsync.app.database_files import summary_at

        return summary_at(self.store, self.address, self.clock.now())


@contextmanager
def open_store(config: PlexSyncConfig, folder: Path) -> Iterator[Stored]:
    """Open the store of these settings, without the parts that work on it; closes it at the end.

    `folder` is this machine's data folder.
    """
    address = address_of(config, folder)
    with closing(locks_at(address)) as locks, closing(open_database(address)) as store:
        check_settled(store, address)
        if address.is_postgres:
            # What is written from here on would keep a file from being moved there.
            check_folder(address)
        yield Stored(store, clock_of(locks, None), config, folder, locks)


def clock_of(locks: Locks, fence: "WorkerLock | None") -> Clock:
    """Return the clock that everything stored goes by: the database's if several machines use it, else the machine's.

    The heartbeats of a `fence` set it. Raises LocalFault.
    """
    if isinstance(locks, FileLocks):
        return SystemClock()
    from plexsync.store.postgres.clock import DatabaseClock

    clock = DatabaseClock(locks.time)
    if fence is not None:
        fence.heard = clock.learn
    return clock


def check_settled(store: Database, address: StoreAddress) -> None:
    """Raise Unusable if the content of a database in PostgreSQL has moved away, or has not completely arrived."""
    if not address.is_postgres:
        return
    with store.reading() as db:
        moved, move = moved_note(db.notes.text(MOVED)), move_note(db.notes.text(MOVE))
    if moved is not None:
        raise Unusable(f"{address.name} has moved to {moved.place}: change database_url as plexsync move said")
    if move is not None:
        raise Unusable(f"a move to {address.name} has not finished: run plexsync move again on {move.host}")


def salt_of(store: Database) -> str:
    """Return the random salt of this database; creates it on first use."""
    with store.reading() as db:
        salt = db.notes.text(SALT)
    if not salt:
        salt = secrets.token_hex(16)
        try:
            with store.writing() as tx:
                tx.notes.save(SALT, salt)
                tx.notes.save(BEGUN, str(SystemClock().now()))
                tx.notes.save(VERSION, version())
        except LocalFault:
            pass
    return salt


def end_news(store: Database) -> None:
    """What is new for you was shown. Ignores a database that can't be written."""
    with suppress(LocalFault, Unusable), store.writing() as tx:
        tx.notes.save(NEWS, "")
