"""Ends a worker that Stash started on demand and that nobody supervises."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import plexsync
from plexsync.app.database_files import lock_of
from plexsync.app.parts import Parts
from plexsync.app.switches import leave_inside, off_inside, wanted_inside
from plexsync.cli.daemon.signals import Stop
from plexsync.rules.errors import LocalFault, NewerDatabase, Unusable

log = logging.getLogger("PlexSync.serve")

OFF = "switched off in Stash"
LOOK = 1.0  # seconds between two checks
LAST_OF_OTHERS = 15.0  # seconds that the previous worker may take to end
LONGEST_WAIT = 300.0  # seconds to wait for Stash; the next event starts another worker

Look = tuple[int, int]


def installed() -> Look | None:
    """The state of a program file on the disk; None while it is being replaced."""
    try:
        status = Path(plexsync.__file__).stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


BEGAN_WITH = installed()


class Leaving(threading.Thread):
    """Stops an unneeded worker: switched off in Stash, updated, or idle for `worker_idle_minutes`.

    `stop` ends the worker, also while it waits for a server; `ended` ends only this thread, for a worker that continues
    with other settings.
    """

    def __init__(self, parts: Parts, stop: Stop, ended: threading.Event) -> None:
        super().__init__(name="leaving", daemon=True)
        self._parts = parts
        self._asked = stop
        self._ended = ended
        self._busy_at = monotonic()
        self._last_look: Look | None = BEGAN_WITH

    def run(self) -> None:
        """Check once a second; a database that can't be read now is checked later."""
        while not self._ended.wait(LOOK) and not self._asked:
            try:
                reason = self._why()
            except (LocalFault, NewerDatabase, Unusable) as fault:
                log.debug("not looked whether to end: %s", fault)
                continue
            except MemoryError:
                # Logging needs memory as well; without this thread nothing would notice a stop.
                continue
            except Exception:  # the edge of a check: whatever the error, the next check still notices a stop
                log.exception("looking whether to end failed by a fault of PlexSync")
                continue
            if reason:
                log.info("%s", reason)
                self._asked.ask()

    def _why(self) -> str:
        """Why the worker is to end, or '' while it is to continue."""
        if not wanted_inside(self._parts):
            return OFF
        if self._is_updated() and leave_inside(self._parts, idle=False):
            return "another PlexSync was installed: an event in Stash starts it"
        with self._parts.store.reading() as db:
            if db.jobs.count_unsettled():
                self._busy_at = monotonic()
        minutes = self._parts.config.worker_idle_minutes
        if monotonic() - self._busy_at < minutes * 60 or not leave_inside(self._parts):
            return ""
        return f"nothing to do for {minutes} minutes: an event in Stash starts the worker again"

    def _is_updated(self) -> bool:
        """Whether another version is installed, in two checks in a row: unpacking takes a moment."""
        before, self._last_look = self._last_look, installed()
        return self._last_look is not None and self._last_look == before != BEGAN_WITH


def waits_no_longer(folder: Path, since: float) -> str:
    """Why a worker without settings is to end, or '' while it is to wait."""
    if off_inside(folder):
        return OFF
    minutes = round(LONGEST_WAIT / 60)
    over = monotonic() - since > LONGEST_WAIT
    return f"Stash could not be asked for {minutes} minutes: an event there starts the worker again" if over else ""


@contextmanager
def patient_lock(folder: Path, stop: threading.Event) -> Iterator[bool]:
    """Hold the worker's lock as `lock_of` does, but wait for a worker that is just ending."""
    began = monotonic()
    while True:
        with lock_of(folder) as mine:
            if mine or stop.is_set() or monotonic() - began > LAST_OF_OTHERS:
                yield mine
                return
        stop.wait(LOOK)
