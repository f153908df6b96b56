"""Saves the figures of what Plex asks, every few seconds and beside the answers."""

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

from plexsync.engine.clock import SystemClock
from plexsync.provider.answers import OTHER
from plexsync.provider.figures import P99, Calls
from plexsync.provider.libraries import AskingLibrary
from plexsync.rules.servers.errors import LocalFault, NewerDatabase, Unusable

log = logging.getLogger("PlexSync.provider")

PACE = 10.0  # seconds between two saves of the figures


class FigureNotes:
    """The figures of each library, and of those that have no right address. Count in the event loop."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self._calls: dict[AskingLibrary, Calls] = {}
        self._others = Calls()
        self._asked: dict[AskingLibrary, int] = {}
        self._lock = threading.Lock()
        self._due = -PACE
        self._saver = ThreadPoolExecutor(1, thread_name_prefix="figures")
        self._timer: asyncio.TimerHandle | None = None

    def count(self, asking: AskingLibrary | None, result: str, seconds: float) -> None:
        """Count a call, of nobody if its address is wrong."""
        now = monotonic()
        with self._lock:
            if asking is None:
                self._others.count(result, seconds, now)
                return
            self._calls.setdefault(asking, Calls()).count(result, seconds, now)
            self._asked[asking] = self._clock.now()
        # The greeting, when Plex is given the address, is noted with the first question, which so is noted at once.
        if self._timer is None and result != OTHER:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.0, self._due - now), self._begin)

    def save(self) -> None:
        """Save what was counted since. A database that can't be written loses the figures, and nothing else."""
        now = monotonic()
        with self._lock:
            asked, self._asked = self._asked, {}
            strangers = {name: count for name, count in self._others.figures(now).items() if name != P99}
            figures = {asking: {**strangers, **self._calls[asking].figures(now)} for asking in asked}
        for asking, at in asked.items():
            try:
                with asking.answers.database().writing() as tx:
                    tx.providers.note_calls(asking.library, at, figures[asking])
            except (LocalFault, NewerDatabase, Unusable) as fault:
                log.debug("the figures of what Plex asked are not saved: %s", fault)

    def close(self) -> None:
        """Save for the last time, and end."""
        self._saver.submit(self.save)
        self._saver.shutdown(wait=True)

    def _begin(self) -> None:
        self._timer, self._due = None, monotonic() + PACE
        self._saver.submit(self.save)
