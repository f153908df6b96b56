"""Waits for the worker's lock of a database on PostgreSQL while another process works, and takes over from it.

Meanwhile the dashboard of this machine runs, and events that a hook has left in its data folder go into the database.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from plexsync.app.machine import this_machine
from plexsync.app.parts import open_parts
from plexsync.app.settings import Settings
from plexsync.app.stored import address_of
from plexsync.cli.daemon.settings_watch import SettingsWatch
from plexsync.cli.daemon.shift import Pauses, Shift, tell_unanswered
from plexsync.cli.faults import lines_of
from plexsync.engine.loop import pause_after
from plexsync.rules.queue.machine import Machine, differing, refusal_words
from plexsync.rules.records import WorkerRow
from plexsync.rules.servers.errors import LocalFault, SpoolFault, Unusable
from plexsync.store.files.worker_locks import shared_locks

if TYPE_CHECKING:
    from plexsync.store.postgres.locks import SharedLocks
    from plexsync.store.postgres.worker_lock import WorkerLock

log = logging.getLogger("PlexSync.serve")

LAST_WORDS = 1.0  # seconds for which the release of the lock may hold up the end of the process


class Standby:
    """Waits for the lock, as often as it is lost. `takes_over`: also from a worker with other settings, once."""

    def __init__(self, shift: Shift, *, takes_over: bool) -> None:
        self._shift = shift
        self._stop = shift.stop
        self._takes_over = takes_over
        self._told = ""
        self._pauses = Pauses()
        # Of the lock that this process held last.
        self._number = 0

    def serve(self, initial: Settings) -> None:
        """Work whenever this process holds the lock, and wait for it meanwhile, until stopped."""
        current: Settings | None = initial
        while current is not None and (turn := self._wait(current)) is not None:
            lock, settings = turn
            with self._holding(lock):
                current = self._shift.work(settings, lock)

    @contextmanager
    def _holding(self, lock: "WorkerLock") -> Iterator[None]:
        """Release the lock at the end, or when the process ends without waiting for its work: it is not killed then."""

        def leave() -> None:
            thread = threading.Thread(target=lock.release, daemon=True)
            thread.start()
            thread.join(LAST_WORDS)

        error, self._stop.leaving = "", leave
        try:
            yield
        except Exception as fault:  # the edge of a worker's life: the next one, on whatever machine, counts this end
            error = lines_of(fault, self._shift.call)[0]
            raise
        finally:
            self._stop.leaving = lambda: None
            lock.release(error)

    def _wait(self, current: Settings) -> "tuple[WorkerLock, Settings] | None":
        """Wait until this process holds the lock; returns it with the settings of that moment, None if stopped before."""
        next_settings: Settings | None = current
        while next_settings is not None and not self._stop:
            current = next_settings
            try:
                with closing(shared_locks(address_of(current.loaded.config, current.place.path))) as locks:
                    machine = this_machine(current.loaded.config, current.place.path)
                    if (lock := self._try(locks, machine)) is None:
                        next_settings, lock = self._stand_by(locks, machine, current)
                    if lock is not None:
                        return lock, current
            except LocalFault as fault:
                self._pauses.tell(fault)
                self._stop.event.wait(pause_after(fault))
        return None

    def _stand_by(
        self, locks: "SharedLocks", machine: Machine, current: Settings
    ) -> "tuple[Settings | None, WorkerLock | None]":
        """Stand by until the lock is ours, or the settings have changed, which are returned; neither if stopped."""
        with ExitStack() as held:
            parts = held.enter_context(open_parts(current.loaded.config, current.place.path))
            self._shift.show(current, works=False)
            watch = SettingsWatch(self._shift.call, current, parts, self._stop.event, [self._shift.pages])
            self._stop.spread(watch.ended)
            watch.start()
            tell_unanswered(parts)
            self._shift.leave_when_unneeded(parts, watch.ended)
            held.callback(watch.end)
            held.callback(_leave, locks, machine)
            while not watch.ended.wait(locks.periods.look):
                try:
                    if count := parts.store.drain_spool(parts.clock.now()):
                        log.info("%d events taken over that hooks had left as files", count)
                except SpoolFault as fault:
                    self._pauses.tell(fault)
                # With settings that have just changed, it would begin with those before.
                if watch.is_settled() and (lock := self._try(locks, machine)) is not None:
                    return None, lock
            return watch.fresh, None

    def _try(self, locks: "SharedLocks", machine: Machine) -> "WorkerLock | None":
        """Take the lock if it is free and the settings agree; else say that this process stands by."""
        lock = locks.try_worker(machine, lambda last: self._takes_over or not differing(machine, last))
        if lock is not None:
            if lock.last is not None and lock.last.number == self._number:
                # It lost the lock with its connection, and stopped in good order.
                lock.last = replace(lock.last, ended="")
            elif lock.last is not None and lock.last.installation != machine.installation:
                log.info("taking over from the worker on %s", lock.last.host)
            self._number = lock.number
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
        text = f"standing by: the worker runs on {row.host}"
        if names:
            text += f", and this machine does not take over: {refusal_words(row, names)}"
        if text != self._told:
            self._told = text
            log.log(logging.WARNING if names else logging.INFO, "%s", text)


def _leave(locks: "SharedLocks", machine: Machine) -> None:
    """Take this process out of those that stand by. Without the database its row ends with its heartbeat."""
    with suppress(LocalFault, Unusable):
        locks.leave(machine)
