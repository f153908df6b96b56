"""A connection to PostgreSQL that was lost between two transactions is replaced; a worker's only while it has its lock."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from plexsync.rules.queue.machine import Machine
from plexsync.rules.servers.errors import LocalFault, LockLost
from plexsync.store.database import Database
from plexsync.store.files.address import StoreAddress
from plexsync.store.files.worker_locks import shared_locks
from plexsync.store.opening import open_database
from plexsync.store.postgres.worker_lock import Periods
from tests.patience import HANG, until
from tests.postgres_proxy import Proxy
from tests.postgres_server import Server, shared

pytestmark = pytest.mark.needs_postgres

ONE, TWO = Machine("one", 1, "1.0", "i1", {}), Machine("two", 2, "1.0", "i2", {})
# No heartbeat comes in between, so that only the question of a new connection can find the lock's session ended.
RARE = Periods(beat=1000.0, lease=10_000.0)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy(shared().port) as made:
        yield made


@pytest.fixture
def address(tmp_path: Path, proxy: Proxy) -> Iterator[StoreAddress]:
    """A store that is reached by the proxy."""
    name = shared().new_database()
    yield StoreAddress(tmp_path, shared().url(name, port=proxy.port))
    shared().drop_database(name)


@pytest.fixture
def store(address: StoreAddress) -> Iterator[Database]:
    with closing(open_database(address)) as made:
        yield made


def in_threads(count: int, act: Callable[[], None]) -> list[Exception]:
    """Do something in as many threads at once; returns what they raised."""
    raised: list[Exception] = []

    def acting() -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - handed to the test
            raised.append(error)

    threads = [threading.Thread(target=acting) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG)
    return raised


def save(store: Database, name: str) -> None:
    with store.writing() as tx:
        tx.notes.save(name, "saved")


def is_saved(store: Database, name: str) -> bool:
    with store.reading() as db:
        return db.notes.text(name) == "saved"


# --- transactions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["fast", "immediate", "kill"])
def test_no_thread_notices_a_restart_of_the_server_between_two_transactions(tmp_path: Path, how: str) -> None:
    with Server() as server, closing(open_database(StoreAddress(tmp_path, server.url()))) as store:
        connected, restarted = threading.Barrier(5), threading.Barrier(5)

        def use() -> None:
            save(store, "before")
            connected.wait(HANG)
            restarted.wait(HANG)
            assert is_saved(store, "before")
            save(store, "after")
            assert is_saved(store, "after")

        def restart() -> None:
            connected.wait(HANG)
            server.restart(how)
            restarted.wait(HANG)

        restarting = threading.Thread(target=restart)
        restarting.start()
        assert in_threads(4, use) == []
        restarting.join(HANG)


def test_a_session_that_an_administrator_ends_is_replaced(store: Database, address: StoreAddress) -> None:
    save(store, "before")
    # Other tests use this server at the same time.
    name = address.url.rpartition("/")[2]
    for number, pid in enumerate([*shared().backends(f"application_name = 'plexsync' and datname = '{name}'")]):
        shared().query(f"select pg_terminate_backend({pid}, 10000)")
        save(store, f"after {number}")
    assert is_saved(store, "after 0")


@pytest.mark.parametrize("writes", [False, True])
@pytest.mark.parametrize("answers", [False, True])
def test_the_block_runs_once_wherever_its_begin_is_lost(
    store: Database, proxy: Proxy, writes: bool, answers: bool
) -> None:
    """The server may have begun it; nothing of it is left, and the next writer has not to wait for it."""
    runs = 0
    proxy.cut_at(1, answers=answers)
    with (store.writing if writes else store.reading)() as tx:
        runs += 1
        tx.notes.text("a")
        if writes:
            tx.notes.save("a", "1")
    assert runs == 1
    assert proxy.taken == 2
    with store.reading() as db:
        assert db.notes.text("a") == ("1" if writes else "")


def test_another_connection_is_tried_once(store: Database, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    another = store._another

    def another_that_ends() -> object:
        own = another()
        proxy.cut()
        return own

    monkeypatch.setattr(store, "_another", another_that_ends)
    proxy.cut()
    before = proxy.taken
    with pytest.raises(LocalFault, match="was lost"), store.writing():
        raise AssertionError("nothing has begun")
    assert proxy.taken - before == 1


def test_a_connection_that_is_lost_within_the_block_is_a_fault(store: Database, proxy: Proxy) -> None:
    """What has run can't be run again."""
    with pytest.raises(LocalFault, match="was lost"), store.writing() as tx:
        tx.notes.save("a", "saved")
        proxy.cut()
        tx.notes.save("b", "saved")
    assert not is_saved(store, "a")


