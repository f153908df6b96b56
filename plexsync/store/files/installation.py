"""What a data folder keeps for itself: its name, as databases on other machines know it, and a key for cookies.

A copy of the folder is another installation.
"""

import secrets
from contextlib import suppress
from pathlib import Path

from plexsync.rules.servers.errors import LocalFault
from plexsync.store.files.files import replace

FILE, LENGTH = "installation", 16
# The key by which the dashboard knows a browser that has signed in before.
KEY_FILE, KEY_LENGTH = "browser-key", 64


def installation(folder: Path) -> str:
    """Return the name of this data folder, which is made on first use. Raises LocalFault."""
    return _read_or_create(folder / FILE, LENGTH)


def browser_key(folder: Path) -> bytes:
    """Return the key for cookies of browsers, which is made on first use. Raises LocalFault."""
    return _read_or_create(folder / KEY_FILE, KEY_LENGTH).encode()


def _read_or_create(path: Path, length: int) -> str:
    try:
        for _ in range(2):
            with suppress(FileNotFoundError):
                name = path.read_text(encoding="ascii", errors="replace").strip()
                if len(name) == length and name.isalnum():
                    return name
            replace(path, secrets.token_hex(length // 2).encode())
    except OSError as error:
        raise LocalFault(f"{path} can't be used: {error.strerror}") from error
    raise LocalFault(f"{path} can't be used: it changes all the time")
