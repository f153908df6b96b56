"""Notifies open pages of changes: one watcher of a database for all of its pages, however many are open."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

from plexsync.rules.errors import LocalFault, NewerDatabase, Unusable
from plexsync.store.database import Database
from plexsync.web.database_outage import DatabaseOutage

LOOK = 0.5  # seconds between two checks of the database
AGAIN = 5.0  # seconds after which pages are notified without a change: their relative times have aged
ALIVE = 15.0  # seconds after which an idle connection gets a keep-alive
MOST = 2_000


class LiveUpdates:
    """The watcher. It checks the database only while a page listens, or until an outage is over."""

    def __init__(self, store: Database, outage: DatabaseOutage) -> None:
        self._store = store
        self._outage = outage
        # A thread of its own: each connection detects changes for itself.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="live")
        self._news = asyncio.Event()
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
                continue
            # A change before the first check is not detectable: listeners are notified.
            changed, heard = not heard, True
            try:
                changed = await loop.run_in_executor(self._thread, self._store.changed) or changed
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
