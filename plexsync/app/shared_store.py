"""What is different if several machines use one store: where the time comes from, and who works."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext

from plexsync.app.database_files import check_folder
from plexsync.app.machine import this_machine
from plexsync.engine.clock import SystemClock
from plexsync.rules.errors import Unusable
from plexsync.rules.machine import differing, refusal_words
from plexsync.rules.moves import MOVE, MOVED, move_note, moved_note
from plexsync.rules.neighbours import Clock
from plexsync.rules.records import WorkerRow
from plexsync.store.address import StoreAddress
from plexsync.store.database import Database
from plexsync.store.fence import Fence
from plexsync.store.worker_locks import FileLocks, Locks, shared_locks
from validation.config import PlexSyncConfig


def clock_of(locks: Locks, fence: Fence | None) -> Clock:
    """Return the clock that everything stored goes by: the database's if several machines use it, else the machine's.

    The heartbeats of a `fence` set it. Raises LocalFault.
    """
    if isinstance(locks, FileLocks):
        return SystemClock()
    from plexsync.store.postgres.clock import DatabaseClock

    clock = DatabaseClock(locks.time)
    if fence is not None:
        fence.heard = clock.learn
    return clock


def check_settled(store: Database, address: StoreAddress) -> None:
    """Raise Unusable if the content of a database in PostgreSQL has moved away, or has not completely arrived."""
    if not address.is_postgres:
        return
    with store.reading() as db:
        moved, move = moved_note(db.notes.text(MOVED)), move_note(db.notes.text(MOVE))
    if moved is not None:
        raise Unusable(f"{address.name} has moved to {moved.place}: change database_url as plexsync move said")
    if move is not None:
        raise Unusable(f"a move to {address.name} has not finished: run plexsync move again on {move.host}")


@contextmanager
def fence_of(config: PlexSyncConfig, address: StoreAddress) -> Iterator[Fence | None]:
    """Hold the worker's lock of a database on PostgreSQL; yields None while another process holds it.

    Raises Unusable if the last worker had other settings and did not end in good order.
    """
    check_folder(address)
    machine = this_machine(config, address.folder)

    def agrees(last: WorkerRow) -> bool:
        if names := differing(machine, last):
            raise Unusable(refusal_words(last, names))
        return True

    with closing(shared_locks(address)) as locks:
        lock = locks.try_worker(machine, agrees)
    with lock or nullcontext():
        yield lock
