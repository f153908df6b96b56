"""Whether the data folder can be written: what its file system says, and why the worker has paused.

A worker that can't write its database can tell nobody through it, and can make no file either. So it has a file of fixed
length from its start on, which it overwrites in place; what stands there counts while the worker holds the file's lock.
Imports little, because `plexsync status` has to start fast.
"""

# ruff: noqa: PTH118, PTH123

import os
import sys

from plexsync.rules.servers.errors import Unusable
from plexsync.store.files.lock import Lock, is_locked, try_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from plexsync.rules.queue.notices import Pause

FILE = "worker.paused"
# Where the text begins (some systems lock the first byte), and its length.
OFFSET, LENGTH = 16, 1000
NO_SPACE = "no space is left"
# With less free space than this the disk is full: SQLite needs room for its log.
FULL_BELOW = 2**20


class PauseFile:
    """The file of the worker that runs, until `close`. A folder in which it can't be made has none."""

    def __init__(self, folder: "Path | str") -> None:
        self._lock: Lock | None = None
        try:
            self._lock = try_lock(folder, FILE)
        except Unusable:
            return
        self.save("")

    def keep(self, pause: "Pause | None") -> None:
        """Save this pause, or that the worker works."""
        self.save(f"{pause.since} {int(pause.full)} {pause.message}" if pause else "")

    def save(self, text: str) -> None:
        """Overwrite the text. Ignores a disk that takes not even that."""
        if self._lock is not None:
            content = text.encode(errors="replace")[:LENGTH]
            self._lock.write(content.ljust(LENGTH), OFFSET)

    def close(self) -> None:
        """The worker works no more."""
        if self._lock is not None:
            self._lock.release()


def read_pause(folder: "Path | str") -> "tuple[int, bool, str] | None":
    """Why the worker that runs is paused: since when, whether no space is left, and the error; None if it works."""
    try:
        with open(os.path.join(folder, FILE), "rb") as file:
            file.seek(OFFSET)
            since, full, message = file.read(LENGTH).decode(errors="replace").strip().split(" ", 2)
        return (int(since), full == "1", message) if is_locked(folder, FILE) else None
    except (OSError, ValueError, Unusable):
        return None


def free_in(folder: "Path | str") -> tuple[int, str]:
    """How many bytes are free there for this user, and why nothing can be written; '' if nothing speaks against it."""
    if sys.platform == "win32":
        return -1, ""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return -1, ""
    free = disk.f_frsize * (disk.f_bfree if os.geteuid() == 0 else disk.f_bavail)
    if disk.f_flag & os.ST_RDONLY:
        return free, "its file system is read-only"
    is_full = (disk.f_blocks and free < FULL_BELOW) or (disk.f_files and not disk.f_ffree)
    return free, NO_SPACE if is_full else ""
