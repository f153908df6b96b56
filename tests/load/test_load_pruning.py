"""What pruning costs those who wait for the database: PLEXSYNC_TORTURE=1 prunes a million rows and measures it.

What is promised is counted: rows, pages and steps of one transaction, which a busy computer does not change. How long the
disk takes to sync them is its own affair: measured times are only shown, beside those of the smallest commit there is.
"""

import os
import sqlite3
import time
from contextlib import closing, contextmanager

import pytest

from plexsync.engine.housekeeping import PRUNE_BATCH, PRUNE_LOOK, PRUNE_PAUSE
from plexsync.rules.queue.job import DAY, State
from plexsync.store.database import Database
from plexsync.store.queue.attempts import MOST_SAVED
from tests.engine.clocks import Clock
from tests.engine.house import House

TORTURE = bool(os.environ.get("PLEXSYNC_TORTURE"))
ROWS = 1_000_000 if TORTURE else 20_000
MEASURED = 1_000_000 if TORTURE else 3_000
NOW = Clock().now()
FRAME = 4096 + 24
HOUR = 3600 if TORTURE else 300
# Fifty rows, each with its attempts and a few counts, in rows as in pages.
MOST = 50 * (MOST_SAVED + 5)
# Hundreds of steps of one transaction: five times what it takes.
STEPS = 1_000
BARE = "update one set n = n + 1"

DEAD = """
with recursive n (i) as (select 1 union all select i + 1 from n where i < :rows)
insert into job (kind, id, state, lane, wanted_rev, settled_rev, due, since, stirred, cls, error)
select 'scene', i, iif(i % 10, 'dead', 'gone'), i % 2, 1, 1, 0, :since - i * 7919 % :rows, 0, 'refused', :error from n
"""
ATTEMPTS = """
with recursive n (i) as (select 0 union all select i + 1 from n where i < :rows * :each - 1)
insert into attempt (kind, id, at, cls, error, attempts, state)
select 'scene', 1 + i % :rows, :since, 'refused', :error, 1, 'ready' from n
"""
PUSHES = """
with recursive n (i) as (select 1 union all select i + 1 from n where i < :rows)
insert into push (subject, item, at, document) select i, i, :since, zeroblob(800) from n
"""
MEMORIES = """
with recursive n (i) as (select 1 union all select i + 1 from n where i < :rows)
insert into memory (flow, subject, library, item, at, document)
select 'scene', i, '', i, :since, zeroblob(3000) from n where i % 10 = 0
"""


@pytest.fixture
def house(tmp_path):
    with House(tmp_path / "house") as made:
        yield made


def fill(house, rows, *, attempts=MOST_SAVED, since=NOW - 60 * DAY) -> None:
    """So many rows that have ended, in no order, each with attempts and a push; what is gone has memory."""
    values = {"rows": rows, "since": since, "each": attempts, "error": "Plex answered 400, and told why " * 4}
    with closing(sqlite3.connect(house.folder / "plexsync.db")) as db, db:
        for sql in (DEAD, *([ATTEMPTS] if attempts else []), PUSHES, MEMORIES):
            db.execute(sql, values)
        db.execute("update book set accepted = :rows, tick = :now", {"rows": rows, "now": NOW})


class Watched:
    """The store as the engine has it; of each write transaction it keeps what `measure` makes of it."""

    def __init__(self, store) -> None:
        self._store = store
        self.reading = store.reading
        self.folder = store.folder
        self.address = store.address
        self.close = store.close

    def has_changed(self) -> bool:
        return self._store.has_changed()

    def revision(self) -> tuple[int, int, int]:
        return self._store.revision()


