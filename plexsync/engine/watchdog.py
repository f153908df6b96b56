"""The end of a process that hangs: a loop that never ends, or a library that never returns, is no exception to be caught.

The countdown runs in a thread of the interpreter's own that needs neither Python's lock nor anybody's help. Whoever works
shows signs of life; when they stay away, the process is ended, after it has written which line each thread was at. That
goes to a file: nobody may be reading the log, and a write to it would hang as well. What the process had claimed is found
by the next worker as after any crash: alone, and set aside when it does the same three times.
"""

import faulthandler
import logging
import os
import threading
from contextlib import suppress
from pathlib import Path

from plexsync.rules.neighbours import Clock

log = logging.getLogger("PlexSync.watchdog")

# A sign of life is passed on once a second at most: it starts a thread.
PACE = 1.0


class Watchdog:
    """Ends the process when the thread that called `begin` is not `alive` for `seconds`, until it calls `end`.

    One in a process; `file` is where it tells. Signs of life of other threads count for nothing: they go on while the
    worker hangs.
    """

    def __init__(self, seconds: float, clock: Clock, file: Path) -> None:
        self._seconds = seconds
        self._clock = clock
        self._file = file
        self._handle: int | None = None
        self._owner: int | None = None
        self._armed_at = 0.0

    def begin(self) -> None:
        """The calling thread works from now on."""
        self._owner = threading.get_ident()
        self._arm()

    def alive(self) -> None:
        """The calling thread gets on."""
        if self._owner == threading.get_ident() and self._clock.monotonic() - self._armed_at >= PACE:
            self._arm()

    def end(self) -> None:
        """Nothing is being worked."""
        self._owner = None
        faulthandler.cancel_dump_traceback_later()

    def close(self) -> None:
        """Let go of the file."""
        self.end()
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    def tell_of_the_last(self) -> None:
        """Say that an earlier worker was ended, if one was, and keep what it wrote beside."""
        with suppress(OSError):
            if self._file.stat().st_size:
                kept = self._file.with_name(f"{self._file.stem}-last{self._file.suffix}")
                self._file.replace(kept)
                log.error("the last worker hung and was ended; where it was stands in %s", kept)

    def _arm(self) -> None:
        self._armed_at = self._clock.monotonic()
        # Where there is no room for a thread or a file it is not watched, and works on.
        with suppress(RuntimeError, OSError):
            if self._handle is None:
                self._handle = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            faulthandler.dump_traceback_later(self._seconds, exit=True, file=self._handle)


class Unwatched:
    """No watchdog: for whoever steps an engine by hand."""

    def begin(self) -> None:
        """Nothing counts down."""

    def alive(self) -> None:
        """Nothing counts down."""

    def end(self) -> None:
        """Nothing counted down."""
