"""What keeps a worker that was replaced from writing."""

from typing import Protocol


class Fence(Protocol):
    """The worker's lock as the store sees it. `number` is that of its holder."""

    @property
    def number(self) -> int:
        """The number of this holder; each following one has a higher number."""

    def check(self) -> None:
        """Raise LockLost unless this process holds the lock for certain."""

    def lose(self) -> None:
        """Record that another process holds the lock."""
