"""The locks of a store, whichever database it is in: who works on it, and who imports.

With SQLite they are locks of files in the data folder, for the processes of one machine. With PostgreSQL they are locks
of the database, for all machines.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from plexsync.rules.machine import Machine
from plexsync.rules.records import StandbyRow, WorkerRow
from plexsync.store import lock
from plexsync.store.address import StoreAddress


class HeldLock(Protocol):
    """A lock that this process holds."""

    def release(self) -> None:
        """Release the lock. May be called twice."""


class Locks(Protocol):
    """The locks of one store. The methods raise LocalFault and Unusable."""

    def try_worker(self, machine: Machine, agrees: Callable[[WorkerRow], bool]) -> HeldLock | None:
        """Take the worker's lock for this process; None while another one holds it.

        `agrees` says whether this process may follow the last holder, where that is known.
        """

    def try_lock(self, file: str) -> HeldLock | None:
        """Take another lock, named as its file is (`plexsync.store.lock`); None while another process holds it."""

    def is_locked(self, file: str = lock.FILE) -> bool:
        """Whether any process holds the worker's lock, or another one."""

    def worker_since(self) -> int | None:
        """When the worker's lock was last taken, in UTC milliseconds; None if it never was."""

    def worker(self) -> WorkerRow | None:
        """Return the process that works, or worked last; None if that is not kept, as with SQLite."""

    def standbys(self) -> list[StandbyRow]:
        """Return the processes that stand by, on all machines."""

    def close(self) -> None:
        """Close what this uses. Held locks stay held."""


class FileLocks:
    """The locks of a SQLite file, by files beside it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def try_worker(self, _machine: Machine, _agrees: Callable[[WorkerRow], bool]) -> lock.Lock | None:
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

    def close(self) -> None:
        """Do nothing."""


def locks_at(address: StoreAddress) -> Locks:
    """Return the locks of the store at this address. Opens nothing before they are used."""
    if address.is_postgres:
        # The driver takes a while to import.
        from plexsync.store.postgres.locks import SharedLocks

        return SharedLocks(address)
    return FileLocks(address.folder)
