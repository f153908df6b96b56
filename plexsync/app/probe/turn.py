"""Probes beside a worker: another process asks for one, and the worker runs it between two steps.

So nothing else writes to the item meanwhile. The worker also restores the item of an interrupted probe.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import TypeAlias, TypeVar

from plexsync.app.clients import plex_client
from plexsync.app.fingerprints import client_id
from plexsync.app.parts import Parts
from plexsync.app.probe.restore import restore_left
from plexsync.app.probe.run import CantProbe, probe
from plexsync.plex.probe_client import ProbeClient
from plexsync.rules.errors import LocalFault, NeighbourError, NewerDatabase, Unusable
from plexsync.rules.scratch import ProbeOutcome
from plexsync.store.database import Database

log = logging.getLogger("PlexSync.probe")

# Seconds between two looks for a request, and before a failed restoration is tried again.
LOOK, RETRY = 1.0, 30.0
# A request that no worker took for so long (ms) is dropped: nobody waits for it any more.
STALE = 300_000
ENDED = "the worker ended during the probe"
FAULT = "a fault of PlexSync; the log says more"

Connect: TypeAlias = Callable[[], ProbeClient]
T = TypeVar("T")


def connected(parts: Parts) -> ProbeClient:
    """A client for a probe by these parts."""
    client = client_id(parts.store)
    return plex_client(ProbeClient, parts.config, parts.clock, client_id=client, alive=parts.watchdog.alive)


class ProbeTurn:
    """The worker's turn at a probe. Call it between two steps."""

    def __init__(self, parts: Parts, stop: threading.Event, connect: Connect | None = None) -> None:
        self._parts = parts
        self._stop = stop
        self._connect = connect or (lambda: connected(parts))
        self._looked: float | None = None
        self._retry_at = 0.0

    def __call__(self) -> None:
        """Restore what an interrupted probe has left, then run the probe that was asked for, if any."""
        store, passed = self._parts.store, self._parts.clock.monotonic()
        if self._looked is not None and passed - self._looked < LOOK:
            return
        self._looked = passed
        with store.reading() as db:
            probed, asked, running = db.probes.probed(), db.probes.probe_asked(), db.probes.probe_running()
        if running is not None:
            with store.writing() as tx:
                tx.probes.save_probe_result(ProbeOutcome(error=ENDED, asked=running))
            asked = None
        if probed is not None and not self._restored(passed):
            return
        if asked is not None:
            self._run(*asked)

    def _restored(self, passed: float) -> bool:
        if passed < self._retry_at:
            return False
        store, clock = self._parts.store, self._parts.clock
        _, error = self._asked(lambda plex: restore_left(store, plex, clock))
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
        with store.writing() as tx:
            tx.probes.run_probe(at)

        def stopping() -> bool:
            with store.reading() as db:
                return self._stop.is_set() or db.probes.probe_asked() != (key, at)

        outcome, error = self._asked(lambda plex: probe(store, plex, clock, key, stopping=stopping))
        with store.writing() as tx:
            tx.probes.save_probe_result(replace(outcome or ProbeOutcome(error=error), asked=at))

    def _asked(self, act: Callable[[ProbeClient], T]) -> tuple[T | None, str]:
        """Act on Plex; returns the result, and why that failed, or ''. The queue goes on whatever the error."""
        try:
            with closing(self._connect()) as plex:
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
