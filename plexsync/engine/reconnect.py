"""How long a listener waits before it connects again: exponential backoff with jitter."""

from plexsync.rules.servers.neighbours import Clock, RandomSource

# Seconds. The delay doubles with each failure, and up to half of it is added at random.
LONGEST_DELAY = 300.0
# A connection that lasted this many seconds counts as good.
GOOD = 60.0


class ReconnectBackoff:
    """The backoff of one connection. `initial` is its first delay in seconds."""

    def __init__(self, clock: Clock, rng: RandomSource, initial: float) -> None:
        self._clock = clock
        self._rng = rng
        self._initial = initial
        self._next = initial
        self._until = 0.0

    def is_over(self) -> bool:
        """Whether it is time to connect."""
        return self._clock.monotonic() >= self._until

    def end(self) -> None:
        """It is time to connect: the server was down, and is up again."""
        self._next, self._until = self._initial, 0.0

    def note_end(self, began: float) -> None:
        """A connection that began at this monotonic time has ended, or could not be made: the next delay begins."""
        now = self._clock.monotonic()
        if now - began >= GOOD:
            self._next = self._initial
        delay, self._next = self._next, min(2 * self._next, LONGEST_DELAY)
        self._until = now + delay * (1 + self._rng.random() / 2)
