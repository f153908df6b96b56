"""This process, as the other machines that use its database know it."""

import importlib.metadata
import os
import socket
from pathlib import Path

from plexsync.app.fingerprints import settings_prints
from plexsync.rules.machine import Machine
from plexsync.store.installation import installation
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
