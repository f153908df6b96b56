"""Reads the pictures of a batch side by side, a moment before the inspection asks for them.

The inspection goes through its scenes one by one, and asks for their pictures in an order that is known beforehand. So
the next few are read meanwhile. Their number is bound, because their bytes wait in memory, and because a failure may
concern all of Stash: then no more are read. Each picture is read once, as without this.
"""

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass
from typing import Generic, TypeVar

from plexsync.rules.errors import NO_MEMORY, LocalFault

K = TypeVar("K")
T = TypeVar("T")

# The maximum number of pictures that are being read or wait to be asked for.
AT_ONCE = 4


@dataclass(frozen=True)
class Readers:
    """The threads that read pictures. `alive` is called on the thread that asks for one, before it waits."""

    pool: Executor
    alive: Callable[[], None]


class ReadAhead(Generic[K, T]):
    """The pictures `due`, in the order in which they will be asked for. For use by one thread.

    `reading` is called on that thread, and returns what reads a picture on another one.
    """

    def __init__(self, readers: Readers, due: Iterable[K], reading: Callable[[K], Callable[[], T]]) -> None:
        self._readers = readers
        self._reading = reading
        self._due = deque(due)
        self._begun: deque[tuple[K, Future[T]]] = deque()
        self._passed: list[Future[T]] = []
        self._begin()

    def take(self, key: K) -> T | None:
        """A picture, as soon as it is read; None if it is not among those that are due.

        Those before it are not needed any more. Raises what its read has raised.
        """
        if key not in self._due and all(key != begun for begun, _ in self._begun):
            return None
        self._pass_over(key)
        self._begin()
        _, future = self._begun.popleft()
        self._begin()
        self._readers.alive()
        return future.result()

    def close(self) -> None:
        """Begin no more, and wait for those that are being read."""
        self._due.clear()
        self._passed += [future for _, future in self._begun]
        self._begun.clear()
        wait([future for future in self._passed if not future.cancel()])

    def _pass_over(self, key: K) -> None:
        while self._begun and self._begun[0][0] != key:
            self._passed.append(self._begun.popleft()[1])
        # A picture that nobody asks for is not kept in memory.
        self._passed = [future for future in self._passed if not (future.cancel() or future.done())]
        while not self._begun and self._due[0] != key:
            self._due.popleft()

    def _begin(self) -> None:
        while self._due and len(self._begun) < AT_ONCE:
            key = self._due.popleft()
            try:
                self._begun.append((key, self._readers.pool.submit(self._reading(key))))
            except RuntimeError as error:
                # The system can't start another thread.
                raise LocalFault(NO_MEMORY) from error
