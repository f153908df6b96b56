"""Where times and random numbers come from."""

from typing import Protocol


class Clock(Protocol):
    """The source of time."""

    def now(self) -> int:
        """The wall clock in UTC milliseconds."""

    def monotonic(self) -> float:
        """Seconds of a clock that never steps."""

    def sleep(self, seconds: float) -> None:
        """Wait; may return early."""


class RandomSource(Protocol):
    """The source of random numbers."""

    def random(self) -> float:
        """Uniform in [0, 1)."""
