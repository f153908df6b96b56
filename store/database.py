"""The database as the engine sees it: `sync.ports.Store` over one SQLite file."""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from store import (
    attempts,
    bindings,
    books,
    breakers,
    holds,
    index,
    intake,
    jobs,
    memories,
    notes,
    pictures,
    pushes,
    pushings,
    samples,
    seen,
    shown,
    standings,
    tallies,
)
from store.db import BUSY_SECONDS, MOUNTS, connect, translated
from store.intake import LAST_ID
from sync.errors import LocalFault, Neighbour, SpoolFault
from sync.item import Entry
from sync.job import Crashed, Job, Kind, Lane, Settled, State, Why
from sync.match import Binding
from sync.outages import Transition
from sync.plan import Memory, Pushing
from sync.ports import (
    AttemptRow,
    BreakerRow,
    Called,
    HoldRow,
    JobRow,
    Lately,
    Moved,
    Overview,
    PaceRow,
    PictureRow,
    PushRow,
    RunRow,
    SectionRow,
    Seen,
    Stood,
)
from sync.samples import Sample

log = logging.getLogger("PlexSync.store")

T = TypeVar("T")

SPOOL_BATCH = 500
# A log of so many bytes is begun anew, if those who read it are done within so many milliseconds.
LONG_LOG = 6 * 2**20
# Else it may grow by so many more before that is tried again.
LONGER = 2**20
# To ask for the length of a file that was just synced can cost as much as to sync it: so many changed rows apart, or so
# many seconds, in which others may have written.
WEIGHED_EVERY = 200
WEIGHED_AFTER = 0.1
WAIT_BRIEFLY = "pragma busy_timeout = 250"
BUSY = round(BUSY_SECONDS * 1000)
WAIT_AS_USUAL = f"pragma busy_timeout = {BUSY}"


