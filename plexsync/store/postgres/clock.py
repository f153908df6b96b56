"""The time of the database, on every machine that uses it.

Machines may disagree by minutes about the time, and due times are compared by all of them. So with PostgreSQL each
process takes the time from the database: it learns how far the database's clock is from its own steady clock, and adds
that. The wall clock of the machine is never read.
"""

import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from plexsync.rules.servers.errors import SyncError

# Seconds after which the database is asked again, and after a failed question.
RENEW, RETRY = 30.0, 5.0
# How far two steady clocks may drift apart: milliseconds in a second, more than any usual crystal.
DRIFT = 0.2
# A time that lies further back than this (ms) is no correction: the clock of the database was set back.
SET_BACK = 10_000


def steady() -> float:
    """Return milliseconds of a clock that never steps. On Linux it counts while the machine sleeps."""
    if sys.platform == "linux":
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) / 1e6
    return time.monotonic_ns() / 1e6


class Offset:
    """What has to be added to a steady clock to get the database's time; all values are milliseconds.

    Each answer of the database bounds the offset: its time was read between the question and the answer. The bounds
    of several answers are combined, so one slow answer makes nothing worse.
    """

    def __init__(self) -> None:
        self._low = self._high = 0.0
        self._at: float | None = None
        self._last = 0

    def learn(self, moment: int, asked: float, answered: float) -> None:
        """Take in that the database told the time `moment` between the steady times `asked` and `answered`."""
        low, high = moment - answered, moment + 1 - asked
        if self._at is not None:
            drift = DRIFT * max(0.0, answered - self._at) / 1000
            both = max(low, self._low - drift), min(high, self._high + drift)
            # Without an overlap, one of the two clocks was set: the newer answer counts.
            low, high = both if both[0] <= both[1] else (low, high)
        self._low, self._high, self._at = low, high, answered

    def time(self, now: float) -> int:
        """Return the database's time at the steady time `now`. A correction never makes it go back."""
        current = int(now + (self._low + self._high) / 2)
        if self._last - SET_BACK <= current < self._last:
            return self._last
        self._last = current
        return current


class DatabaseClock:
    """A clock that shows the database's time. `ask` returns it in UTC milliseconds, or raises SyncError.

    The first question is asked at once. Later ones are asked in a thread of their own, since `now` waits for nothing.
    """

    def __init__(self, ask: Callable[[], int], *, machine: Callable[[], float] = steady) -> None:
        self._ask = ask
        self._machine = machine
        self._offset = Offset()
        self._lock = threading.Lock()
        self._due = 0.0
        self._asking = False
        self._renew()

    def now(self) -> int:
        """UTC milliseconds by the clock of the database. Goes back only if that clock is set back."""
        with self._lock:
            machine = self._machine()
            time = self._offset.time(machine)
            due = not self._asking and machine >= self._due
            self._asking = self._asking or due
        if due:
            self._renew_beside()
        return time

    def monotonic(self) -> float:
        """Monotonic time of this machine in seconds. Never jumps."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Sleep for this many seconds."""
        time.sleep(seconds)

    def learn(self, moment: int, asked: float) -> None:
        """Take in a time that the database told with another answer, to a question at the `steady` time `asked`."""
        with self._lock:
            answered = self._machine()
            self._offset.learn(moment, asked, answered)
            self._due = answered + RENEW * 1000

    def _renew(self) -> None:
        asked = self._machine()
        self.learn(self._ask(), asked)

    def _renew_beside(self) -> None:
        # If no thread can be started, the next call tries again.
        with suppress(RuntimeError):
            threading.Thread(target=self._try_to_renew, name="database clock", daemon=True).start()
            return
        self._asking = False

    def _try_to_renew(self) -> None:
        try:
            self._renew()
        except SyncError:
            # The steady clock goes on alone.
            with self._lock:
                self._due = self._machine() + RETRY * 1000
        finally:
            self._asking = False
