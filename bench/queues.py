"""The queue against others on the same work in one run: durable storing, claiming and settling, and a hook process.

Rounds are interleaved, so that noise affects all: read the ratios. The table shows the missing features of each
contender: *synced* (an acknowledged job survives a power cut), *delays* (a job can wait for its time), *kept* (a job
whose worker dies is not lost).
"""

import json
import sqlite3
import statistics
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from huey.storage import SqliteStorage
from litequeue import LiteQueue
from persistqueue import SQLiteAckQueue
from persistqueue.exceptions import Empty

from plexsync.engine.rules import WorkRules
from plexsync.rules.queue.job import Done, Kind, Why, settle
from plexsync.store.database import Database
from plexsync.store.intake import DATABASE, want
from plexsync.store.queue.jobs import AttemptEnding

ROUNDS = 24
STORED_A_ROUND = 100
SIZES = (1_000, 10_000, 100_000)
DUE_SHARE = 10  # one in ten is due
WORKED_A_ROUND = 200
PATIENCE = 0.6
FAR = 86_400_000
BATCH = WorkRules().batch
JOB = {"kind": "scene", "id": 7}


class Contender(ABC):
    """One queue on a disk. In `backlog` jobs, one in ten is due; `work` handles the next few due ones."""

    name = ""
    synced = True
    delays = True
    kept = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def store(self, number: int) -> None:
        """Store one job durably."""

    @abstractmethod
    def fill(self, backlog: int) -> None:
        """Create a backlog of which one in ten is due."""

    @abstractmethod
    def work(self) -> int:
        """Take and finish the next due jobs; returns their number, 0 if none is due."""

    @abstractmethod
    def close(self) -> None:
        """Close the files."""


class Bare(Contender):
    """The cost of SQLite itself: one insert, one commit. It is no queue."""

    name = "bare SQLite insert, WAL, FULL"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.db = sqlite3.connect(folder / "bare.db", isolation_level=None)
        self.db.execute("pragma journal_mode = wal")
        self.db.execute("pragma synchronous = full")
        self.db.execute("create table job (id integer primary key, payload text not null)")

    def store(self, number: int) -> None:
        self.db.execute("begin immediate")
        self.db.execute("insert into job (payload) values (?)", (json.dumps({**JOB, "id": number}),))
        self.db.execute("commit")

    def fill(self, backlog: int) -> None:
        """Do nothing: it has no backlog."""

    def work(self) -> int:
        return 0

    def close(self) -> None:
        self.db.close()


class Ours(Contender):
    """The job table as the engine uses it: batches of `limit`, one transaction to claim and one to settle."""

    name = "PlexSync, as its engine works"

    def __init__(self, folder: Path, limit: int = BATCH) -> None:
        super().__init__(folder)
        folder.chmod(0o700)
        self.limit = limit
        self.now = 1_768_471_200_000
        self.database = Database(folder / DATABASE, worker=True)

    def store(self, number: int) -> None:
        with self.database.writing() as tx:
            tx.jobs.want(Kind.SCENE, number + 1, Why.EDIT, self.now)

    def fill(self, backlog: int) -> None:
        with self.database.writing() as tx:
            for number in range(backlog):
                tx.jobs.want(Kind.SCENE, number + 1, Why.SWEEP if number % 2 else Why.EDIT, self.now)
        self._delay()

    def _delay(self) -> None:
        db = sqlite3.connect(self.folder / DATABASE)
        with db:
            db.execute(f"update job set due = :far where id % {DUE_SHARE}", {"far": self.now + FAR})
        db.close()

    def again(self) -> None:
        """Make finished jobs due again, so that small backlogs last as long as large ones."""
        db = sqlite3.connect(self.folder / DATABASE)
        with db:
            db.execute("update book set accepted = accepted + (select count(*) from job where state = 'idle')")
            db.execute("update job set state = 'ready', due = :now where state = 'idle'", {"now": self.now})
        db.close()

    def work(self) -> int:
        with self.database.writing() as tx:
            jobs = tx.jobs.claim(self.limit, now=self.now, lease_ms=120_000, holder="bench")
        with self.database.writing() as tx:
            for job in jobs:
                after = settle(
                    job,
                    Done(),
                    now=self.now,
                    max_retries=5,
                    draw=0.5,
                    scan=tx.books.scans(),
                )
                tx.jobs.settle([AttemptEnding(job, after, 0, 0)], now=self.now)
        return len(jobs)

    def close(self) -> None:
        self.database.close()


