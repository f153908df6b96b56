"""Waits for the worker's lock of a database on PostgreSQL while another process works, and takes over from it.

Meanwhile the dashboard of this machine runs, and events that a hook has left in its data folder go into the database.
"""

import logging
from contextlib import ExitStack, closing
from dataclasses import dataclass
from time import monotonic

from plexsync.app.machine import this_machine
from plexsync.app.parts import Parts, opened
from plexsync.app.settings import Settings
from plexsync.app.store_address import address_of
from plexsync.cli.call import Call
from plexsync.cli.daemon.dashboard_process import Dashboard
from plexsync.cli.daemon.settings_watch import SettingsWatch
from plexsync.cli.daemon.signals import Stop
from plexsync.engine.loop import pause_after
from plexsync.reports.workers import refusal, waiting_words
from plexsync.rules.errors import LocalFault, SpoolFault
from plexsync.rules.machine import Machine, differing
from plexsync.rules.records import WorkerRow
from plexsync.store.postgres import worker_lock
from plexsync.store.postgres.locks import SharedLocks
from plexsync.store.postgres.worker_lock import WorkerLock

log = logging.getLogger("PlexSync.serve")

TELL_PACE = 60.0  # seconds between two log lines about the same fault


@dataclass(frozen=True)
class Turn:
    """This process works from now on: its lock, and the settings of that moment."""

    lock: WorkerLock
    settings: Settings


class Standby:
    """Waits for the lock, as often as it is lost. `takes_over`: also from a worker with other settings, once."""

    def __init__(self, call: Call, stop: Stop, pages: Dashboard | None, *, takes_over: bool) -> None:
        self._call = call
        self._stop = stop
        self._pages = pages
        self._takes_over = takes_over
        self._told = ""
        self._complained_at: float | None = None

    def turn(self, current: Settings) -> Turn | None:
        """Wait until this process holds the lock; None if stopped before."""
        next_settings: Settings | None = current
        while next_settings is not None and not self._stop:
            current = next_settings
            try:
                with closing(SharedLocks(address_of(current.loaded.config, current.place.path))) as locks:
                    machine = this_machine(current.loaded.config, current.place.path)
                    if (lock := self._try(locks, machine)) is not None:
                        return Turn(lock, current)
                    next_settings, lock = self._stand_by(locks, machine, current)
                    if lock is not None:
                        return Turn(lock, current)
            except LocalFault as fault:
                self._complain(fault)
                self._stop.event.wait(pause_after(fault))
        return None

    def _stand_by(
        self, locks: SharedLocks, machine: Machine, current: Settings
    ) -> tuple[Settings | None, WorkerLock | None]:
        """Stand by until the lock is ours, or the settings have changed, which are returned; neither if stopped."""
        with ExitStack() as held:
            parts = held.enter_context(opened(current.loaded.config, current.place.path))
            if self._pages is not None:
                self._pages.use(current.loaded, current.place.path)
            watch = SettingsWatch(self._call, current, parts, self._stop.event)
            self._stop.spread(watch.ended)
            watch.start()
            held.callback(watch.end)
            held.callback(locks.leave, machine)
            while not watch.ended.wait(worker_lock.PERIODS.look):
                self._forward(parts)
                if (lock := self._try(locks, machine)) is not None:
                    return None, lock
            return watch.fresh, None

    def _try(self, locks: SharedLocks, machine: Machine) -> WorkerLock | None:
        """Take the lock if it is free and the settings agree; else say that this process stands by."""
        lock = locks.try_worker(machine, lambda last: self._takes_over or not differing(machine, last))
        if lock is not None:
            if lock.last is not None:
                log.info("this machine works from now on; before, it was %s", lock.last.host)
            self._takes_over = False
            self._told = ""
            return lock
        row = locks.worker()
        names = differing(machine, row) if row is not None else ()
        locks.stand_by(machine, names)
        if row is not None:
            self._tell(row, names)
        return None

    def _tell(self, row: WorkerRow, names: tuple[str, ...]) -> None:
        """Log who works, and what keeps this process from taking over, when that changes."""
        text = refusal(row, names) if names else waiting_words(row)
        if text != self._told:
            self._told = text
            log.log(logging.WARNING if names else logging.INFO, "%s", text)

    def _forward(self, parts: Parts) -> None:
        """Put the events that a hook on this machine has left as files into the database."""
        try:
            if count := parts.store.drain_spool(parts.clock.now()):
                log.info("%d events taken over that hooks had left as files", count)
        except SpoolFault as fault:
            self._complain(fault)

    def _complain(self, fault: LocalFault) -> None:
        if self._complained_at is None or monotonic() - self._complained_at >= TELL_PACE:
            self._complained_at = monotonic()
            log.error("paused: %s", fault)
