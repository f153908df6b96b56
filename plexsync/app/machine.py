"""This process, as the other machines that use its database know it."""

import importlib.metadata
import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

from plexsync.app.settings_print import settings_prints
from plexsync.rules.errors import Unusable
from plexsync.rules.machine import Machine, differing, refusal_words
from plexsync.rules.records import WorkerRow
from plexsync.store.address import StoreAddress
from plexsync.store.fence import Fence
from plexsync.store.installation import installation
from plexsync.store.opening import check_folder
from plexsync.store.worker_locks import shared_locks
from validation.config import PlexSyncConfig


def this_machine(config: PlexSyncConfig, folder: Path) -> Machine:
    """Return what this process tells other machines of itself. Raises LocalFault."""
    return Machine(
        host=socket.gethostname(),
        pid=os.getpid(),
        version=_version(),
        installation=installation(folder),
        settings=settings_prints(config),
    )


def _version() -> str:
    try:
        return importlib.metadata.version("plexsync")
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


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
