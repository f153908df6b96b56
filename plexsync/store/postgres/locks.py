"""PlexSync's locks on a database of PostgreSQL, for one process: who works, who stands by, who imports."""

import threading
from collections.abc import Callable
from typing import TypeVar

import psycopg

from plexsync.rules.machine import Machine
from plexsync.rules.records import StandbyRow, WorkerRow
from plexsync.store import lock
from plexsync.store.address import StoreAddress
from plexsync.store.journal_file import discard_journals
from plexsync.store.postgres import backend, faults, restores, schema, worker_lock
from plexsync.store.postgres.worker_lock import (
    IMPORT_CLASS,
    WORKER_CLASS,
    Periods,
    Session,
    SessionLock,
    WorkerLock,
    end_hung,
    try_session_lock,
    try_worker_lock,
)

T = TypeVar("T")
# The locks by the names of their files in the data folder of SQLite.
KINDS = {lock.FILE: WORKER_CLASS, lock.IMPORT: IMPORT_CLASS}


class SharedLocks:
    """The locks of all machines that use one database. A session of its own is opened on first use and kept.

    The methods raise SyncErrors: LocalFault while the database is away, Unusable for what you have to fix.
    """

    def __init__(self, address: StoreAddress) -> None:
        self._address = address
        self._schema = address.schema
        self._session: Session | None = None
        self._migrated = False
        self._using = threading.Lock()

    @property
    def periods(self) -> Periods:
        """The seconds between heartbeats and tries, and of a lease."""
        return worker_lock.PERIODS

    def try_worker(self, machine: Machine, agrees: Callable[[WorkerRow], bool]) -> WorkerLock | None:
        """Take the worker's lock, see `try_worker_lock`. A held one costs no connection.

        With it, this process notes a restore of the database. The journals in the data folder are discarded if another
        machine has worked since: they do not have what that one has written.
        """

        def follows(last: WorkerRow) -> bool:
            if not agrees(last):
                return False
            if last.installation != machine.installation:
                # Before the row names this machine: a process that is killed in between does so again.
                discard_journals(self._address.folder)
            return True

        if self._ask(self._is_held_well):
            return None
        held = self._translating(lambda: try_worker_lock(self._connect, self._schema, machine, agrees=follows))
        if held is not None:
            try:
                self._ask(lambda session: restores.notice(session, self._schema), again=False)
            except BaseException:
                held.release()
                raise
        return held

    def try_lock(self, file: str) -> SessionLock | None:
        """Take another lock; None while another session holds it."""
        return self._translating(lambda: try_session_lock(self._connect(), self._schema, KINDS[file]))

    def is_locked(self, file: str = lock.FILE) -> bool:
        """Whether any session holds the worker's lock, or another one."""
        return self._ask(lambda session: worker_lock.is_held(session, self._schema, KINDS[file]))

    def worker(self) -> WorkerRow | None:
        """Return the process that works, or worked last."""
        return self._ask(worker_lock.worker)

    def worker_since(self) -> int | None:
        """When the worker's lock was last taken."""
        row = self.worker()
        return None if row is None else row.since

    def standbys(self) -> list[StandbyRow]:
        """Return the processes that stand by."""
        return self._ask(lambda session: worker_lock.standbys(session, self.periods.lease))

    def commit_wait(self) -> float:
        """Return for how many seconds a commit has been waiting for a standby server of PostgreSQL; 0.0 if none waits."""
        return self._ask(worker_lock.commit_wait)

    def stand_by(self, machine: Machine, differing: tuple[str, ...]) -> None:
        """Note that this process stands by."""
        self._ask(lambda session: worker_lock.stand_by(session, machine, differing))

    def leave(self, machine: Machine) -> None:
        """Take this process out of those that stand by."""
        self._ask(lambda session: worker_lock.leave(session, machine, self.periods.lease), again=False)

    def time(self) -> int:
        """Return the database's time in UTC milliseconds."""
        return self._ask(worker_lock.moment)

    def close(self) -> None:
        """Close the session. What is held stays held, by sessions of its own."""
        with self._using:
            self._drop()

    def _is_held_well(self, session: Session) -> bool:
        """Whether a process holds the worker's lock that does not hang. One that hangs loses it."""
        if not worker_lock.is_held(session, self._schema):
            return False
        return not end_hung(session, self._schema, self.periods.lease)

    def _ask(self, question: Callable[[Session], T], *, again: bool = True) -> T:
        """Ask with the kept session. If it was lost since the last question, ask `again` with another one.

        So what is asked again has to have the same effect twice as once. What only the holder of the lock may do is
        not asked again: with the session, the lock's may have ended.
        """
        with self._using:
            kept, opening = self._session, not self._migrated
            try:
                try:
                    return question(self._kept())
                except psycopg.Error:
                    if not again or kept is None or not kept.closed:
                        raise
                    self._drop()
                    return question(self._kept())
            except psycopg.Error as error:
                self._drop()
                raise faults.translated(error, self._address.name, opening=opening) from error

    def _kept(self) -> Session:
        if self._session is None:
            self._session = self._connect()
        return self._session

    def _connect(self) -> Session:
        """Return another session. The first one creates the tables if they are missing."""
        session = backend.connect(self._address, opening=not self._migrated)
        if not self._migrated:
            try:
                schema.migrate(session, self._schema, self._address.name)
            except BaseException:
                session.close()
                raise
            self._migrated = True
        return session

    def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _translating(self, action: Callable[[], T]) -> T:
        opening = not self._migrated
        try:
            return action()
        except psycopg.Error as error:
            raise faults.translated(error, self._address.name, opening=opening) from error
