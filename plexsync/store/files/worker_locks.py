"""The locks of a store, whichever database it is in: who works on it, and who imports.

With SQLite they are locks of files in the data folder, for the processes of one machine. With PostgreSQL they are locks
of the database, for all machines.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from plexsync.rules.records import StandbyRow, WorkerRow
from plexsync.store.files import lock
from plexsync.store.files.address import StoreAddress
from plexsync.store.opening import check_driver

if TYPE_CHECKING:
    from plexsync.rules.queue.machine import Machine
    from plexsync.store.postgres.locks import SharedLocks


class FileLocks:
    """The locks of a SQLite file, by files beside it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def try_worker(self, _machine: "Machine", _agrees: Callable[[WorkerRow], bool]) -> lock.Lock | None:
        """Take the worker's lock; None while another process holds it."""
        return lock.try_lock(self._folder)

    def try_lock(self, file: str) -> lock.Lock | None:
        """Take another lock; None while another process holds it."""
        return lock.try_lock(self._folder, file)

    def is_locked(self, file: str = lock.FILE) -> bool:
        """Whether any process holds the worker's lock, or another one."""
        return lock.is_locked(self._folder, file)

    def worker_since(self) -> int | None:
        """When the worker's lock was last taken."""
        return lock.locked_at(self._folder)

    def worker(self) -> WorkerRow | None:
        """Return None: the worker runs on this machine."""
        return None

    def standbys(self) -> list[StandbyRow]:
        """Return nothing: nobody stands by for a file."""
        return []

    def commit_wait(self) -> float:
        """Return 0.0: a file has no standby server to wait for."""
        return 0.0

    def close(self) -> None:
        """Do nothing."""


Locks: TypeAlias = "FileLocks | SharedLocks"


def locks_at(address: StoreAddress) -> Locks:
    """Return the locks of the store at this address. Opens nothing before they are used."""
    return shared_locks(address) if address.is_postgres else FileLocks(address.folder)


def shared_locks(address: StoreAddress) -> "SharedLocks":
    """Return the locks of a store in PostgreSQL. Raises Unusable without its driver."""
    check_driver(address)
    # The driver takes a while to import.
    from plexsync.store.postgres.locks import SharedLocks

    return SharedLocks(address)
