"""The worker's lock in PostgreSQL: an advisory lock of a session, held by one process of all machines.

The lock ends with its session: at once when the process ends. A session whose process hangs, or whose machine is gone,
stays open; so the holder also sends a heartbeat, and whoever finds the heartbeat older than the lease ends that session.
Each holder has a number that rises with every change. A transaction of a worker checks it (`PostgresConnection`), so a
process that wakes up after it was replaced changes nothing.

The holder counts its lease from before it sent a heartbeat, and everybody else from when that reached the database. So
a holder stops by itself before another one can begin, whatever the clocks of the machines show.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, NamedTuple

import psycopg
from psycopg.types.json import Json

from plexsync.rules.queue.machine import Machine
from plexsync.rules.records import StandbyRow, WorkerRow
from plexsync.rules.servers.errors import LockLost
from plexsync.store.ledger.lasting import LastingThread
from plexsync.store.postgres.clock import steady

# An advisory lock has two numbers: its class, and a hash of the schema. The first is the class of the only writer.
WRITER_CLASS = 0x506C5379  # "PlSy", as in the id of PlexSync's SQLite files
WORKER_CLASS, IMPORT_CLASS = WRITER_CLASS + 1, WRITER_CLASS + 2
# UTC milliseconds by the database, now rather than when the transaction began.
MOMENT = "floor(extract(epoch from clock_timestamp()) * 1000)::bigint"
# How long a session may wait for the writers of the store when it takes over.
PATIENCE = "5s"
# Milliseconds to wait for the end of a session that is being ended.
LAST_WORDS = 1_000

TRY = "select pg_try_advisory_lock(%(kind)s, hashtext(%(schema)s))"
WAIT = "select pg_advisory_xact_lock(%(kind)s, hashtext(%(schema)s))"
RISE = f"""
insert into worker (number, host, pid, version, backend, settings, installation, since, beat)
values (1, %(host)s, %(pid)s, %(version)s, pg_backend_pid(), %(settings)s, %(installation)s, {MOMENT}, {MOMENT})
on conflict (one) do update
   set number = worker.number + 1, host = excluded.host, pid = excluded.pid, version = excluded.version,
       backend = excluded.backend, settings = excluded.settings, installation = excluded.installation,
       since = excluded.since, beat = excluded.beat, ended = null
returning number
"""
BEAT = f"update worker set beat = {MOMENT} where number = %(number)s and backend = pg_backend_pid() returning beat"
SETTINGS = "update worker set settings = %(settings)s where number = %(number)s and backend = pg_backend_pid()"
END = "update worker set ended = %(error)s where number = %(number)s and backend = pg_backend_pid()"
# Who holds one of PlexSync's locks in this schema.
HOLDERS = """
  from pg_locks held
 where held.locktype = 'advisory' and held.granted and held.objsubid = 2
   and held.database = (select oid from pg_database where datname = current_database())
   and held.objid::bigint = hashtext(%(schema)s)::bigint & 4294967295 and held.classid::bigint = %(kind)s
"""
HELD = f"select count(*) {HOLDERS}"
# A session that neither beats nor asks anything for the length of a lease hangs, and so does one that does nothing in
# the middle of a transaction that everybody waits for.
HUNG_WORKER = f"""
select pg_terminate_backend(pid, {LAST_WORDS}) from (
    select held.pid {HOLDERS}
       and not exists (select 1 from worker where backend = held.pid and beat > {MOMENT} - %(lease)s)
       and not exists (select 1 from pg_stat_activity asking
                        where asking.pid = held.pid
                          and asking.state_change > clock_timestamp() - make_interval(secs => %(lease)s / 1000.0))
) as hung
"""
HUNG_WRITER = f"""
select pg_terminate_backend(pid, {LAST_WORDS}) from (
    select held.pid {HOLDERS}
       and exists (select 1 from pg_stat_activity idle
                    where idle.pid = held.pid and idle.state like 'idle in transaction%%'
                      and idle.state_change < clock_timestamp() - make_interval(secs => %(lease)s / 1000.0))
) as hung
"""
WORKER = "select number, host, pid, version, since, beat, ended, installation, settings from worker"
STANDBYS = (
    f"select differing, host, pid, version, since, beat from standby where beat > {MOMENT} - %(lease)s"
    " order by since, id"
)
STAND_BY = f"""
insert into standby (id, host, pid, version, since, beat, differing)
values (%(id)s, %(host)s, %(pid)s, %(version)s, {MOMENT}, {MOMENT}, %(differing)s)
on conflict (id) do update set beat = excluded.beat, differing = excluded.differing
"""
# Of the sessions of this user: those of others show nothing.
COMMIT_WAIT = """
select coalesce(max(extract(epoch from clock_timestamp() - query_start)), 0)::float8
  from pg_stat_activity where wait_event = 'SyncRep'
