"""Notifies open pages of changes: one watcher of a database for all of its pages, however many are open.

It is logged once that the dashboard can't use a database, and once that it can again.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from time import monotonic

from plexsync.rules.servers.errors import LocalFault, NewerDatabase, SyncError, Unusable
from plexsync.store.database import Database

log = logging.getLogger("PlexSync.web")

LOOK = 0.5  # seconds between two checks of the database
AGAIN = 5.0  # seconds after which pages are notified without a change: their relative times have aged
ALIVE = 15.0  # seconds after which an idle connection gets a keep-alive
MOST = 2_000
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


class LiveUpdates:
    """The watcher. It checks the database only while a page listens, or until an outage is over."""

    def __init__(self, store: Database, outage: DatabaseOutage) -> None:
        self._store = store
        self._outage = outage
        # A thread of its own: each connection detects changes for itself.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="live")
        self._news = asyncio.Event()
        self._listened = asyncio.Event()
        self._over = False
        self._count = 0
        self._number = 0

    async def watch(self) -> None:
        """Watch until cancelled."""
        loop = asyncio.get_running_loop()
        told = loop.time()
        heard = False
        while True:
            await asyncio.sleep(AGAIN if self._outage.goes_on else LOOK)
            if not self._count and not self._outage.goes_on:
                heard = False
                self._listened.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(AGAIN):
                        await self._listened.wait()
                continue
            # A change before the first check is not detectable: listeners are notified.
            changed, heard = not heard, True
            try:
                changed = await loop.run_in_executor(self._thread, self._store.has_changed) or changed
                self._outage.end()
            except (LocalFault, NewerDatabase, Unusable) as fault:
                # The pages themselves show it.
                self._outage.begin(fault)
            if changed or loop.time() - told >= AGAIN:
                told = loop.time()
                self._tell()

    @property
    def full(self) -> bool:
        """Whether the number of listeners has reached its limit."""
        return self._count >= MOST

    async def lines(self) -> AsyncIterator[bytes]:
        """Server-sent events for one listener."""
        self._count += 1
        self._listened.set()
        try:
            yield b"retry: 3000\n\n"
            while not self._over:
                news = self._news
                try:
                    async with asyncio.timeout(ALIVE):
                        await news.wait()
                    yield b"event: changed\ndata: %d\n\n" % self._number
                except TimeoutError:
                    yield b": alive\n\n"
        finally:
            self._count -= 1

    def end(self) -> None:
        """Notify all listeners a last time; call this in the event loop."""
        self._over = True
        self._tell()

    def _tell(self) -> None:
        self._number += 1
        self._news, news = asyncio.Event(), self._news
        news.set()

    def close(self) -> None:
        """Stop watching."""
        self._thread.shutdown(wait=True, cancel_futures=True)
