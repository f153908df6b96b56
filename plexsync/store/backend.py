"""What the store needs of a database besides the statements of its tables."""

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from plexsync.rules.errors import SyncError
from plexsync.store.connection import Connection


class Backend(Protocol):
    """One store of one kind of database.

    `name` is for messages. `folder` is the data folder on this machine. `errors` are the classes of the driver's errors.
    """

    @property
    def name(self) -> str: ...

    @property
    def folder(self) -> Path: ...

    @property
    def errors(self) -> tuple[type[Exception], ...]: ...

    def connect(self) -> Connection:
        """Return another connection, for the current thread, to a store of the newest schema. Raises SyncErrors."""

    def translated(self, error: Exception) -> SyncError:
        """Return the PlexSync error for one of `errors`."""

    def servers_before(self) -> Iterable[tuple[str, str]]:
        """Return the scopes of the stores that come before this one, each with the identifier of its Plex server.

        The first server comes before all others, and these come in the order of their names. Raises SyncErrors.
        """

    def after_commit(self, connection: Connection) -> bool:
        """Do what keeps the store healthy. Returns False if the connection can't be used any more."""