"""
# Said before the session is closed, since its end reaches the server a moment later.
FREE = "select pg_advisory_unlock_all()"
LEAVE = "delete from standby where id = %(id)s"
FORGET = f"delete from standby where beat < {MOMENT} - 100 * %(lease)s"

Session = psycopg.Connection[Any]


class Periods(NamedTuple):
    """Seconds between two heartbeats, for which one counts, and between two tries of a standby."""

    beat: float = 3.0
    lease: float = 12.0
    look: float = 2.0


# A machine that hangs is replaced within lease + look: 14 s.
PERIODS = Periods()


def value(session: Session, sql: str, **values: object) -> Any:
    """Return the first value of a statement; None if it returns no row."""
    row = session.execute(sql, values).fetchone()
    return None if row is None else row[0]


class SessionLock:
    """An advisory lock, held until `release` or the end of the process or of its session."""

    def __init__(self, session: Session) -> None:
        self._session: Session | None = session

    def release(self) -> None:
        """Release the lock. May be called twice."""
        session, self._session = self._session, None
        if session is not None:
            _end(session)

    def __enter__(self) -> "SessionLock":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def try_session_lock(session: Session, schema: str, kind: int) -> SessionLock | None:
    """Take a lock with this session of its own; None, with the session closed, while another one holds it."""
    try:
        is_ours = value(session, TRY, schema=schema, kind=kind)
    except BaseException:
        session.close()
        raise
    if is_ours:
        return SessionLock(session)
    session.close()
    return None


def is_held(session: Session, schema: str, kind: int = WORKER_CLASS) -> bool:
    """Whether any session holds this lock."""
    return bool(value(session, HELD, schema=schema, kind=kind))


def moment(session: Session) -> int:
    """Return the database's time in UTC milliseconds."""
    return int(value(session, f"select {MOMENT}"))


def commit_wait(session: Session) -> float:
    """Return for how many seconds a commit has been waiting for a synchronous standby server; 0.0 if none waits."""
    return float(value(session, COMMIT_WAIT))


def worker(session: Session) -> WorkerRow | None:
    """Return the process that holds the worker's lock, or held it last; None if there never was one."""
    row = session.execute(WORKER).fetchone()
    return None if row is None else WorkerRow(*row)


def standbys(session: Session, lease: float) -> list[StandbyRow]:
    """Return the processes that stand by and have said so within the lease (seconds)."""
    rows = session.execute(STANDBYS, {"lease": round(lease * 1000)}).fetchall()
    return [replace(StandbyRow(*facts), differing=tuple(differing)) for differing, *facts in rows]


def stand_by(session: Session, machine: Machine, differing: Sequence[str] = ()) -> None:
    """Note that this process stands by, and which settings keep it from taking over."""
    session.execute(STAND_BY, {**_row(machine), "id": _id(machine), "differing": Json(list(differing))})


def leave(session: Session, machine: Machine, lease: float) -> None:
    """Take this process out of those that stand by, and all that are long gone: for many leases (seconds)."""
    session.execute(LEAVE, {"id": _id(machine)})
    session.execute(FORGET, {"lease": round(lease * 1000)})


def _row(machine: Machine) -> dict[str, object]:
    facts = {"host": machine.host, "pid": machine.pid, "version": machine.version}
    return {**facts, "installation": machine.installation, "settings": Json(dict(machine.settings))}


def _id(machine: Machine) -> str:
    return f"{machine.installation}:{machine.pid}"


def end_hung(session: Session, schema: str, lease: float) -> int:
    """End the sessions that hold this schema's locks and hang; returns how many were ended."""
    values = {"schema": schema, "lease": round(lease * 1000)}
    workers = session.execute(HUNG_WORKER, {**values, "kind": WORKER_CLASS}).fetchall()
    writers = session.execute(HUNG_WRITER, {**values, "kind": WRITER_CLASS}).fetchall()
    return len(workers) + len(writers)


def try_worker_lock(
    connect: Callable[[], Session],
    schema: str,
    machine: Machine,
    periods: Periods | None = None,
    *,
    agrees: Callable[[WorkerRow], bool] = lambda _last: True,
) -> "WorkerLock | None":
    """Take the worker's lock of this schema; None while another process holds it. Raises psycopg.Error.

    A holder that hangs for longer than its lease loses the lock here. `agrees` says whether this process may follow the
    last holder; otherwise the lock stays free.
    """
    periods = periods or PERIODS
    session = connect()
    number = None
    try:
        # The lease counts from before the first heartbeat.
        began = steady()
        if not _take(session, schema):
            if not end_hung(session, schema, periods.lease) or not _take(session, schema):
                return None
            began = steady()
        last = worker(session)
        if last is None or agrees(last):
            number = _raise_number(session, schema, machine, periods)
    finally:
        if number is None:
            _end(session)
    return WorkerLock(session, number, began, periods, last) if number is not None else None


