"""What keeps a worker that was replaced from writing."""

from collections.abc import Callable
from typing import Protocol


class Fence(Protocol):
    """The worker's lock, which this process holds until it loses it.

    `heard` receives the database's time (UTC ms) with each heartbeat, and the steady time before the question.
    """

    heard: Callable[[int, float], None]

    @property
    def number(self) -> int:
        """The number of this holder; each following one has a higher number."""

    def check(self) -> None:
        """Raise LockLost unless this process holds the lock for certain."""

    def confirm(self) -> None:
        """Ask the database whether this process still holds the lock; raises LockLost if it does not."""

    def lose(self) -> None:
        """Record that another process holds the lock."""
