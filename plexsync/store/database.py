"""The store: one database, a connection for each thread, and transactions that reach every table.

`Database.reading()` is one snapshot and yields a `Reader`. `Database.writing()` is the transaction of the only writer
(in SQLite `BEGIN IMMEDIATE`) and yields a `Writer`; it is committed and synced when the block succeeds, and rolled back
otherwise. A table is an attribute of either: `tx.jobs.claim(...)`, `db.index.entries(...)`. A `Reader` has only the
methods that read. No transaction stays open during a request. Times are UTC milliseconds unless a name says seconds.
The events that hooks left as files in the data folder are taken over here. The methods raise `LocalFault` and
`NewerDatabase` only.
"""

import importlib
import logging
import math
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from types import ModuleType
from typing import TYPE_CHECKING, Self, TypeAlias, TypeVar

from plexsync.rules.queue.job import Why
from plexsync.rules.queue.note_keys import EDIT_BY_HOOK
from plexsync.rules.servers.errors import LocalFault, SpoolFault
from plexsync.store import intake
from plexsync.store.connection import Connection, Table
from plexsync.store.db import MOUNTS
from plexsync.store.files.address import StoreAddress
from plexsync.store.queue.summary import Summary
from plexsync.store.sqlite import SqliteFile

if TYPE_CHECKING:
    from plexsync.store.index.index import Index, ReadOnlyIndex, ReadOnlySections, Sections
    from plexsync.store.index.poll_marks import PollMarks, ReadOnlyPollMarks
    from plexsync.store.index.probes import Probes, ReadOnlyProbes, ReadOnlyServers, Servers
    from plexsync.store.index.scene_names import ReadOnlySceneNames, SceneNames
    from plexsync.store.ledger.bindings import Bindings, ReadOnlyBindings
    from plexsync.store.ledger.collection_rows import Collections, ReadOnlyCollections
    from plexsync.store.ledger.imports import Imports, ReadOnlyImports
    from plexsync.store.ledger.memories import Memories, ReadOnlyMemories
    from plexsync.store.ledger.pictures import Pictures, ReadOnlyPictures
    from plexsync.store.ledger.play_memory import Plays, ReadOnlyPlays
    from plexsync.store.ledger.provider_memory import Answers, Providers, ReadOnlyAnswers, ReadOnlyProviders
    from plexsync.store.ledger.pushes import Pushes, Pushings, ReadOnlyPushes, ReadOnlyPushings
    from plexsync.store.ledger.rating_memory import Ratings, ReadOnlyRatings
    from plexsync.store.ledger.run_history import ReadOnlyRuns
    from plexsync.store.ledger.viewing_memory import ReadOnlyViewings, Viewings
    from plexsync.store.ledger.watch_memory import PlayTimes, ReadOnlyPlayTimes, ReadOnlyWatches, Watches
    from plexsync.store.postgres.backend import PostgresSchema
    from plexsync.store.queue.attempts import Attempts, ReadOnlyAttempts
    from plexsync.store.queue.books import Books, ReadOnlyBooks, ReadOnlyTallies, Tallies
    from plexsync.store.queue.breakers import (
        Breakers,
        Holds,
        Paces,
        ReadOnlyBreakers,
        ReadOnlyHolds,
        ReadOnlyPaces,
        ReadOnlyTransitions,
        Transitions,
    )
    from plexsync.store.queue.job_queries import ReadOnlyJobs
    from plexsync.store.queue.jobs import Jobs
    from plexsync.store.queue.notes import Notes, ReadOnlyNotes
    from plexsync.store.queue.samples import ReadOnlySamples, Samples
    from plexsync.store.queue.scan_requests import ScanRequests
    from plexsync.store.queue.standings import ReadOnlyStandings, Standings

T = TypeVar("T")
# A commit can be read a little after its trace. Seconds until one must have been, and between two comparisons anyway.
SETTLED, COMPARED_EVERY = 2.0, 10.0
# What a database has besides the statements of its tables.
Backend: TypeAlias = "SqliteFile | PostgresSchema"
# The module of each table, below `plexsync.store`.
MODULES = {
    "answers": "ledger.provider_memory",
    "attempts": "queue.attempts",
    "bindings": "ledger.bindings",
    "books": "queue.books",
    "breakers": "queue.breakers",
    "collections": "ledger.collection_rows",
    "holds": "queue.breakers",
    "imports": "ledger.imports",
    "index": "index.index",
    "jobs": "queue.jobs",
    "memories": "ledger.memories",
    "notes": "queue.notes",
    "paces": "queue.breakers",
    "pictures": "ledger.pictures",
    "play_times": "ledger.watch_memory",
    "plays": "ledger.play_memory",
    "poll_marks": "index.poll_marks",
    "probes": "index.probes",
    "providers": "ledger.provider_memory",
    "pushes": "ledger.pushes",
    "pushings": "ledger.pushes",
    "ratings": "ledger.rating_memory",
    "runs": "ledger.run_history",
    "samples": "queue.samples",
    "scan_requests": "queue.scan_requests",
    "scene_names": "index.scene_names",
    "sections": "index.index",
    "servers": "index.probes",
    "standings": "queue.standings",
    "tallies": "queue.books",
    "transitions": "queue.breakers",
    "viewings": "ledger.viewing_memory",
    "watches": "ledger.watch_memory",
}