class Counted(Watched):
    """Rows changed and pages written by each write transaction. Its connection never copies the log back."""

    def __init__(self, folder) -> None:
        super().__init__(Database(folder / "plexsync.db"))
        self._log = folder / "plexsync.db-wal"
        self.rows, self.pages = [], []

    @contextmanager
    def writing(self):
        with self._store.writing() as tx:
            size, changes = self._log.stat().st_size, tx._db.total_changes
            yield tx
            changed = tx._db.total_changes - changes
        self.rows.append(changed)
        self.pages.append((self._log.stat().st_size - size) // FRAME)


def watch(house, store) -> Watched:
    """Let the worker have this store from now on."""
    house.store.close()
    house.store = store
    house.replace_worker()
    return store


def prune(house, most=10**9) -> int:
    """Prune until nothing is left, or so many rows have gone; returns how many."""
    pruned = 0
    while pruned < most and (found := house.worker.engine.prune()):
        pruned += found
        house.clock.move(1)
    return pruned


@pytest.mark.timeout(HOUR)
@pytest.mark.parametrize("rows", [1_000, ROWS])
def test_a_transaction_of_pruning_is_small_however_much_there_is_to_prune(house, rows):
    """With twenty attempts a row it deletes the most that one can."""
    fill(house, rows, attempts=MOST_SAVED if rows == 1_000 else 2)
    store = watch(house, Counted(house.folder))
    assert prune(house, most=3_000) == min(rows, 3_000)
    assert max(store.rows) <= MOST
    assert max(store.pages) <= MOST
    assert house.books_balance()
    store.close()


def test_a_future_that_the_clock_has_left_again_is_undone_a_little_at_a_time(house):
    """It takes days for a million rows; they are kept for weeks."""
    fill(house, 1_000, attempts=1, since=NOW + 400 * DAY)
    store = watch(house, Counted(house.folder))
    for _ in range(25):
        house.worker.engine.prune()
        house.clock.move(61)
    assert max(store.rows) <= 200
    for column in ("since from job", "at from attempt", "at from push"):
        assert house.rows(f"select max({column.replace(' ', ') ', 1)}")[0][0] <= house.clock.now()
    assert house.states() == {State.DEAD: 900, State.GONE: 100}
    store.close()


# --- a slow disk -----------------------------------------------------------------------------------------------------


class Slow(Watched):
    """Every row takes `seconds` to delete. `held` and `free`: how long the database was the engine's, and then others'."""

    def __init__(self, store, clock, seconds) -> None:
        super().__init__(store)
        self._clock, self._seconds = clock, seconds
        self.held, self.free, self._ended = [], [], None

    @contextmanager
    def writing(self):
        began = self._clock.monotonic()
        with self._store.writing() as tx:
            real = tx.jobs.prune

            def prune(row) -> bool:
                self._clock.move(self._seconds)
                return real(row)

            tx.jobs.prune = prune
            try:
                yield tx
            finally:
                del tx.jobs.prune
        if self._clock.monotonic() > began:
            self.free += [] if self._ended is None else [began - self._ended]
            self._ended = self._clock.monotonic()
            self.held.append(self._ended - began)


@pytest.mark.parametrize("seconds", [0.0001, 0.004, 0.03, 0.15])
def test_on_a_slow_disk_the_database_is_let_go_of_in_time_and_free_as_long_as_it_was_held(house, seconds):
    fill(house, 1_000, attempts=0)
    store = house.store = Slow(house.store, house.clock, seconds)
    house.replace_worker()
    began = house.clock.monotonic()
    found = house.worker.engine.prune()
    assert house.clock.monotonic() - began <= PRUNE_LOOK + 2 * max(store.held)
    assert found == PRUNE_BATCH or house.clock.monotonic() - began >= PRUNE_LOOK
    assert max(store.held) < 0.05 + seconds + 1e-6
    for held, free in zip(store.held, store.free, strict=False):
        assert free >= max(held, PRUNE_PAUSE) - 1e-6
    house.clock.move(1)
    assert house.worker.engine.prune() > 0, "it goes on at the next look"


# --- measured --------------------------------------------------------------------------------------------------------


class Timed(Watched):
    """Seconds for which each write transaction had the database, and the processor's share; beside it a bare commit.

    The log is copied back after the clock was stopped: others can write meanwhile.
    """

    def __init__(self, store, folder) -> None:
        super().__init__(store)
        self._log = folder / "plexsync.db-wal"
        with store.writing() as tx:
            self._db = tx._db.driver
        self._db.execute("pragma wal_autocheckpoint = 0")
        self._bare = sqlite3.connect(folder / "bare.db", isolation_level=None)
        self._bare.execute("pragma journal_mode = wal")
        self._bare.execute("pragma synchronous = full")
        self._bare.execute("create table one (n)")
        self._bare.execute("insert into one values (0)")
        self.held, self.worked, self.bare, self.steps = [], [], [], []
        self._counted = 0
        self._db.set_progress_handler(self._count, 100)

    def _count(self) -> int:
        self._counted += 1
        return 0

    @contextmanager
    def writing(self):
        with self._store.writing() as tx:
            began, worked, counted = time.perf_counter(), time.thread_time(), self._counted
            yield tx
        self.steps.append(self._counted - counted)
        self.held.append(time.perf_counter() - began)
        self.worked.append(time.thread_time() - worked)
        began = time.perf_counter()
        self._bare.execute(BARE)
        self.bare.append(time.perf_counter() - began)
        if self._log.stat().st_size > 4 * 2**20:
            self._db.execute("pragma wal_checkpoint(passive)").fetchall()

    def close_bare(self) -> None:
        self._bare.close()


class Running(Clock):
    """Steady time runs on by itself; a rest is not taken."""

    def monotonic(self) -> float:
        return time.perf_counter()

    def sleep(self, seconds: float) -> None:
        self.move(0)


def told(name, seconds) -> str:
    ordered = sorted(seconds)
    cells = "".join(f"{1000 * ordered[int(len(ordered) * part)]:9.2f}" for part in (0.5, 0.99, 0.999))
    return f"{name:12}{cells}{1000 * ordered[-1]:9.0f}"


@pytest.mark.timeout(HOUR)
def test_pruning_everything_never_holds_the_database_for_long(house):
    """The work of a transaction is counted. Its time is shown beside that of the smallest commit: both wait for the disk."""
    fill(house, MEASURED, attempts=2)
    house.clock = Running()
    store = house.store = Timed(house.store, house.folder)
    house.replace_worker()
    assert prune(house) == MEASURED
    store.close_bare()
    print(f"\n{MEASURED:,} rows in {len(store.held):,} transactions; ms in the median, p99, p99.9, at most:")
    print(told("held", store.held), told("worked", store.worked), told("bare commit", store.bare), sep="\n")
    assert house.books_balance()
    # In hundreds of SQLite's own steps, which a busy machine does not change.
    assert 0 < max(store.steps) < STEPS
