"""The system clock and random source. Only this module and the circuit breaker read the wall clock."""

import random
import time


class SystemClock:
    """The clocks of the machine."""

    def now(self) -> int:
        """UTC wall-clock time in milliseconds. May jump when the machine's clock is set."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Monotonic time in seconds. Never jumps."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Sleep for this many seconds."""
        time.sleep(seconds)


class SystemRandom:
    """The random source of the machine."""

    def random(self) -> float:
        """A random number, uniform in [0, 1)."""
        return random.random()
