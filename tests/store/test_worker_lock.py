"""The worker's lock in PostgreSQL, held and left by real processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from plexsync.rules.queue.machine import Machine
from plexsync.rules.servers.errors import LockLost
from plexsync.store.ledger import lasting
from plexsync.store.postgres import schema, worker_lock
from plexsync.store.postgres.worker_lock import (
    IMPORT_CLASS,
    WRITER_CLASS,
    Periods,
    Session,
    end_hung,
    is_held,
    leave,
    stand_by,
    standbys,
    try_session_lock,
    try_worker_lock,
    worker,
)
from tests.patience import HANG, until
from tests.postgres_server import shared
from tests.store.lock_holder import SCHEMA

pytestmark = pytest.mark.needs_postgres

ROOT = Path(__file__).resolve().parents[2]
# Nothing ends here because the machine is busy.
CALM = Periods(HANG, 10 * HANG, HANG)
# A lease that is over soon, for a process that hangs.
SHORT = Periods(0.1, 1.0, 0.1)
HERE = Machine("here", 7, "2.0", "i2", {"sync_title": "a1"})
Connect = Callable[[], Session]


@pytest.fixture
def url() -> Iterator[str]:
    with shared().database() as url:
        with psycopg.connect(url, autocommit=True) as session:
            schema.run_all(session, schema.WORKERS)
        yield url


@pytest.fixture
def connect(url: str) -> Iterator[Connect]:
    opened: list[Session] = []

    def connect() -> Session:
        opened.append(psycopg.connect(url, autocommit=True))
        return opened[-1]

    yield connect
    for session in opened:
        session.close()


@pytest.fixture
def holder(url: str) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock by the short lease, and has said so."""
    words = [sys.executable, "-m", "tests.store.lock_holder", url, str(SHORT.beat), str(SHORT.lease)]
    process = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "1\n"
    yield process
    process.kill()
    process.communicate()


def test_one_process_holds_the_lock_and_its_number_rises_with_each_holder(connect: Connect) -> None:
    first = try_worker_lock(connect, SCHEMA, HERE, CALM)
    assert first is not None
    assert first.number == 1
    first.check()
    assert try_worker_lock(connect, SCHEMA, HERE, CALM) is None
    first.release()
    first.release()
    second = try_worker_lock(connect, SCHEMA, HERE, CALM)
    assert second is not None
    assert second.number == 2
    second.release()


def test_each_schema_has_a_lock_of_its_own_and_looking_at_one_takes_none(connect: Connect) -> None:
    look = connect()
    assert not is_held(look, SCHEMA)
    with try_worker_lock(connect, SCHEMA, HERE, CALM):
        assert is_held(look, SCHEMA)
        assert not is_held(look, "plexsync_other")
        assert not is_held(look, SCHEMA, IMPORT_CLASS)
    assert not is_held(look, SCHEMA)


def test_the_row_tells_who_works_with_what_settings_and_how_it_ended(connect: Connect) -> None:
    look = connect()
    assert worker(look) is None
    lock = try_worker_lock(connect, SCHEMA, HERE, CALM)
    row = worker(look)
    assert (row.number, row.host, row.pid, row.version, row.ended) == (1, "here", 7, "2.0", None)
    assert row.installation == "i2"
    assert row.settings == {"sync_title": "a1"}
    assert row.since <= row.beat
    lock.use({"sync_title": "b2"})
    assert worker(look).settings == {"sync_title": "b2"}
    lock.release()
    assert worker(look).ended == ""
    with try_worker_lock(connect, SCHEMA, HERE, CALM) as second:
        assert (second.last.number, second.last.ended) == (1, "")
        second.release("the disk is full")
    assert worker(look).ended == "the disk is full"


def test_who_may_not_follow_the_last_holder_leaves_the_lock_free(connect: Connect) -> None:
    try_worker_lock(connect, SCHEMA, HERE, CALM).release()
    asked = []
    assert try_worker_lock(connect, SCHEMA, HERE, CALM, agrees=lambda last: bool(asked.append(last))) is None
    assert [last.number for last in asked] == [1]
    look = connect()
    assert not is_held(look, SCHEMA)
    assert worker(look) == asked[0]


def test_a_killed_holder_loses_the_lock_with_its_process_and_not_with_its_lease(
    connect: Connect, holder: subprocess.Popen[str]
) -> None:
    assert try_worker_lock(connect, SCHEMA, HERE, CALM) is None
    holder.kill()
    taken = []
    until(lambda: taken or taken.extend(filter(None, [try_worker_lock(connect, SCHEMA, HERE, CALM)])))
    assert taken[0].number == 2
    assert worker(connect()).host == "here"


def test_a_holder_that_hangs_is_replaced_after_its_lease_and_knows_it_when_it_wakes_up(
    connect: Connect, holder: subprocess.Popen[str]
) -> None:
    os.kill(holder.pid, signal.SIGSTOP)
    look, taken = connect(), []
    before = worker(look)
    until(lambda: taken or taken.extend(filter(None, [try_worker_lock(connect, SCHEMA, HERE, SHORT)])))
    after = worker(look)
    assert (before.host, after.host, after.number) == ("holder", "here", 2)
    # By the clock of the database, not before the lease was over.
    assert after.since - before.beat >= SHORT.lease * 1000
    os.kill(holder.pid, signal.SIGCONT)
    assert holder.stdout.readline() == "lost\n"


