"""This process, as the other machines that use its database know it, with prints of its settings.

Two workers with different settings would take back each other's work whenever one follows the other. A print reveals
no setting.
"""

import hashlib
import importlib.metadata
import json
import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from plexsync.rules.queue.machine import Machine, differing, refusal_words
from plexsync.rules.records import WorkerRow
from plexsync.rules.servers.errors import Unusable
from plexsync.store.files.address import StoreAddress
from plexsync.store.files.installation import installation
from plexsync.store.files.worker_locks import shared_locks
from plexsync.store.opening import check_folder
from validation import database_settings
from validation.config import PlexSyncConfig

if TYPE_CHECKING:
    from plexsync.store.postgres.worker_lock import WorkerLock

# What may be different on each machine: how it reaches the servers, its pace, and whom it tells.
LOCAL = frozenset(
    {
        "plex_url",
        "plex_token",
        "plex_connect_timeout",
        "plex_read_timeout",
        "plex_parallel",
        "stash_url",
        "stash_api_key",
        "stash_web_url",
        "tls_ca_file",
        "poll_interval",
        "stash_poll_interval",
        "reconcile_interval_hours",
        "scan_absent",
        "max_retries",
        "dlq_retention_days",
        "dlq_max",
        "breaker_failure_threshold",
        "breaker_recovery_timeout",
        "breaker_max_recovery_timeout",
        "worker_idle_minutes",
        "notify_urls",
        "notify_command",
        "notify_after_minutes",
        "provider_listen",
        "provider_url",
        "web_bind",
        "web_password",
        "web_allowed_hosts",
        "data_dir",
        *database_settings.NAMES,
    }
)


def this_machine(config: PlexSyncConfig, folder: Path) -> Machine:
    """Return what this process tells other machines of itself. Raises LocalFault."""
    try:
        version = importlib.metadata.version("plexsync")
    except importlib.metadata.PackageNotFoundError:
        version = "not installed"
    return Machine(
        host=socket.gethostname(),
        pid=os.getpid(),
        version=version,
        installation=installation(folder),
        settings=settings_prints(config),
    )


def settings_prints(config: PlexSyncConfig) -> dict[str, str]:
    """Return a print of each setting that decides what Plex shows, by name; of `provider_listen` whether it is set."""
    values = {
        **config.model_dump(mode="json", exclude=set(LOCAL)),
        "provider_listen": config.provider_listen != "none",
    }
    texts = {name: json.dumps(value, sort_keys=True).encode(errors="replace") for name, value in values.items()}
    return {name: hashlib.blake2b(text, digest_size=8).hexdigest() for name, text in texts.items()}


@contextmanager
def fence_of(config: PlexSyncConfig, address: StoreAddress) -> Iterator["WorkerLock | None"]:
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
