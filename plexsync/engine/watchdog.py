"""Ends a process that hangs in an endless loop or in a library call, which raises no exception.

The countdown runs in a thread of the interpreter that does not need the GIL. The working thread sends signs of life.
Without them, the process writes the current line of each thread to a file and ends. It does not use the log, since a
write to it could hang as well. The next worker treats the claimed jobs as after any crash: it tries each alone, and
sets a job aside as poison after three crashes.
"""

import faulthandler
import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from plexsync.rules.servers.neighbours import Clock

log = logging.getLogger("PlexSync.watchdog")

# The shortest interval in seconds between two restarts of the countdown, since each starts a thread.
PACE = 1.0


class Watchdog:
    """Ends the process if the thread that called `begin` is not `alive` for `seconds`, until it calls `end`.

    There is one per process. `file` receives the report. Signs of life from other threads are ignored, since those
    threads continue while the worker hangs; not so from one that does a part of the same work (`assist`).
    """

    def __init__(self, seconds: float, clock: Clock, file: Path) -> None:
        self._seconds = seconds
        self._clock = clock
        self._file = file
        self._handle: int | None = None
        self._owners: tuple[int, ...] = ()
        self._armed_at = 0.0

    def begin(self) -> None:
        """Start the countdown for the calling thread."""
        self._owners = (threading.get_ident(),)
        self._arm()

    def assist(self) -> None:
        """Take signs of life from the calling thread as well, until `end`."""
        self._owners += (threading.get_ident(),)

    def alive(self) -> None:
        """Restart the countdown; a sign of life from the calling thread."""
        if threading.get_ident() in self._owners and self._clock.monotonic() - self._armed_at >= PACE:
            self._arm()

    def end(self) -> None:
        """Stop the countdown, since nothing is being worked."""
        self._owners = ()
        faulthandler.cancel_dump_traceback_later()

    def close(self) -> None:
        """Stop the countdown and close the file."""
        self.end()
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    def tell_of_the_last(self) -> None:
        """Log whether an earlier worker was ended, and keep its report in a second file."""
        with suppress(OSError):
            if self._file.stat().st_size:
                last = self._file.with_name(f"{self._file.stem}-last{self._file.suffix}")
                self._file.replace(last)
                log.error("the last worker hung and was ended; where it was stands in %s", last)

    def _arm(self) -> None:
        self._armed_at = self._clock.monotonic()
        # If no thread or file can be created, the process works on without a watchdog.
        with suppress(RuntimeError, OSError):
            if self._handle is None:
                self._handle = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            faulthandler.dump_traceback_later(self._seconds, exit=True, file=self._handle)


class Unwatched:
    """No watchdog, for callers that step an engine themselves."""

    def begin(self) -> None:
        """Do nothing."""

    def assist(self) -> None:
        """Do nothing."""

    def alive(self) -> None:
        """Do nothing."""

    def end(self) -> None:
        """Do nothing."""


class Heard:
    """Counts requests as they are sent, and calls `alive`."""

    def __init__(self, alive: Callable[[], None]) -> None:
        self._alive = alive
        self._lock = threading.Lock()
        self.count = 0

    def __call__(self) -> None:
        """Count one more request."""
        with self._lock:
            self.count += 1
        self._alive()