def load_tables() -> None:
    """Import the modules of all tables, for a process that may go on while an update replaces them."""
    for name in Writer.__annotations__:
        _module_of(name)


def _module_of(table: str) -> ModuleType:
    return importlib.import_module(f"plexsync.store.{MODULES[table]}")


class Reader:
    """One consistent snapshot, with read access to every table. A table is imported when it is first used."""

    answers: "ReadOnlyAnswers"
    attempts: "ReadOnlyAttempts"
    bindings: "ReadOnlyBindings"
    books: "ReadOnlyBooks"
    breakers: "ReadOnlyBreakers"
    collections: "ReadOnlyCollections"
    holds: "ReadOnlyHolds"
    imports: "ReadOnlyImports"
    index: "ReadOnlyIndex"
    jobs: "ReadOnlyJobs"
    memories: "ReadOnlyMemories"
    notes: "ReadOnlyNotes"
    paces: "ReadOnlyPaces"
    pictures: "ReadOnlyPictures"
    play_times: "ReadOnlyPlayTimes"
    plays: "ReadOnlyPlays"
    poll_marks: "ReadOnlyPollMarks"
    providers: "ReadOnlyProviders"
    pushes: "ReadOnlyPushes"
    pushings: "ReadOnlyPushings"
    ratings: "ReadOnlyRatings"
    runs: "ReadOnlyRuns"
    samples: "ReadOnlySamples"
    scene_names: "ReadOnlySceneNames"
    sections: "ReadOnlySections"
    probes: "ReadOnlyProbes"
    servers: "ReadOnlyServers"
    standings: "ReadOnlyStandings"
    tallies: "ReadOnlyTallies"
    transitions: "ReadOnlyTransitions"
    viewings: "ReadOnlyViewings"
    watches: "ReadOnlyWatches"

    def __init__(self, db: Connection) -> None:
        self._db = db

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Table:
            """The table of this name, which is an attribute from now on."""
            table = type(self).__annotations__.get(name)
            if table is None:
                raise AttributeError(name)
            own = getattr(_module_of(name), table)(self._db)
            setattr(self, name, own)
            return own

    def summary(self, now: int) -> Summary:
        """Return a summary of the store at one moment, as `status` shows it."""
        return Summary(self._db, now)


class Writer(Reader):
    """One write transaction, with read and write access to every table."""

    answers: "Answers"
    attempts: "Attempts"
    bindings: "Bindings"
    books: "Books"
    breakers: "Breakers"
    collections: "Collections"
    holds: "Holds"
    imports: "Imports"
    index: "Index"
    jobs: "Jobs"
    memories: "Memories"
    notes: "Notes"
    paces: "Paces"
    pictures: "Pictures"
    play_times: "PlayTimes"
    plays: "Plays"
    poll_marks: "PollMarks"
    providers: "Providers"
    pushes: "Pushes"
    pushings: "Pushings"
    ratings: "Ratings"
    runs: "ReadOnlyRuns"
    samples: "Samples"
    scan_requests: "ScanRequests"
    scene_names: "SceneNames"
    sections: "Sections"
    probes: "Probes"
    servers: "Servers"
    standings: "Standings"
    tallies: "Tallies"
    transitions: "Transitions"
    viewings: "Viewings"
    watches: "Watches"

    def prune_history(self, *, now: int, before: int, limit: int) -> int:
        """Delete up to `limit` attempts and as many pushes older than `before`, and tally them; returns the number."""
        attempts = self.attempts.prune(now=now, before=before, limit=limit)
        return attempts + self.pushes.prune(now=now, before=before, limit=limit)


