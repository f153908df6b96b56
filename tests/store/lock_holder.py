"""A process that holds the worker's lock in PostgreSQL, for tests that end it or let it hang."""

import sys
from time import sleep

import psycopg

from plexsync.rules.queue.machine import Machine
from plexsync.rules.servers.errors import LockLost
from plexsync.store.postgres.worker_lock import Periods, try_worker_lock

SCHEMA = "plexsync"


def main(url: str, beat: str, lease: str) -> None:
    """Take the lock and say its number; then say "lost" once it is lost. Ends with its standard input."""
    machine = Machine("holder", 1, "1.0", "i1", {})
    lock = try_worker_lock(
        lambda: psycopg.connect(url, autocommit=True), SCHEMA, machine, Periods(float(beat), float(lease))
    )
    assert lock is not None
    print(lock.number, flush=True)
    while True:
        try:
            lock.check()
        except LockLost:
            print("lost", flush=True)
            break
        sleep(0.02)
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
