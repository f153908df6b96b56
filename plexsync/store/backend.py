"""What the store needs of a database besides the statements of its tables."""

from pathlib import Path
from typing import Protocol

from plexsync.rules.errors import SyncError
from plexsync.store.address import StoreAddress
from plexsync.store.connection import Connection


class Backend(Protocol):
    """One store of one kind of database.

    `name` is for messages. `address` is where it is, and `folder` the data folder on this machine. `errors` are the classes
    of the driver's errors.
    """

    @property
    def name(self) -> str: ...

    @property
    def address(self) -> StoreAddress: ...

    @property
    def folder(self) -> Path: ...

    @property
    def errors(self) -> tuple[type[Exception], ...]: ...

    def connect(self) -> Connection:
        """Return another connection, for the current thread, to a store of the newest schema. Raises SyncErrors."""

    def translated(self, error: Exception) -> SyncError:
        """Return the PlexSync error for one of `errors`."""

    def after_commit(self, connection: Connection) -> bool:
        """Do what keeps the store healthy. Returns False if the connection can't be used any more."""