class _Open:
    """One thread's connection and its tables. `number` is its place in opening order; `has_changed` compares the rest."""

    def __init__(self, connection: Connection, thread: threading.Thread, number: int) -> None:
        self.connection = connection
        self.thread = thread
        self.number = number
        self.reader = Reader(connection)
        self.writer = Writer(connection)
        self.version = connection.others_commits()
        self.trace: tuple[int, int] | None = None
        self.traced_at = self.compared_at = -math.inf


class Database:
    """The store in the SQLite file at `path`, created if missing; a connection for each thread.

    `worker`: this process holds the worker's lock, so the connection of the thread that opens the database checkpoints
    the log. `mounts` is the system's table of mounted file systems. `plexsync.store.opening` opens other stores too.
    Opening raises NewerDatabase and Unusable; opening and later use raise LocalFault. After a fault the connection is
    opened again.
    """

    def __init__(self, path: Path, *, worker: bool = False, mounts: Path = MOUNTS) -> None:
        self._set_up(SqliteFile(path, worker=worker, mounts=mounts))

    @classmethod
    def on(cls, backend: Backend) -> Self:
        """Open the store of a backend."""
        database = cls.__new__(cls)
        database._set_up(backend)
        return database

    def _set_up(self, backend: Backend) -> None:
        self._backend = backend
        self._local = threading.local()
        self._opened: list[_Open] = []
        self._count = 0
        self._lock = threading.Lock()
        self._closed = False
        self._spool = Spool(backend.folder)
        self._connection()

    @property
    def folder(self) -> Path:
        """The data folder on this machine; a SQLite file is in it."""
        return self._backend.folder

    @property
    def log(self) -> Path | None:
        """The file that every commit is written to; None if there is none here."""
        return self._backend.log

    @property
    def address(self) -> StoreAddress:
        """Where the store is."""
        return self._backend.address

    @property
    def name(self) -> str:
        """The database's name for messages."""
        return self._backend.name

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """Yield one snapshot."""
        with self._transaction(writes=False) as own:
            yield own.reader

    @contextmanager
    def reading_after(self, prepare: Callable[[Connection], T]) -> Iterator[tuple[Reader, T]]:
        """Yield one snapshot, and the result of `prepare`, which ran on its connection before."""
        with self._transaction(writes=False) as own:
            yield own.reader, prepare(own.connection)

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """Yield one write transaction, committed and synced when the block succeeds. Raises no fault after the commit."""
        with self._transaction(writes=True) as own:
            yield own.writer
        if not self._backend.after_commit(own.connection):
            self._discard(own)

    def has_changed(self) -> bool:
        """Whether another connection has committed since this thread's last call (first: since it connected).

        While the trace of commits stays as it was, no statement is sent, except now and then.
        """
        trace, now = self._trace(), monotonic()
        own = self._connection()
        if trace is None or trace != own.trace:
            own.trace, own.traced_at = trace, now
        elif now - own.traced_at >= SETTLED and now - own.compared_at < COMPARED_EVERY:
            return False
        own.compared_at = now
        own, version = self._connection_and_counter()
        changed, own.version = version != own.version, version
        return changed

    def _trace(self) -> tuple[int, int] | None:
        """What every commit changes, for less than a statement costs; None if nothing is known."""
        # On Windows a file that is open elsewhere keeps its times.
        if self.log is None or sys.platform == "win32":
            return None
        try:
            log = self.log.stat()
        except OSError:
            return None
        return log.st_mtime_ns, log.st_size

    def revision(self) -> tuple[int, int, int]:
        """Return a value that stays the same until a commit. Compare it only with values of the same thread."""
        own, version = self._connection_and_counter()
        return own.number, version, own.connection.total_changes

    def _connection_and_counter(self) -> tuple[_Open, int]:
        """Return this thread's connection, another one if it was lost since its last use, and its counter."""
        own = self._connection()
        try:
            try:
                return own, own.connection.others_commits()
            except self._backend.errors as error:
                own = self._replace(own, error)
                return own, own.connection.others_commits()
        except self._backend.errors as error:
            self._discard(own)
            raise self._backend.translate(error) from error

    def cost(self) -> tuple[int, int]:
        """Count the (statements, transactions) of all open connections."""
        with self._lock:
            connections = [own.connection for own in self._opened]
        return sum(db.statements for db in connections), sum(db.transactions for db in connections)

    def drain_spool(self, now: int) -> int:
        """Queue the events that hooks left as files; returns how many. A kill in between queues an event twice.

        Raises SpoolFault for files that can't be read or removed, after all other events are queued.
        """
        if not (self._spool.stuck or os.path.lexists(self._spool.place)):
            return 0
        total = 0
        for events in self._spool.batches(now):
            with self.writing() as tx:
                for _, kind, id, reason in events:
                    tx.jobs.want(kind, id, Why(reason), now)
                tx.notes.save(EDIT_BY_HOOK, str(now))
            total += len(events)
        return total

    def close(self) -> None:
        """Close the connections of all threads. The store can't be used afterwards."""
        with self._lock:
            self._closed = True
            for own in self._opened:
                own.connection.close()
            self._opened.clear()

    @contextmanager
    def _transaction(self, *, writes: bool) -> Iterator[_Open]:
        """Run a block in a transaction. After a fault the connection's state is unknown, so the next use opens another.

        A connection that was lost since its last use fails to begin one. Nothing has run yet, so another begins it.
        """
        own = self._connection()
        if own.connection.in_transaction:
            raise RuntimeError("a transaction is open in this thread already")
        try:
            try:
                own.connection.begin(writes=writes)
            except self._backend.errors as error:
                own = self._replace(own, error)
                own.connection.begin(writes=writes)
            yield own
            own.connection.commit()
        except BaseException as error:
            self._roll_back(own)
            if isinstance(error, (*self._backend.errors, LocalFault)):
                self._discard(own)
            if isinstance(error, self._backend.errors):
                raise self._backend.translate(error) from error
            raise

    def _roll_back(self, own: _Open) -> None:
        """Roll back, unless the database has done so already. A fault here is ignored in favour of the first one."""
        try:
            if own.connection.in_transaction:
                with suppress(*self._backend.errors):
                    own.connection.roll_back()
        finally:
            if own.connection.in_transaction:
                # The rollback failed too, for example without memory. Nothing else would end the transaction.
                self._discard(own)

    def _connection(self) -> _Open:
        own: _Open | None = getattr(self._local, "own", None)
        if own is None or self._closed:
            own = self._local.own = self._another()
        return own

    def _another(self) -> _Open:
        thread = threading.current_thread()
        with self._lock:
            if self._closed:
                raise LocalFault(f"{self.name} is closed")
            for past in [entry for entry in self._opened if not entry.thread.is_alive()]:
                past.connection.close()
                self._opened.remove(past)
            self._count += 1
            number = self._count
        # A server that does not answer keeps nobody else waiting: neither other threads nor `close`.
        connection = self._backend.connect()
        try:
            own = _Open(connection, thread, number)
            with self._lock:
                if self._closed:
                    raise LocalFault(f"{self.name} is closed")
                self._opened.append(own)
        except BaseException as error:
            connection.close()
            if isinstance(error, self._backend.errors):
                raise self._backend.translate(error) from error
            raise
        return own

    def _replace(self, own: _Open, error: Exception) -> _Open:
        """Return another connection for one that is lost by this error; raises the error if it is not."""
        if not own.connection.is_lost:
            raise error
        self._discard(own)
        replacement = self._connection()
        # What others have committed in between counts as a change.
        replacement.version = -1
        return replacement

    def _discard(self, own: _Open) -> None:
        self._local.own = None
        with self._lock:
            own.connection.close()
            if own in self._opened:
                self._opened.remove(own)


