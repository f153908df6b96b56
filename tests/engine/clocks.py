"""Time and chance for tests: nothing moves unless it is moved."""

import threading


class Clock:
    """A clock that stands still. `move` lets time pass; `leap` sets the wall clock, which a steady clock does not see.

    It has one owner, the thread that made it: another thread would move it at a moment that the machine decides. `intruders`
    are the names of threads that have tried to; a fault in a thread of a pool might else be taken for one of the product.
    `each_look` seconds pass whenever the owner reads the steady clock: so time is counted in its own steps.
    """

    def __init__(self, now: int = 1_768_471_200_000) -> None:
        self.wall = now
        self.steady = 1000.0
        self.each_look = 0.0
        self.intruders: list[str] = []
        self._owner = threading.current_thread()

    def now(self) -> int:
        return self.wall

    def monotonic(self) -> float:
        if self.each_look and threading.current_thread() is self._owner:
            self.move(self.each_look)
        return self.steady

    def sleep(self, seconds: float) -> None:
        """Time passes for the owner; another thread goes on at once, as a sleep may return early."""
        if threading.current_thread() is self._owner:
            self.move(seconds)

    def move(self, seconds: float) -> None:
        self._check_owner()
        self.wall += round(seconds * 1000)
        self.steady += seconds

    def leap(self, seconds: float) -> None:
        self._check_owner()
        self.wall += round(seconds * 1000)

    def _check_owner(self) -> None:
        if threading.current_thread() is not self._owner:
            self.intruders.append(threading.current_thread().name)
            raise RuntimeError("only the thread that made the clock may move it")


class RandomSource:
    """Always the same draw, until `value` is changed."""

    def __init__(self, value: float = 0.5) -> None:
        self.value = value

    def random(self) -> float:
        return self.value
