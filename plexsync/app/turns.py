"""What other processes ask of a worker between two of its steps: to run a probe, and to stand still for an import.

The worker runs a probe that is asked for, so nothing else writes to its item meanwhile, and restores the item of an
interrupted one. It stands still while an import writes to Stash, so no sync writes to Plex between the moment an import
has read a value there and the moment it is in Stash. The import holds a lock of the operating system, so its end in any
way lets the worker go on.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from plexsync.app.clients import plex_client
from plexsync.app.fingerprints import client_id
from plexsync.app.parts import Parts
from plexsync.rules.queue.note_keys import HEARTBEAT
from plexsync.rules.servers.errors import LocalFault, NeighbourError, NewerDatabase, Unusable
from plexsync.rules.servers.scratch import CantProbe, ProbeOutcome
from plexsync.store.database import Database
from plexsync.store.files.lock import IMPORT

if TYPE_CHECKING:
    from plexsync.plex.probe_client import ProbeClient

log = logging.getLogger("PlexSync.probe")

# Seconds between two looks for a request, and before a failed restoration is tried again.
LOOK, RETRY = 1.0, 30.0
# A request that no worker took for so long (ms) is dropped: nobody waits for it any more.
STALE = 300_000
# When the worker began to stand still (UTC ms); '' while it works.
STANDS = "import:turn"
# Seconds between two looks, and milliseconds between two heartbeats of a worker that stands still.
STAND_LOOK, BEAT = 0.1, 10_000
ENDED = "the worker ended during the probe"
FAULT = "a fault of PlexSync; the log says more"

T = TypeVar("T")


def connect_probe(parts: Parts) -> "ProbeClient":
    """A client for a probe by these parts."""
    from plexsync.plex.probe_client import ProbeClient

    client = client_id(parts.store)
    return plex_client(ProbeClient, parts.config, parts.clock, client_id=client, alive=parts.watchdog.alive)


def turns(parts: Parts, stop: threading.Event, first: Callable[[], None] | None = None) -> Callable[[], None]:
    """Return what a worker does between two steps. `first` runs before and after what others ask for, and may wait."""
    probe, stands = ProbeTurn(parts, stop), ImportTurn(parts, stop)
    asked = (probe, stands) if first is None else (first, probe, stands, first)

    def take() -> None:
        for turn in asked:
            turn()

    return take


def await_settings(parts: Parts, stop: threading.Event, first: Callable[[], None] | None = None) -> None:
    """Call `first`; then, if changed settings have come into force, claim nothing until the parts are rebuilt with them."""
    if first is not None:
        first()
    while not stop.is_set() and parts.must_reload():
        parts.watchdog.alive()
        stop.wait(STAND_LOOK)


class ProbeTurn:
    """The worker's turn at a probe. Call it between two steps."""

    def __init__(self, parts: Parts, stop: threading.Event) -> None:
        self._parts = parts
        self._stop = stop
        self._looked: float | None = None
        self._retry_at = 0.0

    def __call__(self) -> None:
        """Restore what an interrupted probe has left, then run the probe that was asked for, if any."""
        store, passed = self._parts.store, self._parts.clock.monotonic()
        if self._looked is not None and passed - self._looked < LOOK:
            return
        self._looked = passed
        with store.reading() as db:
            probed, asked, running = db.probes.open_original(), db.probes.probe_asked(), db.probes.probe_running()
        if running is not None:
            with store.writing() as tx:
                tx.probes.save_probe_result(ProbeOutcome(error=ENDED, asked=running))
            asked = None
        if probed is not None and not self._restore(passed):
            return
        if asked is not None:
            self._run(*asked)

    def _restore(self, passed: float) -> bool:
        if passed < self._retry_at:
            return False
        from plexsync.app.probe.restore import restore_left

        store, clock = self._parts.store, self._parts.clock
        _, error = self._ask_plex(lambda plex: restore_left(store, plex, clock))
        if error:
            log.warning("the item of an interrupted plexsync probe can't be restored yet: %s", error)
            self._retry_at = passed + RETRY
        return not error

    def _run(self, key: str, at: int) -> None:
        store, clock = self._parts.store, self._parts.clock
        if not 0 <= clock.now() - at < STALE:
            with store.writing() as tx:
                tx.probes.withdraw_probe()
            return
        from plexsync.app.probe.questions import probe

        with store.writing() as tx:
            tx.probes.run_probe(at)

        def stopping() -> bool:
            with store.reading() as db:
                return self._stop.is_set() or db.probes.probe_asked() != (key, at)

        outcome, error = self._ask_plex(lambda plex: probe(store, plex, clock, key, stopping=stopping))
        with store.writing() as tx:
            tx.probes.save_probe_result(replace(outcome or ProbeOutcome(error=error), asked=at))

    def _ask_plex(self, act: Callable[["ProbeClient"], T]) -> tuple[T | None, str]:
        """Act on Plex; returns the result, and why that failed, or ''. The queue goes on whatever the error."""
        try:
            with closing(connect_probe(self._parts)) as plex:
                return act(plex), ""
        except (CantProbe, NeighbourError) as error:
            return None, str(error)
        except (LocalFault, NewerDatabase, Unusable):
            raise
        except Exception:  # the edge of a probe: whatever the error, the worker goes on, and the probe's caller is told
            log.exception("plexsync probe failed by a fault of PlexSync")
            return None, FAULT


def result_of(store: Database, asked: int) -> ProbeOutcome | None:
    """The result of the probe that was asked for then; None if it is not there yet."""
    with store.reading() as db:
        last = db.probes.probe_result()
    return last if last and last.asked == asked else None


class OtherImport(Exception):
    """Another import is writing."""


class ImportTurn:
    """Lets an import have the worker's turn. Call it between two steps."""

    def __init__(self, parts: Parts, stop: threading.Event) -> None:
        self._parts = parts
        self._stop = stop

    def __call__(self) -> None:
        """Stand still while an import writes."""
        store, clock, began = self._parts.store, self._parts.clock, None
        while not self._stop.is_set() and self._parts.locks.is_locked(IMPORT):
            now = clock.now()
            with store.reading() as db:
                is_noted = bool(db.notes.text(STANDS))
            if began is None or not 0 <= now - began < BEAT or not is_noted:
                began = now
                with store.writing() as tx:
                    tx.notes.save(STANDS, str(now))
                    tx.notes.save(HEARTBEAT, str(now))
            self._parts.watchdog.alive()
            clock.sleep(STAND_LOOK)


@contextmanager
def import_turn(parts: Parts, *, alone: bool, stopping: Callable[[], bool] = lambda: False) -> Iterator[bool]:
    """Hold the worker's turn; yields False if `stopping` ended the wait for it. Raises OtherImport.

    `alone`: this process holds the worker's lock, so there is no worker to wait for.
    """
    lock = parts.locks.try_lock(IMPORT)
    if lock is None:
        raise OtherImport("another import is writing to Stash")
    with lock:
        with parts.store.writing() as tx:
            tx.notes.save(STANDS, "")
        yield alone or _stands_still(parts, stopping)


def _stands_still(parts: Parts, stopping: Callable[[], bool]) -> bool:
    """Wait until the worker stands still, or has ended: the next one stands still before its first step."""
    while not stopping():
        with parts.store.reading() as db:
            stands = bool(db.notes.text(STANDS))
        if stands or not parts.someone_works():
            return True
        parts.clock.sleep(STAND_LOOK)
    return False
