"""What is different if several machines use one store: where the time comes from, and who works."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext

from plexsync.app.machine import this_machine
from plexsync.rules.errors import Unusable
from plexsync.rules.machine import differing, refusal_words
from plexsync.rules.records import WorkerRow
from plexsync.store.address import StoreAddress
from plexsync.store.fence import Fence
from plexsync.store.opening import check_folder
from plexsync.store.worker_locks import shared_locks
from validation.config import PlexSyncConfig


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
