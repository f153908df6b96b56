"""What pages share: the parts on the database, a few threads to run handlers in, and the settings.

The event loop never waits for the database: handlers run in the desk's threads, each of which keeps its connection.
When all threads are busy and too many handlers wait, `Busy` is raised, and the page answers 503.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from plexsync.app.parts import Parts
from plexsync.engine.asked_probes import ask_at_once, what_waits, why_closed
from plexsync.engine.tickets import READS
from plexsync.reports.fixes import fix_count
from plexsync.reports.shapes.status import StatusFacts
from plexsync.reports.status import facts
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import LocalFault, NeighbourError, NewerDatabase, Unusable
from plexsync.web.background_tasks import BackgroundTasks, DraftCounts
from plexsync.web.picture_cache import PictureCache

T = TypeVar("T")

THREADS = 6
MOST_WAITING = 64
# Seconds to wait for a running inspection of Stash and Plex.
PATIENCE = 3.0
# The maximum age of the cached status in seconds: many open pages cost no more than one.
FRESH = 0.5
# The same for the number of problems, which every page shows.
COUNTED = 5.0
BUSY = "Another scene is being looked at, and that takes long. Try again in a moment."


class Busy(Exception):
    """Too many requests at once."""


# Why a page can't show now what both servers have; the text says it.
AWAY = (NeighbourError, Busy)


@record
class Origins:
    """The source of each setting, the file that the settings page changes, and the warnings about valid settings.

    `plex` and `servers` are those of `validation.sources.Loaded`: the name of the `[[plex]]` entry, and of all entries.
    """

    by_name: Mapping[str, str]
    file: Path
    warnings: tuple[str, ...] = ()
    plex: str = ""
    servers: tuple[str, ...] = ()


# Seconds between two probes because somebody looks.
KNOCK = 5.0


class Desk:
    """The shared state of the process; closed at its end."""

    def __init__(self, parts: Parts, origins: Origins) -> None:
        self.parts = parts
        self.origins = origins
        self.tasks = BackgroundTasks(parts.config, parts, self.stale)
        self.counts = DraftCounts(parts.config, parts, self.stale)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="page")
        self.pictures = PictureCache()
        self._waiting = 0
        self._looking = threading.Lock()
        self._facts_lock = threading.Lock()
        self._facts: tuple[float, StatusFacts] | None = None
        self._problems: tuple[float, int] | None = None
        self._knocked: float | None = None

    async def run(self, do: Callable[[], T]) -> T:
        """Run `do` in one of the threads; raises Busy when too many wait for one."""
        if self._waiting >= MOST_WAITING:
            raise Busy
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, do)
        finally:
            self._waiting -= 1

    async def act(self, do: Callable[[], T]) -> T:
        """As `run`, for an action: later requests see its effect."""

        def done() -> T:
            try:
                return do()
            finally:
                # In the thread, not in the event loop: it waits for a running count.
                self.stale()

        return await self.run(done)

    @property
    def now(self) -> int:
        """UTC milliseconds."""
        return self.parts.clock.now()

    def facts(self) -> StatusFacts:
        """All facts of `plexsync status`, at most half a second old. Callers must not change them."""
        with self._facts_lock:
            passed = self.parts.clock.monotonic()
            if self._facts is None or passed - self._facts[0] >= FRESH:
                self._facts = passed, facts(self.parts)
            return self._facts[1]

    def problems(self) -> int:
        """The number of problems that need you, see `known_problems`; 0 while the database can't tell."""
        return self.known_problems() or 0

    def known_problems(self) -> int | None:
        """The number of problems that need you, at most five seconds old, and never older than the cached status.

        It is None while the database can't tell.
        """
        with self._facts_lock:
            cached, read = self._problems, self._facts[0] if self._facts else 0.0
        passed = self.parts.clock.monotonic()
        if cached and cached[0] >= read and passed - cached[0] < COUNTED:
            return cached[1]
        with suppress(LocalFault, Unusable, NewerDatabase):
            count = fix_count(self.parts, self.facts())
            with self._facts_lock:
                self._problems = (self._facts[0], count) if self._facts else None
            return count
        return None

    def count_as(self, problems: int) -> None:
        """Let all of a page say this number of problems, as one of its parts has just counted them."""
        with self._facts_lock:
            self._problems = (self.parts.clock.monotonic(), problems)

    def stale(self) -> None:
        """Discard the cached facts after an action, so that the next request sees its effect."""
        with self._facts_lock:
            self._facts = self._problems = None

    def ask_servers(self) -> str:
        """Probe closed servers at once, since a button was pressed, without waiting for the answer.

        Returns why nothing can be synced until they answer, for a notice; '' if both servers can be used.
        """
        reason = what_waits(self.parts.store, self.parts.gates, *READS)
        if not reason:
            return ""
        self.tasks.ask_servers()
        return f"{reason}. It is asked now whether it can be used again"

    def knock(self) -> None:
        """Probe closed servers at once, since somebody looks at a page that tells of them; every few seconds at most."""
        now = self.parts.clock.monotonic()
        if self._knocked is not None and now - self._knocked < KNOCK:
            return
        self._knocked = now
        if why_closed(self.parts.gates, *READS):
            self.tasks.ask_servers()

    @contextmanager
    def looking(self, *, at_once: bool = False) -> Iterator[Parts]:
        """Lend the parts for requests to Stash or Plex, one caller at a time: gates, inspector and reconciler belong to
        one thread. `at_once`: a button was pressed, so closed servers are probed first.

        Raises Busy when others take too long: a server that hangs must not block every thread.
        """
        if not self._looking.acquire(timeout=PATIENCE):
            raise Busy(BUSY)
        try:
            if at_once:
                ask_at_once(self.parts.store, self.parts.gates, self.parts.clock, *READS)
            yield self.parts
        finally:
            self._looking.release()

    def close(self) -> None:
        """Close the threads, once they are done."""
        self.tasks.close()
        self.counts.close()
        self._threads.shutdown(wait=True, cancel_futures=True)
