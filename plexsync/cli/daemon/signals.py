"""Stopping in good order, and in time: the first signal asks, as `Stop.ask` does; the second one, or
patience running out, ends the process.

Ending at any instant is allowed: leases, saved pushes and the worker's lock were made for it. So a server that hangs can
delay the end of the process by `GRACE` seconds and no more.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from plexsync.cli.call import INTERRUPTED

GRACE = 5.0
# On Windows nobody can send SIGTERM; Ctrl-Break, and a console that is closed, come as SIGBREAK.
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]


class Stop:
    """Whether this call is to end. `event` is for whoever works; `code` is the exit code that the signal asks for."""

    def __init__(self, terminated: int) -> None:
        self.event = threading.Event()
        self.code = 0
        self._terminated = terminated
        self._other: threading.Event | None = None
        self._timer: threading.Timer | None = None

    def __bool__(self) -> bool:
        return self.event.is_set()

    def spread(self, event: threading.Event) -> None:
        """From now on `event` is set together with ours, however busy its owner is; it takes the place of the one before."""
        self._other = event
        if self.event.is_set():
            event.set()

    def hear(self, number: int, _frame: FrameType | None = None) -> None:
        """A signal has come."""
        self.code = INTERRUPTED if number == signal.SIGINT else self._terminated
        if self.event.is_set():
            self._leave()
        self.ask()

    def ask(self) -> None:
        """All is to end in good order: now, or when patience has run out."""
        self.event.set()
        if self._other is not None:
            self._other.set()
        if self._timer is None:
            self._timer = threading.Timer(GRACE, self._leave)
            self._timer.daemon = True
            # Where there is no room for a thread, whoever sent the signal has patience of their own.
            with suppress(RuntimeError):
                self._timer.start()

    def done(self) -> None:
        """The work has ended in good order."""
        if self._timer is not None:
            self._timer.cancel()

    def _leave(self) -> None:
        if sys.stderr.isatty():
            sys.stderr.write("\x1b[?25h\n")  # a live line may have hidden the cursor
            sys.stderr.flush()
        os._exit(self.code)


def end_self() -> None:
    """End this process as SIGTERM does, in good order where it is heard; from any thread."""
    if sys.platform == "win32":
        # There `os.kill` ends the process at once; this calls the handler.
        signal.raise_signal(signal.SIGTERM)
    else:
        # To the whole process: it wakes the main thread out of whatever it waits for.
        os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def stoppable(*, terminated: int = 128 + signal.SIGTERM) -> Iterator[Stop]:
    """Hear SIGINT, SIGTERM and SIGBREAK until the block ends; `terminated` is the exit code after the last two."""
    stop = Stop(terminated)
    before = {number: signal.signal(number, stop.hear) for number in SIGNALS}
    try:
        yield stop
    finally:
        stop.done()
        for number, handler in before.items():
            signal.signal(number, handler)