class ReadingTransaction:
    """`sync.ports.Reading` on an open transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def breaker(self, who: Neighbour) -> BreakerRow:
        """See `sync.ports.Reading`, as for all that follow."""
        return breakers.find(self._db, who)

    def hold(self, who: Neighbour) -> HoldRow | None:
        return holds.find(self._db, who)

    def pace(self, who: Neighbour) -> PaceRow:
        return holds.pace(self._db, who)

    def transitions(self) -> list[Transition]:
        return breakers.transitions(self._db)

    def job(self, kind: Kind, id: int) -> JobRow | None:
        return jobs.find(self._db, kind, id)

    def jobs(self, state: State, *, cls: str = "", limit: int = 100, after: tuple[str, int] = ("", 0)) -> list[JobRow]:
        return jobs.listed(self._db, state, cls=cls, limit=limit, after=after)

    def in_work(self, limit: int) -> list[JobRow]:
        return jobs.in_work(self._db, limit)

    def lately(self, limit: int) -> list[Lately]:
        found = [Lately(*one) for one in attempts.latest(self._db, limit)]
        found += [Lately(Kind.SCENE, *one) for one in pushes.latest(self._db, limit)]
        return sorted(found, key=lambda one: one.at, reverse=True)[:limit]

    def changed_since(self, since: int) -> int:
        return pushes.count_since(self._db, since)

    def job_ids(self, kind: Kind, *, after: int = 0, upto: int = LAST_ID) -> Iterator[tuple[int, State]]:
        return jobs.ids(self._db, kind, after=after, upto=upto)

    def attempts(self, kind: Kind, id: int) -> list[AttemptRow]:
        return attempts.listed(self._db, kind, id)

    def pushes(self, kind: Kind, id: int) -> list[PushRow]:
        return pushes.listed(self._db, kind, id)

    def latest_pushes(self, limit: int) -> list[tuple[int, PushRow]]:
        return pushes.latest(self._db, limit)

    def latest_attempts(self, limit: int) -> list[tuple[Kind, int, AttemptRow]]:
        return attempts.latest(self._db, limit)

    def dead(self) -> dict[str, int]:
        return jobs.count_dead(self._db)

    def dead_up_to(self, limit: int) -> int:
        return jobs.dead_up_to(self._db, limit)

    def tallies(self) -> dict[str, int]:
        return tallies.listed(self._db)

    def outline(self) -> str:
        return index.outline(self._db)

    def attempts_used(self) -> int:
        return attempts.used(self._db)

    def next_due(self, now: int) -> int | None:
        return jobs.next_due(self._db, now)

    def unsettled(self) -> int:
        return jobs.unsettled(self._db)

    def scan(self) -> int:
        return books.scans(self._db)

    def note(self, name: str) -> str:
        return notes.find(self._db, name)

    def number(self, name: str) -> int | None:
        return notes.number(self._db, name)

    def take_overs(self, scenes: Sequence[int]) -> dict[int, str]:
        return notes.marks(self._db, scenes)

    def memories(self, scenes: Sequence[int]) -> dict[tuple[int, str], Memory]:
        return memories.listed(self._db, scenes)

    def pushings(self, scenes: Sequence[int]) -> dict[tuple[int, str], tuple[Pushing, ...]]:
        return pushings.listed(self._db, scenes)

    def owners(self, keys: Sequence[str]) -> dict[str, frozenset[int]]:
        return memories.owners(self._db, keys)

    def bindings(self) -> list[Binding]:
        return bindings.listed(self._db)

    def unbound(self) -> frozenset[tuple[int, str]]:
        return bindings.taken_off(self._db)

    def healthy(self, limit: int, *, but: frozenset[str] = frozenset()) -> list[tuple[str, str, str]]:
        return memories.healthy(self._db, limit, but=but)

    def pushed_scenes(self, *, after: int, limit: int) -> list[int]:
        return memories.scenes(self._db, after=after, limit=limit)

    def pushed_at(self, scenes: Sequence[int]) -> dict[int, int]:
        return pushes.pushed_at(self._db, scenes)

    def pushed_since(self, since: int) -> list[int]:
        return pushes.scenes_since(self._db, since)

    def runs(self) -> list[RunRow]:
        return pushes.runs(self._db)

    def pushed_in(self, run: RunRow) -> list[int]:
        return pushes.pushed_in(self._db, run)

    def undone(self) -> dict[str, int]:
        return memories.count_undone(self._db)

    def sections(self) -> list[SectionRow]:
        return index.sections(self._db)

    def indexed(self) -> int:
        return index.count(self._db)

    def indexed_in(self, section: str) -> int:
        return index.count_in(self._db, section)

    def unmet(self, section: str, *, walk: int, limit: int, after: str = "") -> list[str]:
        return index.unmet(self._db, section, walk=walk, limit=limit, after=after)

    def scenes_of(self, keys: Sequence[str]) -> set[int]:
        return index.scenes_of(self._db, keys)

    def unpaired(self, run: int, *, limit: int, after: str = "") -> list[Entry]:
        return index.unpaired(self._db, run, limit=limit, after=after)

    def count_unpaired(self, run: int) -> int:
        return index.count_unpaired(self._db, run)

    def standing(self, scene: int) -> Stood | None:
        return standings.find(self._db, scene)

    def standings(self) -> dict[str, tuple[int, int | None]]:
        return standings.counts(self._db)

    def stood(self, word: str, *, limit: int, after: int = 0) -> list[int]:
        return standings.listed(self._db, word, limit=limit, after=after)

    def standing_so(self, word: str, *, limit: int, after: int = 0) -> list[int]:
        return standings.standing_so(self._db, word, limit=limit, after=after)

    def called(self, scenes: Sequence[int]) -> dict[int, Called]:
        return shown.called(self._db, scenes)

    def called_like(self, text: str, *, limit: int, after: int = 0) -> list[int]:
        return shown.called_like(self._db, text, limit=limit, after=after)

    def samples(self, start: int, end: int) -> list[Sample]:
        return samples.listed(self._db, start, end)

    def done(self) -> int:
        return books.done(self._db)

    def entries(self, keys: Sequence[str]) -> list[Entry]:
        return index.by_key(self._db, keys)

    def entries_at(self, path_keys: Sequence[str]) -> list[Entry]:
        return index.by_path(self._db, path_keys)

    def entries_named(self, name_keys: Sequence[str]) -> list[Entry]:
        return index.by_name(self._db, name_keys)

    def seen(self, kind: Kind, ids: Sequence[int]) -> dict[int, Seen]:
        return seen.listed(self._db, kind, ids)

    def unsure(self, kind: Kind) -> list[Seen]:
        return seen.unsure(self._db, kind)

    def showing(self, kind: Kind, id: int) -> list[int]:
        return shown.showing(self._db, kind, id)

    def shown_of(self, kind: Kind) -> set[int]:
        return shown.things_of(self._db, kind)

    def pictures(self, scene: int) -> dict[str, PictureRow]:
        return pictures.listed(self._db, scene)

    def overview(self, now: int) -> Overview:
        due, oldest = jobs.count_due(self._db, now)
        held = {who: holds.find(self._db, who) for who in Neighbour}
        return Overview(
            jobs=jobs.count_states(self._db),
            due=due,
            oldest_due=oldest,
            dead=jobs.count_dead(self._db),
            books=books.read(self._db),
            breakers={who: breakers.find(self._db, who) for who in Neighbour},
            holds={who: hold for who, hold in held.items() if hold},
            paces={who: holds.pace(self._db, who) for who in Neighbour},
            sections=index.sections(self._db),
            indexed=index.count(self._db),
            notes=notes.listed(self._db),
        )


class WritingTransaction(ReadingTransaction):
    """`sync.ports.Writing` on an open write transaction."""

    def want(self, kind: Kind, id: int, why: Why, now: int, *, desired: str = "", behind: bool = False) -> None:
        """See `sync.ports.Writing`, as for all that follow."""
        intake.want(self._db, kind, id, why, now, desired, behind=behind)

    def claim(self, limit: int, *, now: int, lease_ms: int, holder: str) -> list[Job]:
        return jobs.claim(self._db, limit, now=now, lease_ms=lease_ms, holder=holder)

    def renew(self, tokens: Sequence[str], *, until: int) -> set[str]:
        return jobs.renew(self._db, tokens, until=until)

    def renewed(self, job: Job) -> bool:
        return jobs.renewed(self._db, job)

    def settle(self, job: Job, after: Settled, *, now: int, ok_mark: int, bad_mark: int) -> bool:
        return jobs.settle(self._db, job, after, now=now, ok_mark=ok_mark, bad_mark=bad_mark)

    def expired(self, *, now: int, dead_holders: bool = False) -> list[tuple[JobRow, bool, int]]:
        return jobs.expired(self._db, now=now, dead_holders=dead_holders)

    def crash(self, row: JobRow, after: Crashed, *, now: int) -> None:
        jobs.crash(self._db, row, after, now=now)

    def retry(
        self,
        *,
        kind: Kind | None = None,
        id: int | None = None,
        cls: str = "",
        now: int,
        lane: Lane = Lane.EDIT,
        limit: int = -1,
    ) -> int:
        return jobs.retry(self._db, kind=kind, id=id, cls=cls, now=now, lane=lane, limit=limit)

    def cure(self, cls: str, *, now: int, limit: int) -> int:
        return jobs.cure(self._db, cls, now=now, limit=limit)

    def wake(self, keys: Iterable[tuple[Kind, int]], *, now: int) -> int:
        return jobs.wake(self._db, keys, now=now)

    def drop(self, *, kind: Kind | None = None, id: int | None = None, cls: str = "", now: int, limit: int = -1) -> int:
        return jobs.drop(self._db, kind=kind, id=id, cls=cls, now=now, limit=limit)

    def set_aside(self, kind: Kind, id: int, *, now: int) -> bool:
        return jobs.set_aside(self._db, kind, id, now=now)

    def wrest(self, kind: Kind, id: int, *, now: int) -> bool:
        return jobs.wrest(self._db, kind, id, now=now)

    def ignore(self, kind: Kind, id: int, *, now: int) -> bool:
        return jobs.ignore(self._db, kind, id, now=now)

    def unignore(self, kind: Kind, id: int, *, now: int) -> bool:
        return jobs.unignore(self._db, kind, id, now=now)

    def prune(self, *, now: int, before: int, limit: int) -> int:
        return jobs.prune(self._db, now=now, before=before, limit=limit)

    def prune_history(self, *, now: int, before: int, limit: int) -> int:
        gone = attempts.prune(self._db, now=now, before=before, limit=limit)
        return gone + pushes.prune(self._db, now=now, before=before, limit=limit)

    def add_push(self, scene: int, key: str, moved: Mapping[str, Moved], *, at: int, undone: str = "") -> None:
        pushes.add(self._db, scene, key, moved, at=at, undone=undone)

    def tally(self, name: str, count: int = 1) -> None:
        tallies.add(self._db, name, count)

    def save_breaker(self, who: Neighbour, row: BreakerRow) -> None:
        breakers.save(self._db, who, row)

    def log_transition(self, who: Neighbour, *, at: int, old: str, new: str, cause: str, error: str) -> None:
        waiting = jobs.unsettled(self._db)
        breakers.log(self._db, who, at=at, old=old, new=new, cause=cause, error=error, waiting=waiting)

    def save_hold(self, who: Neighbour, row: HoldRow | None) -> None:
        holds.save(self._db, who, row)

    def save_pace(self, who: Neighbour, row: PaceRow) -> None:
        holds.save_pace(self._db, who, row)

    def save_note(self, name: str, value: str) -> None:
        notes.save(self._db, name, value)

    def take_over(self, scene: int, *, now: int) -> None:
        notes.mark(self._db, scene, str(now))

    def end_take_over(self, scene: int, mark: str = "") -> None:
        notes.unmark(self._db, scene, mark)

    def remember(self, scene: int, key: str, memory: Memory, *, now: int) -> None:
        memories.save(self._db, scene, key, memory, now=now)

    def bind(self, binding: Binding) -> bool:
        return bindings.save(self._db, binding)

    def unbind(self, scene: int, key: str = "") -> int:
        return bindings.take_off(self._db, scene, key)

    def add_pushing(self, scene: int, key: str, pushing: Pushing) -> int:
        return pushings.add(self._db, scene, key, pushing)

    def prolong_pushing(self, numbers: Sequence[int], until: int) -> None:
        pushings.prolong(self._db, numbers, until)

    def drop_pushing(self, scene: int, key: str, *, number: int | None = None, ended: int | None = None) -> None:
        pushings.drop(self._db, scene, key, number=number, ended=ended)

    def ask_scan(self, section: str, folder: str, *, now: int, again: int) -> bool:
        return index.ask_scan(self._db, section, folder, now=now, again=again)

    def save_section(self, row: SectionRow) -> None:
        index.save_section(self._db, row)

    def drop_sections(self, but: Sequence[str]) -> None:
        index.drop_sections(self._db, but)

    def drop_items(self, but: Sequence[str], *, limit: int) -> int:
        return index.drop_items(self._db, but, limit=limit)

    def index(self, entries: Iterable[Entry], *, walk: int, stamped: bool = False) -> int:
        return index.save(self._db, entries, walk=walk, stamped=stamped)

    def stamp(self, stamps: Mapping[str, int]) -> None:
        index.stamp(self._db, stamps)

    def sweep_index(self, section: str, *, walk: int) -> int:
        return index.sweep(self._db, section, walk=walk)

    def unindex(self, keys: Sequence[str]) -> None:
        index.drop(self._db, keys)

    def pair(self, keys: Sequence[str], scene: int, *, run: int) -> None:
        index.pair(self._db, keys, scene, run=run)

    def save_standings(self, words: Mapping[int, str], *, now: int) -> None:
        standings.save(self._db, words, now=now)

    def drop_standings(self, but: Iterable[int], *, after: int, upto: int = LAST_ID) -> None:
        standings.drop(self._db, but, after=after, upto=upto)

    def scanned(self, now: int) -> int:
        books.count_scan(self._db)
        return self.wake_absent(now, limit=-1)

    def wake_absent(self, now: int, *, limit: int, lane: Lane = Lane.EDIT) -> int:
        return jobs.wake_absent(self._db, now, limit=limit, lane=lane)

    def save_seen(self, kind: Kind, seen_now: Iterable[Seen]) -> None:
        seen.save(self._db, kind, seen_now)

    def forget_seen(self, kind: Kind) -> None:
        seen.forget(self._db, kind)

    def save_shown(self, scene: int, things: Iterable[tuple[str, int]], *, title: str = "", path: str = "") -> None:
        shown.save(self._db, scene, things, title=title, path=path)

    def add_sample(self, sample: Sample) -> None:
        samples.add(self._db, sample)

    def prune_samples(self, *, now: int, limit: int) -> int:
        return samples.prune(self._db, now=now, limit=limit)

    def save_picture(self, scene: int, name: str, row: PictureRow) -> None:
        pictures.save(self._db, scene, name, row)

    def forget_pictures(self, scene: int) -> None:
        pictures.forget(self._db, scene)


class _Open:
    """One thread's connection. `version` is what `changed` compares."""

    def __init__(self, db: sqlite3.Connection, thread: threading.Thread) -> None:
        self.db = db
        self.thread = thread
        self.version = self.data_version()

    def data_version(self) -> int:
        return int(self.db.execute("pragma data_version").fetchone()[0])


