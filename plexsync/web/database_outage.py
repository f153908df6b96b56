"""Logs once that the dashboard can't use a database, and once that it can again."""

import logging
import threading
from time import monotonic

from plexsync.rules.errors import SyncError

log = logging.getLogger("PlexSync.web")

# Seconds without a fault after which an outage is over. While only some connections fail, open pages meet that earlier.
QUIET = 10.0


class DatabaseOutage:
    """An outage of the database of the server with this name ('' for a single one). Safe for threads."""

    def __init__(self, name: str = "") -> None:
        self._database = f"the database of {name}" if name else "the database"
        self._failed_at: float | None = None
        self._lock = threading.Lock()

    @property
    def goes_on(self) -> bool:
        """Whether there is one."""
        return self._failed_at is not None

    def begin(self, fault: SyncError) -> None:
        """Take in a fault; the first one of an outage is logged."""
        with self._lock:
            is_first, self._failed_at = self._failed_at is None, monotonic()
        if is_first:
            log.warning("the dashboard can't use %s: %s", self._database, fault)

    def end(self) -> None:
        """Take in that the database answers: an outage is over, unless there was a fault a moment ago."""
        with self._lock:
            if self._failed_at is None or monotonic() - self._failed_at < QUIET:
                return
            self._failed_at = None
        log.info("the dashboard can use %s again", self._database)