def test_what_others_have_committed_before_the_connection_is_replaced_counts_as_a_change(
    store: Database, address: StoreAddress, proxy: Proxy
) -> None:
    assert not store.has_changed()
    with store.writing() as tx:
        tx.notes.save("own", "1")
    known = store.revision()
    proxy.cut()
    with closing(open_database(address)) as other:
        save(other, "a")
    assert store.has_changed()
    assert not store.has_changed()
    assert store.revision() != known
    assert store.revision() == store.revision()
    proxy.cut()
    # Also if it was a transaction that replaced it.
    assert is_saved(store, "a")
    assert store.has_changed()
    proxy.refuse()
    with pytest.raises(LocalFault, match="refused"):
        store.has_changed()
    with pytest.raises(LocalFault, match="refused"):
        store.revision()


# --- the worker ------------------------------------------------------------------------------------------------------


def test_a_worker_goes_on_while_it_has_its_lock(
    address: StoreAddress, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plexsync.store.postgres.worker_lock.PERIODS", RARE)
    direct = StoreAddress(address.folder, shared().url(address.url.rpartition("/")[2]))
    with closing(shared_locks(direct)) as locks:
        lock = locks.try_worker(ONE, lambda _last: True)
        with closing(open_database(address, worker=True, fence=lock)) as store:
            save(store, "before")
            proxy.cut()
            save(store, "after")
            assert is_saved(store, "after")
        lock.release()


def test_a_worker_whose_lock_ended_with_the_connection_does_not_go_on(
    address: StoreAddress, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has taken over yet, and no heartbeat has failed."""
    monkeypatch.setattr("plexsync.store.postgres.worker_lock.PERIODS", RARE)
    with closing(shared_locks(address)) as locks:
        lock = locks.try_worker(ONE, lambda _last: True)
        with closing(open_database(address, worker=True, fence=lock)) as store:
            save(store, "before")
            proxy.cut()
            with pytest.raises(LockLost):
                save(store, "after")
            assert lock.lost.is_set()
            assert not is_saved(store, "after"), "it may still look"
            lock.release()


def test_a_worker_that_was_replaced_meanwhile_does_not_go_on(
    address: StoreAddress, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plexsync.store.postgres.worker_lock.PERIODS", RARE)
    with closing(shared_locks(address)) as locks:
        first = locks.try_worker(ONE, lambda _last: True)
        with closing(open_database(address, worker=True, fence=first)) as store:
            save(store, "before")
            proxy.cut()
            until(lambda: not locks.is_locked())
            second = locks.try_worker(TWO, lambda _last: True)
            assert second.number == 2
            with pytest.raises(LockLost):
                save(store, "after")
            assert not is_saved(store, "after")
            first.release()
            second.release()


# --- the locks that are looked at ------------------------------------------------------------------------------------


def test_who_stands_by_is_listed_until_it_leaves(address: StoreAddress) -> None:
    with closing(shared_locks(address)) as locks:
        for machine in (ONE, TWO):
            locks.stand_by(machine, ())
        locks.leave(ONE)
        assert [row.host for row in locks.standbys()] == ["two"]


def test_who_works_is_asked_once_more_with_another_session(
    address: StoreAddress, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(shared_locks(address)) as locks:
        assert not locks.is_locked()
        proxy.cut()
        assert locks.worker() is None
        proxy.cut()
        locks.stand_by(ONE, ())
        assert [row.host for row in locks.standbys()] == ["one"]
        proxy.refuse()
        with pytest.raises(LocalFault, match="refused"):
            locks.is_locked()
        proxy.mend()
        assert not locks.is_locked()


def test_what_only_the_holder_of_the_lock_may_do_is_not_done_with_another_session(
    address: StoreAddress, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    notice = "plexsync.store.postgres.locks.notice_restore"
    calls = []

    def lost(session: object, _schema: str) -> None:
        calls.append(session)
        proxy.cut()
        session.execute("select 1")

    monkeypatch.setattr(notice, lost)
    with closing(shared_locks(address)) as locks:
        with pytest.raises(LocalFault, match="was lost"):
            locks.try_worker(ONE, lambda _last: True)
        assert len(calls) == 1
        until(lambda: not locks.is_locked())
