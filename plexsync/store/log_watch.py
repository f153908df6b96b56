"""Waits until any process writes to the log of a SQLite file. Linux tells of it, so nobody has to look time and again."""

import ctypes
import os
import selectors
import sys
import time
from contextlib import suppress
from pathlib import Path

# A commit can be read a moment after its log was written. Seconds from a write to the first look, and the longest
# time between two looks after it; each is twice as long as the one before.
SOON, LATEST = 0.025, 0.4
IN_MODIFY = 0x2
# A read of no event returns at once, and a child does not inherit the handle.
NO_WAIT = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
# The end of the buffer for events that nobody reads.
EVENTS = 64 * 1024


def watch_log(log: Path | None) -> "LogWatch | None":
    """Return what waits for writes to this file, to be closed; None where the system does not tell of them."""
    try:
        return LogWatch(log) if log is not None and sys.platform == "linux" else None
    except OSError:
        return None


class LogWatch:
    """Tells when the file at `log` is written to, on Linux. Raises OSError if the system tells nothing of it."""

    def __init__(self, log: Path) -> None:
        self._log = os.fsencode(log)
        self._system = ctypes.CDLL(None, use_errno=True)
        self._written = self._call("inotify_init1", NO_WAIT)
        self._woken, self._wakes = os.pipe()
        self._ready = selectors.DefaultSelector()
        for handle in (self._written, self._woken):
            self._ready.register(handle, selectors.EVENT_READ)
        self._pause = 0.0
        try:
            self._watch()
        except OSError:
            self.close()
            raise

    def wait(self, seconds: float) -> None:
        """Wait until someone may have committed, or `wake` is called, at most for so long."""
        with suppress(OSError):
            # Another file may have taken its place.
            self._watch()
        pause = min(seconds, self._pause) if self._pause else seconds
        ready = {key.fd for key, _ in self._ready.select(pause)}
        if self._woken in ready:
            return
        if self._written in ready:
            self._pause = SOON
            time.sleep(min(seconds, SOON))
            self.forget()
        elif self._pause:
            self._pause = 2 * self._pause if self._pause < LATEST else 0.0

    def forget(self) -> None:
        """Forget what was written until now: it was read already."""
        with suppress(OSError):
            os.read(self._written, EVENTS)

    def wake(self) -> None:
        """End the current wait, and each later one at once. From any thread, until it is closed."""
        os.write(self._wakes, b"1")

    def close(self) -> None:
        """Watch no longer."""
        self._ready.close()
        for handle in (self._written, self._woken, self._wakes):
            os.close(handle)

    def _watch(self) -> None:
        self._call("inotify_add_watch", self._written, self._log, IN_MODIFY)

    def _call(self, name: str, *values: object) -> int:
        handle = int(getattr(self._system, name)(*values))
        if handle < 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))
        return handle
