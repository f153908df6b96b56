"""What is run to be disturbed: `python -m tests.torture.victim SCENARIO FOLDER`. Says the number of each thing it stored."""

import os
import sqlite3
import sys
from functools import partial
from pathlib import Path

from plexsync.rules.queue.job import Kind, Settled, State, Why
from plexsync.rules.servers.errors import LocalFault, Unusable
from plexsync.store import intake
from plexsync.store.database import Database
from plexsync.store.queue.jobs import AttemptEnding
from tests.torture.kill_steps import mount_table
from tests.torture.score import NAME

NOW = 1_768_471_200_000


def ack(id: int) -> None:
    os.write(1, f"{id}\n".encode())


def work(folder: Path, mounts: Path, *, rounds: int = 12, worker: bool = True) -> None:
    """Wants, claims and ends, each transaction acknowledged; at the end the log is written back."""
    store = Database(folder / NAME, worker=worker, mounts=mounts)
    for round in range(rounds):
        ids = [round * 10 + n for n in range(1, 4)]
        with store.writing() as tx:
            for id in ids:
                tx.jobs.want(Kind.SCENE, id, Why.EDIT, NOW + round)
        for id in ids:
            ack(id)
        with store.writing() as tx:
            jobs = tx.jobs.claim(2, now=NOW + round, lease_ms=1000, holder="one")
        with store.writing() as tx:
            for job in jobs:
                tx.jobs.settle([AttemptEnding(job, Settled(State.IDLE, 0, 0, 0, NOW), 0, 0)], now=NOW)
        if round % 4 == 3:
            # The log is written back while it is in use, and begun anew.
            with store.writing() as tx:
                db = tx._db.driver
            db.execute("pragma wal_checkpoint(restart)").fetchall()
    store.close()


def log(folder: Path) -> None:
    work(folder, mount_table(folder.parent, "ext4"))


def journal(folder: Path) -> None:
    work(folder, mount_table(folder.parent, "nfs4"))


class Unsynced(sqlite3.Connection):
    """A connection that takes no notice of how it is to be synced."""

    def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
        if sql.startswith("pragma synchronous"):
            sql = "pragma synchronous = off"
        return super().execute(sql, *values)


def unsynced(folder: Path) -> None:
    sqlite3.connect = partial(sqlite3.connect, factory=Unsynced)  # type: ignore[assignment]
    work(folder, mount_table(folder.parent, "ext4"))


def hook(folder: Path) -> None:
    """Hooks, of which every third finds the database busy and leaves a file."""
    Database(folder / NAME).close()
    intake.BUSY_SECONDS = 0.01
    for id in range(1, 16):
        busy = sqlite3.connect(folder / NAME, isolation_level=None) if id % 3 == 0 else None
        if busy:
            busy.execute("begin immediate")
        intake.store(str(folder), "scene", id)
        ack(id)
        if busy:
            busy.execute("rollback")
            busy.close()


def stubborn(folder: Path) -> None:
    """A worker on a disk that fails: every fault is waited out (not long), what is acknowledged must be there."""
    store = None
    for round in range(40):
        try:
            store = store or Database(folder / NAME, worker=True)
            with store.writing() as tx:
                tx.jobs.want(Kind.SCENE, round + 1, Why.EDIT, NOW + round)
            ack(round + 1)
            with store.writing() as tx:
                jobs = tx.jobs.claim(2, now=NOW + round, lease_ms=1000, holder="one")
            with store.writing() as tx:
                for job in jobs:
                    after = Settled(State.DEAD, 1, 1, 0, NOW, "no", "refused") if job.id % 3 == 0 else IDLE
                    tx.jobs.settle([AttemptEnding(job, after, 0, 0)], now=NOW)
        except (LocalFault, Unusable) as fault:
            os.write(2, f"fault: {fault}\n".encode())
    if store:
        store.close()


IDLE = Settled(State.IDLE, 0, 0, 0, NOW)

if __name__ == "__main__":
    {"log": log, "journal": journal, "unsynced": unsynced, "hook": hook, "stubborn": stubborn}[sys.argv[1]](
        Path(sys.argv[2])
    )