class OursByHook(Ours):
    """The hook's statements to store an event, on an open connection."""

    name = "PlexSync, as its hook stores"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.hook = sqlite3.connect(folder / DATABASE, isolation_level=None)
        self.hook.execute("pragma synchronous = full")
        self.hook.execute("pragma temp_store = memory")

    def store(self, number: int) -> None:
        self.hook.execute("begin immediate")
        want(self.hook, Kind.SCENE, number + 1, Why.EDIT, self.now)
        self.hook.execute("commit")

    def close(self) -> None:
        self.hook.close()
        super().close()


class OursAgain(OursByHook):
    """The same few scenes again and again, as in editing: a row is updated, and none is added."""

    name = "the same, for the same ten scenes"

    def store(self, number: int) -> None:
        super().store(number % 10)


class OursOneByOne(Ours):
    """The same with a transaction per job, as in the other queues."""

    name = "PlexSync, one at a time"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, limit=1)


class PersistQueue(Contender):
    """It has no delays: a consumer that needs them takes a job, inspects it and puts it back."""

    name = "persist-queue, SQLiteAckQueue"
    delays = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.queue: Any = SQLiteAckQueue(str(folder), auto_resume=False, multithreading=True)
        self.last: int | None = None
        self.until = 0.0

    def store(self, number: int) -> None:
        self.queue.put({**JOB, "id": number})

    def fill(self, backlog: int) -> None:
        pack, table = self.queue._serializer.dumps, self.queue._table_name
        rows = ((pack({**JOB, "id": n, "due": 0 if n % DUE_SHARE == 0 else FAR}), 0.0) for n in range(backlog))
        with self.queue._putter as db:
            db.executemany(f"insert into {table} (data, timestamp, status) values (?, ?, 1)", rows)
        self.queue.total = self.queue._count()

    def work(self) -> int:
        while True:
            try:
                after = {"id": self.last, "next_in_order": True} if self.last else {}
                found = self.queue.get(block=False, raw=True, **after)
            except Empty:
                return 0
            self.last = found["pqid"]
            if found["data"]["due"]:
                self.queue.nack(id=found["pqid"])
                if time.perf_counter() > self.until:
                    return 0
            else:
                self.queue.ack(id=found["pqid"])
                return 1

    def close(self) -> None:
        self.queue.close()


