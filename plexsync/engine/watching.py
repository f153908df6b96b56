"""What every watcher of a source uses: pages of the database and of a server, and comparisons from the beginning."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READS, Gate
from plexsync.rules.servers.errors import NeighbourError
from plexsync.rules.servers.neighbours import Clock
from plexsync.store.database import Database, Reader

T = TypeVar("T")

# Seconds before a comparison that could not be completed is tried again.
RETRY = 300.0


def pages_of(store: Database, read: Callable[[Reader, Any], Sequence[T]], start: object) -> Iterator[Sequence[T]]:
    """Yield pages of the database, each in a snapshot of its own: what `read` has after the last entry of the one before."""
    while True:
        with store.reading() as db:
            page = read(db, start)
        if not page:
            return
        yield page
        start = page[-1]


def asked_pages(gates: Gates, gate: Gate, answers: Iterable[T], *, of_all: bool = False) -> Iterator[T]:
    """Yield pages of a server, each of which is asked for through a gate. Raises NeighbourError."""
    pages = iter(answers)
    while (page := gates.ask(gate, lambda: next(pages, None), of_all=of_all)) is not None:
        yield page


class Comparison(ABC):
    """Compares everything from the beginning when that is due, and queues what is out of step. Belongs to the worker.

    `what` is compared, and `errors` say that this is not possible now.
    """

    what: str
    errors: tuple[type[Exception], ...] = (NeighbourError,)
    _gates: Gates
    _clock: Clock
    _failed_at: float | None = None
    # Why the last one that was due could not be made; '' if it was.
    _problem: str = ""

    def look(self, stopping: Callable[[], bool] = lambda: False) -> str:
        """Compare if that is due; returns why that was not possible, '' if it was."""
        self.run_if_due(stopping)
        return self._problem

    def run_if_due(self, stopping: Callable[[], bool] = lambda: False) -> bool:
        """Compare if that is due; True if it was completed. `stopping` ends it after a page."""
        failed_at, passed = self._failed_at, self._clock.monotonic()
        if failed_at is not None and passed - failed_at < RETRY:
            return False
        if not self.is_due() or not self._gates.is_open(*READS):
            return False
        try:
            is_complete, self._problem = self.compare(stopping) is not None, ""
        except self.errors as error:
            self._problem = str(error)
            logging.getLogger(f"PlexSync.{self.what}").info("the %s can't be compared now: %s", self.what, error)
            is_complete = False
        self._failed_at = None if is_complete else passed
        return is_complete

    @abstractmethod
    def is_due(self) -> bool:
        """Whether something can have changed that only a comparison finds."""

    @abstractmethod
    def compare(self, stopping: Callable[[], bool] = lambda: False) -> int | None:
        """Queue what is out of step; returns how much, None if `stopping` ended that. Raises one of `errors`."""
