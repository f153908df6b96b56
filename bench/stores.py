"""Both stores on the same work in one run: SQLite's file, and PostgreSQL on this machine. Read the ratios.

PostgreSQL syncs each commit to the disk, as SQLite does. It is reached by TCP, so each exchange with it takes a while;
the table says how many a scene takes. Rounds are interleaved, so that noise affects both.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from bench import requests
from plexsync.engine.rules import WorkRules
from plexsync.rules.queue.job import Done, Kind, Why, settle
from plexsync.store.database import Database
from plexsync.store.files.address import StoreAddress
from plexsync.store.opening import open_database
from plexsync.store.queue.jobs import AttemptEnding
from tests import postgres_server

NOW = 1_768_471_200_000
ROUNDS = 10
# Wants and jobs of a round. Each want is a transaction of its own, as that of a hook.
WANTS = 100
JOBS = 1_000
BATCH = WorkRules().batch
SCENES = 10_000
LATENCY = 0.001
HEAD = f"{'in one run':34} {'SQLite':>10} {'PostgreSQL':>10} {'ratio':>7}"


def report(scenes: int = SCENES) -> Iterator[str]:
    """The table, line by line; one line if there is no PostgreSQL."""
    if why := postgres_server.missing():
        yield f"PostgreSQL is left out: {why}"
        return
    yield HEAD
    with postgres_server.Server(synced=True) as server:
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            stores = [stack.enter_context(closing(open_database(place))) for place in _places(Path(folder), server)]
            for name, work in (("want, jobs/s", _wanted), ("claim + settle, jobs/s", _worked)):
                yield _line(name, *_rates(work, stores))
            yield _line("exchanges, 1/s", *_rates(_asked, stores))
        yield from _first_syncs(scenes, server)


def _places(folder: Path, server: postgres_server.Server) -> list[StoreAddress]:
    folder.chmod(0o700)
    return [StoreAddress(folder), StoreAddress(folder, server.url(server.new_database()))]


def _rates(work: Callable[[Database, int], int], stores: list[Database]) -> list[float]:
    """The median of what each store does in a second, over interleaved rounds."""
    rates: list[list[float]] = [[] for _ in stores]
    for number in range(ROUNDS):
        for rate, store in zip(rates, stores, strict=True):
            began = time.perf_counter()
            count = work(store, number)
            rate.append(count / (time.perf_counter() - began))
    return [statistics.median(rate) for rate in rates]


def _wanted(store: Database, number: int) -> int:
    for id in range(WANTS):
        with store.writing() as tx:
            tx.jobs.want(Kind.SCENE, number * WANTS + id + 1, Why.EDIT, NOW)
    return WANTS


def _worked(store: Database, number: int) -> int:
    with store.writing() as tx:
        tx.jobs.want_all(Kind.SCENE, dict.fromkeys(range(1, JOBS + 1), ""), Why.USER, NOW + number)
    done, now = 0, NOW + (number + 1) * 60_000
    while done < JOBS:
        with store.writing() as tx:
            jobs = tx.jobs.claim(BATCH, now=now, lease_ms=120_000, holder="bench")
        with store.writing() as tx:
            ends = [settle(job, Done(), now=now, max_retries=5, draw=0.5, scan=tx.books.scans()) for job in jobs]
            tx.jobs.settle([AttemptEnding(job, end, 0, 0) for job, end in zip(jobs, ends, strict=True)], now=now)
        done += len(jobs)
    return done


def _asked(store: Database, _number: int) -> int:
    for _ in range(WANTS):
        store.revision()
    return WANTS


def _first_syncs(scenes: int, server: postgres_server.Server) -> Iterator[str]:
    """A first sync of so many changed scenes with neighbours at a millisecond, start included."""
    costs = []
    for url in ("", server.url(server.new_database())):
        with _stored_at(url):
            costs.append(requests.measure(scenes, LATENCY, only_first=True)[0])
    sqlite, postgres = costs
    told = f"first sync of {scenes:,}"
    yield _line(f"{told}, scenes/s", sqlite.scenes / sqlite.seconds, postgres.scenes / postgres.seconds)
    yield _line(f"{told}, CPU ms a scene", *(1000 * cost.cpu / cost.scenes for cost in costs))


@contextmanager
def _stored_at(url: str) -> Iterator[None]:
    """PlexSync's processes started in the block have their store at this address ('': in their data folder)."""
    os.environ["PLEXSYNC_DATABASE_URL"] = url
    try:
        yield
    finally:
        del os.environ["PLEXSYNC_DATABASE_URL"]


def _line(name: str, sqlite: float, postgres: float) -> str:
    return f"{name:34} {sqlite:10.1f} {postgres:10.1f} {postgres / sqlite:7.2f}"
