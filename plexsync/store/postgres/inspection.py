"""What `doctor` wants to know of a PostgreSQL server: version, size, latency, clock, free connections, poolers."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import psycopg

from plexsync.rules.record_class import record
from plexsync.store.files.address import StoreAddress
from plexsync.store.postgres import faults
from plexsync.store.postgres.backend import connect
from plexsync.store.postgres.schema import lacks_standby
from plexsync.store.postgres.worker_lock import Session, commit_wait, moment, value

# Round trips that are measured.
TRIPS = 9

SIZE = (
    "select coalesce(sum(pg_total_relation_size(oid)), 0)::bigint from pg_class"
    " where relnamespace = current_schema()::regnamespace and relkind = 'r'"
)
VERSION = "select version from schema_version"
# The sessions of other users count, and are listed nowhere else for everyone.
FREE = (
    "select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
    " - coalesce(sum(numbackends), 0)::int from pg_stat_database"
)
ENCRYPTED = "select coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false)"
PID = "select pg_backend_pid()"


@record
class ServerCheck:
    """State of the database server. `latency` is the median of some round trips in milliseconds, `size` in bytes.

    `ahead`: by how many milliseconds its clock is ahead of this machine's. `free`: connections that are left.
    `changes_sessions`: a pooler gives each transaction another session, so session locks are worth nothing.
    `lacks_standby`: commits wait for a synchronous standby, and none of those that the server is set to is connected.
    `commit_wait`: for how many seconds a commit has been waiting for one; 0.0 if none waits.
    """

    version: str
    schema: int
    size: int
    latency: float
    ahead: int
    free: int
    encrypted: bool
    changes_sessions: bool
    lacks_standby: bool = False
    commit_wait: float = 0.0


def inspect(address: StoreAddress, now: Callable[[], int]) -> ServerCheck:
    """Ask the server; `now` is this machine's wall clock in UTC milliseconds. Raises SyncErrors."""
    with _connect(address) as db:
        latency, ahead = _time_round_trips(db, now)
        return ServerCheck(
            version=str(db.info.parameter_status("server_version") or "of unknown version"),
            schema=int(value(db, VERSION)),
            size=int(value(db, SIZE)),
            latency=latency,
            ahead=ahead,
            free=int(value(db, FREE)),
            encrypted=bool(value(db, ENCRYPTED)),
            changes_sessions=_changes_sessions(db, address),
            lacks_standby=lacks_standby(db),
            commit_wait=commit_wait(db),
        )


def _time_round_trips(db: Session, now: Callable[[], int]) -> tuple[float, int]:
    """The median of the round trips, and the distance of the clocks by the fastest of them."""
    trips: list[tuple[float, int]] = []
    for _ in range(TRIPS):
        began, here = time.perf_counter(), now()
        server_time = moment(db)
        took = (time.perf_counter() - began) * 1000
        trips.append((took, round(server_time - here - took / 2)))
    return statistics.median(took for took, _ in trips), min(trips)[1]


def _changes_sessions(db: Session, address: StoreAddress) -> bool:
    """Whether our session changes while another connection is within a transaction.

    A pooler gives a free session to whoever begins a transaction. So the other connection gets the one that we had, and
    we get another one.
    """
    before = value(db, PID)
    with _connect(address) as other:
        other.execute("begin")
        value(other, PID)
        try:
            return bool(value(db, PID) != before)
        finally:
            other.execute("rollback")


@contextmanager
def _connect(address: StoreAddress) -> Iterator[Session]:
    with closing(connect(address)) as db:
        try:
            yield db
        except psycopg.Error as error:
            raise faults.translate_error(error, address.name) from error