log = logging.getLogger("PlexSync.store")

BATCH = 500

# The path of the file, and the kind, the id and the reason of its event.
Event = tuple[str, str, int, str]


class Spool:
    """The files of one data folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self.place = folder / intake.SPOOL
        # Files whose events are in the database but that could not be removed. Each is yielded only once.
        self.stuck: dict[str, str] = {}

    def batches(self, now: int) -> Iterator[list[Event]]:
        """Yield all events in batches. Commit each batch before you ask for the next one, which removes its files.

        Raises SpoolFault for files that can't be read or removed, after all other events.
        """
        problems: dict[str, str] = {}
        while events := self._read(now, problems):
            yield events
            self.stuck |= intake.unspool([path for path, *_ in events])
        self.stuck = intake.unspool(self.stuck)
        problems |= self.stuck
        if problems:
            path, reason = min(problems.items())
            more = f", as {len(problems) - 1} more" if len(problems) > 1 else ""
            raise SpoolFault(f"an event that a hook left can't be taken over or removed: {path}: {reason}{more}")

    def _read(self, now: int, problems: dict[str, str]) -> list[Event]:
        def report(path: str, problem: str) -> None:
            if problem:
                problems[path] = problem
            else:
                log.warning("%s tells no event: it is kept in the folder %s beside it", path, intake.UNREAD)

        try:
            return intake.list_spooled(self._folder, BATCH, now, but=self.stuck, report=report)
        except OSError as error:
            raise SpoolFault(f"events left as files can't be read: {error.filename}: {error.strerror}") from error