def _end(session: Session) -> None:
    """Release the locks of a session and close it, however it is."""
    with suppress(psycopg.Error):
        session.execute(FREE)
    session.close()


def _take(session: Session, schema: str) -> bool:
    return bool(value(session, TRY, schema=schema, kind=WORKER_CLASS))


def _raise_number(session: Session, schema: str, machine: Machine, periods: Periods) -> int | None:
    """Note this process under the next number, after every transaction of the one before; None if one hangs."""
    try:
        with session.transaction():
            session.execute(f"set local lock_timeout = '{PATIENCE}'")
            session.execute(WAIT, {"kind": WRITER_CLASS, "schema": schema})
            return int(value(session, RISE, **_row(machine)))
    except psycopg.errors.LockNotAvailable:
        end_hung(session, schema, periods.lease)
        return None


class Heartbeat(LastingThread):
    """Sends heartbeats by `beat` until the lock is released or lost."""

    def __init__(self, beat: Callable[[], None], over: threading.Event) -> None:
        super().__init__("heartbeat", over)
        self._beat = beat

    def work(self) -> None:
        """Send them."""
        self._beat()


class WorkerLock:
    """The worker's lock, held by this process. `number` is its fencing number, `last` the holder before.

    A thread sends the heartbeats. `heard` receives the database's time with each, and the `steady` time before the
    question. `when_lost` is called when the lock is lost, from any thread.
    """

    def __init__(
        self, session: Session, number: int, began: float, periods: Periods, last: WorkerRow | None = None
    ) -> None:
        self.number = number
        self.last = last
        self.lost = threading.Event()
        self.heard: Callable[[int, float], None] = lambda _moment, _asked: None
        self.when_lost: Callable[[], None] = lambda: None
        self._session = session
        self._periods = periods
        self._good_until = began + periods.lease * 1000
        self._released = threading.Event()
        self._using = threading.Lock()
        self._thread = Heartbeat(self._beat, self._released)
        self._thread.start()

    def check(self) -> None:
        """Raise LockLost unless this process holds the lock for certain, by its own lease."""
        if not self.lost.is_set() and steady() >= self._good_until:
            self.lose()
        if self.lost.is_set():
            raise LockLost

    def confirm(self) -> None:
        """Send a heartbeat now; raises LockLost if the lock is lost, as it is with its session."""
        self._send_beat()
        self.check()

    def lose(self) -> None:
        """Record that the lock is lost: nothing more may be written or sent."""
        self.lost.set()
        self.when_lost()

    def use(self, settings: Mapping[str, str]) -> None:
        """Note the prints of changed settings, so that machines that stand by compare theirs with them."""
        with self._using:
            if not self._released.is_set():
                with self._guard():
                    self._session.execute(SETTINGS, {"settings": Json(dict(settings)), "number": self.number})

    def release(self, error: str = "") -> None:
        """Release the lock, and note that this worker ended in good order, or by this error. May be called twice."""
        if self._released.is_set():
            return
        self._released.set()
        # A heartbeat that hangs with its connection must not hold up the end of the process.
        if self._using.acquire(timeout=self._periods.beat):
            try:
                with suppress(psycopg.Error):
                    self._session.execute(END, {"number": self.number, "error": error})
                    self._session.execute(FREE)
            finally:
                self._using.release()
        self.lose()
        self._session.close()

    def __enter__(self) -> "WorkerLock":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release("" if error is None else "its work was broken off")

    @contextmanager
    def _guard(self) -> Iterator[None]:
        """Take an error of the session for the loss of its lock, which ends with it."""
        try:
            yield
        except psycopg.Error:
            self.lose()

    def _beat(self) -> None:
        while not self._released.wait(self._periods.beat) and not self.lost.is_set():
            self._send_beat()

    def _send_beat(self) -> None:
        with self._using:
            if not self._released.is_set():
                with self._guard():
                    self._hear()

    def _hear(self) -> None:
        asked = steady()
        beat = value(self._session, BEAT, number=self.number)
        if beat is None or steady() >= self._good_until:
            # Another one has taken over, or may have: this process was away for longer than its lease.
            self.lose()
            return
        self._good_until = asked + self._periods.lease * 1000
        self.heard(int(beat), asked)
