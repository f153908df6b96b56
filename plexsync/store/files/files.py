"""Files that are there completely or not at all: each is made beside its place, under a hidden name, for its owner alone."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# What SQLite keeps beside a database, by the ends of the names.
SIDES = ("-wal", "-shm", "-journal")


def create(path: Path) -> int:
    """Create a file that only its owner can read, whatever the umask; returns its handle. Raises OSError."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    if hasattr(os, "fchmod"):
        os.fchmod(handle, 0o600)
    return handle


@contextmanager
def hidden_beside(path: Path) -> Iterator[Path]:
    """Yield an unused name in the same folder, for a file in the making. What still has this name at the end is removed."""
    hidden = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}.tmp")
    try:
        yield hidden
    finally:
        for end in ("", *SIDES):
            hidden.with_name(hidden.name + end).unlink(missing_ok=True)


def replace(path: Path, content: bytes) -> None:
    """Write a file anew, completely or not at all. Raises OSError."""
    with hidden_beside(path) as hidden:
        with os.fdopen(create(hidden), "wb") as file:
            file.write(content)
        hidden.replace(path)


def sync_to_disk(path: Path) -> None:
    """Make a file's content, or a folder's names, durable. Does nothing for folders on Windows. Raises OSError."""
    if os.name == "nt" and path.is_dir():
        return
    handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
