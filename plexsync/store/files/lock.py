"""One worker per database: an operating system lock, which is released when its process ends in any way."""

# ruff: noqa: PTH110, PTH116, PTH118

import errno
import os
import sys
import time
from contextlib import suppress

from plexsync.rules.servers.errors import Unusable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

FILE = "worker.lock"
# Held by the dashboard while it listens.
DASHBOARD = "dashboard.lock"
# Held by an import while it writes to Stash: a worker stands still meanwhile.
IMPORT = "import.lock"
# A process that only checks the lock holds it for an instant. A worker that starts then tries again.
TRIES = 5
PAUSE = 0.02


class Lock:
    """The worker's lock, held until `release` or the end of the process."""

    def __init__(self, handle: int) -> None:
        self._handle: int | None = handle

    def release(self) -> None:
        """Release the lock, so that another worker can start. May be called twice."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    def write(self, content: bytes, offset: int) -> None:
        """Overwrite a part of the file that was locked. Ignores a disk that does not take it."""
        if self._handle is not None:
            with suppress(OSError):
                os.lseek(self._handle, offset, os.SEEK_SET)
                os.write(self._handle, content)

    def __enter__(self) -> "Lock":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        self.release()


def try_lock(folder: "Path | str", file: str = FILE) -> Lock | None:
    """Take the lock on the database in `folder`; None while another holds it. Raises Unusable if it can't be checked.

    Another `file` is another lock in the same folder.
    """
    handle = _open(os.path.join(folder, file), os.O_RDWR | os.O_CREAT)
    locked = False
    try:
        for remaining in reversed(range(TRIES)):
            locked = _take(handle, shared=False)
            if locked:
                _date(handle)
                return Lock(handle)
            if remaining:
                time.sleep(PAUSE)
    finally:
        if not locked:
            os.close(handle)
    return None


def is_locked(folder: "Path | str", file: str = FILE) -> bool:
    """Whether a worker is running on the database in `folder`. Raises Unusable if that can't be checked."""
    path = os.path.join(folder, file)
    if not os.path.exists(path):
        return False
    handle = _open(path, os.O_RDWR)
    try:
        return not _take(handle, shared=True)
    finally:
        os.close(handle)


def has_dashboard(folder: "Path | str") -> bool:
    """Whether a dashboard listens for the database in `folder`; False if that can't be checked."""
    try:
        return is_locked(folder, DASHBOARD)
    except Unusable:
        return False


def locked_at(folder: "Path | str", file: str = FILE) -> int | None:
    """When the lock was last taken, in UTC milliseconds; None if it never was."""
    try:
        return round(os.stat(os.path.join(folder, file)).st_mtime * 1000)
    except OSError:
        return None


def _date(handle: int) -> None:
    """Date the file now, where that can be done; elsewhere its date is that of its creation."""
    if os.utime in os.supports_fd:
        with suppress(OSError):
            os.utime(handle)


def _open(path: str, flags: int) -> int:
    try:
        # A link here could lock, or create, a file of another user.
        return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError as error:
        raise Unusable(f"{path} can't be opened: {error.strerror}") from error


def _take(handle: int, *, shared: bool) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
            return False
        raise Unusable(f"the worker's lock can't be taken: {error.strerror}") from error
    return True
