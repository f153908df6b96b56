"""A name of this data folder, as databases on other machines know it. A copy of the folder is another installation."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from plexsync.rules.errors import LocalFault

FILE = "installation"
LENGTH = 16


def installation(folder: Path) -> str:
    """Return the name of this data folder, which is made on first use. Raises LocalFault."""
    path = folder / FILE
    try:
        for _ in range(2):
            with suppress(FileNotFoundError):
                name = path.read_text(encoding="ascii", errors="replace").strip()
                if len(name) == LENGTH and name.isalnum():
                    return name
            _write(path)
    except OSError as error:
        raise LocalFault(f"{path} can't be used: {error.strerror}") from error
    raise LocalFault(f"{path} can't be used: it changes all the time")


def _write(path: Path) -> None:
    """Write a new name, completely or not at all."""
    hidden = path.with_name(f".{FILE}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        handle = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(LENGTH // 2))
        hidden.replace(path)
    finally:
        hidden.unlink(missing_ok=True)
