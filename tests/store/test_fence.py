"""A worker that was replaced changes nothing, whenever it wakes up."""

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from plexsync.rules.queue.machine import Machine
from plexsync.rules.servers.errors import LockLost
from plexsync.store.files.address import StoreAddress
from plexsync.store.files.lock import FILE, IMPORT
from plexsync.store.files.worker_locks import FileLocks, locks_at, shared_locks
from plexsync.store.opening import open_database
from plexsync.store.postgres import worker_lock
from tests.patience import HANG, until
from tests.postgres_server import shared

pytestmark = pytest.mark.needs_postgres

ONE, TWO = Machine("one", 1, "1.0", "i1", {}), Machine("two", 2, "1.0", "i2", {})


@pytest.fixture
def address(tmp_path: Path) -> Iterator[StoreAddress]:
    with shared().database() as url:
        yield StoreAddress(tmp_path, url)


def test_a_replaced_worker_writes_nothing(address: StoreAddress) -> None:
    with closing(shared_locks(address)) as locks:
        first = locks.try_worker(ONE, lambda _last: True)
        assert first is not None
        with closing(open_database(address, worker=True, fence=first)) as store:
            with store.writing() as tx:
                tx.notes.save("by", "one")
            # Its session ends, and it has not noticed yet.
            first._session.close()
            until(lambda: not locks.is_locked())
            second = locks.try_worker(TWO, lambda _last: True)
            with pytest.raises(LockLost), store.writing() as tx:
                tx.notes.save("by", "one, asleep")
            assert first.lost.is_set()
            with pytest.raises(LockLost), store.writing():
                pass
            # It may still look.
            with store.reading() as db:
                assert db.notes.text("by") == "one"
        with closing(open_database(address, worker=True, fence=second)) as store, store.writing() as tx:
            tx.notes.save("by", "two")
        second.release()


def test_a_transaction_under_way_ends_before_the_next_worker_begins(address: StoreAddress) -> None:
    with closing(shared_locks(address)) as locks:
        first = locks.try_worker(ONE, lambda _last: True)
        with closing(open_database(address, worker=True, fence=first)) as store:
            taken: list[object] = []
            successor = threading.Thread(target=lambda: taken.append(locks.try_worker(TWO, lambda _last: True)))
            with store.writing() as tx:
                first._session.close()
                until(lambda: not locks.is_locked())
                successor.start()
                # It has the lock, and waits for the writer.
                until(locks.is_locked)
                tx.notes.save("by", "one")
                assert taken == []
            successor.join(HANG)
            assert taken[0].number == 2
            with store.reading() as db:
                assert db.notes.text("by") == "one"
        taken[0].release()


def test_the_locks_are_those_of_the_address(address: StoreAddress, tmp_path: Path) -> None:
    files = locks_at(StoreAddress(tmp_path))
    assert isinstance(files, FileLocks)
    assert (files.worker(), files.standbys()) == (None, [])
    with closing(locks_at(address)) as locks:
        assert not locks.is_locked(FILE)
        assert locks.worker_since() is None
        with locks.try_lock(IMPORT):
            assert locks.is_locked(IMPORT)
            assert not files.is_locked(IMPORT)
            assert locks.try_lock(IMPORT) is None
        assert not locks.is_locked(IMPORT)


def test_the_row_of_a_store_says_since_when_its_worker_works(address: StoreAddress) -> None:
    with closing(shared_locks(address)) as locks:
        before = locks.time()
        lock = locks.try_worker(ONE, lambda _last: True)
        assert before <= locks.worker_since() <= locks.time()
        assert locks.try_worker(TWO, lambda _last: True) is None
        lock.release()


def test_journals_that_lack_the_work_of_another_machine_are_gone_before_the_row_names_this_one(
    address: StoreAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised = worker_lock._raise_number

    def killed(*words: object) -> None:
        raised(*words)
        raise KeyboardInterrupt

    with closing(shared_locks(address)) as locks:
        locks.try_worker(ONE, lambda _last: True).release()
        journal = address.folder / "journal"
        journal.write_bytes(b"what this machine wrote before")
        assert locks.try_worker(TWO, lambda _last: False) is None
        assert journal.exists(), "it did not follow"
        monkeypatch.setattr(worker_lock, "_raise_number", killed)
        with pytest.raises(KeyboardInterrupt):
            locks.try_worker(TWO, lambda _last: True)
    assert not journal.exists()
