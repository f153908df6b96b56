"""PlexSync's locks on a database of PostgreSQL, for one process: who works, who stands by, who imports."""

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

import psycopg

from plexsync.rules.queue.machine import Machine
from plexsync.rules.queue.note_keys import CURSOR, LAST_RECONCILE, RESTORED, STASH_SETTINGS
from plexsync.rules.records import StandbyRow, WorkerRow
from plexsync.store.files import lock
from plexsync.store.files.address import StoreAddress
from plexsync.store.ledger.journal_file import discard_journals
from plexsync.store.postgres import backend, faults, schema, worker_lock
from plexsync.store.postgres.connection import COUNT_COMMIT
from plexsync.store.postgres.worker_lock import (
    IMPORT_CLASS,
    MOMENT,
    WAIT,
    WORKER_CLASS,
    WRITER_CLASS,
    Periods,
    Session,
    SessionLock,
    WorkerLock,
    end_hung,
    try_session_lock,
    try_worker_lock,
    value,
)

log = logging.getLogger("PlexSync.store")

T = TypeVar("T")
# The locks by the names of their files in the data folder of SQLite.
KINDS = {lock.FILE: WORKER_CLASS, lock.IMPORT: IMPORT_CLASS}

# The database holds a print of where it is: the server's cluster, its timeline, and the numbers that it gave to the
# database and to a table. A dump that is restored brings the print of its origin along. A server that was restored from
# a base backup, or promoted from standby, has another timeline.
_NUMBERS = "(select oid from pg_database where datname = current_database()) || '-' || 'note'::regclass::oid"
_TIMELINE = "left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)"
# The numbers alone are for servers that keep the rest from their users.
PRINTS = (
    f"select (select system_identifier from pg_control_system()) || '-' || {_TIMELINE} || '-' || {_NUMBERS}",
    f"select {_NUMBERS}",
)
READ_PRINT = "select print from origin"
SAVE_PRINT = (
    "insert into origin (one, print) values (1, %(print)s) on conflict (one) do update set print = excluded.print"
)
SAVE_NOTE = (
    "insert into note (name, value) values (%(name)s, %(value)s)"
    " on conflict (name) do update set value = excluded.value"
)


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
                self._ask(lambda session: notice_restore(session, self._schema), again=False)
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
            session, opening = self._session, not self._migrated
            try:
                try:
                    return question(self._open_session())
                except psycopg.Error:
                    if not again or session is None or not session.closed:
                        raise
                    self._drop()
                    return question(self._open_session())
            except psycopg.Error as error:
                self._drop()
                raise faults.translate_error(error, self._address.name, opening=opening) from error

    def _open_session(self) -> Session:
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
            raise faults.translate_error(error, self._address.name, opening=opening) from error


def notice_restore(session: Session, schema: str) -> bool:
    """Note a restore, after which a full comparison is due; returns whether there was one. Raises psycopg.Error.

    Only for the holder of the worker's lock.
    """
    present = _print(session)
    before = value(session, READ_PRINT)
    if before == present:
        return False
    with session.transaction():
        session.execute(WAIT, {"kind": WRITER_CLASS, "schema": schema})
        session.execute(SAVE_PRINT, {"print": present})
        if before is None:
            return False
        # Stash's answers and the place in a comparison are of another time.
        notes = {LAST_RECONCILE: "", CURSOR: "", STASH_SETTINGS: "", RESTORED: str(value(session, f"select {MOMENT}"))}
        for name, text in notes.items():
            session.execute(SAVE_NOTE, {"name": name, "value": text})
        session.execute(COUNT_COMMIT)
    log.warning("the database was restored, or another server took over: a full comparison is due")
    return True


def _print(session: Session) -> str:
    try:
        return str(value(session, PRINTS[0]))
    except psycopg.errors.InsufficientPrivilege:
        return str(value(session, PRINTS[1]))