class Huey(Contender):
    """Its storage: delayed jobs in a separate table. Taking a job deletes it, so a worker that dies loses it."""

    name = "huey, SqliteStorage, fsync"
    kept = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.storage: Any = SqliteStorage(filename=str(folder / "huey.db"), fsync=True)

    def store(self, number: int) -> None:
        self.storage.enqueue(json.dumps({**JOB, "id": number}).encode())

    def fill(self, backlog: int) -> None:
        job, later = json.dumps(JOB).encode(), (datetime.now() + timedelta(days=1)).timestamp()
        with self.storage.db(commit=True) as db:
            db.executemany(
                "insert into task (queue, data, priority) values ('huey', ?, 0)",
                ((job,) for _ in range(backlog // DUE_SHARE)),
            )
            db.executemany(
                "insert into schedule (queue, data, timestamp) values ('huey', ?, ?)",
                ((job, later) for _ in range(backlog - backlog // DUE_SHARE)),
            )

    def work(self) -> int:
        self.storage.read_schedule(datetime.now())
        return int(self.storage.dequeue() is not None)

    def close(self) -> None:
        self.storage.close()


class Lite(Contender):
    """It has no delays, so every job is due; and it does not sync to disk."""

    name = "litequeue (nothing delayed)"
    synced = False
    delays = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.queue: Any = LiteQueue(str(folder / "lite.db"))

    def store(self, number: int) -> None:
        self.queue.put(json.dumps({**JOB, "id": number}))

    def fill(self, backlog: int) -> None:
        job = json.dumps(JOB)
        with self.queue.transaction():
            for _ in range(backlog):
                self.queue.put(job)

    def work(self) -> int:
        message = self.queue.pop()
        if message is None:
            return 0
        self.queue.done(message.message_id)
        return 1

    def close(self) -> None:
        self.queue.close()


STORING: tuple[type[Contender], ...] = (Bare, OursByHook, OursAgain, Ours, PersistQueue, Huey, Lite)
WORKING: tuple[type[Contender], ...] = (Ours, OursOneByOne, PersistQueue, Huey, Lite)


@contextmanager
def opened(kind: type[Contender]) -> Iterator[Contender]:
    """Open a contender in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="plexsync-bench-") as folder:
        contender = kind(Path(folder))
        try:
            yield contender
        finally:
            contender.close()


def measure_storing() -> dict[str, tuple[float, float]]:
    """(jobs per second, ratio to the bare insert) of each, one commit per job: medians of interleaved rounds."""
    with ExitStack() as stack:
        contenders = [stack.enter_context(opened(kind)) for kind in STORING]
        seconds: dict[str, list[float]] = {contender.name: [] for contender in contenders}
        for turn in range(ROUNDS):
            # One contender's pending disk writes slow the next one down: the order changes every turn.
            for contender in Random(turn).sample(contenders, len(contenders)):
                seconds[contender.name].append(_storing(contender, turn * STORED_A_ROUND))
    bare = seconds[Bare.name]
    return {
        name: (
            STORED_A_ROUND / statistics.median(taken),
            statistics.median(of_bare / own for of_bare, own in zip(bare, taken, strict=True)),
        )
        for name, taken in seconds.items()
    }


def measure_growth() -> tuple[float, float]:
    """Jobs per second that PlexSync stores with the smallest and with the largest backlog, in interleaved turns."""
    with opened(Ours) as few, opened(Ours) as many:
        places = ((few, SIZES[0]), (many, SIZES[-1]))
        taken: tuple[list[float], list[float]] = ([], [])
        for contender, size in places:
            contender.fill(size)
        for turn in range(ROUNDS):
            for (contender, size), times in zip(places, taken, strict=True):
                times.append(_storing(contender, size + turn * STORED_A_ROUND))
        return STORED_A_ROUND / statistics.median(taken[0]), STORED_A_ROUND / statistics.median(taken[1])


def _storing(contender: Contender, first: int) -> float:
    """The seconds of one turn of storing."""
    began = time.perf_counter()
    for number in range(first, first + STORED_A_ROUND):
        contender.store(number)
    return time.perf_counter() - began


def measure_working(kind: type[Contender]) -> list[float]:
    """Jobs per second at each backlog of `SIZES`, a tenth of it due; the sizes are interleaved."""
    with ExitStack() as stack:
        contenders = [stack.enter_context(opened(kind)) for _ in SIZES]
        for contender, size in zip(contenders, SIZES, strict=True):
            contender.fill(size)
        done, seconds = [0] * len(SIZES), [0.0] * len(SIZES)
        for _ in range(ROUNDS):
            for place, contender in enumerate(contenders):
                due = SIZES[place] // (1 if kind is Lite else DUE_SHARE) - done[place]
                found, taken = _worked(contender, WORKED_A_ROUND if isinstance(contender, Ours) else due)
                done[place] += found
                seconds[place] += taken
        return [found / taken for found, taken in zip(done, seconds, strict=True)]


def _worked(contender: Contender, due: int) -> tuple[int, float]:
    """One turn: (jobs, seconds), with `due` jobs left. PlexSync's jobs become due again, so no turn runs out of work."""
    done, taken = 0, 0.0
    if isinstance(contender, PersistQueue):
        contender.until = time.perf_counter() + PATIENCE
    while done < min(WORKED_A_ROUND, due) and taken < PATIENCE:
        began = time.perf_counter()
        found = contender.work()
        taken += time.perf_counter() - began
        done += found
        if not found:
            if not isinstance(contender, Ours):
                break
            contender.again()
    return done, taken


def report() -> Iterator[str]:
    """The tables, line by line."""
    yield f"{'storing, one commit each':34} {'jobs/s':>9} {'x bare':>7} {'synced':>7} {'delays':>7} {'kept':>6}"
    rates = measure_storing()
    for kind in STORING:
        rate, ratio = rates[kind.name]
        marks = ("-" if kind is Bare else _mark(kind.delays), "-" if kind is Bare else _mark(kind.kept))
        yield (f"{kind.name:34} {rate:9.0f} {ratio:7.2f} {_mark(kind.synced):>7} {marks[0]:>7} {marks[1]:>6}")
    few, many = measure_growth()
    yield f"{'PlexSync, among 100,000 rows':34} {many:9.0f} {many / few:7.2f} x among 1,000"
    yield ""
    head = "taking and ending, a tenth due"
    yield f"{head:34} {'1,000':>9} {'10,000':>9} {'100,000':>9} {'100k/1k':>8} {'ours x':>7}"
    ours = 0.0
    for kind in WORKING:
        found = measure_working(kind)
        ours = ours or found[-1]
        cells = " ".join(f"{rate:9.1f}" for rate in found)
        yield f"{kind.name:34} {cells} {found[-1] / max(found[0], 0.01):8.2f} {ours / max(found[-1], 0.01):7.1f}"


def _mark(yes: bool) -> str:
    return "yes" if yes else "no"
