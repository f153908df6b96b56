"""Time and chance for tests: nothing moves unless it is moved."""


class Clock:
    """A clock that stands still. `move` lets time pass; `leap` sets the wall clock, which a steady clock does not see."""

    def __init__(self, now: int = 1_768_471_200_000) -> None:
        self.wall = now
        self.steady = 1000.0

    def now(self) -> int:
        return self.wall

    def monotonic(self) -> float:
        return self.steady

    def sleep(self, seconds: float) -> None:
        self.move(seconds)

    def move(self, seconds: float) -> None:
        self.wall += round(seconds * 1000)
        self.steady += seconds

    def leap(self, seconds: float) -> None:
        self.wall += round(seconds * 1000)


class Dice:
    """Always the same draw, until `value` is changed."""

    def __init__(self, value: float = 0.5) -> None:
        self.value = value

    def random(self) -> float:
        return self.value
