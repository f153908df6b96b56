"""An import beside a worker: the worker stands still while it writes, and nobody waits for ever."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from plexsync.app.turns import STANDS, ImportTurn, OtherImport, import_turn
from plexsync.engine.watchdog import Watchdog
from plexsync.rules.queue.note_keys import HEARTBEAT
from plexsync.store.database import Database
from plexsync.store.files.lock import IMPORT, Lock, try_lock
from plexsync.store.files.worker_locks import FileLocks
from tests.engine.clocks import Clock


class Ticking(Clock):
    """A clock whose `after` runs when somebody sleeps, with the number of sleeps so far."""

    def __init__(self) -> None:
        super().__init__()
        self.slept = 0
        self.after = {}

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.slept += 1
        self.after.get(self.slept, lambda: None)()


@dataclass
class Beside:
    """The parts of a process on one database, and a worker's turn on them."""

    parts: SimpleNamespace
    stop: threading.Event

    @property
    def clock(self) -> Ticking:
        return self.parts.clock

    def note(self, name: str) -> str:
        with self.parts.store.reading() as db:
            return db.notes.text(name)

    def stand(self) -> None:
        ImportTurn(self.parts, self.stop)()

    def lock(self) -> Lock:
        lock = try_lock(self.parts.folder, IMPORT)
        assert lock is not None
        return lock


@pytest.fixture
def beside(tmp_path: Path) -> Iterator[Beside]:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    store, clock = Database(folder / "plexsync.db", worker=True), Ticking()
    watchdog = Watchdog(1e9, clock, folder / "hang")
    works = SimpleNamespace(value=True)
    parts = SimpleNamespace(
        store=store,
        clock=clock,
        folder=folder,
        watchdog=watchdog,
        works=works,
        someone_works=lambda: works.value,
        locks=FileLocks(folder),
        try_lock=FileLocks(folder).try_lock,
    )
    yield Beside(parts, threading.Event())
    watchdog.close()
    store.close()


def test_a_worker_without_an_import_beside_it_does_not_wait(beside: Beside) -> None:
    beside.stand()
    assert (beside.clock.slept, beside.note(STANDS)) == (0, "")


def test_a_worker_stands_still_until_the_import_has_ended_and_stays_alive_meanwhile(beside: Beside) -> None:
    lock = beside.lock()
    beside.clock.after[250] = lock.release
    began = beside.clock.now()
    beside.stand()
    assert beside.clock.slept == 250
    assert int(beside.note(HEARTBEAT)) >= began + 20_000


def test_a_worker_that_is_stopped_waits_no_longer(beside: Beside) -> None:
    with beside.lock():
        beside.clock.after[3] = beside.stop.set
        beside.stand()
    assert beside.clock.slept == 3


def test_a_worker_says_again_that_it_stands_still_to_the_next_import(beside: Beside) -> None:
    lock = beside.lock()

    def next_import() -> None:
        with beside.parts.store.writing() as tx:
            tx.notes.save(STANDS, "")

    beside.clock.after |= {3: next_import, 6: lock.release}
    beside.stand()
    assert beside.note(STANDS) != ""


def test_an_import_waits_until_the_worker_stands_still_or_has_ended(beside: Beside) -> None:
    def stands() -> None:
        with beside.parts.store.writing() as tx:
            tx.notes.save(STANDS, "1")

    stands()
    beside.clock.after[4] = stands
    with import_turn(beside.parts, alone=False) as has_turn:
        assert (has_turn, beside.clock.slept) == (True, 4), "an old note does not count"
    beside.clock.after[8] = lambda: setattr(beside.parts.works, "value", False)
    with import_turn(beside.parts, alone=False) as has_turn:
        assert (has_turn, beside.clock.slept) == (True, 8)


def test_an_import_alone_or_stopped_does_not_wait(beside: Beside) -> None:
    with import_turn(beside.parts, alone=True) as has_turn:
        assert has_turn
    with import_turn(beside.parts, alone=False, stopping=lambda: True) as has_turn:
        assert not has_turn
    assert beside.clock.slept == 0


def test_two_imports_at_once_are_one_too_many(beside: Beside) -> None:
    with beside.lock(), pytest.raises(OtherImport), import_turn(beside.parts, alone=True):
        pass
