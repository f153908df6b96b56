"""Many processes at once: F15 and F16."""

# A child has ended before the next case begins, so what it closes over stays as it is.

import os
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from store import intake
from store.database import Database
from sync.errors import LocalFault
from sync.job import Kind, Settled, State, Why, crashed
from tests.torture import forks
from tests.torture.score import NAME, Score, workshop

JOBS = {"sample": 1_200, "full": 10_000, "long": 40_000}
WORKERS = 8
# Time runs this much faster, so that a lease and the rests after crashes are over soon.
FASTER = 100
LEASE = 30_000
SOAK = {"sample": 2.0, "full": 300.0, "long": 1800.0}
LOG_LIMIT = 16 * 2**20

Ack = Callable[[str], None]


def now() -> int:
    return round(time.monotonic() * 1000 * FASTER)


# --- F15 -------------------------------------------------------------------------------------------------------------


def workers(size: str, seed: int) -> list[Score]:
    """Eight workers without a lock on one queue, killed at random; every end is heard of once."""
    score = Score("F15", f"{WORKERS} workers on one queue, killed at random", seed)
    dice = random.Random(seed)
    with workshop() as place:
        path = place / "data" / NAME
        forks.run(lambda ack: _fill(path, JOBS[size]))
        running = {}
        acks: list[tuple[str, ...]] = []
        kills = 0
        end = time.monotonic() + 60 + JOBS[size] / 20
        while time.monotonic() < end and _left(path):
            while len(running) < WORKERS:
                child, reader = forks.forked(lambda ack: _work(path, dice.random(), ack))
                os.set_blocking(reader, True)
                running[child] = reader
            time.sleep(0.05 + dice.random() * 0.1)
            if dice.random() < 0.4:
                victim = dice.choice(list(running))
                os.kill(victim, signal.SIGKILL)
                kills += 1
                acks.append(forks.ended((victim, running.pop(victim))).acks)
        for child in running:
            os.kill(child, signal.SIGTERM)
        ends = [forks.ended((child, reader)) for child, reader in running.items()]
        acks += [one.acks for one in ends]
        score.cases = JOBS[size]
        score.what += f" ({kills} kills)"
        _judge_workers(score, path, acks)
    return [score]


def _fill(path: Path, count: int) -> None:
    store = Database(path, worker=True)
    for start in range(0, count, 500):
        with store.writing() as tx:
            for id in range(start, min(start + 500, count)):
                tx.want(Kind.SCENE, id + 1, Why.EDIT if id % 3 else Why.SWEEP, now())
    store.close()


def _left(path: Path) -> int:
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        return db.execute("select count(*) from job where state not in ('idle', 'dead')").fetchone()[0]
    finally:
        db.close()


def _work(path: Path, luck: float, ack: Ack) -> None:
    """Take, rest a little, end; take back what others left. Says which row was held from when to when, and ended."""
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    store, dice, holder = Database(path), random.Random(luck), f"{os.getpid()}"
    while not ended:
        with store.writing() as tx:
            at = now()
            for row, alone, first in tx.expired(now=at):
                tx.crash(row, crashed(alone=alone, crashes=row.crashes, first_crash=first, now=at), now=at)
            jobs = tx.claim(dice.choice((1, 3, 10)), now=at, lease_ms=LEASE, holder=holder)
        time.sleep(dice.random() * 0.01)
        for job in jobs:
            time.sleep(dice.random() * 0.02)
            with store.writing() as tx:
                well = tx.settle(job, Settled(State.IDLE, 0, 0, 0, now()), now=now(), ok_mark=0, bad_mark=0)
            if well:
                ack(f"{job.id} {job.claimed_rev} {at} {now()}")
        if not jobs:
            time.sleep(0.02)
    store.close()