class Database:
    """`sync.ports.Store` over the file at `path`, which is made when missing; a connection for each thread.

    `worker`: this process holds the worker's lock, so the connection of the thread that opens the database copies the
    log back. `mounts` tells what kind of file system it lies on. Raises NewerDatabase and Unusable when opened, and
    LocalFault then and later; after a fault the connection is opened anew.
    """

    def __init__(self, path: Path, *, worker: bool = False, mounts: Path = MOUNTS) -> None:
        self._path = path
        self._log = path.with_name(f"{path.name}-wal")
        self._mounts = mounts
        self._keeper = threading.current_thread() if worker else None
        self._long_log = LONG_LOG
        self._weighed = 0
        self._weighed_at = 0.0
        self._local = threading.local()
        self._opened: list[_Open] = []
        self._lock = threading.Lock()
        self._closed = False
        # Files whose events are in the database, and that could not be removed: each is wanted once.
        self._stuck: dict[str, str] = {}
        self._connection()

    def reading(self) -> AbstractContextManager[ReadingTransaction]:
        """One snapshot."""
        return self._transaction("begin", ReadingTransaction)

    def writing(self) -> AbstractContextManager[WritingTransaction]:
        """One write transaction, committed and synced when the block ends well; no fault is raised after the commit."""
        return self._transaction("begin immediate", WritingTransaction)

    def changed(self) -> bool:
        """Whether another connection has committed since this thread last asked (at first: since it opened its own)."""
        own = self._connection()
        try:
            found = own.data_version()
        except sqlite3.Error as error:
            self._discard(own)
            raise translated(error, self._path) from error
        changed, own.version = found != own.version, found
        return changed

    def drain_spool(self, now: int) -> int:
        """Want what hooks had to leave as files; returns how many. A kill in between wants a thing twice.

        Raises SpoolFault, once everything else is wanted, for files that can't be read or removed.
        """
        folder, total = str(self._path.parent), 0
        left: dict[str, str] = {}
        while events := self._spooled(folder, now, left):
            with self.writing() as tx:
                for _, kind, id, why in events:
                    tx.want(Kind(kind), id, Why(why), now)
            self._stuck |= intake.unspool([path for path, *_ in events])
            total += len(events)
        self._stuck = intake.unspool(self._stuck)
        left |= self._stuck
        if left:
            path, why = min(left.items())
            more = f", as {len(left) - 1} more" if len(left) > 1 else ""
            raise SpoolFault(f"an event that a hook left can't be taken over or removed: {path}: {why}{more}")
        return total

    def close(self) -> None:
        """Close every thread's connection; the store can't be used any more."""
        with self._lock:
            self._closed = True
            for own in self._opened:
                own.db.close()
            self._opened.clear()

    def _spooled(self, folder: str, now: int, left: dict[str, str]) -> list[tuple[str, str, int, str]]:
        def told(path: str, why: str) -> None:
            if why:
                left[path] = why
            else:
                log.warning("%s tells no event: it is kept in the folder %s beside it", path, intake.UNREAD)

        try:
            return intake.spooled(folder, SPOOL_BATCH, now, but=self._stuck, told=told)
        except OSError as error:
            raise SpoolFault(f"events left as files can't be read: {error.filename}: {error.strerror}") from error

    def _shorten_log(self, own: _Open) -> None:
        """Begin the log anew when it has grown long, which it does while there always is somebody who reads or writes."""
        changes = own.db.total_changes
        now = time.monotonic()
        if 0 <= changes - self._weighed < WEIGHED_EVERY and now - self._weighed_at < WEIGHED_AFTER:
            return
        self._weighed, self._weighed_at = changes, now
        try:
            size = self._log.stat().st_size
        except OSError:
            return
        if size > self._long_log:
            shortened = False
            try:
                own.db.execute(WAIT_BRIEFLY)
                # What is copied beforehand, while others may write, need not be copied while nobody may.
                own.db.execute("pragma wal_checkpoint(passive)").fetchall()
                ((busy, *_),) = own.db.execute("pragma wal_checkpoint(truncate)").fetchall()
                own.db.execute(WAIT_AS_USUAL)
                shortened = not busy
            except sqlite3.Error:
                # What was committed stays so: a fault, such as a full disk, is for the next transaction to meet.
                self._discard(own)
            # While a reader stands in the way, not every commit is to wait for it.
            self._long_log = LONG_LOG if shortened else size + LONGER

    @contextmanager
    def _transaction(self, begin: str, made: Callable[[sqlite3.Connection], T]) -> Iterator[T]:
        """A transaction around a block. After a fault nothing is known about a connection: the next use opens another."""
        own = self._connection()
        if own.db.in_transaction:
            raise RuntimeError("a transaction is open in this thread already")
        try:
            own.db.execute(begin)
            yield made(own.db)
            own.db.execute("commit")
        except BaseException as error:
            self._roll_back(own)
            if isinstance(error, sqlite3.Error | LocalFault):
                self._discard(own)
            if isinstance(error, sqlite3.Error):
                raise translated(error, self._path) from error
            raise
        if made is WritingTransaction and self._keeper is own.thread:
            self._shorten_log(own)

    def _roll_back(self, own: _Open) -> None:
        """End what failed, unless SQLite has done so already; the first fault is the one to tell of."""
        try:
            if own.db.in_transaction:
                with suppress(sqlite3.Error):
                    own.db.execute("rollback")
        finally:
            if own.db.in_transaction:
                # That failed too, for want of memory for instance: nobody would end it any more.
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
                raise LocalFault(f"{self._path.name} is closed")
            for past in [one for one in self._opened if not one.thread.is_alive()]:
                past.db.close()
                self._opened.remove(past)
            db = connect(self._path, checkpoints=thread is self._keeper, mounts=self._mounts)
            try:
                own = _Open(db, thread)
            except BaseException:
                db.close()
                raise
            self._opened.append(own)
        return own

    def _discard(self, own: _Open) -> None:
        self._local.own = None
        with self._lock:
            own.db.close()
            if own in self._opened:
                self._opened.remove(own)