def test_a_holder_that_beats_is_never_ended(connect: Connect, holder: subprocess.Popen[str]) -> None:
    look, beats = connect(), set()
    while len(beats) < 5:
        assert end_hung(look, SCHEMA, HANG) == 0
        beats.add(worker(look).beat)
    assert is_held(look, SCHEMA)


def test_a_session_that_has_just_taken_the_lock_is_not_ended_for_the_last_beat_of_another(connect: Connect) -> None:
    look = connect()
    try_worker_lock(connect, SCHEMA, HERE, CALM).release()
    look.execute("update worker set beat = 0")
    lock = try_session_lock(connect(), SCHEMA, worker_lock.WORKER_CLASS)
    assert end_hung(look, SCHEMA, HANG) == 0
    # It was asked nothing since: it hangs between the lock and its first heartbeat.
    until(lambda: end_hung(look, SCHEMA, SHORT.lease))
    assert not is_held(look, SCHEMA)
    lock.release()


def test_a_writer_that_hangs_in_its_transaction_does_not_keep_the_next_worker_out(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_lock, "PATIENCE", "100ms")
    writer, look = connect(), connect()
    writer.execute("begin")
    writer.execute(worker_lock.WAIT, {"kind": WRITER_CLASS, "schema": SCHEMA})
    # While its last statement is young, it is waited for.
    assert try_worker_lock(connect, SCHEMA, HERE, Periods(HANG, HANG, HANG)) is None
    assert is_held(look, SCHEMA, WRITER_CLASS)
    taken = []
    until(lambda: taken or taken.extend(filter(None, [try_worker_lock(connect, SCHEMA, HERE, SHORT)])))
    with pytest.raises(psycopg.OperationalError):
        writer.execute("select 1")


def test_a_holder_whose_session_is_ended_loses_the_lock_at_its_next_heartbeat(connect: Connect) -> None:
    lock = try_worker_lock(connect, SCHEMA, HERE, Periods(0.05, HANG, 1.0))
    connect().execute("select pg_terminate_backend(backend::int) from worker")
    assert lock.lost.wait(HANG)
    with pytest.raises(LockLost):
        lock.check()


def test_a_holder_that_was_away_for_its_lease_sends_nothing_more(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = try_worker_lock(connect, SCHEMA, HERE, CALM)
    lock.check()
    now = worker_lock.steady()
    monkeypatch.setattr(worker_lock, "steady", lambda: now + CALM.lease * 1000)
    with pytest.raises(LockLost):
        lock.check()
    assert lock.lost.is_set()
    # It does not get the lock back by looking again.
    monkeypatch.setattr(worker_lock, "steady", lambda: now)
    with pytest.raises(LockLost):
        lock.check()
    lock.release()


def test_heartbeats_tell_the_time_of_the_database(connect: Connect) -> None:
    heard: list[tuple[int, float]] = []
    with try_worker_lock(connect, SCHEMA, HERE, Periods(0.05, HANG, 1.0)) as lock:
        lock.heard = lambda told, asked: heard.append((told, asked))
        until(lambda: len(heard) >= 3)
        row = worker(connect())
    assert [told for told, _ in heard] == sorted(told for told, _ in heard)
    assert row.since <= heard[0][0]


def test_heartbeats_go_on_after_a_fault_of_ours_which_is_told(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lasting, "FIRST_PAUSE", 0.01)
    faults, heard = [RuntimeError("a fault")], list[int]()

    def hear(told: int, _asked: float) -> None:
        if faults:
            raise faults.pop()
        heard.append(told)

    with try_worker_lock(connect, SCHEMA, HERE, Periods(0.05, HANG, 1.0)) as lock:
        lock.heard = hear
        until(lambda: len(heard) >= 2)
        assert not lock.lost.is_set()
    assert lasting.ended_threads() == ["heartbeat (RuntimeError)"]


def test_who_stands_by_is_seen_until_its_last_beat_is_too_old(connect: Connect) -> None:
    look = connect()
    stand_by(look, HERE)
    stand_by(look, Machine("there", 8, "2.0", "i3", {}), ("sync_title", "title_template"))
    rows = standbys(look, HANG)
    assert [(row.host, row.pid, row.differing) for row in rows] == [
        ("here", 7, ()),
        ("there", 8, ("sync_title", "title_template")),
    ]
    leave(look, HERE, HANG)
    assert [row.host for row in standbys(look, HANG)] == ["there"]
    look.execute("update standby set beat = beat - %s", (round(HANG * 1000),))
    assert standbys(look, HANG) == []
    look.execute("update standby set beat = 0")
    leave(look, HERE, HANG)
    assert look.execute("select count(*) from standby").fetchone() == (0,)


def test_a_lock_of_a_session_is_held_by_one(connect: Connect) -> None:
    with try_session_lock(connect(), SCHEMA, IMPORT_CLASS):
        assert try_session_lock(connect(), SCHEMA, IMPORT_CLASS) is None
        assert is_held(connect(), SCHEMA, IMPORT_CLASS)
    assert not is_held(connect(), SCHEMA, IMPORT_CLASS)
