"""The clock and the dice behind the ports: besides the circuit breaker, the only place that reads the wall clock."""

import random
import time


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> int:
        """UTC milliseconds on the wall; may step when the machine's clock is set."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds that never step."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait that long."""
        time.sleep(seconds)


class SystemDice:
    """The machine's own chance."""

    def random(self) -> float:
        """Uniform in [0, 1)."""
        return random.random()