def _judge_workers(score: Score, path: Path, acks: list[tuple[str, ...]]) -> None:
    score.law(path, "at the end")
    told = Counter[tuple[int, int]]()
    for line in (line for lines in acks for line in lines):
        if line.startswith("failed"):
            score.spoil(line)
            continue
        if line.count(" ") == 3:
            id, rev, *_ = map(int, line.split())
            told[id, rev] += 1
    for key, count in told.items():
        if count > 1:
            score.double(f"row {key} was ended {count} times")
    db = sqlite3.connect(path)
    left = db.execute("select state, cls, count(*) from job where state <> 'idle' group by state, cls").fetchall()
    db.close()
    for state, cls, count in left:
        # A row whose worker was killed three times while it was alone with it is poison, by rule.
        if (state, cls) != ("dead", "poison"):
            score.spoil(f"{count} rows are left {state} {cls}")


# --- F16 -------------------------------------------------------------------------------------------------------------


def everyone(size: str, seed: int) -> list[Score]:
    """Eight hooks, three commands, four readers and a worker on one database, all the time."""
    score = Score("F16", f"16 processes at once for {SOAK[size]:.0f} s: hooks, commands, readers, a worker", seed)
    with workshop() as place:
        path = place / "data" / NAME
        forks.run(lambda ack: _fill(path, 200))
        end = time.monotonic() + SOAK[size]
        acts: list[Callable[[Ack], None]] = [
            *[lambda ack, n=n: _hooks(path, end, n, ack) for n in range(8)],
            *[lambda ack, n=n: _wants(path, end, n, ack) for n in range(3)],
            *[lambda ack: _reads(path, end, ack) for _ in range(4)],
            lambda ack: _works(path, end, ack),
        ]
        started = [forks.forked(act) for act in acts]
        largest = _watch(path, end)
        ends = [forks.ended(one) for one in started]
        for one in ends:
            if one.failed or one.killed:
                score.spoil(f"a process failed: {one.acks[-1:]}")
        accepted = 200 + sum(int(one.acks[0]) for one in ends if one.acks and one.acks[0].isdecimal())
        if largest >= LOG_LIMIT:
            score.spoil(f"the log grew to {largest} bytes")
        store = Database(path)
        store.drain_spool(now())
        with store.reading() as db:
            found = db.overview(now()).books["accepted"]
        store.close()
        score.cases = accepted
        if found < accepted:
            score.lose(f"{accepted} were acknowledged, {found} are in the books")
        score.law(path, "at the end")
    return [score]


def _watch(path: Path, end: float) -> int:
    largest = 0
    log = path.with_name(f"{NAME}-wal")
    while time.monotonic() < end:
        if log.exists():
            largest = max(largest, log.stat().st_size)
        time.sleep(0.05)
    return largest


def _hooks(path: Path, end: float, n: int, ack: Ack) -> None:
    dice, count = random.Random(n), 0
    while time.monotonic() < end:
        intake.store(str(path.parent), "scene", dice.randrange(1, 400))
        count += 1
    ack(str(count))


def _wants(path: Path, end: float, n: int, ack: Ack) -> None:
    store, dice, count = Database(path), random.Random(n), 0
    while time.monotonic() < end:
        with store.writing() as tx:
            for _ in range(20):
                tx.want(Kind.SCENE, dice.randrange(1, 400), Why.USER, now())
        count += 20
        time.sleep(0.01)
    store.close()
    ack(str(count))


def _reads(path: Path, end: float, ack: Ack) -> None:
    store = Database(path)
    while time.monotonic() < end:
        with store.reading() as db:
            db.overview(now())
            time.sleep(0.01)
    store.close()


def _works(path: Path, end: float, ack: Ack) -> None:
    store, dice = Database(path, worker=True), random.Random(1)
    faults = 0
    while time.monotonic() < end:
        try:
            store.drain_spool(now())
            with store.writing() as tx:
                jobs = tx.claim(20, now=now(), lease_ms=LEASE, holder="one")
            with store.writing() as tx:
                for job in jobs:
                    tx.settle(job, Settled(State.IDLE, 0, 0, 0, now()), now=now(), ok_mark=0, bad_mark=0)
                db = tx._db
            if dice.random() < 0.05:
                db.execute("pragma wal_checkpoint(passive)").fetchall()
        except LocalFault as fault:
            faults += 1
            ack(f"failed {fault}")
    store.close()
    assert not faults
