"""The end of a process that hangs: a loop that never ends, or a library that never returns, is no exception to be caught.

The countdown runs in a thread of the interpreter's own that needs neither Python's lock nor anybody's help. Whoever works
shows signs of life; when they stay away, the process is ended, after it has written which line each thread was at. What
it had claimed is found by the next worker as after any crash: alone, and set aside when it does the same three times.
"""

import faulthandler
import os
import sys
import threading
from typing import IO

from sync.ports import Clock

# A sign of life is passed on once a second at most: it starts a thread.
PACE = 1.0


class Watchdog:
    """Ends the process when the thread that called `begin` is not `alive` for `seconds`, until it calls `end`.

    One in a process. Signs of life of other threads count for nothing: they go on while the worker hangs.
    """

    def __init__(self, seconds: float, clock: Clock) -> None:
        self._seconds = seconds
        self._clock = clock
        self._owner: int | None = None
        self._armed_at = 0.0
        self._file: IO[str] | None = None

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

    def _arm(self) -> None:
        self._armed_at = self._clock.monotonic()
        try:
            faulthandler.dump_traceback_later(self._seconds, exit=True, file=self._output())
        except RuntimeError:
            # No room for a thread: then it is not watched, and works on.
            return

    def _output(self) -> IO[str]:
        if self._file is None:
            try:
                sys.__stderr__.fileno()  # type: ignore[union-attr]
                self._file = sys.__stderr__
            except (AttributeError, OSError, ValueError):
                self._file = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - kept open for the end
        return self._file  # type: ignore[return-value]


class Unwatched:
    """No watchdog: for whoever steps an engine by hand."""

    def begin(self) -> None:
        """Nothing counts down."""

    def alive(self) -> None:
        """Nothing counts down."""

    def end(self) -> None:
        """Nothing counted down."""
