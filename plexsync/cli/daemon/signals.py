"""Stops a command in good order and in time.

The first signal asks for a stop, as `Stop.ask` does; a second one, or the end of the grace period, ends the process.
It may end at any instant: leases, saved pushes and the worker's lock are made for that. So a server that hangs can
delay the end of the process by at most `GRACE` seconds.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from plexsync.cli.call import INTERRUPTED

GRACE = 5.0
# The seconds that a handler waits until the stop is asked for.
SHORT = 0.05
# On Windows, SIGTERM can't be sent; Ctrl-Break and a closed console arrive as SIGBREAK.
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]


class Stop:
    """The stop request of this call. `event` stops the work; `code` is the exit code for the signal.

    `leaving` is called before the process ends without waiting for the work.
    """

    def __init__(self, terminated: int) -> None:
        self.event = threading.Event()
        self.code = 0
        self.leaving: Callable[[], None] = lambda: None
        self._terminated = terminated
        self._other: threading.Event | None = None
        self._timer: threading.Timer | None = None
        self._asking: threading.Thread | None = None

    def __bool__(self) -> bool:
        return self.event.is_set()

    def spread(self, event: threading.Event) -> None:
        """Set `event` together with this one's from now on, however busy its owner is; it replaces the previous one."""
        self._other = event
        if self.event.is_set():
            event.set()

    def hear(self, number: int, _frame: FrameType | None = None) -> None:
        """Handle a signal."""
        self.code = INTERRUPTED if number == signal.SIGINT else self._terminated
        if self.event.is_set():
            self._leave()
        if self._asking is None:
            # The interrupted thread may hold the lock of the event, on which it waits: another thread sets it.
            self._asking = threading.Thread(target=self.ask, daemon=True)
            try:
                self._asking.start()
            except RuntimeError:
                self.ask()
            else:
                self._asking.join(SHORT)

    def ask(self) -> None:
        """Request an orderly end; after the grace period the process ends at once."""
        self.event.set()
        if self._other is not None:
            self._other.set()
        if self._timer is None:
            self._timer = threading.Timer(GRACE, self._leave)
            self._timer.daemon = True
            # If no thread can be started, the sender of the signal has its own timeout.
            with suppress(RuntimeError):
                self._timer.start()

    def done(self) -> None:
        """Record that the work has ended in good order."""
        if self._timer is not None:
            self._timer.cancel()

    def _leave(self) -> None:
        if sys.stderr.isatty():
            sys.stderr.write("\x1b[?25h\n")  # a live line may have hidden the cursor
            sys.stderr.flush()
        self.leaving()
        os._exit(self.code)


@contextmanager
def stoppable(*, terminated: int = 128 + signal.SIGTERM) -> Iterator[Stop]:
    """Handle SIGINT, SIGTERM and SIGBREAK until the block ends; `terminated` is the exit code after the last two."""
    stop = Stop(terminated)
    before = {number: signal.signal(number, stop.hear) for number in SIGNALS}
    try:
        yield stop
    finally:
        stop.done()
        for number, handler in before.items():
            signal.signal(number, handler)
