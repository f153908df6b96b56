"""Notes in the database where the dashboard listens, for `status` and for the page in Stash.

The note counts only while this process holds a lock in the data folder of its machine. So nobody believes it after the
process has ended, however it ended.
"""

import ipaddress
import logging
import threading

from plexsync.app.database_files import dashboard_note
from plexsync.app.parts import Parts
from plexsync.rules.dashboard_place import reach_of, written
from plexsync.rules.errors import LocalFault, NewerDatabase, Unusable
from plexsync.store import lock

log = logging.getLogger("PlexSync.web")

AGAIN = 1.0  # seconds until the next try, while an older dashboard ends or the database can't be written


class Presence(threading.Thread):
    """Shows inside the block that the dashboard listens at `url`. It delays no page, and a failure ends none."""

    def __init__(self, parts: Parts, url: str, host: str, names: frozenset[str]) -> None:
        super().__init__(name="presence", daemon=True)
        self._parts = parts
        reach = reach_of(host, is_loopback=ipaddress.ip_address(host).is_loopback)
        self._text = written(url, reach, tuple(sorted(names)))
        self._ended = threading.Event()
        self._lock: lock.Lock | None = None

    def run(self) -> None:
        """Write the note, then take the lock; tried again until both are done."""
        noted = False
        while not self._ended.is_set():
            try:
                if not noted:
                    # First, since an older note must not count with the new lock.
                    with self._parts.store.writing() as tx:
                        tx.notes.save(dashboard_note(self._parts.address), self._text)
                    noted = True
                self._lock = lock.try_lock(self._parts.folder, lock.DASHBOARD)
            except (LocalFault, NewerDatabase, Unusable) as fault:
                log.debug("where the dashboard listens is not noted: %s", fault)
            if self._lock is not None:
                return
            self._ended.wait(AGAIN)

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join(AGAIN)
        if self._lock is not None:
            self._lock.release()
